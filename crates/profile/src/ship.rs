//! `ship`: the destinations that the journal is carried to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use sampler::metrics::Metrics;
use schemars::JsonSchema;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

use crate::{Bytes, ClientTls, Secret, Time};

/// One destination.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ship {
    /// Its name, which also names its cursor: keep it, and the destination goes on where it was.
    pub name: Name,
    /// The signals it takes: all unless told otherwise.
    #[serde(default = "all_signals")]
    pub signals: Vec<SignalName>,
    /// Which metrics it is sent: all unless told otherwise.
    #[serde(default)]
    pub metrics: Option<Metrics>,
    /// The most that one request holds before compression. Receivers refuse more than 4 MiB.
    #[serde(default = "batch_max_bytes")]
    pub batch_max_bytes: Bytes,
    /// Requests in flight at once.
    #[serde(default = "in_flight")]
    pub in_flight: usize,
    /// An OTLP receiver.
    #[serde(default)]
    pub otlp: Option<OtlpDestination>,
    /// Files in a folder.
    #[serde(default)]
    pub file: Option<FileDestination>,
}

impl Ship {
    /// What the destination is; the profile's check has made sure that there is exactly one.
    pub fn destination(&self) -> Option<Destination<'_>> {
        match (&self.otlp, &self.file) {
            (Some(otlp), None) => Some(Destination::Otlp(otlp)),
            (None, Some(file)) => Some(Destination::File(file)),
            _ => None,
        }
    }
}

/// A borrowed view of what a destination is.
#[derive(Clone, Copy, Debug)]
pub enum Destination<'a> {
    /// An OTLP receiver.
    Otlp(&'a OtlpDestination),
    /// Files in a folder.
    File(&'a FileDestination),
}

/// An OTLP receiver.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtlpDestination {
    /// `http://host:port`, or `https://host:port` with `tls`; for HTTP a path may follow, to which
    /// `/v1/…` is added.
    pub endpoint: Endpoint,
    /// How to talk to it.
    #[serde(default)]
    pub protocol: Protocol,
    /// How requests are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// Headers to send along. Values may be kept elsewhere: `${env:NAME}`, `${file:PATH}`.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// How long one request may take.
    #[serde(default = "timeout")]
    pub timeout: Time,
    /// Whom to trust and what to show, for `https://`.
    #[serde(default)]
    pub tls: Option<ClientTls>,
}

impl OtlpDestination {
    /// What the endpoint and `tls` do not agree on, and what would be right.
    pub(crate) fn wrong_tls(&self) -> Option<(&'static str, &'static str)> {
        match (self.endpoint.url().scheme(), &self.tls) {
            ("https", None) => Some((
                "is https://, but names no CA that vouches for it",
                "add `tls: { ca: FILE }`; the system's own bundle is a file too, such as /etc/ssl/certs/ca-certificates.crt",
            )),
            ("http", Some(_)) => Some((
                "has `tls`, but is http://",
                "write its endpoint as https://",
            )),
            (_, Some(tls)) if tls.cert.is_some() != tls.key.is_some() => Some((
                "has a certificate without its key, or a key without its certificate",
                "name both as `tls.cert` and `tls.key`, or neither",
            )),
            _ => None,
        }
    }
}

/// Files in a folder.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileDestination {
    /// The folder. It is made if it is not there.
    pub path: PathBuf,
    /// What is written: `json`, one OTLP request a line, or `proto`, each with its length before.
    #[serde(default)]
    pub format: FileFormat,
    /// How files are compressed.
    #[serde(default)]
    pub compression: FileCompression,
    /// The size at which a file is closed and the next one begun.
    #[serde(default = "rotate_bytes")]
    pub rotate_bytes: Bytes,
    /// The age at which a file is closed and the next one begun.
    #[serde(default = "rotate_age")]
    pub rotate_age: Time,
}

/// OTLP's two transports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// OTLP/gRPC.
    #[default]
    Grpc,
    /// OTLP/HTTP with protobuf bodies.
    Http,
}

/// How requests are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// Not at all: the least work.
    #[default]
    None,
    /// Gzip, which every receiver takes.
    Gzip,
    /// Zstandard: smaller and quicker than gzip, where the receiver takes it.
    Zstd,
}

/// How files are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileCompression {
    /// Not at all.
    #[default]
    None,
    /// Zstandard.
    Zstd,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// OTLP JSON, one request a line.
    #[default]
    Json,
    /// OTLP protobuf, each request after its length.
    Proto,
}

/// A signal as the profile writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignalName {
    /// Spans.
    Traces,
    /// Metric points.
    Metrics,
    /// Log records.
    Logs,
}

impl From<SignalName> for ident::Signal {
    fn from(name: SignalName) -> Self {
        match name {
            SignalName::Traces => ident::Signal::Traces,
            SignalName::Metrics => ident::Signal::Metrics,
            SignalName::Logs => ident::Signal::Logs,
        }
    }
}

/// A destination's name: it stands in metrics and in file names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String")]
pub struct Name(String);

impl Name {
    /// The longest name in bytes.
    pub const MAX_BYTES: usize = 63;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if !first || name.len() > Self::MAX_BYTES || !name.bytes().all(good) {
            return Err(D::Error::custom(format!(
                "`{name}` is not a name; write a lower-case letter, then at most {} of a-z 0-9 - _",
                Self::MAX_BYTES - 1
            )));
        }
        Ok(Name(name))
    }
}

/// The URL of a receiver.
#[derive(Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct Endpoint(url::Url);

impl Endpoint {
    /// The URL.
    pub fn url(&self) -> &url::Url {
        &self.0
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The text may hold a password by mistake, so no error repeats it.
        let wrong = |what: &str| {
            D::Error::custom(format!(
                "the endpoint {what}; write it as in http://127.0.0.1:4317"
            ))
        };
        let url = url::Url::parse(&text).map_err(|_| wrong("is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("is neither http:// nor https://"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("names no host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("holds credentials, which belong into `headers`"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a query or a fragment"));
        }
        Ok(Endpoint(url))
    }
}

fn all_signals() -> Vec<SignalName> {
    vec![SignalName::Traces, SignalName::Metrics, SignalName::Logs]
}

fn batch_max_bytes() -> Bytes {
    Bytes(4 << 20)
}

fn in_flight() -> usize {
    4
}

fn timeout() -> Time {
    Time(Duration::from_secs(10))
}

fn rotate_bytes() -> Bytes {
    Bytes(100 << 20)
}

fn rotate_age() -> Time {
    Time(Duration::from_secs(24 * 3600))
}
