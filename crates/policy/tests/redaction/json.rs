//! Log bodies that are JSON text.

use super::common::{Logs, Request};
use super::{compile, redact_request};
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use policy::redaction::Policy;
use proptest::prelude::*;
use serde_json::Value as Json;

const POLICY: &str = "\
version: 1
patterns: [{ name: digits, regex: '[0-9]{4,}' }]
rules:
  - { name: gone, keys: [password, user.email, '*token'], action: drop, places: [body] }
  - { name: short, keys: [note], action: truncate, length: 3 }
  - { name: all, keys: [secret], action: mask, mask: '*' }
  - { name: found, detect: [digits], action: mask, mask: '#\"' }
";

fn body(policy: &Policy, text: &str) -> String {
    let record = LogRecord {
        body: Some(AnyValue {
            value: Some(Value::StringValue(text.to_owned())),
        }),
        ..LogRecord::default()
    };
    let request = Request::Logs(Logs {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: vec![record],
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    });
    let Request::Logs(after) = redact_request(policy, &request).0 else {
        panic!("no logs")
    };
    let record = &after.resource_logs[0].scope_logs[0].log_records[0];
    match record.body.as_ref().and_then(|body| body.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        other => panic!("{other:?}"),
    }
}

/// Guarantees: keys by key rules, strings and numbers by detectors; what stays, stays as it was.
#[test]
fn keys_and_values_are_redacted_in_place() {
    let policy = compile(POLICY);
    for (before, after) in [
        (
            r#"{"a":1, "b" : [true,null] }"#,
            r#"{"a":1, "b" : [true,null] }"#,
        ),
        (r#"{"password":"x","a":1}"#, r#"{"a":1}"#),
        (r#"{"a":1, "password":"x"}"#, r#"{"a":1}"#),
        (r#"{"a":1,"password":"x","b":2}"#, r#"{"a":1,"b":2}"#),
        (r#"{"password":"x"}"#, r#"{}"#),
        (
            r#"{"password":{"x":[1,"}"]},"api_token":2,"a":3}"#,
            r#"{"a":3}"#,
        ),
        (
            r#"{"password":1,"a":{"password":2},"password":3}"#,
            r#"{"a":{}}"#,
        ),
        (r#"{"pass\u0077ord":"x","a":1}"#, r#"{"a":1}"#),
        (r#"{"user":{"email":"x","n":1}}"#, r#"{"user":{"n":1}}"#),
        (r#"[{"user":[{"Email":"x"}]}]"#, r#"[{"user":[{}]}]"#),
        (
            r#"{"a":"x 1234 y","n":12345}"#,
            r##"{"a":"x #\" y","n":"#\""}"##,
        ),
        (
            r#"{"a":"\u0031\u0032\u0033\u0034\n"}"#,
            r##"{"a":"#\"\n"}"##,
        ),
        (r#"{"a":1.2345e4,"b":-0.5}"#, r##"{"a":"#\"","b":-0.5}"##),
        (r#"{"1234":1}"#, r##"{"#\"":1}"##),
        (
            r#"{"secret":[1,{"a":2}],"note":"abcdef"}"#,
            r#"{"secret":"*","note":"abc"}"#,
        ),
        (
            r#"{"secret":true,"note":{"a":"abcdef"}}"#,
            r#"{"secret":"*","note":{"a":"abc"}}"#,
        ),
        (
            "{\"password\":1}\n{\"a\":1234}\n",
            "{}\n{\"a\":\"#\\\"\"}\n",
        ),
        // No JSON from some place on: keys up to there, then as text.
        (r#"{"password":"x","a":"1234"#, "{\"a\":\"#\\\"\""),
        (r#"{"a":1,"password":"hunter2""#, r#"{"a":1"#),
        (r#"{"a":1,"password":"hunter2"#, r#"{"a":1"#),
        (r#"{"password":"hunter2"#, "{"),
        (r#"{"password":["hunter2", {"#, "{"),
        (r#"{"secret":"hunter2"#, r#"{"secret":"*""#),
        (r#"{"secret":["hunter2", "#, r#"{"secret":"*""#),
        (r#"{"password":hunter2}"#, "{"),
        (r#"{"a":1} trailing 1234"#, "{\"a\":1} trailing #\""),
        ("{not json 1234}", "{not json #\"}"),
        ("[INFO] 1234", "[INFO] #\""),
        ("no json 1234", "no json #\""),
    ] {
        assert_eq!(body(&policy, before), after, "{before}");
    }
}

/// Guarantees: BOUNDED. What nests deeper than values may goes, and no depth breaks anything.
#[test]
fn nesting_is_bounded() {
    let policy = compile(POLICY);
    for depth in [10, 63, 64, 65, 100, 100_000] {
        for (open, close) in [("{\"a\":", "}"), ("[", "]")] {
            let inner = r#"{"password":"hunter2"}"#;
            let text = open.repeat(depth) + inner + &close.repeat(depth);
            assert!(!body(&policy, &text).contains("hunter2"), "{depth}");
        }
    }
}

/// Guarantees: in `mode: allow` only listed keys of a body pass.
#[test]
fn only_listed_keys_pass() {
    let policy =
        compile("version: 1\nmode: allow\nrules: [{ name: l, keys: [a], action: keep }]\n");
    assert_eq!(body(&policy, r#"{"a":1,"b":2,"c":{"a":3}}"#), r#"{"a":1}"#);
}

fn any_json() -> impl Strategy<Value = Json> {
    let words = || {
        prop_oneof![
            Just("password".to_owned()),
            Just("a".to_owned()),
            Just("user".to_owned()),
            Just("email".to_owned()),
            Just("x 12345 y".to_owned()),
            Just("q\"\\\n\u{1}".to_owned()),
            ".*",
        ]
    };
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        words().prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 60, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            proptest::collection::vec((words(), inner), 0..5)
                .prop_map(|members| Json::Object(members.into_iter().collect())),
        ]
    })
}

/// The same redaction done on serde_json's tree; `None` for what goes.
fn naive(path: &str, value: Json) -> Json {
    match value {
        Json::Object(members) => Json::Object(
            members
                .into_iter()
                .filter_map(|(key, value)| {
                    let path = if path.is_empty() {
                        key.clone()
                    } else {
                        format!("{path}.{key}")
                    };
                    let own = key.to_ascii_lowercase();
                    let gone = ["password", "user.email"];
                    let goes = gone.contains(&own.as_str())
                        || gone.contains(&path.to_ascii_lowercase().as_str())
                        || own.ends_with("token");
                    (!goes).then(|| (masked(&key), naive(&path, value)))
                })
                .collect(),
        ),
        Json::Array(values) => values.into_iter().map(|value| naive(path, value)).collect(),
        Json::String(text) => Json::from(masked(&text)),
        Json::Number(number) => {
            let text = match number.as_f64() {
                Some(float) if number.is_f64() => float.to_string(),
                _ => number.to_string(),
            };
            match masked(&text) {
                same if same == text => Json::Number(number),
                other => Json::from(other),
            }
        }
        other => other,
    }
}

fn masked(text: &str) -> String {
    let digits = regex::Regex::new("[0-9]{4,}").expect("a regex");
    digits.replace_all(text, "#\"").into_owned()
}

proptest! {
    /// Guarantees: the result is JSON again and is what the same rules make of a tree.
    #[test]
    fn as_on_a_tree(json in any_json(), pretty in any::<bool>()) {
        prop_assume!(json.is_object() || json.is_array());
        let policy = compile(&POLICY.replace("  - { name: short, keys: [note], action: truncate, length: 3 }\n  - { name: all, keys: [secret], action: mask, mask: '*' }\n", ""));
        let text = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) };
        let after = body(&policy, &text.expect("encodes"));
        let read: Json = serde_json::from_str(&after).map_err(|e| TestCaseError::fail(format!("{e}: {after}")))?;
        prop_assert_eq!(read, naive("", json));
    }
}
