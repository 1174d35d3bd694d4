//! Sending.

use egress::Connector;
use http::header::{self, HeaderMap, HeaderValue};
use jiff::Timestamp;

use super::{Config, SigningKey, encode};
use crate::config::ConfigError;
use crate::target::{Class, Failure, Message, Sending, Target};
use crate::targets::http_post::Poster;

/// A webhook.
pub(crate) struct Webhook {
    poster: Poster,
    keys: Vec<SigningKey>,
}

impl Webhook {
    pub(crate) fn new(config: &Config, connector: &Connector) -> Result<Self, ConfigError> {
        if config.keys.is_empty() {
            let hint = "name its key's file as `secret_file`";
            return Err(ConfigError::wrong("a webhook needs a signing key", hint));
        }
        let Config { url, headers, .. } = config;
        Ok(Webhook {
            poster: Poster::new(url, headers, config.tls.clone(), connector)?,
            keys: config.keys.clone(),
        })
    }

    async fn send_once(&self, message: &Message) -> Result<(), Failure> {
        let (id, payload) = (encode::id(message), encode::payload(message));
        // That of the attempt, so that a receiver may refuse what is old.
        let seconds = Timestamp::now().as_second();
        let signature = encode::signature(&self.keys, &id, seconds, &payload);
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        for (name, value) in [
            ("webhook-id", id),
            ("webhook-timestamp", seconds.to_string()),
            ("webhook-signature", signature),
        ] {
            let value = HeaderValue::try_from(value);
            let value = value.map_err(|error| Failure::new(Class::Refused, error))?;
            headers.insert(name, value);
        }
        self.poster.post(headers, payload).await
    }
}

impl Target for Webhook {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(self.send_once(message))
    }
}
