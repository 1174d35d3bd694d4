//! A small HTTP/1.1 server for the gateway's own pages.
//!
//! BOUNDED: at most [`CONNECTIONS`] at a time, a head within [`HEAD_TIMEOUT`], no bodies.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
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

/// Serves until `shutdown`.
pub async fn serve(port: Port, pages: Pages, shutdown: CancellationToken) {
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
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: leave the others time to end.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (pages, shutdown) = (Arc::clone(&pages), shutdown.clone());
        let tls = port.tls.clone();
        tasks.spawn(async move {
            let _permit = permit;
            open(stream, tls, pages, shutdown).await;
        });
    }
    tasks.close();
    tasks.wait().await;
}

/// Shakes hands if there is TLS, then serves. A connection ends soon after its last request, so its
/// peer's certificate need not be watched.
async fn open(
    stream: TcpStream,
    tls: Option<Arc<tls::Server>>,
    pages: Pages,
    shutdown: CancellationToken,
) {
    let Some(tls) = tls else {
        return serve_connection(stream, pages, shutdown).await;
    };
    let accepted = tokio::select! {
        () = shutdown.cancelled() => return,
        accepted = tls.accept(stream, HEAD_TIMEOUT) => accepted,
    };
    // A handshake that fails is counted and logged where it failed.
    if let Ok(session) = accepted {
        serve_connection(session.stream, pages, shutdown).await;
    }
}

async fn serve_connection<S>(stream: S, pages: Pages, shutdown: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let pages = Arc::clone(&pages);
        async move { Ok::<_, Infallible>(answer(&pages, &request)) }
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
