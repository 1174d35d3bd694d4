//! OTLP/JSON that is wrong: each with its place, and nothing that panics.

#![allow(clippy::expect_used, clippy::panic, reason = "this is a test")]

use otlp::{Signal, check, json};
use proptest::prelude::*;

fn span(fields: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#)
}

/// Guarantees: a wrong request is refused whole, with the JSON path of what is wrong.
#[test]
fn wrong_requests_are_refused_with_their_place() {
    let cases: &[(String, &str)] = &[
        (String::new(), "line 1, column 1"),
        ("[]".into(), "line 1, column 1"),
        (r#"{"resourceSpans":"#.into(), "resourceSpans"),
        (r#"{"resourceSpans":{}}"#.into(), "resourceSpans"),
        (r#"{"resourceSpans":[]} x"#.into(), "column 22"),
        (span(r#""traceId":"5b8e""#), "spans[0].traceId"),
        (
            span(r#""traceId":"zz8efff798038103d269b633813fc60c""#),
            "spans[0].traceId",
        ),
        (span(r#""name":7"#), "spans[0].name"),
        (span(r#""name":"\ud800""#), "spans[0].name"),
        (span("\"name\":\"a\nb\""), "spans[0].name"),
        (span(r#""kind":"server please""#), "spans[0].kind"),
        (span(r#""kind":1.5"#), "spans[0].kind"),
        (
            span(r#""startTimeUnixNano":"-1""#),
            "spans[0].startTimeUnixNano",
        ),
        (
            span(r#""startTimeUnixNano":18446744073709551616"#),
            "spans[0].startTimeUnixNano",
        ),
        (span(r#""flags":4294967296"#), "spans[0].flags"),
        (
            span(r#""attributes":[{"key":"a","value":{"intValue":"ten"}}]"#),
            "attributes[0].value.intValue",
        ),
        (
            span(r#""attributes":[{"key":"a","value":{"bytesValue":"?"}}]"#),
            "attributes[0].value.bytesValue",
        ),
        (
            span(r#""attributes":[{"key":"a","value":{"boolValue":1}}]"#),
            "attributes[0].value.boolValue",
        ),
        (span(r#""unknown":[1,2"#), "spans[0]: expected"),
        (span(r#""unknown":01"#), "spans[0]: "),
    ];
    for (text, place) in cases {
        let error = json::decode(Signal::Traces, text.as_bytes()).expect_err(text);
        assert!(error.to_string().contains(place), "{text}\ngave: {error}");
    }
}

/// Guarantees: bytes that are not UTF-8 are refused, in a known string and in an unknown one.
#[test]
fn strings_must_be_utf8() {
    for field in ["name", "unknown"] {
        let mut text = span(&format!(r#""{field}":"x""#)).into_bytes();
        let at = text
            .windows(3)
            .position(|three| three == b"\"x\"")
            .expect("there");
        text[at + 1] = 0xff;
        assert!(json::decode(Signal::Traces, &text).is_err(), "{field}");
    }
}

/// Guarantees: BOUNDED. Nesting, known or unknown, ends in an error and not on the stack.
#[test]
fn nesting_is_bounded() {
    for depth in [65, 100_000] {
        let deep = "{\"arrayValue\":{\"values\":[".repeat(depth) + &"]}}".repeat(depth);
        let known = span(&format!(r#""attributes":[{{"key":"a","value":{deep}}}]"#));
        assert!(
            json::decode(Signal::Traces, known.as_bytes()).is_err(),
            "{depth} values"
        );
    }
    let unknown = span(&format!(
        "\"unknown\":{}{}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    ));
    assert!(json::decode(Signal::Traces, unknown.as_bytes()).is_err());
}

/// Guarantees: what the specification lets a sender choose is all read alike.
#[test]
fn what_a_sender_may_choose_is_read_alike() {
    let decode = |text: &str| json::decode(Signal::Traces, text.as_bytes()).expect(text);
    let camel = decode(&span(
        r#""parentSpanId":"eee19b7ec3c1b173","startTimeUnixNano":"7""#,
    ));
    assert_eq!(
        camel,
        decode(&span(
            r#""parent_span_id":"EEE19B7EC3C1B173","start_time_unix_nano":7"#
        ))
    );
    assert_eq!(
        camel,
        decode(&span(
            r#""parentSpanId":"eee19b7ec3c1b173","startTimeUnixNano":0.7e1,"new":{"x":[null]}"#
        ))
    );
    assert_eq!(decode(&span(r#""name":null"#)), decode(&span("")));
    let double = |text: &str| {
        decode(&span(&format!(
            r#""attributes":[{{"key":"a","value":{{"doubleValue":{text}}}}}]"#
        )))
    };
    assert_eq!(double("\"Infinity\""), double("\"Infinity\""));
    assert_ne!(double("\"Infinity\""), double("\"-Infinity\""));
    assert_eq!(double("\"1.5\""), double("1.5"));
    assert!(!double("\"NaN\"").is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    /// Guarantees: no input panics, and whatever is taken is well formed.
    #[test]
    fn nothing_panics(
        example in prop::sample::select(vec!["trace.json", "logs.json", "metrics.json", "events.json"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..6),
    ) {
        let path = format!("../testkit/data/otlp/{example}");
        let mut text = std::fs::read(path).expect("the example");
        for (at, byte, how) in changes {
            let at = at.index(text.len());
            match how {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                _ => { text.remove(at); }
            }
        }
        for signal in Signal::ALL {
            if let Ok(wire) = json::decode(signal, &text) {
                prop_assert!(check(signal, &wire).is_ok());
            }
        }
    }

    /// Guarantees: bytes that are not OTLP are refused by the encoder or written as JSON.
    #[test]
    fn any_bytes_encode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for signal in Signal::ALL {
            let mut out = Vec::new();
            if json::encode(signal, &bytes, &mut out).is_ok() {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
            }
        }
    }
}
