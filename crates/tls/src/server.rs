//! A listener's side: handshakes within limits, and who is at the other end.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::expiry::{self, Expiry, Kind};
use crate::facts;
use crate::files::{Role, Snapshot, Source};
use crate::metrics::EndpointMetrics;
use crate::reload::{Look, Reload};
use crate::trust::Trust;
use crate::{Alpn, Error, Identity, MinVersion, Reason, material, verifier};

/// Handshakes of a listener at a time (BOUNDED); more wait for their turn, within their timeout.
const HANDSHAKES: usize = 128;
/// How long a refused peer has to read why, and how much of what it still sends is read.
const FAREWELL: Duration = Duration::from_secs(1);
const FAREWELL_BYTES: u64 = 64 << 10;

/// A stream on which TLS is spoken with a client.
pub type ServerStream<S> = tokio_rustls::server::TlsStream<S>;

/// Whether senders show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// None is asked for.
    #[default]
    Off,
    /// One is asked for; a sender without one is let in, one with a wrong one is not.
    Optional,
    /// None is let in without.
    Required,
}

/// The files of a listener.
#[derive(Clone, Debug)]
pub struct ServerFiles {
    /// Our own certificate.
    pub identity: Identity,
    /// The CAs of senders' certificates. PEM.
    pub client_ca: Option<PathBuf>,
    /// Whether senders show one.
    pub client_auth: ClientAuth,
    /// Revocation lists of these CAs. PEM, any number in a file.
    pub crls: Vec<PathBuf>,
    /// The oldest version of TLS.
    pub min_version: MinVersion,
    /// What is spoken inside.
    pub alpn: Alpn,
}

/// A listener's side of TLS. What it uses changes with its files.
pub struct Server {
    endpoint: String,
    loaded: Arc<Reload<Loaded>>,
    handshakes: Semaphore,
    refusals: Limiter,
}

/// What is made of the files.
pub(crate) struct Loaded {
    config: Arc<ServerConfig>,
    pub(crate) verifier: Option<Arc<dyn ClientCertVerifier>>,
}

/// A handshake that succeeded.
pub struct Session<S> {
    /// What is said from here on.
    pub stream: ServerStream<S>,
    /// The peer's certificate, verified, if it has shown one.
    pub certificate: Option<Arc<ident::Certificate>>,
    /// Tells when the peer is no longer to be trusted.
    pub trust: Trust,
}

/// A handshake that failed; it has been counted.
#[derive(Debug, thiserror::Error)]
#[error("the TLS handshake failed ({}): {why}", .reason.as_str())]
pub struct Refused {
    /// Why, as a word.
    pub reason: Reason,
    why: String,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Server {
    pub(crate) fn load(
        endpoint: &str,
        files: ServerFiles,
        metrics: EndpointMetrics,
    ) -> Result<Self, Error> {
        let sources = sources(&files)?;
        let make = Box::new(move |snapshot: &Snapshot| loaded(&files, snapshot));
        Ok(Server {
            endpoint: endpoint.to_owned(),
            loaded: Arc::new(Reload::new(endpoint, sources, make, metrics)?),
            handshakes: Semaphore::new(HANDSHAKES),
            refusals: Limiter::default(),
        })
    }

    pub(crate) fn look(&self) -> Arc<dyn Look> {
        Arc::clone(&self.loaded) as Arc<dyn Look>
    }

    /// Shakes hands with whoever is at the other end of `stream`, in `timeout` at the most.
    ///
    /// # Errors
    /// If that fails: the peer was told why (as TLS tells it), and it is counted and logged.
    pub async fn accept<S>(&self, stream: S, timeout: Duration) -> Result<Session<S>, Refused>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = tokio::time::timeout(timeout, self.handshake(stream)).await;
        let (refused, stream) = match handshake {
            Ok(Ok(session)) => {
                self.loaded.metrics.handshakes.inc();
                return Ok(session);
            }
            Ok(Err(failed)) => failed,
            Err(_) => {
                let why = format!("it took longer than {timeout:?}");
                let reason = Reason::Timeout;
                (Refused { reason, why }, None)
            }
        };
        self.refused(&refused);
        if let Some(stream) = stream {
            farewell(stream).await;
        }
        Err(refused)
    }

    async fn handshake<S>(&self, stream: S) -> Result<Session<S>, (Refused, Option<S>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let refused = |reason, why: String| Refused { reason, why };
        let Ok(_permit) = self.handshakes.acquire().await else {
            return Err((refused(Reason::Timeout, "no turn".to_owned()), None));
        };
        // Subscribed before the value is read, so that no change falls between the two.
        let changes = self.loaded.changes();
        let loaded = self.loaded.current();
        let acceptor = TlsAcceptor::from(Arc::clone(&loaded.config));
        let stream = acceptor
            .accept(stream)
            .into_fallible()
            .await
            .map_err(|(error, stream)| {
                let reason = Reason::of_io(&error);
                (refused(reason, error.to_string()), Some(stream))
            })?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let certificate = chain.first().map(|own| facts::read(own));
        let certificate = certificate
            .transpose()
            .map_err(|error| (refused(Reason::BadCertificate, error.to_string()), None))?
            .map(Arc::new);
        let chain = chain.iter().map(|each| each.clone().into_owned()).collect();
        let not_after = certificate.as_ref().map(|known| known.not_after);
        let trust = Trust::new(Arc::clone(&self.loaded), changes, chain, not_after);
        Ok(Session {
            stream,
            certificate,
            trust,
        })
    }

