//! Each limit of a tenant: how it refuses, what it says, what it counts, and that it passes again.

use std::io::Write;
use std::time::Duration;

use super::{BINARY, Holder, log, tenants};
use serde_json::{Value, json};
use testkit::client::{self, Answer, JSON, PROTOBUF};
use testkit::messages::wire;
use testkit::stella::Stella;
use testkit::wait_for;

/// A gateway with the tenants `acme`, limited as `quota` says, and `free`, which is not.
pub(super) fn start(quota: &str, more: &str) -> (Stella, Holder, Holder) {
    let (acme, free) = (Holder::new(), Holder::new());
    let profile = tenants(&[("acme", &acme), ("free", &free)])
        + &format!("quotas: {{ tenants: {{ acme: {quota} }} }}\n{more}");
    (Stella::start(BINARY, &profile), acme, free)
}

/// Sends a request of a tenant over HTTP and over gRPC.
fn both(stella: &Stella, holder: &Holder, signal: &str, request: &Value) -> [Answer; 2] {
    let body = wire(signal, request);
    [
        client::post(stella.at().http, signal, PROTOBUF, &holder.headers(), &body),
        client::call(stella.at().grpc, signal, &holder.headers(), body),
    ]
}

/// Items that were refused of a tenant.
pub(super) fn refused_items(stella: &Stella, tenant: &str, signal: &str, reason: &str) -> f64 {
    stella.series(&format!(
        "stella_guard_refused_items_total{{reason=\"{reason}\",signal=\"{signal}\",tenant=\"{tenant}\"}}"
    ))
}

/// Requests that were refused of a tenant.
pub(super) fn refused_requests(stella: &Stella, tenant: &str, signal: &str, reason: &str) -> f64 {
    stella.series(&format!(
        "stella_guard_refused_requests_total{{reason=\"{reason}\",signal=\"{signal}\",tenant=\"{tenant}\"}}"
    ))
}

/// Guarantees: BOUNDED, LOSS-COUNTED; a request over `request_bytes` is refused for good (413, 8
/// without RetryInfo) and counted, one within is taken, and other tenants are not limited.
#[test]
fn a_request_is_too_large() {
    let (stella, acme, free) = start("{ request_bytes: 1KiB }", "");
    let large = log(&"x".repeat(2000));
    let answers = both(&stella, &acme, "logs", &large);
    assert_eq!((answers[0].code, answers[1].code), (413, 8), "{answers:?}");
    for answer in &answers {
        assert_eq!(answer.retry_after, None, "{answer:?}");
        assert!(answer.message.contains("hint: "), "{answer:?}");
    }
    assert_eq!(refused_items(&stella, "acme", "logs", "request_bytes"), 2.0);
    assert_eq!(
        refused_requests(&stella, "acme", "logs", "request_bytes"),
        2.0
    );
    let answers = both(&stella, &free, "logs", &large);
    assert_eq!((answers[0].code, answers[1].code), (200, 0), "{answers:?}");
    let answers = both(&stella, &acme, "logs", &log("small"));
    assert_eq!((answers[0].code, answers[1].code), (200, 0), "{answers:?}");
    assert_eq!(stella.metric("stella_guard_refused_items_total"), 2.0);
}

/// Guarantees: BOUNDED; the day's bytes are refused until midnight, UTC, a request larger than a
/// day's bytes for good; and a restart does not give the day anew.
#[test]
fn a_day_has_its_bytes() {
    let (mut stella, acme, free) = start("{ journal_bytes_per_day: 4KiB }", "");
    let half = log(&"x".repeat(2000));
    let answers = both(&stella, &acme, "logs", &half);
    assert_eq!((answers[0].code, answers[1].code), (200, 0), "{answers:?}");
    let over = |stella: &Stella| {
        let answers = both(stella, &acme, "logs", &half);
        assert_eq!((answers[0].code, answers[1].code), (429, 8), "{answers:?}");
        for answer in &answers {
            let wait = answer.retry_after.expect("a time");
            assert!(wait <= Duration::from_secs(24 * 60 * 60), "{answer:?}");
            assert!(answer.message.contains("hint: try again in"), "{answer:?}");
        }
    };
    over(&stella);
    let answers = both(&stella, &acme, "logs", &log(&"x".repeat(5000)));
    assert_eq!((answers[0].code, answers[1].code), (413, 8), "{answers:?}");
    assert_eq!(answers[1].retry_after, None);
    assert_eq!(
        refused_items(&stella, "acme", "logs", "journal_bytes_per_day"),
        4.0
    );
    stella.kill();
    stella.start_again();
    wait_for("the day to be counted again", || {
        stella.log().contains("was counted again")
    });
    over(&stella);
    let answers = both(&stella, &free, "logs", &half);
    assert_eq!((answers[0].code, answers[1].code), (200, 0), "{answers:?}");
}

