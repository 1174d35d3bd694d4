//! The API as a program meets it: requests in, answers out, on a gateway that is made up.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::sync::Arc;

use http::Request;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::config::{Alertmanager, Config};
use crate::incident::tests::{after, now};
use crate::register::tests::{Fake, plain, register};

struct Site {
    api: Api,
    _dir: TempDir,
}

fn site(config: Config) -> Site {
    let (dir, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::default()));
    let register = register(dir.path(), &fake, config, now());
    let access = Access::new("127.0.0.1:1".parse().unwrap(), None).unwrap();
    Site {
        api: Api::new(register, access),
        _dir: dir,
    }
}

impl Site {
    fn ask(&self, method: &str, path: &str, body: Value, headers: &[(&str, &str)]) -> (u16, Value) {
        self.ask_at(now(), method, path, body, headers)
    }

    fn ask_at(
        &self,
        at: Timestamp,
        method: &str,
        path: &str,
        body: Value,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers
            .iter()
            .chain([&("content-type", "application/json")])
        {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let response = self.api.answer(&head, &body, "loopback", at);
        let problem = response.headers()[CONTENT_TYPE] == "application/problem+json";
        let status = response.status().as_u16();
        let value: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(problem, status >= 400, "{value}");
        if problem {
            assert_eq!(value["status"], status);
            assert!(
                value["type"]
                    .as_str()
                    .unwrap()
                    .starts_with("urn:stella:problem:")
            );
        }
        (status, value)
    }
}

fn wanted() -> Value {
    json!({ "scope": "service=a", "reason": "slow", "ttl": "10m", "by": "me" })
}

/// Guarantees: an incident's life over HTTP: status codes, shapes, and one incident for a key.
#[test]
fn open_look_extend_close() {
    let site = site(plain());
    let (status, one) = site.ask("POST", ROOT, wanted(), &[("idempotency-key", "k1")]);
    assert_eq!(
        (status, &one["state"], &one["lookback"]),
        (201, &json!("open"), &json!("15m"))
    );
    assert_eq!(one["opened_by"], "loopback (me)");
    assert_eq!(one["expires_at"], "2026-11-25T16:34:30Z");
    assert!(
        one["estimate"]["text"]
            .as_str()
            .unwrap()
            .contains("at the present rate")
    );
    let (status, same) = site.ask("POST", ROOT, wanted(), &[("idempotency-key", "k1")]);
    assert_eq!((status, &same["id"]), (200, &one["id"]));
    let mut other = wanted();
    other["reason"] = json!("other");
    let (status, problem) = site.ask("POST", ROOT, other, &[("idempotency-key", "k1")]);
    assert_eq!(
        (status, &problem["type"]),
        (409, &json!("urn:stella:problem:idempotency-key-reused"))
    );
    assert!(problem["hint"].is_string());
    let at = format!("{ROOT}/{}", one["id"].as_str().unwrap());
    let (status, more) = site.ask("PATCH", &at, json!({ "ttl": "1h" }), &[]);
    assert_eq!(
        (status, &more["expires_at"]),
        (200, &json!("2026-11-25T17:24:30Z"))
    );
    let (status, early) = site.ask("PATCH", &at, json!({ "hold": "released" }), &[]);
    assert_eq!(
        (status, &early["type"]),
        (409, &json!("urn:stella:problem:still-open"))
    );
    let (_, open) = site.ask("GET", &format!("{ROOT}?state=open"), Value::Null, &[]);
    assert_eq!(open["incidents"].as_array().unwrap().len(), 1);
    let (status, closed) = site.ask(
        "PATCH",
        &at,
        json!({ "state": "closed", "note": "mended" }),
        &[],
    );
    assert_eq!((status, &closed["ended"]["note"]), (200, &json!("mended")));
    let (_, open) = site.ask("GET", &format!("{ROOT}?state=open"), Value::Null, &[]);
    assert_eq!(open["incidents"], json!([]));
    let (_, shown) = site.ask("GET", &at, Value::Null, &[]);
    assert_eq!(
        shown["kept"],
        json!({ "before_spans": 3, "before_done": true, "during_spans": 5 })
    );
    let (_, timeline) = site.ask("GET", &format!("{at}/timeline"), Value::Null, &[]);
    let what: Vec<&str> = timeline["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["what"].as_str().unwrap())
        .collect();
    assert_eq!(
        what,
        ["opened", "in_force", "extended", "closed", "released"]
    );
}

/// Guarantees: the toggle opens one incident about everything, however often it is switched on,
/// and closes no other.
#[test]
fn the_toggle() {
    let site = site(plain());
    let at = format!("{ROOT}/mode");
    site.ask("POST", ROOT, wanted(), &[]);
    assert_eq!(site.ask("GET", &at, Value::Null, &[]).1["mode"], "off");
    let (_, on) = site.ask("POST", &at, json!({ "mode": "on" }), &[]);
    let (_, again) = site.ask("POST", &at, json!({ "mode": "on" }), &[]);
    assert_eq!(
        (&on["incident"]["id"], &on["incident"]["scope"]),
        (&again["incident"]["id"], &json!("all"))
    );
    let (_, off) = site.ask("POST", &at, json!({ "mode": "off", "reason": "over" }), &[]);
    assert_eq!(
        (&off["mode"], &off["incident"]["state"]),
        (&json!("off"), &json!("closed"))
    );
    let (status, off) = site.ask("POST", &at, json!({ "mode": "off" }), &[]);
    assert_eq!((status, off), (200, json!({ "mode": "off" })));
    assert_eq!(
        site.ask("GET", &format!("{ROOT}?state=open"), Value::Null, &[])
            .1["incidents"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

/// Guarantees: bad requests get a problem that says what is wrong, and open nothing.
#[test]
fn bad_requests() {
    let site = site(plain());
    let with = |key: &str, value: Value| {
        let mut body = wanted();
        body[key] = value;
        body
    };
    for (body, status, code) in [
        (with("scope", json!("servce=a")), 422, "bad-scope"),
        (with("ttl", json!("0s")), 422, "bad-ttl"),
        (with("ttl", json!("900h")), 422, "bad-ttl"),
        (with("ttl", json!("soon")), 400, "bad-json"),
        (with("ttl", json!(7)), 400, "bad-json"),
        (with("lookback", json!("9h")), 422, "bad-lookback"),
        (with("reason", json!("a\nb")), 422, "bad-text"),
        (with("by", json!("\u{7}")), 422, "bad-text"),
        (with("resaon", json!("x")), 400, "bad-json"),
        (json!([]), 400, "bad-json"),
        (Value::Null, 400, "bad-json"),
    ] {
        let (got, problem) = site.ask("POST", ROOT, body.clone(), &[]);
        assert_eq!(
            (got, &problem["type"]),
            (status, &json!(format!("urn:stella:problem:{code}"))),
            "{body}"
        );
    }
    for key in ["", "two words", &"k".repeat(129)] {
        assert_eq!(
            site.ask("POST", ROOT, wanted(), &[("idempotency-key", key)])
                .0,
            400,
            "{key}"
        );
    }
    let (head, ()) = Request::post(ROOT)
        .header("content-type", "text/plain")
        .body(())
        .unwrap()
        .into_parts();
    let answer = site
        .api
        .answer(&head, wanted().to_string().as_bytes(), "loopback", now());
    assert_eq!(answer.status(), 415);
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/telemetry/incidentsx", 404),
        ("GET", "/telemetry/incidents/../../etc/passwd", 404),
        (
            "GET",
            "/telemetry/incidents/inc-20261125T162430Z-ffffff",
            404,
        ),
        ("GET", "/telemetry/incidents?state=both", 400),
        ("GET", "/telemetry/incidents?limit=0", 400),
        ("DELETE", "/telemetry/incidents", 405),
        (
            "PATCH",
            "/telemetry/incidents/inc-20261125T162430Z-ffffff/timeline",
            405,
        ),
    ] {
        assert_eq!(
            site.ask(method, path, Value::Null, &[]).0,
            status,
            "{method} {path}"
        );
    }
    let (_, one) = site.ask("POST", ROOT, wanted(), &[]);
    let at = format!("{ROOT}/{}", one["id"].as_str().unwrap());
    for body in [
        json!({}),
        json!({ "ttl": "1h", "state": "closed" }),
        json!({ "state": "open" }),
    ] {
        assert!(matches!(site.ask("PATCH", &at, body, &[]).0, 400 | 422));
    }
    assert_eq!(
        site.ask("GET", ROOT, Value::Null, &[]).1["incidents"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

fn alerts(status: &str, group: &str, service: &str) -> Value {
    json!({
        "version": "4", "groupKey": group, "truncatedAlerts": 0, "status": status, "receiver": "stella",
        "groupLabels": { "service": service }, "externalURL": "http://alertmanager:9093",
        "commonLabels": { "alertname": "Slow", "service": service },
        "commonAnnotations": { "summary": "p99 is\nhigh" },
        "alerts": [{ "status": status, "labels": {}, "annotations": {}, "startsAt": "2026-11-25T16:20:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "x" }],
    })
}

/// Guarantees: firing alerts open one incident a group from the template; cool-down and cap hold
/// the rest back; a label cannot widen the scope.
#[test]
fn alerts_open_incidents() {
    let template = Alertmanager {
        scope: "service={service}".to_owned(),
        reason: "{alertname}: {summary}".to_owned(),
        max_per_day: 3,
        close_on_resolved: true,
        ..Alertmanager::default()
    };
    let off = site(plain());
    let at = format!("{ROOT}/alertmanager");
    assert_eq!(off.ask("POST", &at, alerts("firing", "g", "a"), &[]).0, 404);
    let site = site(Config {
        alertmanager: Some(template),
        ..plain()
    });
    let fire = |seconds, group: &str, service: &str| {
        site.ask_at(
            after(seconds),
            "POST",
            &at,
            alerts("firing", group, service),
            &[],
        )
        .1
    };
    let first = fire(0, "g", "a");
    assert_eq!(
        (&first["outcome"], &first["incident"]["reason"]),
        (&json!("opened"), &json!("Slow: p99 is high"))
    );
    assert_eq!(first["incident"]["scope"], "service=a");
    assert_eq!(first["incident"]["origin"], "alertmanager");
    let again = fire(60, "g", "a");
    assert_eq!(
        (&again["outcome"], &again["incident"]["id"]),
        (&json!("already_open"), &first["incident"]["id"])
    );
    let done = site
        .ask_at(after(120), "POST", &at, alerts("resolved", "g", "a"), &[])
        .1;
    assert_eq!(
        (&done["outcome"], &done["incident"]["state"]),
        (&json!("closed"), &json!("closed"))
    );
    assert_eq!(fire(121, "g", "a")["outcome"], "cooling_down");
    let sly = fire(122, "h", "b,tenant=other");
    assert_eq!(sly["incident"]["scope"], "service=b\\,tenant\\=other");
    assert_eq!(fire(120 + 1800, "g", "a")["outcome"], "opened");
    assert_eq!(fire(120 + 1801, "i", "c")["outcome"], "capped");
    assert_eq!(fire(24 * 3600 + 121, "i", "c")["outcome"], "opened");
    let mut lacking = alerts("firing", "j", "a");
    lacking["commonLabels"] = json!({});
    let (status, problem) = site.ask("POST", &at, lacking, &[]);
    assert_eq!(
        (status, &problem["type"]),
        (422, &json!("urn:stella:problem:bad-template"))
    );
}

/// Guarantees: every reference within the OpenAPI document leads somewhere, and every path that it
/// names is one that is answered.
#[test]
fn the_document_is_whole() {
    fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| match value.as_str() {
                Some(text) if key == "$ref" => found.push(text),
                _ => references(value, found),
            }),
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let site = site(plain());
    let (status, document) = site.ask("GET", "/openapi.json", Value::Null, &[]);
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 10);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for (path, verbs) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "inc-20261125T162430Z-ffffff");
        for verb in verbs
            .as_object()
            .unwrap()
            .keys()
            .filter(|verb| *verb != "parameters")
        {
            let (status, _) = site.ask(&verb.to_uppercase(), &path, Value::Null, &[]);
            assert_ne!(status, 405, "{verb} {path}");
        }
    }
}
