//! A tenant's overlay tightens and never loosens.

use super::common::Request;
use super::naive::items;
use super::{compile, redact_request};
use otlp::Signal;
use policy::redaction::Policy;
use proptest::prelude::*;

const BASE: &str = "\
version: 1
mode: allow
patterns: [{ name: digits, regex: '[0-9]{4}' }]
rules:
  - { name: cards, detect: [digits], action: drop, places: [item] }
  - { name: mails, keys: [user.email], action: drop }
  - { name: ids, keys: ['user.*'], action: hash }
  - { name: listed, keys: ['http.*', url.path], action: keep }
  - { name: names, fields: [span.name], action: truncate, length: 10 }
";

fn tighten(overlay: &str) -> Result<Policy, String> {
    compile(BASE)
        .tightened("tenant.yaml", &format!("version: 1\n{overlay}"))
        .map_err(|error| {
            assert!(
                error.hint().is_some_and(|hint| hint.contains("tighten")),
                "{error}"
            );
            error.to_string()
        })
}

/// Guarantees: an overlay that would loosen the policy is an error that names the rule.
#[test]
fn loosening_is_an_error() {
    for (overlay, message) in [
        (
            "rules: [{ name: r, keys: [user.email], action: keep }]",
            "rule `r` would loosen",
        ),
        (
            "rules: [{ name: r, keys: [user.email], action: hash }]",
            "`hash` for `user.email`",
        ),
        (
            "rules: [{ name: r, keys: ['user.n*'], action: truncate, length: 9 }]",
            "`user.n*`",
        ),
        (
            "rules: [{ name: r, keys: [db.query.text], action: mask }]",
            "`db.query.text`",
        ),
        (
            "rules: [{ name: r, fields: [span.name], action: truncate, length: 11 }]",
            "a field",
        ),
        (
            "patterns: []\nrules: [{ name: r, detect: [card_number], action: mask }]",
            "",
        ),
        ("mode: block", "`mode: block` would loosen"),
        (
            "unknown_fields: keep",
            "`unknown_fields: keep` would loosen",
        ),
        ("binary: keep", "`binary: keep` would loosen"),
    ] {
        match tighten(overlay) {
            Err(error) => assert!(
                error.contains(message) && error.contains("tenant.yaml:"),
                "{error}"
            ),
            Ok(_) => assert!(message.is_empty(), "{overlay} was taken"),
        }
    }
}

/// Guarantees: what an overlay makes stricter is stricter, and the rest is as before.
#[test]
fn tightening_tightens() {
    let tight = tighten(
        "rules:\n  - { name: t, keys: [http.route], action: drop }\n  - { name: u, keys: ['user.*'], action: mask }\n",
    )
    .expect("a good overlay");
    let rules: Vec<&str> = tight.rules().iter().map(|name| &**name).take(3).collect();
    assert_eq!(rules, ["t", "u", "cards"]);
}

const OVERLAYS: [&str; 4] = [
    "rules: [{ name: t, keys: ['*'], action: drop, places: [event] }]",
    "mode: allow\nrules: [{ name: t, keys: ['http.*'], action: keep }]",
    "rules: [{ name: t, keys: ['http.request.*'], action: truncate, length: 2 }]",
    "rules: [{ name: t, detect: [email], action: mask }]",
];

proptest! {
    /// Guarantees: an overlay, whatever it says, lets nothing pass that the policy does not.
    #[test]
    fn an_overlay_lets_nothing_pass(seed in proptest::collection::vec(any::<u8>(), 0..1500)) {
        let base = compile(BASE);
        for overlay in OVERLAYS {
            let tight = tighten(overlay).expect("a good overlay");
            for signal in Signal::ALL {
                let request = Request::random(signal, &seed);
                let (by_base, _) = redact_request(&base, &request);
                let (by_tight, _) = redact_request(&tight, &request);
                let (base_keys, tight_keys) = (items(&by_base), items(&by_tight));
                for key in tight_keys {
                    prop_assert!(base_keys.contains(&key), "{key:?} under {overlay}");
                }
            }
        }
    }
}
