//! Filters of metrics from end to end.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "this is a test"
)]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use testkit::stella::{Stella, refused};
use testkit::wait_for;

const BINARY: &str = env!("CARGO_BIN_EXE_stella");

fn send(stella: &Stella, service: &str, names: &[&str]) {
    let point = json!({ "timeUnixNano": "1764000000000000000", "asInt": "1" });
    let metric = |name: &&str| json!({ "name": name, "gauge": { "dataPoints": [point, point] } });
    let metrics: Vec<Value> = names.iter().map(metric).collect();
    let request = json!({ "resourceMetrics": [{
        "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": service } }] },
        "scopeMetrics": [{ "metrics": metrics }],
    }] });
    let file = stella.folder().join("send.json");
    std::fs::write(&file, request.to_string()).unwrap();
    stella.print(&["send", file.to_str().unwrap()]);
}

/// `service/metric` of all that a destination of files has.
fn arrived(dir: &std::path::Path) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let Ok(entries) = std::fs::read_dir(dir) else {
        return all;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(arrived(&path));
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for request in text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        {
            for group in request["resourceMetrics"].as_array().into_iter().flatten() {
                let service = group["resource"]["attributes"][0]["value"]["stringValue"]
                    .as_str()
                    .unwrap();
                let metrics = group["scopeMetrics"].as_array().unwrap().iter();
                let metrics = metrics.flat_map(|scope| scope["metrics"].as_array().unwrap());
                all.extend(
                    metrics.map(|metric| format!("{service}/{}", metric["name"].as_str().unwrap())),
                );
            }
        }
    }
    all
}

/// Guarantees (LOSS-COUNTED): a destination gets the metrics that its filter lets pass, and what it
/// does not is counted; another gets all; in an incident's scope everything passes, until it ends.
#[test]
fn a_destination_gets_what_its_filter_lets_pass() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let ships = format!(
        "ship:\n  - {{ name: some, file: {{ path: '{}' }}, metrics: {{ include: [{{ names: ['http.*', 'up'] }}], exclude: [{{ names: ['*.size'], resource: {{ service.name: 'b*' }} }}] }} }}\n  - {{ name: all, file: {{ path: '{}' }} }}\n",
        path("some").display(),
        path("all").display(),
    );
    let stella = Stella::start(
        BINARY,
        &format!("incidents: {{ lookback: 0s, capture_deadline: 0s }}\n{ships}"),
    );
    let all = ["http.time", "http.size", "jvm.gc", "up"];
    let set = |names: &[&str]| -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    };
    send(&stella, "a", &all);
    send(&stella, "batch", &all);
    let passed = set(&[
        "a/http.time",
        "a/http.size",
        "a/up",
        "batch/http.time",
        "batch/up",
    ]);
    wait_for("both destinations", || {
        arrived(&path("all")).len() == 8 && arrived(&path("some")).len() >= 5
    });
    assert_eq!(arrived(&path("some")), passed);
    let gone = "stella_shipper_filtered_items_total{exporter=\"some\",signal=\"metrics\"}";
    assert_eq!(stella.series(gone), 6.0);

    let open = [
        "incident",
        "open",
        "--scope",
        "service=batch",
        "--reason",
        "x",
        "--output",
        "json",
    ];
    let opened: Value = serde_json::from_str(&stella.print(&open)).unwrap();
    send(&stella, "batch", &["jvm.gc", "other.size"]);
    send(&stella, "a", &["jvm.gc", "other.size", "http.late"]);
    wait_for("the last", || {
        arrived(&path("some")).contains("a/http.late")
    });
    let incident = set(&["batch/jvm.gc", "batch/other.size", "a/http.late"]);
    let expected: BTreeSet<String> = passed.union(&incident).cloned().collect();
    assert_eq!(arrived(&path("some")), expected);
    stella.print(&["incident", "close", opened["id"].as_str().unwrap()]);
    send(&stella, "batch", &["after.close"]);
    send(&stella, "batch", &["http.last"]);
    wait_for("the last", || {
        arrived(&path("some")).contains("batch/http.last")
    });
    assert!(!arrived(&path("some")).contains("batch/after.close"));
}

/// Guarantees: a wrong filter is told with its place and what would be right.
#[test]
fn a_wrong_filter_is_told() {
    for (filter, parts) in [
        ("include: [{}]", ["says nothing", "hint: give it"]),
        (
            "exclude: [{ regex: '(' }]",
            ["regular expression", "docs.rs/regex"],
        ),
        ("exclud: []", ["exclud", "exclude"]),
    ] {
        let text = format!(
            "ship:\n  - {{ name: x, file: {{ path: /tmp/x }}, metrics: {{ {filter} }} }}\n"
        );
        let output = refused(BINARY, &text);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(
            parts.iter().all(|part| told.contains(part)) && told.contains("profile.yaml:2"),
            "{told}"
        );
    }
}
