//! Where CloudEvents go, and in which mode.

use std::fmt;
use std::sync::Arc;

use egress::Secret;
use url::Url;

use crate::targets::http_post::outside;

/// An endpoint of CloudEvents.
#[derive(Clone)]
pub struct Config {
    /// Where to. Its path and query are not shown.
    pub url: Url,
    /// How an event is laid into a request.
    pub mode: Mode,
    /// Sent along each time.
    pub headers: Vec<(String, Secret)>,
    /// TLS, for `https://`.
    pub tls: Option<Arc<tls::Client>>,
}

/// The HTTP binding's two modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Attributes as `ce-` headers, the data as the body.
    #[default]
    Binary,
    /// All in one JSON object.
    Structured,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl Config {
    /// For people, without secrets.
    pub fn describe(&self) -> String {
        let mode = match self.mode {
            Mode::Binary => "binary",
            Mode::Structured => "structured",
        };
        format!("cloudevents ({mode}) to {}", outside(&self.url))
    }
}
