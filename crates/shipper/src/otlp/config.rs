//! Where an OTLP receiver is, and how to talk to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use egress::{Place, PlaceError, authority, headers, shown};
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use ident::{Signal, TenantId};
use url::Url;

use crate::Secret;
use crate::config::ConfigError;

/// An OTLP receiver.
#[derive(Clone)]
pub struct Config {
    /// `http://host:port`, or `https://` where there is TLS. For HTTP a path may follow, to which
    /// `/v1/…` is added.
    pub endpoint: Url,
    /// URLs of signals that are elsewhere, used as they are, query included. HTTP only.
    pub signal_endpoints: Vec<(Signal, Url)>,
    /// How to talk to it.
    pub protocol: Protocol,
    /// How requests are compressed.
    pub compression: Compression,
    /// Sent along with each request.
    pub headers: Vec<(String, Secret)>,
    /// How long a request may take, connecting included.
    pub timeout: Duration,
    /// TLS, for `https://`.
    pub tls: Option<Arc<tls::Client>>,
    /// Headers that depend on what is sent, or on when.
    pub stamp: Option<Arc<dyn Stamp>>,
}

/// Gives each request headers of its own.
pub trait Stamp: fmt::Debug + Send + Sync {
    /// Adds them to those of a request that carries data of a tenant.
    fn stamp(&self, tenant: &TenantId, headers: &mut HeaderMap);
}

impl fmt::Debug for Config {
    /// Without what may be a secret in a URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signals = self.signal_endpoints.iter();
        let signals: Vec<_> = signals
            .map(|(signal, url)| (signal, shown(url).to_string()))
            .collect();
        f.debug_struct("Config")
            .field("endpoint", &shown(&self.endpoint).as_str())
            .field("signal_endpoints", &signals)
            .field("protocol", &self.protocol)
            .field("compression", &self.compression)
            .field("headers", &self.headers)
            .field("timeout", &self.timeout)
            .field("tls", &self.tls)
            .field("stamp", &self.stamp)
            .finish()
    }
}

/// OTLP's two transports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    #[default]
    Grpc,
    /// OTLP/HTTP with protobuf bodies.
    Http,
}

/// How requests are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: nothing is copied.
    #[default]
    None,
    /// Gzip, which every receiver takes.
    Gzip,
    /// Zstandard: smaller and quicker than gzip, where the receiver takes it.
    Zstd,
}

impl Compression {
    pub(super) fn encoding(self) -> Option<&'static str> {
        match self {
            Compression::None => None,
            Compression::Gzip => Some("gzip"),
            Compression::Zstd => Some("zstd"),
        }
    }
}

impl Config {
    /// A gRPC receiver with every default.
    pub fn new(endpoint: Url) -> Self {
        Config {
            endpoint,
            signal_endpoints: Vec::new(),
            protocol: Protocol::Grpc,
            compression: Compression::None,
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            tls: None,
            stamp: None,
        }
    }

    /// For people, without secrets.
    pub fn describe(&self) -> String {
        let protocol = match self.protocol {
            Protocol::Grpc => "gRPC",
            Protocol::Http => "HTTP",
        };
        format!("otlp over {protocol} to {}", shown(&self.endpoint))
    }

    /// What is spoken inside TLS.
    pub fn alpn(&self) -> tls::Alpn {
        match self.protocol {
            Protocol::Grpc => tls::Alpn::H2,
            Protocol::Http => tls::Alpn::Http1,
        }
    }

    pub(super) fn target(&self, signal: Signal) -> Result<Target, ConfigError> {
        let own = self.signal_endpoints.iter().find(|(s, _)| *s == signal);
        if self.endpoint.query().is_some() {
            // Where it would have to go once a path is added is not laid down anywhere.
            return Err(wrong(
                &self.endpoint,
                "has a query, which only the URL of one signal may have",
            ));
        }
        let (url, path) = match (self.protocol, own) {
            (Protocol::Grpc, Some((_, url))) => {
                return Err(wrong(url, "gRPC has one endpoint for all signals"));
            }
            (Protocol::Grpc, None) if !matches!(self.endpoint.path(), "" | "/") => {
                return Err(wrong(&self.endpoint, "a gRPC endpoint has no path"));
            }
            (Protocol::Grpc, None) => (&self.endpoint, signal.grpc_path().to_owned()),
            (Protocol::Http, None) => {
                let base = self.endpoint.path().trim_end_matches('/');
                (&self.endpoint, format!("{base}{}", signal.http_path()))
            }
            (Protocol::Http, Some((_, url))) => match url.query() {
                Some(query) => (url, format!("{}?{query}", url.path())),
                None => (url, url.path().to_owned()),
            },
        };
        Target::new(url, &path, self.headers(url)?, self.tls.clone())
    }

    fn headers(&self, url: &Url) -> Result<HeaderMap, ConfigError> {
        let configured =
            headers::configured(&self.headers, &["grpc-"], "is set by the shipper itself");
        let mut headers = configured.map_err(|error| ConfigError::Header {
            name: error.name,
            what: error.what,
        })?;
        headers.insert(header::USER_AGENT, headers::USER_AGENT);
        let encoding = self.compression.encoding().map(HeaderValue::from_static);
        match self.protocol {
            Protocol::Grpc => {
                let grpc = HeaderValue::from_static("application/grpc");
                headers.insert(header::CONTENT_TYPE, grpc);
                headers.insert(header::TE, HeaderValue::from_static("trailers"));
                let timeout = format!("{}m", self.timeout.as_millis().min(99_999_999));
                if let Ok(timeout) = HeaderValue::try_from(timeout) {
                    headers.insert("grpc-timeout", timeout);
                }
                encoding.map(|e| headers.insert("grpc-encoding", e));
            }
            Protocol::Http => {
                let protobuf = HeaderValue::from_static("application/x-protobuf");
                headers.insert(header::CONTENT_TYPE, protobuf);
                encoding.map(|e| headers.insert(header::CONTENT_ENCODING, e));
                let host = HeaderValue::try_from(authority(url))
                    .map_err(|_| wrong(url, "names no host"))?;
                headers.insert(header::HOST, host);
            }
        }
        Ok(headers)
    }
}

/// Where requests of one signal go. Its path may hold a secret.
#[derive(Clone)]
pub(super) struct Target {
    pub place: Place,
    pub path: PathAndQuery,
    pub headers: HeaderMap,
}

impl Target {
    fn new(
        url: &Url,
        path: &str,
        headers: HeaderMap,
        tls: Option<Arc<tls::Client>>,
    ) -> Result<Target, ConfigError> {
        let place = Place::of(url, tls).map_err(|error| match error {
            PlaceError::NoCa => ConfigError::NoCa { url: shown(url) },
            PlaceError::Url(what) => wrong(url, what),
        })?;
        let path = PathAndQuery::try_from(path).map_err(|_| wrong(url, "has a bad path"))?;
        Ok(Target {
            place,
            path,
            headers,
        })
    }
}

fn wrong(url: &Url, what: &'static str) -> ConfigError {
    ConfigError::Endpoint {
        url: shown(url),
        what,
    }
}
