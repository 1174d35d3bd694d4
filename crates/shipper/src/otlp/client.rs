//! Connections and requests.
//!
//! gRPC shares one HTTP/2 connection among all requests; HTTP/1.1 keeps as many connections as
//! there are requests in flight. A connection on which a request failed or timed out takes no new
//! ones. Every connection comes from the [`Connector`] (SEALED-EGRESS).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::HeaderMap;
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::config::{Protocol, Target};
use super::encode::Body;
use crate::connector::{ConnectError, Connector, Stream};

/// HTTP/2 pings while requests are in flight, to notice a peer that is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// The most of an answer that is kept: enough for any partial success or status.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// The most of an answer that is read at all (BOUNDED). What comes after it is not waited for: over
/// HTTP the status has said enough, and gRPC has not said anything.
const MAX_READ_BYTES: usize = 1 << 20;
/// The most connections that wait for a request.
const MAX_IDLE: usize = 64;

/// An answer in full.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the connection failed: {}", root(.0))]
    Http(#[from] hyper::Error),
    #[error("the answer has more than {MAX_READ_BYTES} bytes before its status")]
    TooLong,
    #[error("the request cannot be made: {0}")]
    Request(#[from] http::Error),
}

/// hyper's own text, and what it stems from.
fn root(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Talks to one host and port.
pub(super) struct Client {
    connector: Connector,
    host: String,
    port: u16,
    tls: Option<Arc<tls::Client>>,
    connections: Connections,
}

enum Connections {
    Grpc(Shared),
    /// Connections without a request.
    Http(Mutex<Vec<http1::SendRequest<Body>>>),
}

/// The one connection that new requests use, with its number.
#[derive(Default)]
struct Shared {
    current: Mutex<Option<(u64, http2::SendRequest<Body>)>>,
    /// Held while connecting, so that requests do not each open their own connection.
    connecting: tokio::sync::Mutex<u64>,
}

impl Client {
    pub(super) fn new(connector: Connector, target: &Target, protocol: Protocol) -> Self {
        Client {
            connector,
            host: target.host.clone(),
            port: target.port,
            tls: target.tls.clone(),
            connections: match protocol {
                Protocol::Grpc => Connections::Grpc(Shared::default()),
                Protocol::Http => Connections::Http(Mutex::default()),
            },
        }
    }

    /// Sends one request and reads its answer. A connection that was there before may have been
    /// closed by the other side in the meantime, so if that shows before any answer, the request is
    /// sent again at once on a new one.
    pub(super) async fn send(&self, target: &Target, body: Body) -> Result<Answer, ClientError> {
        match &self.connections {
            Connections::Grpc(shared) => self.grpc(shared, target, body).await,
            Connections::Http(idle) => self.http(idle, target, body).await,
        }
    }

    async fn grpc(
        &self,
        shared: &Shared,
        target: &Target,
        body: Body,
    ) -> Result<Answer, ClientError> {
        let uri = Uri::builder()
            .scheme(if self.tls.is_some() { "https" } else { "http" })
            .authority(target.authority.as_str())
            .path_and_query(target.path.clone())
            .build()?;
        let request = request(uri, Version::HTTP_2, target, body)?;
        loop {
            let (number, mut sender, reused) = self.grpc_connection(shared).await?;
            let mut retire = Retire {
                shared,
                number: Some(number),
            };
            match sender.send_request(request.clone()).await {
                Ok(response) => {
                    let (answer, whole) = read(response).await?;
                    if !whole {
                        return Err(ClientError::TooLong);
                    }
                    retire.number = None;
                    return Ok(answer);
                }
                Err(error) if reused && (is_stale(&error) || sender.is_closed()) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn grpc_connection(
        &self,
        shared: &Shared,
    ) -> Result<(u64, http2::SendRequest<Body>, bool), ClientError> {
        if let Some((number, sender)) = shared.usable() {
            return Ok((number, sender, true));
        }
        let mut connecting = shared.connecting.lock().await;
        if let Some((number, sender)) = shared.usable() {
            return Ok((number, sender, true));
        }
        let stream = self.connect().await?;
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE / 2)
            .handshake(TokioIo::new(stream))
            .await?;
        tokio::spawn(async move {
            // Whoever waits for an answer hears of its end.
            let _ = connection.await;
        });
        *connecting += 1;
        *lock(&shared.current) = Some((*connecting, sender.clone()));
        Ok((*connecting, sender, false))
    }

    async fn http(
        &self,
        idle: &Mutex<Vec<http1::SendRequest<Body>>>,
        target: &Target,
        body: Body,
    ) -> Result<Answer, ClientError> {
        let uri = Uri::from(target.path.clone());
        let request = request(uri, Version::HTTP_11, target, body)?;
        loop {
            let waiting = lock(idle).pop();
            let reused = waiting.is_some();
            let mut sender = match waiting {
                Some(sender) if sender.is_closed() => continue,
                Some(sender) => sender,
                None => self.http_connection().await?,
            };
            if let Err(error) = sender.ready().await {
                if reused {
                    continue;
                }
                return Err(error.into());
            }
            match sender.send_request(request.clone()).await {
                Ok(response) => {
                    let (answer, whole) = read(response).await?;
                    let mut idle = lock(idle);
                    if whole && !sender.is_closed() && idle.len() < MAX_IDLE {
                        idle.push(sender);
                    }
                    return Ok(answer);
                }
                Err(error) if reused && is_stale(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn http_connection(&self) -> Result<http1::SendRequest<Body>, ClientError> {
        let stream = self.connect().await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }

    async fn connect(&self) -> Result<Stream, ConnectError> {
        match &self.tls {
            Some(tls) => self.connector.connect_tls(&self.host, self.port, tls).await,
            None => self.connector.connect(&self.host, self.port).await,
        }
    }
}

impl Shared {
    fn usable(&self) -> Option<(u64, http2::SendRequest<Body>)> {
        lock(&self.current)
            .as_ref()
            .filter(|(_, sender)| !sender.is_closed())
            .cloned()
    }
}

/// Takes a connection out of use unless its request was answered; also when a timeout drops the
/// request. Other requests on it may still end well.
struct Retire<'a> {
    shared: &'a Shared,
    number: Option<u64>,
}

impl Drop for Retire<'_> {
    fn drop(&mut self) {
        let mut current = lock(&self.shared.current);
        if self.number.is_some() && current.as_ref().map(|(number, _)| *number) == self.number {
            *current = None;
        }
    }
}

/// Whether the connection was closed before the request got an answer.
fn is_stale(error: &hyper::Error) -> bool {
    error.is_canceled() || error.is_closed() || error.is_incomplete_message()
}

fn request(
    uri: Uri,
    version: Version,
    target: &Target,
    body: Body,
) -> Result<Request<Body>, http::Error> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .version(version)
        .body(body)?;
    *request.headers_mut() = target.headers.clone();
    Ok(request)
}

/// The answer, and whether it was read to its end.
async fn read(response: Response<Incoming>) -> Result<(Answer, bool), ClientError> {
    let (head, mut incoming) = response.into_parts();
    let mut body = BytesMut::new();
    let (mut read, mut whole) = (0, true);
    let mut trailers = None;
    while let Some(frame) = incoming.frame().await {
        match frame?.into_data() {
            Ok(data) => {
                read += data.len();
                if read > MAX_READ_BYTES {
                    whole = false;
                    break;
                }
                let room = MAX_ANSWER_BYTES - body.len();
                body.extend_from_slice(data.get(..room).unwrap_or(&data));
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    let answer = Answer {
        status: head.status,
        headers: head.headers,
        body: body.freeze(),
        trailers,
    };
    Ok((answer, whole))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