/// Makes a request of attributes.
type Request<'a> = &'a dyn Fn(Vec<Value>) -> Value;

/// Guarantees: an item with too many attributes, or too large ones, is refused for good (400, 3) at
/// every place, and the answer says where and how much but repeats nothing.
#[test]
fn items_have_their_shape() {
    let (stella, acme, free) = start("{ attributes_per_item: 3, attribute_value_bytes: 100 }", "");
    let attributes = |count: usize, bytes: usize| -> Vec<Value> {
        (0..count)
            .map(|at| json!({"key": format!("key{at}"), "value": {"stringValue": "v".repeat(bytes)}}))
            .collect()
    };
    let record = |attributes: Vec<Value>| json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{}, {"attributes": attributes}]}]}]});
    let span = |attributes: Vec<Value>| json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"events": [{"attributes": attributes}]}]}]}]});
    let point = |attributes: Vec<Value>| {
        json!({"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics":
            [{"name": "m", "sum": {"dataPoints": [{"asInt": "1"}]}}]}]}]})
    };
    let cases: [(&str, Request<'_>, f64); 3] = [
        ("logs", &record, 2.0),
        ("traces", &span, 1.0),
        ("metrics", &point, 1.0),
    ];
    for (signal, request, items) in cases {
        for (limit, wrong) in [
            ("attributes_per_item", attributes(4, 10)),
            ("attribute_value_bytes", attributes(1, 101)),
        ] {
            let answers = both(&stella, &acme, signal, &request(wrong.clone()));
            assert_eq!((answers[0].code, answers[1].code), (400, 3), "{answers:?}");
            for answer in &answers {
                assert_eq!(answer.retry_after, None);
                assert!(answer.message.contains(limit), "{answer:?}");
                assert!(!answer.message.contains("key0") && !answer.message.contains("vvv"));
            }
            assert_eq!(refused_items(&stella, "acme", signal, limit), 2.0 * items);
            let answers = both(&stella, &free, signal, &request(wrong));
            assert_eq!((answers[0].code, answers[1].code), (200, 0), "{answers:?}");
        }
        let answers = both(&stella, &acme, signal, &request(attributes(3, 100)));
        assert_eq!((answers[0].code, answers[1].code), (200, 0), "{answers:?}");
    }
}

fn points(series: impl IntoIterator<Item = u32>) -> Value {
    let points: Vec<Value> = series
        .into_iter()
        .map(|number| json!({"asDouble": 1.0, "attributes": [{"key": "n", "value": {"intValue": number.to_string()}}]}))
        .collect();
    json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", "gauge": {"dataPoints": points}}]}]}]})
}

/// Guarantees: LOSS-COUNTED; points of series over the limit are left out and told as a partial
/// success with their number, in gRPC and JSON; known series pass in the same request.
#[test]
fn series_over_the_limit_are_left_out() {
    let (stella, acme, free) = start("{ series: 10 }", "");
    let answer = |holder: &Holder, series: std::ops::Range<u32>| -> (u32, Value) {
        let body = points(series).to_string();
        let answer = client::post(
            stella.at().http,
            "metrics",
            JSON,
            &holder.headers(),
            body.as_bytes(),
        );
        (answer.code, serde_json::from_slice(&answer.body).unwrap())
    };
    let rejected = |body: &Value| body["partialSuccess"]["rejectedDataPoints"].clone();
    let (code, body) = answer(&acme, 0..8);
    assert_eq!((code, rejected(&body)), (200, Value::Null), "{body}");
    let (code, body) = answer(&acme, 4..16);
    assert_eq!((code, rejected(&body)), (200, json!("6")), "{body}");
    let message = body["partialSuccess"]["errorMessage"].as_str().unwrap();
    assert!(message.contains("hint: "), "{body}");
    let (code, body) = answer(&acme, 0..10);
    assert_eq!((code, rejected(&body)), (200, Value::Null), "{body}");
    // None of these is known, so nothing is left of the request.
    let (code, body) = answer(&acme, 20..25);
    assert_eq!((code, rejected(&body)), (200, json!("5")), "{body}");

    let body = wire("metrics", &points(5..30));
    let grpc = client::call(stella.at().grpc, "metrics", &acme.headers(), body);
    assert_eq!(grpc.code, 0, "{grpc:?}");
    // partial_success = 1 { rejected_data_points = 1: 20 …
    assert_eq!(grpc.body[0], 0x0a);
    assert_eq!(grpc.body[2..4], [0x08, 20], "{grpc:?}");
    let (code, body) = answer(&free, 0..50);
    assert_eq!((code, rejected(&body)), (200, Value::Null), "{body}");
    assert_eq!(refused_items(&stella, "acme", "metrics", "series"), 31.0);
    let kept = stella.dump_of("acme").matches("asDouble").count();
    assert_eq!(kept, 8 + 6 + 10 + 5);
    assert_eq!(
        stella.metric("otelcol_receiver_accepted_metric_points"),
        29.0 + 50.0
    );
    assert_eq!(
        stella.metric("otelcol_receiver_refused_metric_points"),
        31.0
    );
}

