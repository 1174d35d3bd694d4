//! The shipped policies.

use super::common::{Request, examples};
use super::{compile, redact, redact_request};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use policy::redaction::{NAMES, Policy, lint, shipped};

fn load(name: &str) -> Policy {
    compile(shipped(name).expect(name))
}

/// What becomes of an attribute of a span; `None` if it goes.
fn attribute(policy: &Policy, key: &str, value: &str) -> Option<String> {
    let mut request = examples().swap_remove(0).1;
    let Request::Traces(traces) = &mut request else {
        panic!("no traces")
    };
    traces.resource_spans[0].scope_spans[0].spans[0].attributes = vec![KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        key_strindex: 0,
    }];
    let (after, _) = redact_request(policy, &request);
    let Request::Traces(traces) = after else {
        panic!("no traces")
    };
    let span = &traces.resource_spans[0].scope_spans[0].spans[0];
    let pair = span.attributes.iter().find(|pair| pair.key == key)?;
    match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => Some(text.clone()),
        other => panic!("{other:?}"),
    }
}

/// Guarantees: the shipped policies compile without a site key, and lint finds nothing in them.
#[test]
fn they_compile_and_are_clean() {
    for name in NAMES {
        let text = shipped(name).expect(name);
        let resolve = |name: &str| shipped(name).map(str::to_owned);
        let policy = Policy::compile(name, text, &resolve, None)
            .unwrap_or_else(|error| panic!("{name}: {error}: {:?}", error.hint()));
        let findings = lint(&policy);
        assert_eq!(findings, [], "{name}");
    }
    assert_eq!(shipped("other"), None);
}

/// Guarantees: what the documentation says of often met keys is so.
#[test]
fn often_met_keys_fare_as_documented() {
    let [default, forensic, airgap] = NAMES.map(load);
    let same = |text: &str| Some(text.to_owned());
    let mask = || same("[REDACTED]");
    for (key, value, by_default, by_forensic) in [
        ("http.request.method", "GET", same("GET"), same("GET")),
        ("http.route", "/a/{b}", same("/a/{b}"), same("/a/{b}")),
        ("http.request.header.authorization", "x", None, None),
        ("http.request.header.cookie", "x", None, None),
        ("http.response.header.set-cookie", "x", None, None),
        ("http.request.header.x-unknown", "x", same("x"), None),
        ("user.email", "x", mask(), None),
        ("user.full_name", "x", mask(), None),
        ("enduser.id", "x", mask(), None),
        ("client.address", "192.0.2.7", mask(), None),
        ("session.id", "x", mask(), None),
        ("device.id", "x", mask(), None),
        ("gen_ai.input.messages", "x", None, None),
        ("process.command_line", "x", mask(), None),
        ("url.query", "q=x", mask(), None),
        ("k8s.pod.name", "p-1", same("p-1"), same("p-1")),
        ("my.own.key", "x", same("x"), None),
        ("db.password", "x", None, None),
    ] {
        assert_eq!(
            attribute(&default, key, value),
            by_default,
            "default, {key}"
        );
        assert_eq!(
            attribute(&forensic, key, value),
            by_forensic,
            "forensic, {key}"
        );
        let by_airgap = attribute(&airgap, key, value);
        assert!(
            by_airgap.is_none() || by_airgap == by_forensic,
            "airgap, {key}"
        );
    }
    for policy in [&default, &forensic, &airgap] {
        let text = attribute(policy, "http.route", "/u/jane.doe@example.com");
        assert!(!text.expect("kept").contains("jane.doe"));
    }
}

/// Guarantees: opentelemetry-proto's examples pass each of them well formed, and keep their
/// service names.
#[test]
fn the_examples_pass() {
    for name in NAMES {
        let policy = load(name);
        for (file, request) in examples() {
            let (out, _) = redact(&policy, request.signal(), &request.encode());
            let resource = otlp::view::resources(request.signal(), &out)
                .next()
                .expect(file);
            assert_eq!(
                resource.service_name(),
                Some("my.service"),
                "{name}, {file}"
            );
        }
    }
}
