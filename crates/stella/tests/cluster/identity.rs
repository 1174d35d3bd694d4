//! Who may forward, whose data it is then, and what is said of profiles that cannot work.

use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use policy::identity::token::opaque::NewToken;
use serde_json::json;
use testkit::client::call;
use testkit::collector::Collector;
use testkit::ids::Ids;
use testkit::messages::wire;
use testkit::stella::{Stella, refused};
use testkit::{free_port, wait_for};

use super::{BINARY, listen};

const DENIED: u32 = 7;
const UNAVAILABLE: u32 = 14;

fn token() -> (String, String) {
    let token = NewToken::new(rand::random());
    (
        format!("Bearer {}", token.reveal()),
        token.digest().to_string(),
    )
}

/// A trace of two spans, of which the second has an error, as two requests; and a log record.
fn requests(trace: u8) -> [(&'static str, Vec<u8>); 3] {
    let id = STANDARD.encode([trace; 16]);
    let span = |n: u8, code: u8| {
        wire(
            "traces",
            &json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
                "traceId": id, "spanId": STANDARD.encode([n; 8]), "name": "GET /",
                "startTimeUnixNano": "1764000000000000000", "endTimeUnixNano": "1764000000000000001",
                "status": { "code": code },
                "attributes": [{ "key": "user.email", "value": { "stringValue": "someone@example.com" } }],
            }]}]}]}),
        )
    };
    let log = wire(
        "logs",
        &json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{
            "timeUnixNano": "1764000000000000000", "traceId": id, "body": { "stringValue": "a line" },
            "attributes": [{ "key": "test.id", "value": { "stringValue": format!("r{trace}") } }],
        }]}]}]}),
    );
    [
        ("traces", span(1, 0)),
        ("traces", span(2, 2)),
        ("logs", log),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Guarantees: TENANT-BY-IDENTITY and REDACT-FIRST across members: what is forwarded stays its
/// tenant's and is redacted once, logs go with their traces, and nobody but a member forwards.
#[test]
fn members_prove_who_they_are() {
    let collector = Collector::writing();
    let ports = [free_port(), free_port()];
    let ((acme, acme_digest), (globex, globex_digest), (member, member_digest)) =
        (token(), token(), token());
    let start = |n: usize| {
        let text = format!(
            "identity:
  tenants:
    acme: {{ match: [{{ token: '{acme_digest}' }}] }}
    globex: {{ match: [{{ token: '{globex_digest}' }}] }}
  forwarders:
    - {{ match: [{{ token: '{member_digest}' }}], tenants: '*' }}
sampling:
  wait: 1s
  remember: 4s
  logs: with_trace
  policies: [{{ name: errors, type: error }}]
cluster:
  name: gw-{n}
  members:
    - {{ name: gw-1, endpoint: 'http://127.0.0.1:{}' }}
    - {{ name: gw-2, endpoint: 'http://127.0.0.1:{}' }}
  headers: {{ authorization: '{member}' }}
ship:
  - {{ name: backend, signals: [traces, logs], otlp: {{ endpoint: '{}' }} }}
",
            ports[0],
            ports[1],
            collector.grpc()
        );
        Stella::start_at(BINARY, &listen(ports[n - 1]), &text)
    };
    let gateways = [start(1), start(2)];
    let traces: u8 = 24;
    for trace in 1..=traces {
        let bearer = if trace % 2 == 0 { &acme } else { &globex };
        for (n, (signal, request)) in requests(trace).into_iter().enumerate() {
            let to = gateways[(n + usize::from(trace) / 2) % 2].at().grpc;
            let answer = call(to, signal, &[("authorization", bearer)], request);
            assert_eq!(answer.code, 0, "{}", answer.message);
        }
    }
    wait_for("all traces and their records", || {
        let ids = Ids::read(&collector.received());
        ids.spans.len() == 2 * usize::from(traces) && ids.records.len() == usize::from(traces)
    });
    let received: f64 = gateways
        .iter()
        .map(|stella| stella.metric("stella_cluster_received_items_total"))
        .sum();
    assert!(received >= 12.0, "{received} were forwarded");
    assert!(!collector.received().contains("someone@example.com"));
    for stella in &gateways {
        for (tenant, odd) in [("acme", false), ("globex", true)] {
            let dump = stella.dump_of(tenant);
            for trace in (1..=traces).filter(|trace| (trace % 2 == 1) != odd) {
                assert!(
                    !dump.to_lowercase().contains(&hex(&[trace; 16])),
                    "{tenant}"
                );
            }
        }
    }
    // A sender is no member, whatever it says.
    let at = gateways[0].at().grpc;
    let (_, span) = requests(99)[0].clone();
    for header in ["stella-cluster-list", "stella-cluster-ask"] {
        let headers = [("authorization", acme.as_str()), (header, "0")];
        assert_eq!(call(at, "traces", &headers, span.clone()).code, DENIED);
    }
    // A member by another list waits.
    let headers = [
        ("authorization", member.as_str()),
        ("x-scope-orgid", "acme"),
        ("stella-cluster-list", "0000000000000000"),
    ];
    let answer = call(at, "traces", &headers, span);
    assert_eq!(answer.code, UNAVAILABLE);
    assert!(answer.retry_after.is_some());
}

/// Guarantees: a profile that cannot work is told where and how to mend it.
#[test]
fn wrong_profiles_are_explained() {
    let sampling = "sampling: { policies: [{ name: a, type: always_sample }] }\n";
    let cases = [
        (
            "cluster: { name: a, members: [{ name: b, endpoint: 'http://127.0.0.1:1' }] }",
            "`a` is not among the members: b",
        ),
        (
            "cluster: { name: a, members: [{ name: a, endpoint: 'http://127.0.0.1:1' }, { name: a, endpoint: 'http://127.0.0.1:2' }] }",
            "two members are named `a`",
        ),
        (
            "cluster: { name: a, members: [{ name: a, endpoint: nowhere }] }",
            "is not a URL",
        ),
        (
            "cluster: { name: a, members: [{ name: a, endpoint: 'http://10.0.0.1:4317' }] }",
            "in plaintext, off loopback",
        ),
        (
            "cluster: { name: a, members: [{ name: a, endpoint: 'https://10.0.0.1:4317' }] }",
            "names no CA",
        ),
        ("cluster: { name: a }", "not said in exactly one way"),
        ("cluster: { name: 'a b', dns: 'h:1' }", "names no member"),
        (
            "cluster: { name: a, dns: 'gateways' }",
            "gateways.example:4317",
        ),
        ("cluster: { name: a, dns: 'gateways:4317' }", "in plaintext"),
        (
            "cluster: { name: a, file: /nowhere/members.yaml }",
            "cannot be read",
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (text, says) in cases {
        let listen = testkit::stella::LISTEN;
        let output = refused(BINARY, &format!("{listen}{sampling}{text}\n"));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && errors.contains(says),
            "{text}: {errors}"
        );
        assert!(
            errors.contains("hint:") || errors.contains("write"),
            "{text}: {errors}"
        );
    }
    let path = folder.path().join("alone.yaml");
    let alone = "cluster: { name: a, members: [{ name: a, endpoint: 'http://127.0.0.1:1' }] }\n";
    std::fs::write(&path, alone).unwrap();
    let mut command = Command::new(BINARY);
    command.args(["telemetry", "up", "--profile"]).arg(&path);
    let errors = command.output().unwrap().stderr;
    assert!(String::from_utf8_lossy(&errors).contains("no `sampling`"));
}
