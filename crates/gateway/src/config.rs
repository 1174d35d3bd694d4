//! Where the gateway listens and what it takes at the most.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The gateway's two listeners and its limits.
#[derive(Clone, Debug)]
pub struct Config {
    /// OTLP/gRPC.
    pub grpc: ListenerConfig,
    /// OTLP/HTTP.
    pub http: ListenerConfig,
    /// What is taken at the most.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = |port| ListenerConfig {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            insecure: false,
            tls: None,
        };
        Config {
            grpc: loopback(4317),
            http: loopback(4318),
            limits: Limits::default(),
        }
    }
}

/// One listener.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    /// The address; port 0 takes a free one.
    pub addr: SocketAddr,
    /// Allow plaintext although the address is not loopback.
    pub insecure: bool,
    /// TLS; without it, plaintext.
    pub tls: Option<Arc<tls::Server>>,
}

/// What the gateway takes at the most (BOUNDED).
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest request as sent, compressed or not, in bytes.
    pub request_bytes: usize,
    /// The largest request after decompression, in bytes.
    pub decompressed_bytes: usize,
    /// Bytes of all requests that are being received or written.
    pub in_flight_bytes: usize,
    /// The same for one connection.
    pub connection_in_flight_bytes: usize,
    /// Open connections of one listener; more are closed at once, counted.
    pub connections: usize,
    /// Concurrent requests of one HTTP/2 connection.
    pub streams: u32,
    /// How long a sender may take for its first request's head or pause within a body. A whole
    /// body may take [`BODY_PAUSES`](Self::BODY_PAUSES) times as long.
    pub read_timeout: Duration,
    /// How long a connection may be without a request.
    pub idle_timeout: Duration,
    /// How often an HTTP/2 peer is asked whether it is still there.
    pub keep_alive_interval: Duration,
    /// How long requests in flight may take to finish once the gateway is told to stop.
    pub drain_timeout: Duration,
}

impl Limits {
    /// How many read timeouts a whole body may take.
    pub const BODY_PAUSES: u32 = 6;
    /// The largest head of an HTTP/2 request, in bytes; of an HTTP/1 one, four times as much, as that
    /// is also the size of its read buffer.
    pub const HEAD_BYTES: u32 = 16 << 10;
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            request_bytes: 16 << 20,
            decompressed_bytes: 16 << 20,
            in_flight_bytes: 32 << 20,
            connection_in_flight_bytes: 32 << 20,
            connections: 1024,
            streams: 128,
            read_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(300),
            keep_alive_interval: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Why the gateway does not listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Plaintext off loopback, which was not asked for.
    #[error(
        "{transport} on {addr} would be plaintext off loopback\nhint: listen on 127.0.0.1, give it a certificate under `tls`, or allow it with --insecure"
    )]
    Plaintext {
        /// `grpc` or `http`.
        transport: &'static str,
        /// The address.
        addr: SocketAddr,
    },
    /// The operating system refused.
    #[error(
        "cannot listen for {transport} on {addr}: {source}\nhint: {}",
        hint(source)
    )]
    Io {
        /// `grpc` or `http`.
        transport: &'static str,
        /// The address.
        addr: SocketAddr,
        /// What it said.
        source: io::Error,
    },
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process listens there; stop it, or choose another port under `listen`"
        }
        io::ErrorKind::AddrNotAvailable => "this machine does not have that address",
        io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege; choose a higher one",
        _ => "check the address under `listen`",
    }
}
