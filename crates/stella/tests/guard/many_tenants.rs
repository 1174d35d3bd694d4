//! Ten thousand tenants.

use std::fmt::Write;

use super::{BINARY, Holder, TAKEN, codes, send_each_way};
use testkit::stella::Stella;

const TENANTS: usize = 10_000;
const MEMORY_BYTES: u64 = 64 << 20;

/// Resident memory (proc(5)).
fn resident_bytes(stella: &Stella) -> u64 {
    let path = format!("/proc/{}/status", stella.at().pid);
    let status = std::fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() * 1024
}

/// A profile with these tenants, each with a token, a pattern and a quota of its own.
fn profile(holders: &[Holder]) -> String {
    let mut text = "identity:\n  trust_domain: site.example\n  tenants:\n".to_owned();
    for (at, holder) in holders.iter().enumerate() {
        let digest = &holder.digest;
        let _ = writeln!(
            text,
            "    tenant-{at}: {{ match: [{{ token: '{digest}' }}, {{ san: 'spiffe://partner.example/tenant-{at}/**' }}] }}"
        );
    }
    text += "quotas:\n  tenants:\n";
    for at in 0..holders.len() {
        let _ = writeln!(
            text,
            "    tenant-{at}: {{ weight: {}, logs: {{ bytes_per_second: 1MiB }}, series: 1000, journal_bytes_per_day: 1GiB }}",
            at % 7 + 1
        );
    }
    text
}

/// Guarantees: BOUNDED; a gateway with 10,000 tenants, each with identities and quotas of its own,
/// starts, knows the first and the last, and after the same traffic has at most 64 MiB more in
/// memory than one with one tenant.
#[test]
fn ten_thousand_tenants_fit() {
    let holders: Vec<Holder> = (0..TENANTS).map(|_| Holder::new()).collect();
    let few = Stella::start(BINARY, &profile(&holders[..1]));
    let many = Stella::start(BINARY, &profile(&holders));
    for stella in [&few, &many] {
        for _ in 0..20 {
            let answers = send_each_way(stella, &holders[0].headers(), "of the first");
            assert_eq!(codes(&answers), TAKEN, "{answers:?}");
        }
    }
    for at in [1, TENANTS / 2, TENANTS - 1] {
        let answers = send_each_way(&many, &holders[at].headers(), "of another");
        assert_eq!(codes(&answers), TAKEN, "{answers:?}");
        let dump = many.dump_of(&format!("tenant-{at}"));
        assert_eq!(dump.matches("of another").count(), 3, "{dump}");
    }
    let (few, many) = (resident_bytes(&few), resident_bytes(&many));
    assert!(many <= few + MEMORY_BYTES, "{many} bytes against {few}");
}
