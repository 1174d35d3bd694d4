//! `tls`: certificates of the gateway's ports, and of destinations.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// TLS of the gateway's ports. With `cert` and `key` it holds for `grpc` and `http`; `metrics`,
/// `health` and `admin` have it where it is enabled for them. Each port may differ in each key.
///
/// Files are read anew when they change; connections that are open go on.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Our certificate, then those of intermediate CAs. PEM.
    pub cert: Option<PathBuf>,
    /// Its private key: PEM, closed to others (mode 0600, or 0640 if root owns it).
    pub key: Option<PathBuf>,
    /// The CAs of senders' certificates. PEM.
    pub client_ca: Option<PathBuf>,
    /// Whether senders show a certificate: `required` if there is `client_ca`, `off` if not.
    pub client_auth: Option<ClientAuth>,
    /// Revocation lists of the CAs in `client_ca`. PEM.
    pub crl: Option<Vec<PathBuf>>,
    /// The oldest version of TLS: `1.2` or `1.3`. `1.2` if nothing is said.
    pub min_version: Option<MinVersion>,
    /// What differs for OTLP over gRPC.
    pub grpc: ListenerTls,
    /// What differs for OTLP over HTTP.
    pub http: ListenerTls,
    /// What differs for `/metrics`.
    pub metrics: ListenerTls,
    /// What differs for `/live`, `/ready` and `/status`.
    pub health: ListenerTls,
    /// What differs for the admin API.
    pub admin: ListenerTls,
}

/// What differs for one port.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ListenerTls {
    /// Whether this port has TLS at all.
    pub enabled: Option<bool>,
    /// As above.
    pub cert: Option<PathBuf>,
    /// As above.
    pub key: Option<PathBuf>,
    /// As above.
    pub client_ca: Option<PathBuf>,
    /// As above.
    pub client_auth: Option<ClientAuth>,
    /// As above.
    pub crl: Option<Vec<PathBuf>>,
    /// As above.
    pub min_version: Option<MinVersion>,
}

/// Whether senders show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// None is asked for.
    Off,
    /// A sender without one is let in, one with a wrong one is not.
    Optional,
    /// Nobody is let in without.
    Required,
}

/// The oldest version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum MinVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3 alone.
    #[serde(rename = "1.3")]
    V1_3,
}

/// A port of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP.
    Http,
    /// `/metrics`.
    Metrics,
    /// `/live`, `/ready`, `/status`.
    Health,
    /// The admin API.
    Admin,
}

/// The TLS of one port, with everything said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortTls {
    /// Our certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The CAs of senders' certificates.
    pub client_ca: Option<PathBuf>,
    /// Whether senders show one.
    pub client_auth: ClientAuth,
    /// Revocation lists.
    pub crl: Vec<PathBuf>,
    /// The oldest version.
    pub min_version: MinVersion,
}

/// TLS to a destination.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientTls {
    /// The CAs that vouch for the destination. PEM. No other is trusted, the system's neither.
    pub ca: PathBuf,
    /// Our own certificate, for a destination that asks for one. PEM.
    #[serde(default)]
    pub cert: Option<PathBuf>,
    /// Its private key: PEM, closed to others.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// The name that the destination's certificate is for, where it is not the endpoint's host.
    #[serde(default)]
    pub server_name: Option<String>,
}

/// What is wrong, and what would be right.
pub(crate) type Wrong = (String, &'static str);

impl Port {
    /// Every port.
    pub const ALL: [Port; 5] = [
        Port::Grpc,
        Port::Http,
        Port::Metrics,
        Port::Health,
        Port::Admin,
    ];

    /// Its key in the profile.
    pub const fn as_str(self) -> &'static str {
        match self {
            Port::Grpc => "grpc",
            Port::Http => "http",
            Port::Metrics => "metrics",
            Port::Health => "health",
            Port::Admin => "admin",
        }
    }
}

impl Tls {
    /// The TLS of a port, or none. The profile's check has made sure that it is whole.
    pub fn of(&self, port: Port) -> Option<PortTls> {
        self.resolve(port).ok().flatten()
    }

    pub(crate) fn resolve(&self, port: Port) -> Result<Option<PortTls>, Wrong> {
        let own = match port {
            Port::Grpc => &self.grpc,
            Port::Http => &self.http,
            Port::Metrics => &self.metrics,
            Port::Health => &self.health,
            Port::Admin => &self.admin,
        };
        let cert = own.cert.as_ref().or(self.cert.as_ref());
        let key = own.key.as_ref().or(self.key.as_ref());
        let by_default = match port {
            Port::Grpc | Port::Http => cert.or(key).is_some(),
            Port::Metrics | Port::Health | Port::Admin => {
                own.cert.as_ref().or(own.key.as_ref()).is_some()
            }
        };
        let name = port.as_str();
        if !own.enabled.unwrap_or(by_default) {
            return Ok(None);
        }
        let (Some(cert), Some(key)) = (cert, key) else {
            return Err((
                format!("the TLS of `{name}` has no certificate, or no key"),
                "name both as `tls.cert` and `tls.key`",
            ));
        };
        let client_ca = own.client_ca.as_ref().or(self.client_ca.as_ref());
        let client_auth = own.client_auth.or(self.client_auth);
        let client_auth = client_auth.unwrap_or(match client_ca {
            Some(_) => ClientAuth::Required,
            None => ClientAuth::Off,
        });
        if client_auth != ClientAuth::Off && client_ca.is_none() {
            return Err((
                format!(
                    "`{name}` asks for client certificates, but no CA is named that issues them"
                ),
                "name its certificate as `tls.client_ca`",
            ));
        }
        let crl = own.crl.as_ref().or(self.crl.as_ref());
        let crl = crl.cloned().unwrap_or_default();
        Ok(Some(PortTls {
            cert: cert.clone(),
            key: key.clone(),
            client_ca: client_ca.cloned(),
            client_auth,
            // Of no use where no certificate is asked for, such as on one port of several.
            crl: if client_auth == ClientAuth::Off {
                Vec::new()
            } else {
                crl
            },
            min_version: own.min_version.or(self.min_version).unwrap_or_default(),
        }))
    }

    /// Whether anything is said at all.
    fn says_nothing(&self) -> bool {
        Port::ALL
            .iter()
            .all(|port| matches!(self.resolve(*port), Ok(None)))
    }

    /// What the types alone cannot say.
    pub(crate) fn check(&self) -> Result<(), Wrong> {
        for port in Port::ALL {
            self.resolve(port)?;
        }
        let named = self.client_ca.is_some() || self.client_auth.is_some() || self.crl.is_some();
        if named && self.says_nothing() {
            return Err((
                "no port has TLS, so nobody is asked for a certificate".to_owned(),
                "name a certificate as `tls.cert` and its key as `tls.key`",
            ));
        }
        Ok(())
    }
}
