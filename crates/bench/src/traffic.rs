//! What the load is made of: requests of 500 spans, made beforehand.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use std::time::{SystemTime, UNIX_EPOCH};

/// The service that one request in 64 comes from.
pub const SELDOM: &str = "scanner";
/// Spans in a request.
pub const SPANS: u64 = 500;
/// Requests made beforehand, each with other ids, paths and times.
const DIFFERENT: u64 = 64;

/// Which traces the spans are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traces {
    /// So many spans in a row are of one trace.
    pub in_row: u64,
    /// After so many requests the same traces come again; 0 for never.
    pub again_after: u64,
    /// Spans of two attributes and not twelve.
    pub small: bool,
}

impl Traces {
    /// As the words of a command line.
    pub fn words(self) -> [String; 3] {
        let small = if self.small { "small" } else { "whole" };
        [
            self.in_row.to_string(),
            self.again_after.to_string(),
            small.to_owned(),
        ]
    }

    /// From the words of a command line.
    pub fn read([in_row, again_after, small]: [&str; 3]) -> Self {
        Traces {
            in_row: in_row.parse().expect("a number of spans"),
            again_after: again_after.parse().expect("a number of requests"),
            small: small == "small",
        }
    }
}

/// The requests, framed for gRPC.
pub struct Bodies {
    bodies: Vec<Bytes>,
    /// Where the trace ids stand in each of them.
    ids: Vec<Vec<usize>>,
    traces: Option<Traces>,
    seed: u64,
}

impl Bodies {
    /// Makes them. Without `traces` they come over and over as they are.
    pub fn new(traces: Option<Traces>) -> Self {
        let small = traces.is_some_and(|traces| traces.small);
        let bodies: Vec<Bytes> = (0..DIFFERENT).map(|number| body(number, small)).collect();
        let ids = bodies.iter().enumerate();
        let ids = ids.map(|(number, body)| places(body, number as u64));
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Bodies {
            ids: ids.collect(),
            bodies,
            traces,
            seed: now.map_or(0, |now| now.as_nanos() as u64),
        }
    }

    /// The bytes of all of so many requests.
    pub fn bytes(&self, requests: u64) -> u64 {
        let of = |at: u64| self.bodies[(at % DIFFERENT) as usize].len() as u64;
        (0..requests).map(of).sum()
    }

    /// The request of a number.
    pub fn get(&self, number: u64) -> Bytes {
        let at = (number % DIFFERENT) as usize;
        let Some(traces) = self.traces else {
            return self.bodies[at].clone();
        };
        let number = match traces.again_after {
            0 => number,
            after => number % after,
        };
        let mut body = self.bodies[at].to_vec();
        for (span, place) in self.ids[at].iter().enumerate() {
            let trace = (number * SPANS + span as u64) / traces.in_row;
            let id = [mix(self.seed ^ trace), mix(self.seed ^ trace ^ 1 << 60)];
            let id = id.map(u64::to_be_bytes).concat();
            body[*place..place + 16].copy_from_slice(&id);
        }
        body.into()
    }
}

/// splitmix64's last step.
fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Where the trace ids of a body stand, in its order.
fn places(body: &[u8], number: u64) -> Vec<usize> {
    let mut from = 0;
    let place = |at: u64| {
        let wanted = [&[0x0a, 16], &trace_id(number * SPANS + at)[..]].concat();
        let mut windows = body[from..].windows(wanted.len());
        let found = from + windows.position(|bytes| bytes == wanted).expect("its id");
        from = found + wanted.len();
        found + 2
    };
    (0..SPANS).map(place).collect()
}

/// One request without its frame.
pub fn request() -> Vec<u8> {
    body(0, false)[5..].to_vec()
}

/// One request in 64 comes from another service.
fn service(number: u64) -> &'static str {
    match number {
        1 => SELDOM,
        _ => "orders",
    }
}

/// A framed request of [`SPANS`] spans of about 700 bytes with 12 attributes each.
fn body(number: u64, small: bool) -> Bytes {
    let spans = (0..SPANS).map(|at| {
        let mut span = span(number * SPANS + at);
        if small {
            span.attributes.truncate(2);
            span.trace_state.clear();
        }
        span
    });
    let spans = spans.collect();
    let resource = ResourceSpans {
        resource: Some(Resource {
            attributes: vec![
                text("service.name", service(number)),
                text("service.namespace", "shop"),
            ],
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            spans,
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    };
    let message = ExportTraceServiceRequest {
        resource_spans: vec![resource],
    }
    .encode_to_vec();
    let mut framed = vec![0];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(&message);
    Bytes::from(framed)
}

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    any(key, Value::StringValue(value.into()))
}

fn any(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn mixed(number: u64, salt: u64) -> u64 {
    (number.wrapping_add(salt)).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1
}

fn trace_id(number: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&mixed(number, 1).rotate_left(29).to_be_bytes());
    id[8..].copy_from_slice(&mixed(number, 2).to_be_bytes());
    id
}

/// Ids, addresses and times differ from span to span as they do in life; names repeat.
fn span(number: u64) -> Span {
    let mixed = |salt: u64| mixed(number, salt);
    let start = 1_764_000_000_000_000_000 + number * 1_000_003;
    Span {
        trace_id: trace_id(number).to_vec(),
        span_id: mixed(3).to_be_bytes().to_vec(),
        parent_span_id: mixed(4).to_be_bytes().to_vec(),
        trace_state: "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE".to_owned(),
        flags: 0x101,
        name: "GET /api/v1/orders/{orderId}/items".to_owned(),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + mixed(5) % 80_000_000,
        attributes: vec![
            text("http.request.method", "GET"),
            text("url.scheme", "https"),
            text(
                "url.path",
                format!("/api/v1/orders/{}/items", mixed(6) % 1_000_000),
            ),
            text("http.route", "/api/v1/orders/{orderId}/items"),
            any(
                "http.response.status_code",
                Value::IntValue(if number.is_multiple_of(50) { 500 } else { 200 }),
            ),
            text("server.address", "orders.shop.svc.cluster.local"),
            any("server.port", Value::IntValue(8443)),
            text(
                "client.address",
                format!(
                    "10.{}.{}.{}",
                    mixed(7) % 256,
                    mixed(8) % 256,
                    mixed(9) % 256
                ),
            ),
            text(
                "user_agent.original",
                "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            ),
            text("network.protocol.version", "2"),
            text("enduser.id", format!("user-{:08x}", mixed(10) as u32)),
            text(
                "session.id",
                format!("{:016x}{:016x}", mixed(11), mixed(12)),
            ),
        ],
        ..Span::default()
    }
}
