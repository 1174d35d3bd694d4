//! Where an Alertmanager is, and what its alerts are labelled with.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use egress::Secret;
use url::Url;

use crate::config::ConfigError;
use crate::targets::http_post::outside;

/// An Alertmanager.
#[derive(Clone)]
pub struct Config {
    /// Its base, such as `http://127.0.0.1:9093`; `/api/v2/alerts` is added.
    pub url: Url,
    /// Labels of every alert, beside `alertname`, `incident`, `tenant`, `scope` and `severity`.
    pub labels: BTreeMap<String, String>,
    /// Where a person looks further: the alerts' `generatorURL`.
    pub generator_url: Option<Url>,
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
        format!("alertmanager at {}", outside(&self.url))
    }

    pub(super) fn api(&self) -> Url {
        let mut url = self.url.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/api/v2/alerts"));
        url
    }

    /// An Alertmanager refuses an alert whose labels have other names than these.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let good = |(at, c): (usize, char)| {
            c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit())
        };
        let wrong = |name: &&String| name.is_empty() || !name.chars().enumerate().all(good);
        match self.labels.keys().find(wrong) {
            None => Ok(()),
            Some(name) => Err(ConfigError::wrong(
                format!("`{}` is no label's name", egress::one_line(name)),
                "a label's name has letters, digits and `_`, and begins with no digit",
            )),
        }
    }
}
