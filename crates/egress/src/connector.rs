//! SEALED-EGRESS: the one way out.
//!
//! Every destination gets its connections here, and this file alone opens sockets; a test reads the
//! sources to keep it so. A [`Seal`] is asked before a name is even looked up, so a sealed site
//! sends no DNS query for what it does not allow. TLS is spoken on connections that were opened here.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Decides which destinations may be contacted.
pub trait Seal: Send + Sync + 'static {
    /// Whether this host and port may be contacted. Asked before each connection.
    fn permits(&self, host: &str, port: u16) -> bool;
}

/// Opens connections. Clones share the seal.
#[derive(Clone, Default)]
pub struct Connector {
    seal: Option<Arc<dyn Seal>>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("sealed", &self.seal.is_some())
            .finish()
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The seal does not allow it.
    #[error(
        "the seal does not allow {host}:{port}\nhint: add it to the seal's allowlist, or take the destination out"
    )]
    Sealed {
        /// The host as configured.
        host: String,
        /// The port.
        port: u16,
    },
    /// The network or the other side refused.
    #[error("cannot connect to {host}:{port}: {source}")]
    Io {
        /// The host as configured.
        host: String,
        /// The port.
        port: u16,
        /// Why not.
        source: io::Error,
    },
    /// TLS was not agreed on.
    #[error("{host}:{port}: {source}")]
    Tls {
        /// The host as configured.
        host: String,
        /// The port.
        port: u16,
        /// Why not.
        source: tls::ConnectError,
    },
}

impl Connector {
    /// A connector that allows every destination.
    pub fn open() -> Self {
        Self::default()
    }

    /// A connector that asks a seal first.
    pub fn sealed(seal: Arc<dyn Seal>) -> Self {
        Connector { seal: Some(seal) }
    }

    /// Opens a connection to a host (a name, an IPv4 address or an IPv6 address without brackets).
    /// Nothing is encrypted.
    ///
    /// # Errors
    /// If the seal or the network refuses. There is no timeout here; callers have one for the whole
    /// request.
    pub async fn connect(&self, host: &str, port: u16) -> Result<Stream, ConnectError> {
        self.open_socket(host, port).await.map(Stream::Plain)
    }

    /// Opens a connection and speaks TLS on it.
    ///
    /// # Errors
    /// If the seal, the network or one of the two sides of TLS refuses.
    pub async fn connect_tls(
        &self,
        host: &str,
        port: u16,
        tls: &tls::Client,
    ) -> Result<Stream, ConnectError> {
        self.connect(host, port)
            .await?
            .upgrade(host, port, tls)
            .await
    }

    /// The addresses of a name, with the port, sorted and each once. Where a seal does not allow the name, nobody
    /// is asked.
    ///
    /// # Errors
    /// If the seal or the system's resolver refuses.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        self.ask_seal(host, port)?;
        let found = tokio::net::lookup_host((host, port)).await;
        let found = found.map_err(|source| ConnectError::Io {
            host: host.to_owned(),
            port,
            source,
        })?;
        let addresses: BTreeSet<SocketAddr> = found.collect();
        Ok(addresses.into_iter().collect())
    }

    fn ask_seal(&self, host: &str, port: u16) -> Result<(), ConnectError> {
        match &self.seal {
            Some(seal) if !seal.permits(host, port) => Err(ConnectError::Sealed {
                host: host.to_owned(),
                port,
            }),
            _ => Ok(()),
        }
    }

    async fn open_socket(&self, host: &str, port: u16) -> Result<TcpStream, ConnectError> {
        self.ask_seal(host, port)?;
        let wrap = |source| ConnectError::Io {
            host: host.to_owned(),
            port,
            source,
        };
        let stream = TcpStream::connect((host, port)).await.map_err(wrap)?;
        // A request is written in few large pieces; its last must not wait for an answer to the
        // one before.
        stream.set_nodelay(true).map_err(wrap)?;
        Ok(stream)
    }
}

/// An open connection.
#[derive(Debug)]
pub enum Stream {
    /// As it is.
    Plain(TcpStream),
    /// Inside TLS.
    Tls(Box<tls::ClientStream<TcpStream>>),
}

impl Stream {
    /// Speaks TLS on a connection that was open in the clear until now, as after SMTP's STARTTLS.
    ///
    /// # Errors
    /// If one of the two sides of TLS refuses, or it is spoken already.
    pub async fn upgrade(
        self,
        host: &str,
        port: u16,
        tls: &tls::Client,
    ) -> Result<Stream, ConnectError> {
        let Stream::Plain(stream) = self else {
            return Err(ConnectError::Io {
                host: host.to_owned(),
                port,
                source: io::Error::other("TLS is spoken already"),
            });
        };
        let connected = tls.connect(stream, host).await;
        let stream = connected.map_err(|source| ConnectError::Tls {
            host: host.to_owned(),
            port,
            source,
        })?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    struct Nothing;
    impl Seal for Nothing {
        fn permits(&self, _: &str, _: u16) -> bool {
            false
        }
    }

    /// Guarantees: SEALED-EGRESS; what the seal does not allow is not contacted.
    #[tokio::test]
    async fn the_seal_is_asked_first() {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let sealed = Connector::sealed(Arc::new(Nothing));
        assert!(matches!(
            sealed.connect("127.0.0.1", port).await,
            Err(ConnectError::Sealed { .. })
        ));
        assert!(matches!(
            sealed.resolve("localhost", port).await,
            Err(ConnectError::Sealed { .. })
        ));
        // The first that arrives is one that was allowed.
        let allowed = Connector::open().connect("127.0.0.1", port).await.unwrap();
        let (_, from) = listener.accept().await.unwrap();
        let Stream::Plain(allowed) = allowed else {
            panic!("{allowed:?} is encrypted")
        };
        assert_eq!(allowed.local_addr().unwrap(), from);
    }

    /// Guarantees: SEALED-EGRESS; no other file of a crate that sends can open a socket.
    #[test]
    fn no_other_source_opens_sockets() {
        fn visit(dir: &Path, seen: &mut usize) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                if path.is_dir() {
                    if !matches!(name, "tests" | "conformance") {
                        visit(&path, seen);
                    }
                    continue;
                }
                // The one program that is started is one that the site has named.
                if path.ends_with("notify/src/targets/command/client.rs") {
                    continue;
                }
                if matches!(name, "connector.rs" | "tests.rs") || !name.ends_with(".rs") {
                    continue;
                }
                *seen += 1;
                let text = std::fs::read_to_string(&path).unwrap();
                for word in [
                    "TcpStream",
                    "TcpSocket",
                    "UdpSocket",
                    "UnixStream",
                    "UnixDatagram",
                    "std::net",
                    "tokio::net",
                    "rustix::net",
                    "HttpConnector",
                    "process::Command",
                    // lettre's own ways out.
                    "connect_tokio1",
                    "SmtpTransport",
                ] {
                    assert!(!text.contains(word), "{} uses {word}", path.display());
                }
            }
        }
        let mut seen = 0;
        let crates = Path::new("..");
        for sender in ["egress", "shipper", "notify", "cluster"] {
            visit(&crates.join(sender).join("src"), &mut seen);
        }
        assert!(seen > 40, "only {seen} sources were read");
    }
}
