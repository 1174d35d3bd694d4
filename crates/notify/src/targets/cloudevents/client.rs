//! Sending.

use egress::Connector;

use super::{Config, Mode, encode};
use crate::config::ConfigError;
use crate::target::{Message, Sending, Target};
use crate::targets::http_post::Poster;

/// An endpoint of CloudEvents.
pub(crate) struct CloudEvents {
    poster: Poster,
    mode: Mode,
    source: String,
}

impl CloudEvents {
    pub(crate) fn new(
        config: &Config,
        source: &str,
        connector: &Connector,
    ) -> Result<Self, ConfigError> {
        let Config { url, headers, .. } = config;
        Ok(CloudEvents {
            poster: Poster::new(url, headers, config.tls.clone(), connector)?,
            mode: config.mode,
            source: source.to_owned(),
        })
    }
}

impl Target for CloudEvents {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        let (headers, body) = encode::request(self.mode, &self.source, message);
        Box::pin(self.poster.post(headers, body))
    }
}