/// Guarantees: BOUNDED; while a tenant has as much in flight as it may, more of it is refused with
/// a time to wait and counted, others pass, and it passes again once the first is done. A request
/// that is more than that by itself is refused for good.
#[test]
fn bytes_in_flight_are_limited() {
    let (stella, acme, free) = start("{ in_flight_bytes: 100KiB }", "");
    let body = wire("logs", &log(&"x".repeat(60_000)));
    let mut slow = client::begin(
        stella.at().http,
        "logs",
        PROTOBUF,
        &acme.headers(),
        body.len(),
    );
    slow.write_all(&body[..50_000]).unwrap();
    wait_for("half of a request to arrive", || {
        stella.metric("stella_gateway_in_flight_bytes") >= 50_000.0
    });
    let answers = both(&stella, &acme, "logs", &log(&"y".repeat(60_000)));
    assert_eq!((answers[0].code, answers[1].code), (429, 8), "{answers:?}");
    for answer in &answers {
        assert!(answer.retry_after.is_some(), "{answer:?}");
    }
    assert_eq!(
        refused_requests(&stella, "acme", "logs", "in_flight_bytes"),
        2.0
    );
    let answers = both(&stella, &free, "logs", &log(&"z".repeat(60_000)));
    assert_eq!((answers[0].code, answers[1].code), (200, 0), "{answers:?}");
    slow.write_all(&body[50_000..]).unwrap();
    assert_eq!(client::answer(slow).code, 200);
    let answers = both(&stella, &acme, "logs", &log(&"y".repeat(60_000)));
    assert_eq!((answers[0].code, answers[1].code), (200, 0), "{answers:?}");

    let answers = both(&stella, &acme, "logs", &log(&"w".repeat(300_000)));
    assert_eq!((answers[0].code, answers[1].code), (413, 8), "{answers:?}");
    for answer in &answers {
        assert_eq!(answer.retry_after, None, "{answer:?}");
    }
    assert_eq!(
        refused_requests(&stella, "acme", "logs", "in_flight_bytes"),
        4.0
    );
}

/// Guarantees: BOUNDED, LOSS-COUNTED; where there is no room to keep track of another tenant, it is
/// refused with a time to wait and counted, and the one that is known goes on.
#[test]
fn tenants_that_are_kept_track_of_are_limited() {
    let (acme, late) = (Holder::new(), Holder::new());
    let profile = tenants(&[("acme", &acme), ("late", &late)])
        + "quotas: { max_tenants: 1, default: { journal_bytes_per_day: 1GiB } }\n";
    let stella = Stella::start(BINARY, &profile);
    for _ in 0..2 {
        let answers = both(&stella, &acme, "logs", &log("known"));
        assert_eq!((answers[0].code, answers[1].code), (200, 0), "{answers:?}");
        let answers = both(&stella, &late, "logs", &log("one too many"));
        assert_eq!((answers[0].code, answers[1].code), (429, 8), "{answers:?}");
        assert!(answers.iter().all(|answer| answer.retry_after.is_some()));
    }
    assert_eq!(refused_requests(&stella, "late", "logs", "tenants"), 4.0);
}
