//! One listener: accepts connections, shakes hands where it has TLS, serves HTTP on them, and ends
//! them in order.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::{Connection, Shared};
use crate::{Limits, Peer, Transport, grpc, http};

/// HTTP/2 flow control: what a sender may have under way of one request and of all on a
/// connection before it must wait for the gateway to read.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 2 << 20;
/// The largest HTTP/2 frame taken. A sender that honours it sends a request in fewer pieces.
const FRAME_BYTES: u32 = 256 << 10;
/// How long a peer may take to answer a ping.
const PONG_TIMEOUT: Duration = Duration::from_secs(20);

/// A bound port, not yet served.
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) addr: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) tls: Option<Arc<tls::Server>>,
    pub(crate) shared: Arc<Shared>,
}

impl Listener {
    /// Serves until `stop`; then finishes what is under way, until `kill`.
    pub(crate) async fn serve(self, stop: CancellationToken, kill: CancellationToken) {
        let shared = &self.shared;
        let permits = Arc::new(Semaphore::new(shared.limits.connections));
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.socket.accept() => accepted,
            };
            let (stream, addr) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause(&error).await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
                shared.metrics.connections_refused.inc();
                continue;
            };
            let peer = Peer {
                addr,
                transport: self.transport,
                certificate: None,
            };
            let (shared, tls) = (Arc::clone(shared), self.tls.clone());
            let (stop, kill) = (stop.clone(), kill.clone());
            tasks.spawn(async move {
                shared.metrics.connections.inc();
                tokio::select! {
                    () = open(stream, tls, &shared, peer, stop) => {}
                    () = kill.cancelled() => {}
                }
                shared.metrics.connections.dec();
                drop(permit);
            });
        }
        drop(self.socket);
        tasks.close();
        tasks.wait().await;
    }
}

/// A failed accept is the peer's doing (it has gone) or a lack of file descriptors, which passes.
async fn pause(error: &io::Error) {
    if !matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    ) {
        tracing::warn!(%error, "cannot accept connections just now");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Shakes hands if there is TLS, then serves. What TLS proves of the peer is put down once, for
/// every request of the connection.
async fn open(
    stream: TcpStream,
    tls: Option<Arc<tls::Server>>,
    shared: &Arc<Shared>,
    mut peer: Peer,
    stop: CancellationToken,
) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        let connection = Arc::new(Connection::new(Arc::clone(shared), peer));
        return serve_connection(stream, &connection, stop, None).await;
    };
    // A handshake that fails is counted and logged where it failed.
    if let Ok(session) = tls.accept(stream, shared.limits.read_timeout).await {
        peer.certificate = session.certificate;
        let connection = Arc::new(Connection::new(Arc::clone(shared), peer));
        serve_connection(session.stream, &connection, stop, Some(session.trust)).await;
    }
}

async fn serve_connection<S>(
    stream: S,
    connection: &Arc<Connection>,
    stop: CancellationToken,
    mut trust: Option<tls::Trust>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let under = connection.begin();
        let connection = Arc::clone(connection);
        async move {
            let _under = under;
            Ok::<_, Infallible>(match connection.peer.transport {
                Transport::Grpc => grpc::call(&connection, request).await,
                Transport::Http => http::call(&connection, request).await,
            })
        }
    });
    let builder = builder(&connection.shared.limits);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut stopping = false;
    loop {
        let expires = connection.expires();
        let soon = tokio::time::Instant::now() + connection.shared.limits.read_timeout;
        tokio::select! {
            ended = serving.as_mut() => {
                if ended.is_err() {
                    connection.shared.metrics.connection_errors.inc();
                }
                return;
            }
            () = stop.cancelled(), if !stopping => {
                // GOAWAY or `connection: close`: no new requests, those under way go on.
                serving.as_mut().graceful_shutdown();
                stopping = true;
            }
            reason = distrusted(&mut trust), if !stopping => {
                tracing::warn!(
                    peer = %connection.peer.addr,
                    reason = reason.as_str(),
                    "a sender's certificate is no longer good; its connection ends"
                );
                serving.as_mut().graceful_shutdown();
                stopping = true;
            }
            () = tokio::time::sleep_until(expires.unwrap_or(soon)) => {
                let over = connection.expires().is_some_and(|at| at <= tokio::time::Instant::now());
                if !over {
                    continue;
                }
                if connection.is_silent() || stopping {
                    // Half open, or never a request: there is nobody to say goodbye to.
                    connection.shared.metrics.connection_errors.inc();
                    return;
                }
                serving.as_mut().graceful_shutdown();
                stopping = true;
            }
        }
    }
}

/// Ends once the peer is no longer to be trusted; never where TLS proved nothing of it.
async fn distrusted(trust: &mut Option<tls::Trust>) -> tls::Reason {
    match trust {
        Some(trust) => trust.lost().await,
        None => std::future::pending().await,
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.read_timeout)
        .max_headers(100)
        .max_buf_size(Limits::HEAD_BYTES as usize * 4);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(Limits::HEAD_BYTES)
        .keep_alive_interval(limits.keep_alive_interval)
        .keep_alive_timeout(PONG_TIMEOUT);
    builder
}
