//! The side of what connects to a destination: its CA, our certificate if it asks for one.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{AlertDescription, CertificateError, ClientConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use crate::expiry::{Expiry, Kind};
use crate::files::{Role, Snapshot, Source};
use crate::metrics::EndpointMetrics;
use crate::reason::tls_error;
use crate::reload::{Look, Reload};
use crate::{Alpn, Error, Identity, Reason, material};

/// A stream on which TLS is spoken with a server.
pub type ClientStream<S> = tokio_rustls::client::TlsStream<S>;

/// The files of a destination.
#[derive(Clone, Debug)]
pub struct ClientFiles {
    /// The CAs that are trusted to vouch for the destination. PEM.
    pub ca: PathBuf,
    /// Our own certificate, for a destination that asks for one.
    pub identity: Option<Identity>,
    /// The name that the destination's certificate is for, where it is not the host's.
    pub server_name: Option<String>,
    /// What is spoken inside.
    pub alpn: Alpn,
}

/// A destination's TLS. What it uses changes with its files.
pub struct Client {
    endpoint: String,
    ca: PathBuf,
    server_name: Option<ServerName<'static>>,
    loaded: Arc<Reload<Arc<ClientConfig>>>,
}

/// Why the other side is not spoken to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the TLS handshake failed ({}): {why}", .reason.as_str())]
pub struct ConnectError {
    /// Why, as a word.
    pub reason: Reason,
    why: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Client {
    pub(crate) fn load(
        endpoint: &str,
        files: ClientFiles,
        metrics: EndpointMetrics,
    ) -> Result<Self, Error> {
        let name = files.server_name.clone().map(ServerName::try_from);
        let server_name = name.transpose().map_err(|_| Error::Combination {
            what: "`server_name` is neither a DNS name nor an IP address",
            hint: "write the name that the destination's certificate is for",
        })?;
        let mut sources = vec![Source {
            role: Role::Ca,
            path: files.ca.clone(),
        }];
        sources.extend(files.identity.iter().flat_map(Identity::sources));
        let ca = files.ca.clone();
        let make = Box::new(move |snapshot: &Snapshot| loaded(&files, snapshot));
        Ok(Client {
            endpoint: endpoint.to_owned(),
            ca,
            server_name,
            loaded: Arc::new(Reload::new(endpoint, sources, make, metrics)?),
        })
    }

    pub(crate) fn look(&self) -> Arc<dyn Look> {
        Arc::clone(&self.loaded) as Arc<dyn Look>
    }

    /// Shakes hands with the server at the other end of `stream`, which was reached as `host`.
    /// There is no timeout here; callers have one for the whole request.
    ///
    /// # Errors
    /// If that fails; it is counted.
    pub async fn connect<S>(&self, stream: S, host: &str) -> Result<ClientStream<S>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let result = self.handshake(stream, host).await;
        match &result {
            Ok(_) => self.loaded.metrics.handshakes.inc(),
            Err(error) => self.loaded.metrics.failed(error.reason),
        }
        result
    }

    async fn handshake<S>(&self, stream: S, host: &str) -> Result<ClientStream<S>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(|_| ConnectError {
                reason: Reason::BadCertificate,
                why: format!("`{host}` is not a name that a certificate can be for"),
            })?,
        };
        let connector = TlsConnector::from(Arc::clone(&*self.loaded.current()));
        let connected = connector.connect(name.clone(), stream).await;
        connected.map_err(|error| self.explain(&error, &name))
    }

    /// What a person can do something with.
    fn explain(&self, error: &io::Error, name: &ServerName<'_>) -> ConnectError {
        let why = match tls_error(error) {
            // The second is what a CA that was made anew under the same name comes to.
            Some(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            )) => format!(
                "no CA in {} issued the destination's certificate\nhint: `ca` names the CA of the destination",
                self.ca.display()
            ),
            Some(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => format!(
                "the destination's certificate is not for `{}`\nhint: `server_name` says which name it is for",
                name.to_str()
            ),
            Some(rustls::Error::AlertReceived(alert)) => format!(
                "the destination refused us ({alert:?}){}",
                alert_hint(*alert)
            ),
            _ => error.to_string(),
        };
        ConnectError {
            reason: Reason::of_io(error),
            why,
        }
    }
}

fn alert_hint(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnknownCA => "\nhint: `cert` and `key` name the certificate to show it",
        AlertDescription::NoApplicationProtocol => "\nhint: check its `protocol`",
        _ => "",
    }
}

fn loaded(
    files: &ClientFiles,
    snapshot: &Snapshot,
) -> Result<(Arc<ClientConfig>, Vec<Expiry>), Error> {
    let (roots, at) = material::roots(snapshot)?;
    let mut expiries = vec![Expiry { kind: Kind::Ca, at }];
    let builder = ClientConfig::builder_with_provider(crate::provider())
        .with_protocol_versions(crate::MinVersion::Tls12.versions())?
        .with_root_certificates(roots);
    let mut config = match &files.identity {
        None => builder.with_no_client_auth(),
        Some(_) => {
            let (certified, at) = material::certified(snapshot)?;
            let kind = Kind::Certificate;
            expiries.push(Expiry { kind, at });
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
    };
    config.alpn_protocols = files.alpn.protocols();
    // Connections live long; each new one shows and checks certificates anew.
    config.resumption = rustls::client::Resumption::disabled();
    Ok((Arc::new(config), expiries))
}
