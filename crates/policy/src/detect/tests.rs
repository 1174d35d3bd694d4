//! Linear time, shown by counting the bytes that scanners look at, and that nothing panics.

use super::scan::bytes::STEPS;
use super::{Builtin, Detectors, Found, Spec};
use proptest::prelude::*;

fn set(builtins: &[Builtin]) -> Detectors {
    let specs: Vec<Spec> = builtins.iter().map(|&b| Spec::Builtin(b)).collect();
    Detectors::compile(&specs).unwrap()
}

/// The bytes looked at to scan a value.
fn steps(set: &Detectors, value: &str) -> usize {
    STEPS.set(0);
    set.scan(value, &mut Vec::new());
    STEPS.get()
}

/// What the scanners anchor at, what they look back over and what they look forward over.
const UNITS: &[&str] = &[
    "a",
    "1",
    "@",
    ".",
    ":",
    "=",
    "-",
    "'",
    "\"",
    "\\",
    "+",
    "://",
    "eyJ",
    "eyJa.",
    "a@",
    "a@b.",
    "1.",
    "1.1.1.",
    "a:",
    "::",
    "fe80:",
    "4111 ",
    "4111-",
    "1-",
    "+1",
    "+1 ",
    "415-",
    "(415) ",
    "DE89",
    "DE",
    "AKIA",
    "ghp_",
    "xox",
    "xoxb-",
    "glpat-",
    "sk_live_",
    "bearer ",
    "bearer",
    "bearer a+bearer ",
    "basic ",
    "basic aaaa",
    "basic a+",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "-----END ",
    "-----",
    "A=\n",
    "password=",
    "password='",
    "password=\\\"",
    "token: ",
    "token: a",
    "token:",
    "token=<",
    "pass=1",
    "secret=a/b ",
    "secret=",
    "sig=",
    "AccountKey=",
    "AccountKey=!",
    "secretAccessKey=",
    "privateKeyId=",
    "?token=",
    "?key=&",
    "a:b@",
    "://a:b@",
    "://a",
    "SELECT ",
    "SELECT FROM ",
    "SELECT FROM '",
    "SELECT FROM ''",
    "SELECT FROM '\\'",
    "UPDATE ",
    "INSERT ",
    "INSERT INTO 1 ",
    "/*",
    "/**/",
    "--",
    "1e",
    "0x",
    "select from \"",
    "from ",
    "123-45-",
    "99 ",
    "AB12",
    " ",
    "\t",
    "ß",
    "日",
];

/// Guarantees: scanning 16 times as much of the worst there is takes no more than 17 times the
/// work, for each detector and all of them together.
#[test]
fn linear() {
    // Longer than what is looked at in blocks, so that both ways are the same.
    const N: usize = 4096;
    let sets: Vec<_> = Builtin::ALL
        .iter()
        .map(|&builtin| (format!("{builtin:?}"), set(&[builtin])))
        .chain([("all".to_owned(), set(Builtin::ALL))])
        .collect();
    // A statement and a secret's name are behind some of the scanners; signs before all of them.
    let heads = [
        "",
        "SELECT FROM ",
        "password=",
        "eyJ ://@=:'--- key 1234567890123 1.1...++11",
    ];
    for (name, set) in &sets {
        for unit in UNITS {
            for head in heads {
                let value = |n: usize| format!("{head}{}", unit.repeat(n / unit.len()));
                let (short, long) = (steps(set, &value(N)), steps(set, &value(16 * N)));
                assert!(
                    long <= 17 * short + N,
                    "{name}: {short} steps for {head:?} and {N} bytes of {unit:?}, {long} for 16 times as many"
                );
            }
        }
    }
}

/// Guarantees: the count would show a scanner that is not linear.
#[test]
fn steps_are_counted() {
    let ipv6 = set(&[Builtin::Ipv6]);
    assert!(steps(&ipv6, &"fe80:".repeat(1000)) >= 5000);
    assert_eq!(steps(&ipv6, "nothing"), 0);
}

fn whole(found: &[Found], value: &str) {
    let mut last = 0;
    for one in found {
        assert!(last <= one.start && one.start < one.end && one.end <= value.len());
        assert!(value.is_char_boundary(one.start) && value.is_char_boundary(one.end));
        last = one.end;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Guarantees: on any text and on what scanners anchor at, in any order: no panic, ranges in
    /// order, without overlaps, not empty, on character boundaries.
    #[test]
    fn any_text(
        text in any::<String>(),
        parts in prop::collection::vec(prop_oneof![
            4 => prop::sample::select(UNITS).prop_map(str::to_owned),
            1 => any::<char>().prop_map(String::from),
            1 => "[0-9A-Za-z+/=_-]{1,24}",
        ], 0..24),
    ) {
        let set = set(Builtin::ALL);
        for value in [text.as_str(), &parts.concat()] {
            let mut found = Vec::new();
            prop_assert_eq!(set.scan(value, &mut found), !found.is_empty());
            whole(&found, value);
        }
    }
}
