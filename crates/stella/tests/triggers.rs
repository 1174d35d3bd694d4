//! Triggers from end to end: real OTLP traffic into the real binary opens incidents, within
//! cool-downs and caps that outlive it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "this is a test"
)]

use serde_json::{Value, json};
use testkit::stella::{Stella, refused};
use testkit::traces::{One, Sender};
use testkit::wait_for;

const BINARY: &str = env!("CARGO_BIN_EXE_stella");

fn profile(more: &str, triggers: &str) -> String {
    format!("incidents:\n  capture_deadline: 0s\n  max_open: 8\n{more}  triggers:\n{triggers}")
}

/// Sends so many spans of a service, each in a trace of its own.
fn send(stella: &Stella, service: &'static str, count: u64, error: bool) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let endpoint = format!("http://{}", stella.at().grpc);
        let mut sender = Sender::connect(endpoint).await.unwrap();
        let spans: Vec<One> = (1..=count)
            .map(|id| One {
                trace: [7; 16],
                id,
                service,
                error,
            })
            .collect();
        sender.send(&spans).await.unwrap();
    });
}

fn send_json(stella: &Stella, json: &Value) {
    let file = stella.folder().join("send.json");
    std::fs::write(&file, json.to_string()).unwrap();
    stella.print(&["send", file.to_str().unwrap()]);
}

fn incidents(stella: &Stella) -> Vec<Value> {
    let text = stella.print(&["incident", "list", "--output", "json"]);
    let list: Value = serde_json::from_str(&text).unwrap();
    list["incidents"].as_array().unwrap().clone()
}

/// The one incident that has this.
fn of(stella: &Stella, key: &str, value: &str) -> Value {
    let mut found = incidents(stella)
        .into_iter()
        .filter(|one| one[key] == value);
    let one = found.next().expect("an incident");
    assert!(found.next().is_none());
    one
}

fn firings(stella: &Stella, trigger: &str, outcome: &str) -> f64 {
    let series = "stella_incident_trigger_firings_total";
    stella.series(&format!(
        "{series}{{outcome=\"{outcome}\",trigger=\"{trigger}\"}}"
    ))
}

const ERRORS: &str = "    - { name: errors, window: 60s, cool_down: 1h, error_rate: { share: 0.2, min_spans: 50 } }\n";

/// Guarantees (RESTARTABLE): a burst of errors opens one incident about that service and tenant,
/// also where nothing is sampled; more errors, and `kill -9` in between, open no other; once it is
/// closed the cool-down holds, over `kill -9` too.
#[test]
fn a_burst_of_errors_opens_one_incident() {
    let mut stella = Stella::start(BINARY, &profile("", ERRORS));
    send(&stella, "quiet", 300, false);
    // Many errors, but few of its spans; and all of its spans, but few.
    send(&stella, "large", 500, false);
    send(&stella, "large", 90, true);
    send(&stella, "small", 49, true);
    send(&stella, "scanner", 60, true);
    wait_for("the incident", || !incidents(&stella).is_empty());
    let one = incidents(&stella)[0].clone();
    assert_eq!(one["scope"], "service=scanner,tenant=default", "{one}");
    assert_eq!(
        (&one["origin"], &one["trigger"]),
        (&json!("trigger"), &json!("errors"))
    );
    assert_eq!(one["opened_by"], "trigger:errors");
    assert_eq!(
        one["reason"],
        "errors: 100.0 % of 50 spans failed within 1m"
    );
    assert!(
        stella.log().contains("a trigger opened an incident"),
        "{}",
        stella.log()
    );
    let id = one["id"].as_str().unwrap();
    let status = stella.print(&["status"]);
    assert!(
        status.contains(&format!(
            "incident    {id} about service=scanner,tenant=default"
        )),
        "{status}"
    );

    // It is read again from the journal, and fires again.
    stella.kill();
    stella.start_again();
    wait_for("the second firing", || {
        firings(&stella, "errors", "already_open") > 0.0
    });
    assert_eq!(incidents(&stella).len(), 1);
    stella.print(&["incident", "close", id]);
    stella.kill();
    stella.start_again();
    wait_for("the third firing", || {
        firings(&stella, "errors", "cooling_down") > 0.0
    });
    assert!(stella.log().contains("a trigger opened no incident"));
    // Another service has a cool-down of its own. A journal's reader goes in order: what came
    // before it was dealt with.
    send(&stella, "scanner", 500, true);
    send(&stella, "other", 50, true);
    wait_for("the other", || incidents(&stella).len() > 1);
    assert_eq!(incidents(&stella).len(), 2);
    let of_scope = |scope: &str| of(&stella, "scope", scope)["state"].clone();
    assert_eq!(of_scope("service=other,tenant=default"), "open");
    assert_eq!(of_scope("service=scanner,tenant=default"), "closed");
    assert_eq!(firings(&stella, "errors", "opened"), 1.0);
}