    /// Counts each, logs the ones that a person should hear of, at most one a second.
    fn refused(&self, refused: &Refused) {
        self.loaded.metrics.failed(refused.reason);
        let (endpoint, reason) = (self.endpoint.as_str(), refused.reason.as_str());
        if let Some(unsaid) = self.refusals.may_say(expiry::now()) {
            tracing::warn!(
                endpoint,
                reason,
                unsaid,
                why = refused.why,
                "a TLS handshake failed"
            );
        }
    }
}

fn sources(files: &ServerFiles) -> Result<Vec<Source>, Error> {
    if files.client_auth != ClientAuth::Off && files.client_ca.is_none() {
        return Err(Error::Combination {
            what: "client certificates are asked for, but no CA is named that issues them",
            hint: "name its certificate as `client_ca`",
        });
    }
    if files.client_auth == ClientAuth::Off && !files.crls.is_empty() {
        return Err(Error::Combination {
            what: "there are revocation lists, but no client certificates are asked for",
            hint: "set `client_auth: required`, or take `crl` out",
        });
    }
    let mut sources = files.identity.sources().to_vec();
    if files.client_auth != ClientAuth::Off {
        sources.extend(files.client_ca.iter().map(|path| Source {
            role: Role::Ca,
            path: path.clone(),
        }));
    }
    sources.extend(files.crls.iter().map(|path| Source {
        role: Role::Crl,
        path: path.clone(),
    }));
    Ok(sources)
}

fn loaded(files: &ServerFiles, snapshot: &Snapshot) -> Result<(Loaded, Vec<Expiry>), Error> {
    let (certified, at) = material::certified(snapshot)?;
    let mut expiries = vec![Expiry {
        kind: Kind::Certificate,
        at,
    }];
    let mut known = None;
    if files.client_auth != ClientAuth::Off {
        let (roots, at) = material::roots(snapshot)?;
        expiries.push(Expiry { kind: Kind::Ca, at });
        let (lists, at) = material::revocation_lists(snapshot)?;
        expiries.extend(at.map(|at| Expiry {
            kind: Kind::Crl,
            at,
        }));
        let required = files.client_auth == ClientAuth::Required;
        known = Some(verifier::verifier(&roots, &lists, required)?);
    }
    let asks = known
        .clone()
        .unwrap_or_else(|| WebPkiClientVerifier::no_client_auth());
    let mut config = ServerConfig::builder_with_provider(crate::provider())
        .with_protocol_versions(files.min_version.versions())?
        .with_client_cert_verifier(asks)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = files.alpn.protocols();
    // A resumed session would not have its certificate verified again, so a revoked sender could
    // come back. Connections live long, so nothing is lost.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    let loaded = Loaded {
        config: Arc::new(config),
        verifier: known,
    };
    Ok((loaded, expiries))
}

/// Closes our side and reads what still comes, for a moment: a socket closed with something unread
/// would be reset, and the peer would not get to read why it was refused.
async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let drain = async {
        stream.shutdown().await?;
        tokio::io::copy(
            &mut (&mut stream).take(FAREWELL_BYTES),
            &mut tokio::io::sink(),
        )
        .await?;
        Ok::<_, io::Error>(())
    };
    // Whatever comes of it, the connection is over.
    let _ = tokio::time::timeout(FAREWELL, drain).await;
}

/// One line a second, with how many were left unsaid before it.
#[derive(Default)]
struct Limiter {
    last: AtomicI64,
    unsaid: AtomicU64,
}

impl Limiter {
    fn may_say(&self, now: i64) -> Option<u64> {
        if self.last.swap(now, Ordering::Relaxed) == now {
            self.unsaid.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.unsaid.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use testkit::openssl::{Authority, Wanted};

    use super::*;

    /// Guarantees: an open connection loses its trust when its peer's certificate expires, not
    /// before, and never where the peer has shown none.
    #[tokio::test]
    async fn trust_ends_with_the_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let pair = Authority::root(&folder.path().join("ca")).issue(&Wanted::server("server"));
        let files = ServerFiles {
            identity: Identity {
                cert: pair.cert,
                key: pair.key,
            },
            client_ca: None,
            client_auth: ClientAuth::Off,
            crls: Vec::new(),
            min_version: MinVersion::Tls12,
            alpn: Alpn::Either,
        };
        let metrics = crate::metrics::Metrics::new(&meter::Meter::new()).of("test");
        let loaded = Server::load("test", files, metrics).unwrap().loaded;
        let lost = |not_after| {
            let changes = loaded.changes();
            let mut trust = Trust::new(Arc::clone(&loaded), changes, Vec::new(), not_after);
            let mut lost = Box::pin(async move { trust.lost().await });
            lost.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        };
        let now = expiry::now();
        assert_eq!(lost(Some(now - 1)), Poll::Ready(Reason::Expired));
        assert_eq!(lost(Some(now + 3600)), Poll::Pending);
        assert_eq!(lost(Some(i64::MIN)), Poll::Ready(Reason::Expired));
        assert_eq!(lost(Some(i64::MAX)), Poll::Pending);
        assert_eq!(lost(None), Poll::Pending);
    }

    #[test]
    fn a_flood_of_refusals_is_one_line_a_second() {
        let limiter = Limiter::default();
        assert_eq!(limiter.may_say(7), Some(0));
        assert_eq!(limiter.may_say(7), None);
        assert_eq!(limiter.may_say(7), None);
        assert_eq!(limiter.may_say(8), Some(2));
        assert_eq!(limiter.may_say(9), Some(0));
    }
}
