//! Sending.

use egress::Connector;
use http::header::{self, HeaderMap, HeaderValue};

use super::{Config, encode};
use crate::config::ConfigError;
use crate::target::{Message, Sending, Target};
use crate::targets::http_post::Poster;

/// An Alertmanager.
pub(crate) struct Alertmanager {
    poster: Poster,
    config: Config,
}

impl Alertmanager {
    pub(crate) fn new(config: &Config, connector: &Connector) -> Result<Self, ConfigError> {
        config.check()?;
        let poster = Poster::new(
            &config.api(),
            &config.headers,
            config.tls.clone(),
            connector,
        )?;
        Ok(Alertmanager {
            poster,
            config: config.clone(),
        })
    }
}

impl Target for Alertmanager {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        let body = encode::alerts(&self.config, message);
        Box::pin(self.poster.post(headers, body))
    }
}
