//! A small HTTP/1.1 server for the gateway's own pages.
//!
//! BOUNDED: at most [`CONNECTIONS`] at a time, a head of 16 KiB within [`HEAD_TIMEOUT`]. Bodies are
//! read by nobody but a handler that asks for them.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use control::access::Peer;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many connections a port serves at a time; more wait to be accepted.
const CONNECTIONS: usize = 64;
/// How long a client may take to send a request's head, or stay idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// An answer: status, content type, text.
pub struct Page {
    pub status: StatusCode,
    pub content_type: &'static str,
    pub text: String,
}

impl Page {
    /// A page of plain text.
    pub fn text(status: StatusCode, text: impl Into<String>) -> Self {
        Page {
            status,
            content_type: "text/plain; charset=utf-8",
            text: text.into(),
        }
    }
}

/// What answers: a path to a page, or nothing where there is none.
pub type Pages = Arc<dyn Fn(&str) -> Option<Page> + Send + Sync>;

/// What answers a whole request.
pub type Handler = Arc<dyn Fn(Request<Incoming>, Peer) -> Answering + Send + Sync>;
/// An answer under way.
pub type Answering = Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>;

/// A bound port.
pub struct Port {
    socket: TcpListener,
    tls: Option<Arc<tls::Server>>,
}

impl Port {
    /// Binds `addr`; in plaintext unless there is TLS.
    pub async fn bind(addr: SocketAddr, tls: Option<Arc<tls::Server>>) -> io::Result<Port> {
        let socket = TcpListener::bind(addr).await?;
        Ok(Port { socket, tls })
    }

    /// Where it listens.
    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Whether it has TLS.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }
}

/// Answers `GET` and `HEAD` with pages.
pub fn from_pages(pages: Pages) -> Handler {
    Arc::new(move |request, _| {
        let response = answer(&pages, &request);
        Box::pin(std::future::ready(response))
    })
}

/// Serves until `shutdown`.
pub async fn serve(port: Port, handler: Handler, shutdown: CancellationToken) {
    let listener = port.socket;
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let tasks = TaskTracker::new();
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, addr)) = accepted else {
            // Out of file descriptors, most likely: leave the others time to end.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (handler, shutdown) = (Arc::clone(&handler), shutdown.clone());
        let tls = port.tls.clone();
        tasks.spawn(async move {
            let _permit = permit;
            open(stream, addr, tls, handler, shutdown).await;
        });
    }
    tasks.close();
    tasks.wait().await;
}

/// Shakes hands if there is TLS, then serves, for as long as the peer's certificate is good.
async fn open(
    stream: TcpStream,
    addr: SocketAddr,
    tls: Option<Arc<tls::Server>>,
    handler: Handler,
    shutdown: CancellationToken,
) {
    let mut peer = Peer {
        addr,
        certificate: None,
    };
    let Some(tls) = tls else {
        return serve_connection(stream, peer, handler, shutdown).await;
    };
    let accepted = tokio::select! {
        () = shutdown.cancelled() => return,
        accepted = tls.accept(stream, HEAD_TIMEOUT) => accepted,
    };
    // A handshake that fails is counted and logged where it failed.
    if let Ok(mut session) = accepted {
        peer.certificate = session.certificate;
        tokio::select! {
            () = serve_connection(session.stream, peer, handler, shutdown) => {}
            _ = session.trust.lost() => {}
        }
    }
}

async fn serve_connection<S>(stream: S, peer: Peer, handler: Handler, shutdown: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let answering = handler(request, peer.clone());
        async move { Ok::<_, Infallible>(answering.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(16 << 10)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(Duration::from_secs(1), connection).await;
        }
    }
}

fn answer(pages: &Pages, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let page = if matches!(*request.method(), Method::GET | Method::HEAD) {
        pages(request.uri().path())
            .unwrap_or_else(|| Page::text(StatusCode::NOT_FOUND, "no such page\n"))
    } else {
        Page::text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n")
    };
    let mut response = Response::new(Full::from(page.text));
    *response.status_mut() = page.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if page.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}
