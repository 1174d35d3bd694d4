//! What 10,000 tenants cost in memory. The only test in its process: it looks at the process.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "this is a test"
)]

use std::fmt::Write;

use ident::Signal;
use policy::identity::{Digest, Directory, Identity, Proof};
use policy::quota::{Admission, Now, Quotas};

const TENANTS: usize = 10_000;

/// The process's resident memory in bytes, which is more than what is in use.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: usize = line
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kib << 10
}

/// Guarantees (BOUNDED): 10,000 tenants with four matchers each take at most 64 MiB, with all that
/// was needed to read them; being kept track of takes a tenant at most 2 KiB more.
#[test]
fn ten_thousand_tenants_take_little_memory() {
    let mut yaml = "trust_domain: site.example\ntenants:\n".to_owned();
    for i in 0..TENANTS {
        let digest = Digest::of(&i.to_le_bytes());
        writeln!(
            yaml,
            "  tenant-{i}: {{match: [san: spiffe://other.example/tenant-{i}/**, dns: tenant-{i}.example, claim: {{iss: idp, org: tenant-{i}}}, token: '{digest}']}}"
        )
        .unwrap();
    }
    let config: Identity = serde_saphyr::from_str(&yaml).unwrap();
    let before = resident();
    let directory = Directory::new(&config).unwrap();
    let of_directory = resident().saturating_sub(before);
    assert!(
        of_directory > 0 && of_directory <= 64 << 20,
        "{of_directory} bytes"
    );
    let proof = Proof {
        opaque: Some(Digest::of(&77usize.to_le_bytes())),
        ..Proof::default()
    };
    let tenant = directory.resolve(&proof, None).unwrap().tenant;
    assert_eq!(tenant.as_str(), "tenant-77");

    let quotas: Quotas = serde_saphyr::from_str(
        "default: {series: 100000, traces: {bytes_per_second: 1MiB}, journal_bytes_per_day: 1GiB}",
    )
    .unwrap();
    let before = resident();
    let admission = Admission::new(&quotas, 32 << 20, [1, 2]).unwrap();
    let now = Now {
        nanos: 1,
        unix_seconds: 1_800_000_000,
    };
    for tenant in directory.tenants() {
        admission
            .request(tenant, Signal::Traces, (1000, 1), now)
            .unwrap();
    }
    assert_eq!(admission.tenants(), TENANTS);
    let of_tenants = resident().saturating_sub(before);
    assert!(of_tenants <= TENANTS * 2048, "{of_tenants} bytes");
    println!(
        "directory: {} bytes a tenant; admission: {} bytes a tenant",
        of_directory / TENANTS,
        of_tenants / TENANTS
    );
}
