//! Rates: the burst at once, then as much as flows in, and the wait that is told is enough.

use super::quotas::{refused_items, start};
use super::{Holder, log};
use serde_json::{Value, json};
use testkit::client::{self, Answer, PROTOBUF};
use testkit::messages::wire;
use testkit::stella::Stella;

fn post(stella: &Stella, holder: &Holder, signal: &str, request: &Value) -> Answer {
    let body = wire(signal, request);
    client::post(stella.at().http, signal, PROTOBUF, &holder.headers(), &body)
}

fn call(stella: &Stella, holder: &Holder, signal: &str, request: &Value) -> Answer {
    client::call(
        stella.at().grpc,
        signal,
        &holder.headers(),
        wire(signal, request),
    )
}

/// Sends until the burst is used up; how many were taken, and the refusal.
fn until_refused(send: impl Fn() -> Answer, good: u32) -> (u32, Answer) {
    let mut taken = 0;
    loop {
        let answer = send();
        if answer.code != good {
            return (taken, answer);
        }
        taken += 1;
        assert!(taken < 100, "the burst does not end");
    }
}

/// Guarantees: BOUNDED, LOSS-COUNTED; bytes a second: the burst passes, what is more is refused
/// with the time until it would pass, and after that time it does. A request larger than the burst
/// is refused for good. Other signals and other tenants have buckets of their own.
#[test]
fn bytes_a_second() {
    let quota = "{ logs: { bytes_per_second: 1KiB, burst_bytes: 4KiB } }";
    let (stella, acme, free) = start(quota, "");
    let request = log(&"x".repeat(1000));
    for (good, bad) in [(200, 429), (0, 8)] {
        let send = || match good {
            200 => post(&stella, &acme, "logs", &request),
            _ => call(&stella, &acme, "logs", &request),
        };
        let (taken, refusal) = until_refused(send, good);
        assert!(good == 0 || taken >= 3, "{taken} of a burst of four");
        assert_eq!(refusal.code, bad, "{refusal:?}");
        let wait = refusal.retry_after.expect("a time to wait");
        // Not synchronisation: it is what the sender was told to do.
        std::thread::sleep(wait);
        let answer = send();
        assert_eq!(answer.code, good, "after {wait:?}: {answer:?}");
    }
    let refused = refused_items(&stella, "acme", "logs", "bytes_per_second");
    assert_eq!(refused, 2.0);
    let larger = log(&"x".repeat(5000));
    let answer = post(&stella, &acme, "logs", &larger);
    assert_eq!((answer.code, answer.retry_after), (413, None), "{answer:?}");
    assert_eq!(post(&stella, &free, "logs", &larger).code, 200);
    let span =
        json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "x".repeat(9000)}]}]}]});
    assert_eq!(post(&stella, &acme, "traces", &span).code, 200);
}

/// Guarantees: the same for items a second, of each signal.
#[test]
fn items_a_second() {
    let limit = "{ items_per_second: 2, burst_items: 6 }";
    let quota = format!("{{ traces: {limit}, metrics: {limit}, logs: {limit} }}");
    let (stella, acme, free) = start(&quota, "");
    let three = |signal: &str| match signal {
        "traces" => json!({"resourceSpans": [{"scopeSpans": [{"spans": [{}, {}, {}]}]}]}),
        "metrics" => json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
            {"name": "m", "gauge": {"dataPoints": [{}, {}, {}]}}]}]}]}),
        _ => json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{}, {}, {}]}]}]}),
    };
    for signal in ["traces", "metrics", "logs"] {
        let request = three(signal);
        let (taken, refusal) = until_refused(|| call(&stella, &acme, signal, &request), 0);
        assert!(taken >= 2, "{signal}: {taken}");
        assert_eq!(refusal.code, 8, "{refusal:?}");
        assert_eq!(
            refused_items(&stella, "acme", signal, "items_per_second"),
            3.0
        );
        std::thread::sleep(refusal.retry_after.expect("a time to wait"));
        let answer = call(&stella, &acme, signal, &request);
        assert_eq!(answer.code, 0, "{answer:?}");
        assert_eq!(call(&stella, &free, signal, &request).code, 0);
    }
}
