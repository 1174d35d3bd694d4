//! The load: OTLP/gRPC requests of 500 spans, made beforehand and sent over and over.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use meter::Meter;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde::{Deserialize, Serialize};
use tls::{Alpn, ClientFiles, Identity, Keeper};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::measure::{quantile, sorted};

/// Spans in a request.
pub const SPANS: u64 = 500;
/// Requests made beforehand, each with other ids, paths and times.
const DIFFERENT: u64 = 64;
const CONNECTIONS: usize = 2;
const IN_FLIGHT: usize = 8;
const PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Requests that were acknowledged.
    pub acknowledged: u64,
    /// Requests that were not.
    pub refused: u64,
    /// Wall seconds.
    pub seconds: f64,
    /// Bytes of all requests.
    pub bytes: u64,
    /// Quantiles of a call's milliseconds.
    pub p50_ms: f64,
    /// See [`p50_ms`](Self::p50_ms).
    pub p99_ms: f64,
}

/// What to send.
pub struct Plan {
    /// `host:port`.
    pub endpoint: String,
    /// How many.
    pub requests: u64,
    /// How many a second; as fast as they are taken if 0.
    pub per_second: f64,
    /// The sender's token, where it needs one.
    pub bearer: Option<String>,
    /// A CA, a certificate and its key, where it goes over mutual TLS.
    pub files: Option<[PathBuf; 3]>,
    /// How long to wait after a refusal.
    pub pause: Duration,
}

impl Plan {
    /// A sender that proves nothing and waits a little where it is refused.
    pub fn new(endpoint: &str, requests: u64, per_second: f64) -> Self {
        Plan {
            endpoint: endpoint.to_owned(),
            requests,
            per_second,
            bearer: None,
            files: None,
            pause: Duration::from_millis(50),
        }
    }
}

/// Sends what is planned and prints the [`Outcome`] as JSON.
pub fn run(plan: Plan) {
    let tls = plan.files.clone().map(|[ca, cert, key]| {
        let files = ClientFiles {
            ca,
            identity: Some(Identity { cert, key }),
            server_name: Some("localhost".to_owned()),
            alpn: Alpn::H2,
        };
        let client = Keeper::new(&Meter::new()).client("load", files);
        client.expect("the files can be used")
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = runtime
        .expect("a runtime")
        .block_on(send_all(Arc::new(plan), tls));
    println!("{}", serde_json::to_string(&outcome).expect("JSON"));
}

async fn send_all(plan: Arc<Plan>, tls: Option<Arc<tls::Client>>) -> Outcome {
    let (endpoint, requests) = (plan.endpoint.as_str(), plan.requests);
    let bodies: Arc<Vec<Bytes>> = Arc::new((0..DIFFERENT).map(body).collect());
    let taken = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for at in 0..IN_FLIGHT {
        if at % (IN_FLIGHT / CONNECTIONS) == 0 {
            tasks.push((connect(endpoint, tls.as_deref()).await, Vec::new()));
        }
        let (sender, workers) = tasks.last_mut().expect("a connection");
        let (sender, bodies, taken, plan) = (
            sender.clone(),
            Arc::clone(&bodies),
            Arc::clone(&taken),
            Arc::clone(&plan),
        );
        workers.push(tokio::spawn(work(sender, bodies, taken, plan, begun)));
    }
    let (mut millis, mut refused) = (Vec::new(), 0);
    for worker in tasks.into_iter().flat_map(|(_, workers)| workers) {
        let (mine, not) = worker.await.expect("a worker ends");
        millis.extend(mine);
        refused += not;
    }
    let millis = sorted(millis);
    Outcome {
        acknowledged: millis.len() as u64,
        refused,
        seconds: begun.elapsed().as_secs_f64(),
        bytes: (0..requests)
            .map(|at| bodies[(at % DIFFERENT) as usize].len() as u64)
            .sum(),
        p50_ms: quantile(&millis, 0.5),
        p99_ms: quantile(&millis, 0.99),
    }
}

type Sender = http2::SendRequest<Full<Bytes>>;

async fn connect(endpoint: &str, tls: Option<&tls::Client>) -> Sender {
    let stream = tokio::net::TcpStream::connect(endpoint)
        .await
        .expect("the server listens");
    let _ = stream.set_nodelay(true);
    match tls {
        None => handshake(stream).await,
        Some(tls) => handshake(tls.connect(stream, "localhost").await.expect("TLS")).await,
    }
}

async fn handshake<S>(stream: S) -> Sender
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(1 << 20)
        .handshake(TokioIo::new(stream))
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

async fn work(
    mut sender: Sender,
    bodies: Arc<Vec<Bytes>>,
    taken: Arc<AtomicU64>,
    plan: Arc<Plan>,
    begun: Instant,
) -> (Vec<f64>, u64) {
    let uri = format!("http://{}{PATH}", plan.endpoint);
    let (mut millis, mut refused) = (Vec::new(), 0);
    loop {
        let at = taken.fetch_add(1, Ordering::Relaxed);
        if at >= plan.requests {
            return (millis, refused);
        }
        if plan.per_second > 0.0 {
            let due = begun + Duration::from_secs_f64(at as f64 / plan.per_second);
            tokio::time::sleep_until(due.into()).await;
        }
        let mut request = Request::post(uri.as_str())
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        if let Some(bearer) = &plan.bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let request = request
            .body(Full::new(bodies[(at % DIFFERENT) as usize].clone()))
            .expect("a request");
        let sent = Instant::now();
        sender.ready().await.expect("the connection holds");
        let response = sender.send_request(request).await.expect("an answer");
        let status = response.headers().get("grpc-status").cloned();
        let body = response
            .into_body()
            .collect()
            .await
            .expect("an answer's body");
        let status = status.or_else(|| body.trailers()?.get("grpc-status").cloned());
        if status.is_some_and(|status| status == "0") {
            millis.push(sent.elapsed().as_secs_f64() * 1e3);
        } else {
            refused += 1;
            tokio::time::sleep(plan.pause).await;
        }
    }
}

/// One request without its frame.
pub fn request() -> Vec<u8> {
    body(0)[5..].to_vec()
}

/// A framed request of [`SPANS`] spans of about 700 bytes with 12 attributes each.
fn body(number: u64) -> Bytes {
    let spans = (0..SPANS).map(|at| span(number * SPANS + at)).collect();
    let resource = ResourceSpans {
        resource: Some(Resource {
            attributes: vec![
                text("service.name", "orders"),
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

/// Ids, addresses and times differ from span to span as they do in life; names repeat.
fn span(number: u64) -> Span {
    let mixed = |salt: u64| (number.wrapping_add(salt)).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut trace_id = mixed(1).rotate_left(29).to_be_bytes().to_vec();
    trace_id.extend_from_slice(&mixed(2).to_be_bytes());
    let start = 1_764_000_000_000_000_000 + number * 1_000_003;
    Span {
        trace_id,
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
