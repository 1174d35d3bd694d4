//! Redaction, from policy text to wire bytes.
#![allow(clippy::expect_used, clippy::panic, reason = "this is a test")]

#[path = "../../../otlp/tests/common/mod.rs"]
mod common;

mod actions;
mod canary;
mod documents;
mod json;
mod naive;
mod oracle;
mod overlays;
mod reports;
mod shipped;
mod signatures;
mod tricks;

use common::Request;
use otlp::Signal;
use otlp::edit::Edited;
use policy::redaction::{Counts, Policy, PolicyError, Redactor, SiteKey, shipped as shipped_text};

fn site_key() -> SiteKey {
    SiteKey::new("k1", b"a key of the tests, no secret").expect("a good key")
}

fn try_compile(text: &str) -> Result<Policy, PolicyError> {
    let resolve = |name: &str| shipped_text(name).map(str::to_owned);
    Policy::compile("p.yaml", text, &resolve, Some(&site_key()))
}

fn compile(text: &str) -> Policy {
    try_compile(text).unwrap_or_else(|error| panic!("{error}: {:?}\n{text}", error.hint()))
}

/// Redacts; what comes out is well formed again and has as many items.
fn redact_with(
    redactor: &mut Redactor,
    policy: &Policy,
    signal: Signal,
    wire: &[u8],
) -> (Vec<u8>, Counts) {
    let before = otlp::check(signal, wire).expect("a good request");
    let (mut out, mut counts) = (b"left over".to_vec(), Counts::new(policy));
    let edited = redactor
        .redact(policy, signal, wire, &mut out, &mut counts)
        .expect("a good request");
    match edited {
        Edited::Unchanged => {
            assert!(out.is_empty() && counts.total() == 0);
            out = wire.to_vec();
        }
        Edited::Changed => assert!(counts.total() > 0),
    }
    let after = otlp::check(signal, &out).expect("well formed again");
    assert_eq!(before, after, "as many items, at the same times");
    (out, counts)
}

fn redact(policy: &Policy, signal: Signal, wire: &[u8]) -> (Vec<u8>, Counts) {
    let mut redactor = Redactor::new();
    let first = redact_with(&mut redactor, policy, signal, wire);
    let again = redact_with(&mut redactor, policy, signal, wire);
    assert_eq!(first, again, "what a redactor remembers changes nothing");
    first
}

fn redact_request(policy: &Policy, request: &Request) -> (Request, Counts) {
    let (out, counts) = redact(policy, request.signal(), &request.encode());
    (
        Request::decode(request.signal(), &out).expect("decodes"),
        counts,
    )
}

fn count(policy: &Policy, counts: &Counts, rule: &str) -> u64 {
    let at = policy.rules().iter().position(|name| **name == *rule);
    counts.get(at.unwrap_or_else(|| panic!("no rule {rule}")))
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}