/// Guarantees (BOUNDED): a trigger opens no more incidents than its caps say, at a time and in a
/// day, over a restart; an incident about all of it already keeps it from opening one.
#[test]
fn caps_hold() {
    let trigger = |more: &str| {
        format!(
            "    - {{ name: errors, window: 60s, cool_down: 60s, error_rate: {{ share: 1, min_spans: 5 }}, {more} }}\n"
        )
    };
    let mut stella = Stella::start(
        BINARY,
        &profile("", &trigger("max_open: 2, max_per_day: 3")),
    );
    for service in ["a", "b", "c"] {
        send(&stella, service, 5, true);
    }
    wait_for("too many", || {
        firings(&stella, "errors", "too_many_open") > 0.0
    });
    let open = incidents(&stella);
    assert_eq!(open.len(), 2);
    stella.print(&["incident", "close", open[0]["id"].as_str().unwrap()]);
    send(&stella, "d", 5, true);
    wait_for("a third", || incidents(&stella).len() == 3);
    stella.print(&["incident", "close", open[1]["id"].as_str().unwrap()]);
    stella.kill();
    stella.start_again();
    send(&stella, "e", 5, true);
    wait_for("the cap", || firings(&stella, "errors", "capped") > 0.0);
    assert_eq!(incidents(&stella).len(), 3);

    let stella = Stella::start(BINARY, &profile("", &trigger("scope: 'service={service}'")));
    stella.print(&[
        "incident",
        "open",
        "--scope",
        "tenant=default",
        "--reason",
        "x",
    ]);
    send(&stella, "a", 5, true);
    wait_for("it fires", || firings(&stella, "errors", "opened") > 0.0);
    stella.print(&["incident", "open", "--scope", "all", "--reason", "x"]);
    send(&stella, "b", 5, true);
    wait_for("it is covered", || {
        firings(&stella, "errors", "covered") > 0.0
    });
    assert_eq!(incidents(&stella).len(), 3);
}

/// Guarantees: slow roots and matching log records open incidents, from the template; a service's
/// name cannot widen the scope.
#[test]
fn slow_roots_and_patterns_in_logs() {
    let triggers = "    - { name: slow, latency: { quantile: 0.9, threshold: 2s, min_spans: 10 }, reason: '{service} of {tenant}: {measured}', ttl: 10m, lookback: 1m }\n    - { name: oom, scope: 'service={service},attr.kind=oom', log_pattern: { pattern: 'out of (memory|space)', count: 3 } }\n";
    let stella = Stella::start(BINARY, &profile("", triggers));
    let resource = |service: &str| json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": service } }] });
    let span = |seconds: u64, parent: &str| {
        json!({
            "traceId": "01010101010101010101010101010101", "spanId": "0202020202020202", "parentSpanId": parent,
            "name": "GET", "startTimeUnixNano": "1000000000", "endTimeUnixNano": (1 + seconds).to_string() + "000000000",
        })
    };
    let spans = |service: &str, spans: Vec<Value>| json!({ "resourceSpans": [{ "resource": resource(service), "scopeSpans": [{ "spans": spans }] }] });
    // Nine in ten are quick enough.
    let quick = [vec![span(1, ""); 9], vec![span(9, ""); 1]].concat();
    send_json(&stella, &spans("quick", quick));
    send_json(
        &stella,
        &spans("children", vec![span(9, "0303030303030303"); 20]),
    );
    let slow = [vec![span(1, ""); 8], vec![span(9, ""); 2]].concat();
    send_json(&stella, &spans("a,tenant=other", slow));
    wait_for("the slow one", || incidents(&stella).len() == 1);
    let one = incidents(&stella)[0].clone();
    assert_eq!(one["scope"], "service=a\\,tenant\\=other,tenant=default");
    assert_eq!(
        one["reason"],
        "a,tenant=other of default: the 0.9 quantile of 10 root spans is over 2s: 2 took longer"
    );
    assert_eq!(one["lookback"], "1m");

    let records = |service: &str, bodies: &[&str]| {
        let records: Vec<Value> = bodies
            .iter()
            .map(|body| json!({ "body": { "stringValue": body } }))
            .collect();
        json!({ "resourceLogs": [{ "resource": resource(service), "scopeLogs": [{ "logRecords": records }] }] })
    };
    send_json(
        &stella,
        &records("two", &["out of memory", "out of space", "fine"]),
    );
    send_json(&stella, &records("db", &["out of memory", "fine"]));
    send_json(
        &stella,
        &records("db", &["fine", "x out of space y", "out of memory"]),
    );
    wait_for("the pattern", || incidents(&stella).len() == 2);
    let one = of(&stella, "trigger", "oom");
    assert_eq!(one["scope"], "service=db,attr.kind=oom");
    assert_eq!(one["reason"], "oom: 3 log records match within 1m");
    // Nothing of the records is in the incident or the log.
    assert!(!stella.log().contains("out of memory"));
}

/// Guarantees: a profile with a wrong trigger says what, where, and what would be right.
#[test]
fn a_wrong_trigger_is_told() {
    for (trigger, parts) in [
        ("{ name: a, error_rate: { shar: 0.1 } }", ["shar", "share"]),
        (
            "{ name: a }",
            [
                "is not exactly one thing",
                "hint: give it one of `error_rate:`",
            ],
        ),
        (
            "{ name: a, error_rate: { share: 0.1 }, scope: 'service' }",
            ["the trigger `a`", "hint: write `scope` as"],
        ),
        (
            "{ name: a, error_rate: { share: 0.1 }, ttl: 99h }",
            ["opens incidents of another length", "incidents.max_ttl"],
        ),
        (
            "{ name: a, log_pattern: { pattern: '(', count: 1 } }",
            ["wrong pattern", "docs.rs/regex"],
        ),
    ] {
        let output = refused(BINARY, &profile("", &format!("    - {trigger}\n")));
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
        assert!(told.contains("profile.yaml:"), "{told}");
    }
}
