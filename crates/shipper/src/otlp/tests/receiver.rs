//! A scriptable OTLP receiver made of hyper. What it takes is decoded with prost; it shares no code
//! with the client.

use std::collections::VecDeque;
use std::io::Read;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ident::Signal;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::conformance::items::{self, Item};
use crate::otlp::Protocol;

/// What a request is answered with.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// Taken, with an answer that has this response message.
    Take(Vec<u8>),
    /// Not taken: `grpc-status`, `grpc-message`, `grpc-status-details-bin`.
    Grpc(u16, String, Option<String>),
    /// Not taken: an HTTP status, headers, a body.
    Http(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Taken; an HTTP status, headers, a body.
    TakeHttp(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Never answered.
    Hang,
    /// Taken; the connection ends in the middle of the answer.
    TakeAndBreak,
    /// The connection ends before there is an answer.
    Close,
    /// Answered with this HTTP status after the head, without reading the body; then closed.
    Early(u16),
}

impl Reply {
    pub(super) fn take() -> Self {
        Reply::Take(Vec::new())
    }

    fn takes(&self) -> bool {
        matches!(
            self,
            Reply::Take(_) | Reply::TakeHttp(..) | Reply::TakeAndBreak
        )
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub from: SocketAddr,
    /// Bytes of the body as sent.
    pub wire_bytes: usize,
    /// What prost makes of it.
    pub items: Result<Vec<Item>, String>,
    pub signal: Signal,
    pub taken: bool,
}

#[derive(Default)]
struct State {
    script: VecDeque<Reply>,
    always: Option<Reply>,
    poisons: Vec<(String, Reply)>,
    received: Vec<Received>,
    holds: bool,
    waiting: usize,
}

/// The receiver. It ends when this is dropped.
pub(super) struct Receiver {
    pub address: SocketAddr,
    protocol: Protocol,
    shared: Arc<Shared>,
    _serving: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    released: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Receiver {
    pub(super) async fn start(protocol: Protocol) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, protocol, Arc::clone(&shared)));
        Receiver {
            address,
            protocol,
            shared,
            _serving: serving,
        }
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The next requests are answered with these.
    pub(super) fn next(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.lock().script.extend(replies);
    }

    pub(super) fn always(&self, reply: Option<Reply>) {
        self.shared.lock().always = reply;
    }

    pub(super) fn poison(&self, id: &str, reply: Reply) {
        self.shared.lock().poisons.push((id.to_owned(), reply));
    }

    pub(super) fn hold(&self) {
        self.shared.lock().holds = true;
    }

    pub(super) fn release(&self) {
        self.shared.lock().holds = false;
        self.shared.released.notify_waiters();
    }

    pub(super) fn waiting(&self) -> usize {
        self.shared.lock().waiting
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.shared.lock().received.clone()
    }
}

async fn accept(listener: TcpListener, protocol: Protocol, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, from) = listener.accept().await.unwrap();
        connections.spawn(serve(stream, from, protocol, Arc::clone(&shared)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, from: SocketAddr, protocol: Protocol, shared: Arc<Shared>) {
    stream.set_nodelay(true).unwrap();
    let closing = Arc::new(Notify::new());
    let service = service_fn(|request| {
        let (shared, closing) = (Arc::clone(&shared), Arc::clone(&closing));
        async move {
            let answer = answer(request, from, protocol, &shared).await;
            if answer.is_none() {
                closing.notify_one();
                std::future::pending::<()>().await;
            }
            answer.ok_or(Closed)
        }
    });
    let io = TokioIo::new(stream);
    // Whether it ended well is for the client to say.
    match protocol {
        Protocol::Grpc => tokio::select! {
            _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .serve_connection(io, service) => {}
            () = closing.notified() => {}
        },
        Protocol::Http => tokio::select! {
            _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(io, service) => {}
            () = closing.notified() => {}
        },
    }
}

#[derive(Debug, thiserror::Error)]
#[error("closed")]
struct Closed;

/// `None` closes the connection.
async fn answer(
    request: Request<Incoming>,
    from: SocketAddr,
    protocol: Protocol,
    shared: &Shared,
) -> Option<Response<Parts>> {
    let (head, body) = request.into_parts();
    let early = match shared.lock().script.front() {
        Some(Reply::Early(status)) => Some(*status),
        _ => None,
    };
    if let Some(status) = early {
        shared.lock().script.pop_front();
        let mut response = Response::new(Parts::new(Vec::new()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert("connection", close);
        return Some(response);
    }
    let body = body.collect().await.ok()?.to_bytes();
    let path = head.uri.path().to_owned();
    let signal = Signal::ALL
        .into_iter()
        .find(|signal| match protocol {
            Protocol::Grpc => path == grpc_path(*signal),
            Protocol::Http => path.ends_with(&format!("/v1/{signal}")) || path.contains("custom"),
        })
        .unwrap();
    let items = message(&head.headers, &body, protocol)
        .and_then(|message| items::items(signal, &message).map_err(|error| error.to_string()));
    let reply = {
        let mut state = shared.lock();
        let reply = state.reply(&items, protocol);
        state.received.push(Received {
            path,
            query: head.uri.query().map(str::to_owned),
            headers: head.headers,
            from,
            wire_bytes: body.len(),
            items,
            signal,
            taken: reply.takes(),
        });
        reply
    };
    shared.lock().waiting += 1;
    loop {
        let released = shared.released.notified();
        if !shared.lock().holds {
            break;
        }
        released.await;
    }
    shared.lock().waiting -= 1;
    respond(reply, protocol).await
}

impl State {
    fn reply(&mut self, items: &Result<Vec<Item>, String>, protocol: Protocol) -> Reply {
        if let Some(reply) = self.script.pop_front() {
            return reply;
        }
        let items = match items {
            Ok(items) => items,
            Err(error) => return refused(protocol, error),
        };
        let poison = self
            .poisons
            .iter()
            .find(|(id, _)| items.iter().any(|item| item.id == *id));
        match (poison, &self.always) {
            (Some((_, reply)), _) => reply.clone(),
            (None, Some(reply)) => reply.clone(),
            (None, None) => Reply::take(),
        }
    }
}

/// The data is at fault, in the words of the protocol.
pub(super) fn refused(protocol: Protocol, message: &str) -> Reply {
    match protocol {
        Protocol::Grpc => Reply::Grpc(3, message.to_owned(), None),
        Protocol::Http => Reply::Http(
            400,
            vec![("content-type", "text/plain".to_owned())],
            message.as_bytes().to_vec(),
        ),
    }
}

/// The services' names as opentelemetry-proto has them.
fn grpc_path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    }
}

/// The message as it was before framing and compression.
fn message(headers: &HeaderMap, body: &[u8], protocol: Protocol) -> Result<Vec<u8>, String> {
    let (body, encoding) = match protocol {
        Protocol::Grpc => {
            let mut body = body;
            let (compressed, length) = (body.get_u8(), body.get_u32() as usize);
            if length != body.len() {
                return Err(format!("{length} bytes announced, {} sent", body.len()));
            }
            let encoding = headers.get("grpc-encoding");
            if (compressed == 1) != encoding.is_some() {
                return Err(format!(
                    "the flag {compressed} does not go with {encoding:?}"
                ));
            }
            (body, encoding)
        }
        Protocol::Http => (body, headers.get("content-encoding")),
    };
    let mut out = Vec::new();
    match encoding.map(HeaderValue::as_bytes) {
        None => return Ok(body.to_vec()),
        Some(b"gzip") => flate2::read::GzDecoder::new(body).read_to_end(&mut out),
        Some(b"zstd") => ::zstd::stream::read::Decoder::new(body)
            .unwrap()
            .read_to_end(&mut out),
        Some(other) => return Err(format!("what is {other:?}?")),
    }
    .map_err(|error| error.to_string())?;
    Ok(out)
}

async fn respond(reply: Reply, protocol: Protocol) -> Option<Response<Parts>> {
    let content_type = match protocol {
        Protocol::Grpc => "application/grpc",
        Protocol::Http => "application/x-protobuf",
    };
    let mut headers = vec![("content-type", content_type.to_owned())];
    let (status, parts) = match reply {
        Reply::Hang => std::future::pending().await,
        Reply::Close => return None,
        Reply::Early(_) => unreachable!("answered before"),
        Reply::Take(message) if protocol == Protocol::Grpc => {
            let mut parts = Parts::new(framed(&message));
            parts.trailers = Some(trailers(0, "", None));
            (200, parts)
        }
        Reply::Take(message) => (200, Parts::new(message)),
        Reply::Grpc(code, message, details) => {
            let mut parts = Parts::new(Vec::new());
            parts.trailers = Some(trailers(code, &message, details.as_deref()));
            (200, parts)
        }
        Reply::Http(status, own, body) | Reply::TakeHttp(status, own, body) => {
            headers = own;
            (status, Parts::new(body))
        }
        Reply::TakeAndBreak => {
            headers.push(("content-length", "1000".to_owned()));
            let mut parts = Parts::new(vec![0x0a]);
            parts.breaks = true;
            (200, parts)
        }
    };
    let mut response = Response::new(parts);
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        let name = HeaderName::from_static(name);
        response
            .headers_mut()
            .append(name, HeaderValue::try_from(value).unwrap());
    }
    Some(response)
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut framed = vec![0];
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(message);
    framed
}

fn trailers(code: u16, message: &str, details: Option<&str>) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(code));
    if !message.is_empty() {
        let escaped: String = message
            .bytes()
            .map(|byte| match byte {
                b' '..=b'~' if byte != b'%' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        trailers.insert("grpc-message", HeaderValue::try_from(escaped).unwrap());
    }
    if let Some(details) = details {
        let details = HeaderValue::try_from(details).unwrap();
        trailers.insert("grpc-status-details-bin", details);
    }
    trailers
}

/// A body of one piece and trailers, or one that breaks off.
struct Parts {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
    breaks: bool,
    turns: u32,
}

impl Parts {
    fn new(data: Vec<u8>) -> Self {
        Parts {
            data: Some(Bytes::from(data)).filter(|data| !data.is_empty()),
            trailers: None,
            breaks: false,
            turns: 0,
        }
    }
}

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = Closed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Closed>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if self.breaks {
            // Some turns later, so that what came before has been written.
            if self.turns < 8 {
                self.turns += 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(Some(Err(Closed)));
        }
        Poll::Ready(self.trailers.take().map(|map| Ok(Frame::trailers(map))))
    }
}
