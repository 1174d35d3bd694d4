//! HTTP/1.1 requests to one place.
//!
//! As many connections are kept as there were requests in flight. A connection on which a request
//! failed or timed out takes no new ones. Every connection comes from the [`Connector`]
//! (SEALED-EGRESS).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use crate::{ConnectError, Connector, Place};

/// The most of an answer that is kept: enough for whatever it has to say.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// The most of an answer that is read at all (BOUNDED). What comes after it is not waited for.
pub const MAX_READ_BYTES: usize = 1 << 20;
/// The most connections that wait for a request.
const MAX_IDLE: usize = 64;

/// An answer: its beginning if it is long.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Its trailers, if it had any.
    pub trailers: Option<HeaderMap>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection broke, or what came back is not HTTP.
    #[error("the connection failed: {}", root(.0))]
    Http(#[from] hyper::Error),
}

/// hyper's own text, and what it stems from.
pub fn root(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Talks to one host and port.
pub struct Client<B> {
    connector: Connector,
    place: Place,
    /// Connections without a request.
    idle: Mutex<Vec<http1::SendRequest<B>>>,
}

impl<B> Client<B>
where
    B: http_body::Body + Clone + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// A client that connects when it first sends.
    pub fn new(connector: Connector, place: Place) -> Self {
        Client {
            connector,
            place,
            idle: Mutex::default(),
        }
    }

    /// Sends one request, whose URI is a path and whose `Host` is set, and reads its answer. A
    /// connection that was there before may have been closed by the other side in the meantime, so
    /// if that shows before any answer, the request is sent again at once on a new one. There is no
    /// timeout here; callers have one for the whole request.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(&self, request: &Request<B>) -> Result<Answer, Error> {
        loop {
            let waiting = lock(&self.idle).pop();
            let reused = waiting.is_some();
            let mut sender = match waiting {
                Some(sender) if sender.is_closed() => continue,
                Some(sender) => sender,
                None => self.connection().await?,
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
                    let mut idle = lock(&self.idle);
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

    async fn connection(&self) -> Result<http1::SendRequest<B>, Error> {
        let Place {
            host, port, tls, ..
        } = &self.place;
        let stream = match tls {
            Some(tls) => self.connector.connect_tls(host, *port, tls).await?,
            None => self.connector.connect(host, *port).await?,
        };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // Whoever waits for an answer hears of its end.
            let _ = connection.await;
        });
        Ok(sender)
    }
}

/// Whether the connection was closed before the request got an answer.
pub fn is_stale(error: &hyper::Error) -> bool {
    error.is_canceled() || error.is_closed() || error.is_incomplete_message()
}

/// The answer, and whether it was read to its end.
///
/// # Errors
/// If it breaks off.
pub async fn read(response: Response<Incoming>) -> Result<(Answer, bool), hyper::Error> {
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

/// `Retry-After`: seconds, or a date in one of HTTP's three forms.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
