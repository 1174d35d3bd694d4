//! One request through the made-up shop: its spans and logs, as OTLP JSON.

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

/// The services that take part.
pub const SERVICES: [&str; 6] = [
    "frontend",
    "checkout",
    "catalog",
    "payment",
    "scanner",
    "policy-engine",
];

/// A step of a request: who does what, under which step, and how long it usually takes.
struct Step {
    service: usize,
    name: &'static str,
    kind: u8,
    parent: Option<usize>,
    typical_ms: f64,
    attributes: &'static [(&'static str, &'static str)],
}

const SERVER: u8 = 2;
const CLIENT: u8 = 3;

/// Two kinds of requests: a purchase, and the scan of a container image.
const SCENES: [&[Step]; 2] = [
    &[
        Step {
            service: 0,
            name: "POST /checkout",
            kind: SERVER,
            parent: None,
            typical_ms: 120.0,
            attributes: &[
                ("http.request.method", "POST"),
                ("url.path", "/checkout"),
                ("user.email", "ada.lovelace@example.com"),
                ("client.address", "203.0.113.7"),
            ],
        },
        Step {
            service: 1,
            name: "PlaceOrder",
            kind: SERVER,
            parent: Some(0),
            typical_ms: 90.0,
            attributes: &[
                ("rpc.system", "grpc"),
                ("rpc.service", "shop.Checkout"),
                (
                    "http.request.header.authorization",
                    "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl",
                ),
            ],
        },
        Step {
            service: 2,
            name: "SELECT catalog.items",
            kind: CLIENT,
            parent: Some(1),
            typical_ms: 8.0,
            attributes: &[
                ("db.system.name", "postgresql"),
                (
                    "db.query.text",
                    "SELECT price FROM items WHERE sku = 'A-1009'",
                ),
            ],
        },
        Step {
            service: 3,
            name: "Charge",
            kind: SERVER,
            parent: Some(1),
            typical_ms: 45.0,
            attributes: &[
                ("rpc.system", "grpc"),
                ("payment.card_number", "4111 1111 1111 1111"),
                ("aws.access_key_id", "AKIAIOSFODNN7EXAMPLE"),
            ],
        },
    ],
    &[
        Step {
            service: 0,
            name: "POST /scans",
            kind: SERVER,
            parent: None,
            typical_ms: 60.0,
            attributes: &[
                ("http.request.method", "POST"),
                ("url.path", "/scans"),
                (
                    "url.full",
                    "https://ci:s3cr3t-token@shop.example/scans?api_key=0123456789abcdef",
                ),
            ],
        },
        Step {
            service: 4,
            name: "ScanImage",
            kind: SERVER,
            parent: Some(0),
            typical_ms: 400.0,
            attributes: &[
                ("container.image.name", "registry.example/shop/checkout"),
                (
                    "oci.manifest.digest",
                    "sha256:e4ca62c0d62f3e886e684806dfe9d4e0cda60d54986898173c1083856cfda0f4",
                ),
            ],
        },
        Step {
            service: 4,
            name: "match vulnerabilities",
            kind: 1,
            parent: Some(1),
            typical_ms: 250.0,
            attributes: &[("scan.packages", "412")],
        },
        Step {
            service: 5,
            name: "Evaluate",
            kind: SERVER,
            parent: Some(1),
            typical_ms: 30.0,
            attributes: &[("rpc.system", "grpc"), ("policy.name", "no-critical-cves")],
        },
    ],
];

/// What one request was: for the metrics.
pub struct Outcome {
    pub service: usize,
    pub milliseconds: f64,
    pub failed: bool,
}

/// The spans and logs of one request that ended at `end_unix_nano`, added to their services.
pub fn play(
    rng: &mut StdRng,
    end_unix_nano: u64,
    spans: &mut [Vec<Value>; SERVICES.len()],
    logs: &mut [Vec<Value>; SERVICES.len()],
) -> Outcome {
    let steps = SCENES[usize::from(rng.random_bool(0.35))];
    let trace_id = format!("{:032x}", rng.random_range(1..=u128::MAX));
    let failing = rng
        .random_bool(0.03)
        .then(|| rng.random_range(1..steps.len()));
    let ids: Vec<String> = steps
        .iter()
        .map(|_| format!("{:016x}", rng.random_range(1..=u64::MAX)))
        .collect();
    // A log-normal body with one request in a hundred in the tail.
    let tail = if rng.random_bool(0.01) { 12.0 } else { 1.0 };
    let total_ms = steps[0].typical_ms
        * tail
        * (0.6 + rng.random::<f64>() + rng.random::<f64>().powi(6) * 4.0);
    let start = end_unix_nano.saturating_sub((total_ms * 1e6) as u64);

    for (index, step) in steps.iter().enumerate() {
        let share = (step.typical_ms / steps[0].typical_ms).min(0.95);
        let offset = if index == 0 {
            0.0
        } else {
            total_ms * 0.03 * index as f64
        };
        let took = if index == 0 {
            total_ms
        } else {
            (total_ms * share * 0.9).min(total_ms - offset)
        };
        let from = start + (offset * 1e6) as u64;
        let to = from + (took.max(0.05) * 1e6) as u64;
        // A failure shows in the step that failed and in all that waited for it.
        let failed = failing.is_some_and(|at| at == index || is_above(steps, index, at));
        let mut attributes: Vec<Value> = step
            .attributes
            .iter()
            .map(|(key, value)| attribute(key, value))
            .collect();
        attributes.push(
            json!({"key": "thread.id", "value": {"intValue": rng.random_range(1..64).to_string()}}),
        );
        let mut span = json!({
            "traceId": trace_id, "spanId": ids[index], "name": step.name, "kind": step.kind,
            "startTimeUnixNano": from.to_string(), "endTimeUnixNano": to.to_string(),
            "attributes": attributes, "flags": 1,
        });
        if let Some(parent) = step.parent {
            span["parentSpanId"] = json!(ids[parent]);
        }
        if failed {
            span["status"] = json!({"code": 2, "message": "deadline exceeded"});
            span["events"] = json!([{
                "name": "exception", "timeUnixNano": to.to_string(),
                "attributes": [attribute("exception.type", "TimeoutError"),
                               attribute("exception.message", "no answer for ada.lovelace@example.com")],
            }]);
        }
        spans[step.service].push(span);
        if failed || index == 0 {
            logs[step.service].push(json!({
                "timeUnixNano": to.to_string(), "observedTimeUnixNano": to.to_string(),
                "severityNumber": if failed { 17 } else { 9 },
                "severityText": if failed { "ERROR" } else { "INFO" },
                "traceId": trace_id, "spanId": ids[index], "flags": 1,
                "body": {"stringValue": format!("{} {} in {took:.1} ms", step.name, if failed { "failed" } else { "done" })},
                "attributes": [attribute("code.function.name", step.name)],
            }));
        }
    }
    Outcome {
        service: steps[0].service,
        milliseconds: total_ms,
        failed: failing.is_some(),
    }
}

/// Whether step `above` waits for step `below`.
fn is_above(steps: &[Step], above: usize, below: usize) -> bool {
    let mut at = steps[below].parent;
    while let Some(index) = at {
        if index == above {
            return true;
        }
        at = steps[index].parent;
    }
    false
}

/// A string attribute.
pub fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}
