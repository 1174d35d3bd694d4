//! What each action does to each kind of value.

use super::common::Request;
use super::{compile, count, redact_request, try_compile};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use policy::redaction::{Policy, SiteKey, SiteKeyError};

fn traces(attributes: Vec<(&str, Value)>) -> Request {
    let attributes = attributes.into_iter().map(|(key, value)| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        key_strindex: 0,
    });
    let span = Span {
        attributes: attributes.collect(),
        ..Span::default()
    };
    Request::Traces(super::common::Traces {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: vec![span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    })
}

fn attributes(request: &Request) -> Vec<(String, Value)> {
    let Request::Traces(request) = request else {
        panic!("no traces")
    };
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    span.attributes
        .iter()
        .map(|pair| {
            let value = pair.value.clone().and_then(|value| value.value);
            (pair.key.clone(), value.expect("a value"))
        })
        .collect()
}

fn text(value: &str) -> Value {
    Value::StringValue(value.to_owned())
}

/// What becomes of the value of key `k` under one rule.
fn become_of(rule: &str, value: Value) -> Option<Value> {
    let policy = compile(&format!(
        "version: 1\npatterns: [{{ name: digits, regex: '[0-9]{{4}}' }}]\nrules: [{{ name: r, {rule} }}]\n"
    ));
    let (after, _) = redact_request(&policy, &traces(vec![("k", value)]));
    attributes(&after).pop().map(|(_, value)| value)
}

/// Guarantees: each action does to each kind of value what the documentation says.
#[test]
fn actions_on_kinds() {
    let list = |values: Vec<Value>| {
        Value::ArrayValue(ArrayValue {
            values: values
                .into_iter()
                .map(|v| AnyValue { value: Some(v) })
                .collect(),
        })
    };
    let map = |value: Value| {
        Value::KvlistValue(KeyValueList {
            values: vec![KeyValue {
                key: "n".to_owned(),
                value: Some(AnyValue { value: Some(value) }),
                key_strindex: 0,
            }],
        })
    };
    let bytes = |bytes: &[u8]| Value::BytesValue(bytes.to_vec());
    let key = |action: &str| format!("keys: [k], action: {action}");
    let found = |action: &str| format!("detect: [digits], action: {action}");
    for (rule, before, after) in [
        (key("mask"), text("abc"), Some(text("[REDACTED]"))),
        (key("mask, mask: ''"), text("abc"), Some(text(""))),
        (key("mask"), Value::IntValue(7), Some(text("[REDACTED]"))),
        (key("mask"), list(vec![text("a")]), Some(text("[REDACTED]"))),
        (key("mask"), map(text("a")), Some(text("[REDACTED]"))),
        (key("drop"), map(text("a")), None),
        (key("keep"), text("abc"), Some(text("abc"))),
        (
            key("truncate, length: 2"),
            text("\u{e9}\u{e9}\u{e9}"),
            Some(text("\u{e9}\u{e9}")),
        ),
        (
            key("truncate, length: 3"),
            text("\u{e9}\u{e9}\u{e9}"),
            Some(text("\u{e9}\u{e9}\u{e9}")),
        ),
        (
            key("truncate, length: 2"),
            Value::IntValue(1234),
            Some(text("12")),
        ),
        (
            key("truncate, length: 1"),
            map(text("ab")),
            Some(map(text("a"))),
        ),
        (
            found("mask"),
            text("a 1234 b 5678"),
            Some(text("a [REDACTED] b [REDACTED]")),
        ),
        (
            found("mask, mask: '#'"),
            Value::IntValue(123_499),
            Some(text("#99")),
        ),
        (
            found("mask, mask: '#'"),
            Value::DoubleValue(1234.0),
            Some(text("#")),
        ),
        (found("mask, mask: '#'"), bytes(b"x1234"), Some(text("x#"))),
        (
            found("mask, part: whole"),
            text("a 1234"),
            Some(text("[REDACTED]")),
        ),
        (found("drop"), text("a 1234"), None),
        (
            found("drop"),
            list(vec![text("a"), text("1234")]),
            Some(list(vec![text("a")])),
        ),
        (
            found("mask, mask: '#'"),
            map(text("1234")),
            Some(map(text("#"))),
        ),
        (
            found("mask"),
            Value::BoolValue(true),
            Some(Value::BoolValue(true)),
        ),
        // Bytes that are no text cannot be looked into.
        (found("mask"), bytes(b"\xff1234"), None),
        (key("keep"), bytes(b"\xff1234"), Some(bytes(b"\xff1234"))),
        (key("mask"), bytes(b"\xff1234"), Some(text("[REDACTED]"))),
    ] {
        assert_eq!(
            become_of(&rule, before.clone()),
            after,
            "{rule} of {before:?}"
        );
    }
}

