//! Plays scenes at a steady rate and sends what they made, ten times a second.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ident::Signal;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use shipper::Connector;
use shipper::otlp::{Config, Sender};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::scene::{self, SERVICES, attribute};

const TICKS_PER_SECOND: u32 = 10;
/// Metrics are sent every this many ticks.
const TICKS_PER_METRICS: u64 = 50;
const BOUNDS_MS: [f64; 8] = [10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0];

/// What the request metrics count since the start, for one service and outcome.
#[derive(Default)]
struct Series {
    count: u64,
    sum_ms: f64,
    buckets: [u64; BOUNDS_MS.len() + 1],
}

/// Sends `traces_per_second` to `endpoint` (OTLP/gRPC) until `stop`.
pub async fn run(endpoint: String, traces_per_second: u32, stop: CancellationToken) {
    let Ok(url) = url::Url::parse(&endpoint) else {
        return;
    };
    let sender = match Sender::new(&Config::new(url), Connector::open()) {
        Ok(sender) => sender,
        Err(error) => {
            tracing::error!(%error, "the demo cannot send");
            return;
        }
    };
    let mut rng = StdRng::from_rng(&mut rand::rng());
    let mut series: BTreeMap<(usize, bool), Series> = BTreeMap::new();
    let started = unix_nanos();
    let mut ticks = interval(Duration::from_secs(1) / TICKS_PER_SECOND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut tick, mut owed) = (0_u64, 0_u32);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        tick += 1;
        owed += traces_per_second;
        let mut spans: [Vec<Value>; SERVICES.len()] = Default::default();
        let mut logs: [Vec<Value>; SERVICES.len()] = Default::default();
        while owed >= TICKS_PER_SECOND {
            owed -= TICKS_PER_SECOND;
            let outcome = scene::play(&mut rng, unix_nanos(), &mut spans, &mut logs);
            let entry = series.entry((outcome.service, outcome.failed)).or_default();
            entry.count += 1;
            entry.sum_ms += outcome.milliseconds;
            let bucket = BOUNDS_MS.partition_point(|bound| *bound < outcome.milliseconds);
            entry.buckets[bucket] += 1;
        }
        send(
            &sender,
            Signal::Traces,
            &request("resourceSpans", "scopeSpans", "spans", spans),
        )
        .await;
        send(
            &sender,
            Signal::Logs,
            &request("resourceLogs", "scopeLogs", "logRecords", logs),
        )
        .await;
        if tick.is_multiple_of(TICKS_PER_METRICS) {
            send(&sender, Signal::Metrics, &metrics(&series, started)).await;
        }
    }
}

async fn send(sender: &Sender, signal: Signal, request: &Value) {
    let json = request.to_string();
    let payload = match otlp::json::decode(signal, json.as_bytes()) {
        Ok(payload) => Bytes::from(payload),
        Err(error) => {
            tracing::error!(%error, "the demo made a request that is not OTLP");
            return;
        }
    };
    if payload.is_empty() {
        return;
    }
    if let Err(error) = sender.send(signal, payload).await {
        tracing::warn!(%error, "a demo request was not taken");
    }
}

fn request(resources: &str, scopes: &str, items: &str, of: [Vec<Value>; SERVICES.len()]) -> Value {
    let each = SERVICES.iter().zip(of).filter(|(_, list)| !list.is_empty());
    let all: Vec<Value> = each
        .map(|(service, list)| {
            json!({
                "resource": resource(service),
                scopes: [{"scope": {"name": "stella.demo"}, items: list}],
            })
        })
        .collect();
    json!({resources: all})
}

fn resource(service: &str) -> Value {
    json!({"attributes": [
        attribute("service.name", service),
        attribute("service.namespace", "shop"),
        attribute("deployment.environment.name", "demo"),
    ]})
}

fn metrics(series: &BTreeMap<(usize, bool), Series>, started: u64) -> Value {
    let now = unix_nanos().to_string();
    let mut by_service: BTreeMap<usize, Vec<Value>> = BTreeMap::new();
    for ((service, failed), counts) in series {
        let mut attributes = vec![attribute("http.request.method", "POST")];
        if *failed {
            attributes.push(attribute("error.type", "timeout"));
        }
        by_service.entry(*service).or_default().push(json!({
            "startTimeUnixNano": started.to_string(), "timeUnixNano": now,
            "count": counts.count.to_string(), "sum": counts.sum_ms,
            "bucketCounts": counts.buckets.iter().map(u64::to_string).collect::<Vec<_>>(),
            "explicitBounds": BOUNDS_MS, "attributes": attributes,
        }));
    }
    let all: Vec<Value> = by_service
        .into_iter()
        .map(|(service, points)| {
            json!({
                "resource": resource(SERVICES[service]),
                "scopeMetrics": [{"scope": {"name": "stella.demo"}, "metrics": [{
                    "name": "http.server.request.duration", "unit": "ms",
                    "histogram": {"aggregationTemporality": 2, "dataPoints": points},
                }]}],
            })
        })
        .collect();
    json!({"resourceMetrics": all})
}

fn unix_nanos() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
