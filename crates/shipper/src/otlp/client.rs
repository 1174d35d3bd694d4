//! Connections and requests.
//!
//! gRPC shares one HTTP/2 connection among all requests; HTTP/1.1 is `egress`'s. A connection on
//! which a request failed or timed out takes no new ones. Every connection comes from the
//! [`Connector`] (SEALED-EGRESS).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use egress::http::{Answer, MAX_READ_BYTES, is_stale, read, root};
use egress::{ConnectError, Connector, Place, Stream};
use http::{Method, Request, Uri, Version};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::config::{Protocol, Target};
use super::encode::Body;

/// HTTP/2 pings while requests are in flight, to notice a peer that is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
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

impl From<egress::http::Error> for ClientError {
    fn from(error: egress::http::Error) -> Self {
        match error {
            egress::http::Error::Connect(error) => ClientError::Connect(error),
            egress::http::Error::Http(error) => ClientError::Http(error),
        }
    }
}

/// Talks to one host and port.
pub(super) enum Client {
    /// One connection for all requests.
    Grpc(Grpc),
    /// A connection for each request in flight.
    Http(egress::http::Client<Body>),
}

pub(super) struct Grpc {
    connector: Connector,
    place: Place,
    shared: Shared,
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
        let place = target.place.clone();
        match protocol {
            Protocol::Grpc => Client::Grpc(Grpc {
                connector,
                place,
                shared: Shared::default(),
            }),
            Protocol::Http => Client::Http(egress::http::Client::new(connector, place)),
        }
    }

    /// Sends one request and reads its answer. A connection that was there before may have been
    /// closed by the other side in the meantime, so if that shows before any answer, the request is
    /// sent again at once on a new one.
    pub(super) async fn send(&self, target: &Target, body: Body) -> Result<Answer, ClientError> {
        match self {
            Client::Grpc(grpc) => grpc.send(target, body).await,
            Client::Http(http) => {
                let uri = Uri::from(target.path.clone());
                let request = request(uri, Version::HTTP_11, target, body)?;
                Ok(http.send(&request).await?)
            }
        }
    }
}

impl Grpc {
    async fn send(&self, target: &Target, body: Body) -> Result<Answer, ClientError> {
        let shared = &self.shared;
        let uri = Uri::builder()
            .scheme(if self.place.tls.is_some() {
                "https"
            } else {
                "http"
            })
            .authority(target.place.authority.as_str())
            .path_and_query(target.path.clone())
            .build()?;
        let request = request(uri, Version::HTTP_2, target, body)?;
        loop {
            let (number, mut sender, reused) = self.connection().await?;
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

    async fn connection(&self) -> Result<(u64, http2::SendRequest<Body>, bool), ClientError> {
        let shared = &self.shared;
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

    async fn connect(&self) -> Result<Stream, ConnectError> {
        let Place {
            host, port, tls, ..
        } = &self.place;
        match tls {
            Some(tls) => self.connector.connect_tls(host, *port, tls).await,
            None => self.connector.connect(host, *port).await,
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
