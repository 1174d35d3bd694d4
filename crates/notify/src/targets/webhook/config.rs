//! Where a webhook is, and what it is signed with.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use egress::Secret;
use url::Url;

use crate::config::ConfigError;
use crate::secret_file;
use crate::targets::http_post::outside;

/// A webhook.
#[derive(Clone)]
pub struct Config {
    /// Where to. Its path and query are not shown.
    pub url: Url,
    /// What it is signed with: one key, or two while one takes the other's place.
    pub keys: Vec<SigningKey>,
    /// Sent along each time.
    pub headers: Vec<(String, Secret)>,
    /// TLS, for `https://`.
    pub tls: Option<Arc<tls::Client>>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl Config {
    /// For people, without secrets.
    pub fn describe(&self) -> String {
        format!("webhook to {}", outside(&self.url))
    }
}

/// A key of Standard Webhooks: `whsec_` and base64. It is never shown.
#[derive(Clone)]
pub struct SigningKey(pub(super) Vec<u8>);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The sizes that the specification allows.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

impl SigningKey {
    /// Reads a key as it is handed out.
    ///
    /// # Errors
    /// If it is none. It is not repeated.
    pub fn parse(text: &str) -> Result<SigningKey, ConfigError> {
        let hint = "make one with `printf \"whsec_%s\" \"$(openssl rand -base64 32)\"`";
        let key = text.strip_prefix("whsec_");
        let key = key.and_then(|key| STANDARD.decode(key).ok());
        match key {
            Some(key) if KEY_BYTES.contains(&key.len()) => Ok(SigningKey(key)),
            Some(key) => {
                let what = format!("the signing key has {} bytes, not 24 to 64", key.len());
                Err(ConfigError::wrong(what, hint))
            }
            None => Err(ConfigError::wrong(
                "the signing key is not `whsec_` and base64",
                hint,
            )),
        }
    }

    /// Reads a key from a file that nobody else can read.
    ///
    /// # Errors
    /// If there is none.
    pub fn read(path: &Path) -> Result<SigningKey, ConfigError> {
        SigningKey::parse(secret_file::read(path)?.reveal())
    }
}