/// Guarantees: the first rule that matches a part decides about it.
#[test]
fn the_first_rule_decides() {
    let policy = compile(
        "\
version: 1
patterns: [{ name: digits, regex: '[0-9]{4}' }, { name: caps, regex: '[A-Z]{3}' }]
rules:
  - { name: free, keys: [free], action: keep }
  - { name: caps, detect: [caps], action: mask, mask: C }
  - { name: half, keys: [half], action: keep }
  - { name: digits, detect: [digits, caps], action: mask, mask: D }
  - { name: gone, keys: [gone, free], action: drop }
",
    );
    let value = || text("ABC 1234");
    let keys = ["free", "half", "gone", "other"];
    let request = traces(keys.iter().map(|key| (*key, value())).collect());
    let (after, counts) = redact_request(&policy, &request);
    let expect = vec![
        ("free".to_owned(), value()),
        ("half".to_owned(), text("C 1234")),
        ("other".to_owned(), text("C D")),
    ];
    assert_eq!(attributes(&after), expect);
    let by_rule = |rule| count(&policy, &counts, rule);
    assert_eq!(
        [by_rule("caps"), by_rule("digits"), by_rule("gone")],
        [2, 1, 1]
    );
}

/// Guarantees: a secret in a key is redacted as one in a value.
#[test]
fn keys_are_looked_into() {
    for (action, expect) in [
        ("mask, mask: '#'", vec![("by #".to_owned(), text("v #"))]),
        ("drop", vec![]),
    ] {
        let policy = compile(&format!(
            "version: 1\npatterns: [{{ name: d, regex: '[0-9]{{4}}' }}]\n\
             rules: [{{ name: r, detect: [d], action: {action} }}]\n"
        ));
        let request = traces(vec![("by 1234", text("v 5678"))]);
        assert_eq!(attributes(&redact_request(&policy, &request).0), expect);
    }
}

/// Guarantees: `hash` is HMAC-SHA-256 (its first 128 bits; test case 1 of RFC 4231), equal values
/// correlate, and the key's id tells keys apart.
#[test]
fn hashes_are_hmac_sha_256() {
    let key = SiteKey::new("k7", &[0x0b; 20]).expect("a good key");
    let text_of = "version: 1\nrules:\n  - { name: h, keys: [a, b], action: hash }\n  - { name: user-id, keys: [c], action: tokenize }\n";
    let policy = Policy::compile("p", text_of, &|_| None, Some(&key)).expect("a good policy");
    let request = traces(vec![
        ("a", text("Hi There")),
        ("b", Value::BytesValue(b"Hi There".to_vec())),
        ("c", text("Hi There")),
    ]);
    let (after, _) = redact_request(&policy, &request);
    let hash = "b0344c61d8db38535ca8afceaf0bf12b";
    let expect = [("a", "hmac"), ("b", "hmac"), ("c", "user-id")]
        .map(|(key, prefix)| (key.to_owned(), text(&format!("{prefix}:k7:{hash}"))));
    assert_eq!(attributes(&after), expect);
}

/// Guarantees: site keys that could be guessed are refused, and none is ever shown.
#[test]
fn site_keys_are_checked_and_not_shown() {
    assert_eq!(
        SiteKey::new("k", &[1; 15]).err(),
        Some(SiteKeyError::TooShort)
    );
    assert_eq!(SiteKey::new("K 1", &[1; 16]).err(), Some(SiteKeyError::Id));
    let key = SiteKey::new("k", b"hunter2hunter2hunter2").expect("a good key");
    assert_eq!(format!("{key:?}"), "SiteKey(k)");
    let policy = Policy::compile("p", "version: 1\n", &|_| None, Some(&key)).expect("empty");
    assert!(!format!("{policy:?}").contains("104, 117, 110"));
}

/// Guarantees: `annotate` says how many changes an item saw, and what the sender says of that is
/// not believed.
#[test]
fn items_are_annotated() {
    let policy =
        compile("version: 1\nannotate: true\nrules: [{ name: r, keys: [a, b], action: drop }]\n");
    let request = traces(vec![("a", text("1")), ("b", text("2")), ("c", text("3"))]);
    let (after, _) = redact_request(&policy, &request);
    let expect = vec![
        ("c".to_owned(), text("3")),
        ("stella.redacted".to_owned(), Value::IntValue(2)),
    ];
    assert_eq!(attributes(&after), expect);
    let request = traces(vec![
        ("stella.redacted", Value::IntValue(0)),
        ("c", text("3")),
    ]);
    let (after, counts) = redact_request(&policy, &request);
    assert_eq!(attributes(&after)[1].1, Value::IntValue(1));
    assert_eq!(count(&policy, &counts, "(reserved)"), 1);
    assert!(try_compile("version: 1\nannotate: maybe\n").is_err());
}
