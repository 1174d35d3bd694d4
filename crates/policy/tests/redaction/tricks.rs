//! Ways around a policy that must not be any.

use super::common::{Request, put_field};
use super::{compile, contains, count, redact};
use otlp::Signal;
use policy::redaction::{Counts, Redactor};
use proptest::prelude::*;

fn field(number: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_field(&mut out, number, body);
    out
}

fn text(value: &str) -> Vec<u8> {
    field(1, value.as_bytes())
}

fn pair(key: &str, value: &[u8]) -> Vec<u8> {
    [field(1, key.as_bytes()), field(2, value)].concat()
}

/// One span with these attributes.
fn span(pairs: &[Vec<u8>]) -> Vec<u8> {
    let attributes: Vec<u8> = pairs.iter().flat_map(|pair| field(9, pair)).collect();
    field(1, &field(2, &field(2, &attributes)))
}

const DROP: &str = "\
version: 1
rules: [{ name: secret, keys: [password, user.email], action: drop }]
";

/// Guarantees: however the fields of a pair are ordered and repeated, its key is seen.
#[test]
fn a_pair_is_known_by_its_key_in_any_form() {
    let policy = compile(DROP);
    let (key, other) = (field(1, b"password"), field(1, b"innocent"));
    let value = field(2, &text("hunter2"));
    let strindex = vec![0x18, 0x01];
    for pair in [
        [key.clone(), value.clone()].concat(),
        [value.clone(), key.clone()].concat(),
        [key.clone(), value.clone(), value.clone()].concat(),
        [key.clone(), key.clone(), value.clone()].concat(),
        [key.clone(), value.clone(), other.clone()].concat(),
        [key.clone(), other.clone(), value.clone()].concat(),
        [other.clone(), value.clone(), key.clone()].concat(),
        [strindex.clone(), key.clone(), value.clone()].concat(),
        [key.clone(), value.clone(), strindex].concat(),
        [key, value, field(30, b"unknown")].concat(),
    ] {
        let (out, counts) = redact(&policy, Signal::Traces, &span(&[pair]));
        assert!(!contains(&out, b"hunter2"));
        assert_eq!(counts.total(), 1);
    }
}

/// Guarantees: keys are matched in any case, nested, and by their dotted path.
#[test]
fn a_key_is_found_in_any_case_and_nested() {
    let policy = compile(DROP);
    let map = |pairs: &[Vec<u8>]| {
        let entries: Vec<u8> = pairs.iter().flat_map(|pair| field(1, pair)).collect();
        field(6, &entries)
    };
    let array = |value: &[u8]| field(5, &field(1, value));
    let inner = map(&[pair("email", &text("hunter2")), pair("n", &text("stays"))]);
    for (at, wire) in [
        span(&[
            pair("PassWord", &text("hunter2")),
            pair("a", &text("stays")),
        ]),
        span(&[pair("user", &inner)]),
        span(&[pair("User", &inner)]),
        span(&[pair("user", &array(&inner))]),
        span(&[
            pair("x", &map(&[pair("password", &text("hunter2"))])),
            pair("y", &text("stays")),
        ]),
    ]
    .into_iter()
    .enumerate()
    {
        let (out, counts) = redact(&policy, Signal::Traces, &wire);
        assert!(!contains(&out, b"hunter2"), "{at}");
        assert!(contains(&out, b"stays"), "{at}");
        assert_eq!(count(&policy, &counts, "secret"), 1, "{at}");
    }
    let (out, _) = redact(&policy, Signal::Traces, &span(&[pair("other", &inner)]));
    assert!(contains(&out, b"hunter2"), "`email` alone is not named");
}

/// Guarantees: a key, and a path of keys, that is too long to be looked up goes (BOUNDED).
#[test]
fn keys_too_long_to_look_up_go() {
    let policy = compile(DROP);
    let fits = span(&[pair(&"k".repeat(512), &text("value"))]);
    assert_eq!(redact(&policy, Signal::Traces, &fits).1.total(), 0);
    let long = span(&[pair(&"k".repeat(513), &text("value"))]);
    let (out, counts) = redact(&policy, Signal::Traces, &long);
    assert!(!contains(&out, b"value"));
    assert_eq!(count(&policy, &counts, "(key too long)"), 1);
    let inner = field(6, &field(1, &pair(&"b".repeat(300), &text("value"))));
    let (out, counts) = redact(
        &policy,
        Signal::Traces,
        &span(&[pair(&"a".repeat(300), &inner)]),
    );
    assert!(!contains(&out, b"value"));
    assert_eq!(count(&policy, &counts, "(key too long)"), 1);
}

/// Guarantees: two policies that take turns on one worker are not mixed up.
#[test]
fn a_redactor_keeps_policies_apart() {
    let policies = [
        compile(DROP),
        compile("version: 1\nrules: [{ name: m, keys: [password], action: mask, mask: M }]\n"),
        compile("version: 1\nrules: [{ name: m, keys: [b], action: drop }]\n"),
    ];
    let pairs = [pair("b", &text("bb")), pair("password", &text("hunter2"))];
    let wire = span(&pairs);
    let mut redactor = Redactor::new();
    for _ in 0..3 {
        for (policy, expect) in policies.iter().zip([
            span(&pairs[..1]),
            span(&[pairs[0].clone(), pair("password", &text("M"))]),
            span(&pairs[1..]),
        ]) {
            let (mut out, mut counts) = (Vec::new(), Counts::new(policy));
            let edited = redactor.redact(policy, Signal::Traces, &wire, &mut out, &mut counts);
            assert_eq!(edited, Ok(otlp::edit::Edited::Changed));
            assert_eq!(out, expect);
        }
    }
}

const EVERYTHING: &str = "\
version: 1
annotate: true
patterns: [{ name: word, regex: '[a-z]{3}' }]
rules:
  - { name: a, keys: ['http.*', '*x*'], action: drop }
  - { name: b, detect: [word, default], action: mask }
  - { name: c, keys: [GET], action: hash }
  - { name: d, fields: [log.body, span.name], action: truncate, length: 3 }
";

proptest! {
    /// Guarantees: no bytes make the redactor panic, also such that were not checked; and what it
    /// calls well done of checked ones is well formed.
    #[test]
    fn nothing_panics(
        seed in proptest::collection::vec(any::<u8>(), 0..600),
        hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let policy = compile(EVERYTHING);
        for signal in Signal::ALL {
            let mut wire = Request::random(signal, &seed).encode();
            for (at, byte) in &hits {
                if !wire.is_empty() {
                    let at = at.index(wire.len());
                    wire[at] = *byte;
                }
            }
            for bytes in [wire.as_slice(), &seed] {
                let (mut out, mut counts) = (Vec::new(), Counts::new(&policy));
                let edited =
                    Redactor::new().redact(&policy, signal, bytes, &mut out, &mut counts);
                if otlp::check(signal, bytes).is_ok() {
                    prop_assert!(edited.is_ok());
                    prop_assert!(otlp::check(signal, &out).is_ok());
                }
            }
        }
    }
}
