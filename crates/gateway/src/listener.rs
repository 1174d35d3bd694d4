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
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection::{Connection, Shared};
use crate::linger::Linger;
use crate::rest::Rest;
use crate::{Limits, Peer, Transport, grpc, http};

/// HTTP/2 flow control: what a sender may have under way of one request and of all on a
/// connection before it must wait for the gateway to read.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 2 << 20;
/// The largest HTTP/2 frame taken. A sender that makes use of it sends a request of usual size in
/// one piece, which then is not copied.
const FRAME_BYTES: u32 = 512 << 10;
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
        let version = request.version();
        let request = request.map(|body| Rest::new(body, version));
        async move {
            let _under = under;
            Ok::<_, Infallible>(match connection.peer.transport {
                Transport::Grpc => grpc::call(&connection, request).await,
                Transport::Http => http::call(&connection, request).await,
            })
        }
    });
    let builder = builder(&connection.shared.limits);
    let limits = &connection.shared.limits;
    let read_timeout = limits.read_timeout;
    let stream = Linger::new(stream, read_timeout);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut stopping = false;
    // A connection that was ended for being idle has until then to take its leave.
    let mut leave: Option<Instant> = None;
    loop {
        // Requests come and go without ending this wait, so it is never longer than what one of
        // them may set off.
        let soon = Instant::now() + read_timeout.min(limits.idle_timeout);
        let due = connection.expires().map(|at| leave.unwrap_or(at));
        let wake = due.map_or(soon, |at| at.min(soon));
        tokio::select! {
            // What has arrived in time counts, however late this task is woken.
            biased;
            ended = serving.as_mut() => {
                if ended.is_err_and(|error| !is_interrupted(&*error)) {
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
                leave = Some(Instant::now() + read_timeout);
            }
            () = tokio::time::sleep_until(wake) => {
                // A request may have come in the meantime.
                let now = Instant::now();
                if connection.expires().is_none_or(|at| leave.unwrap_or(at) > now) {
                    continue;
                }
                if connection.is_silent() || leave.is_some() {
                    // Half open, or never a request: there is nobody to say goodbye to.
                    connection.shared.metrics.connection_errors.inc();
                    return;
                }
                serving.as_mut().graceful_shutdown();
                stopping = true;
                leave = Some(now + read_timeout);
            }
        }
    }
}

/// What hyper-util says where it is told to stop before a peer has spoken.
fn is_interrupted(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::Interrupted)
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
        // hyper's clock for heads runs while a connection is idle too, so it would cut off every
        // idle one after the read timeout. `serve_connection` keeps the time for both.
        .header_read_timeout(None)
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
