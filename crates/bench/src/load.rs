//! The load: OTLP/gRPC requests of 500 spans, sent over and over.

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
use serde::{Deserialize, Serialize};
use tls::{Alpn, ClientFiles, Identity, Keeper};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::measure::{quantile, sorted};
use crate::traffic::{Bodies, Traces};

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
    /// New traces, where they matter.
    pub traces: Option<Traces>,
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
            traces: None,
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
    let bodies = Arc::new(Bodies::new(plan.traces));
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
        bytes: bodies.bytes(requests),
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
    bodies: Arc<Bodies>,
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
        let request = request.body(Full::new(bodies.get(at))).expect("a request");
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
