//! What a shipper is told: where to, how much at once, how to try again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ident::{Signal, TenantId};
use journal::Filter;
use sampler::metrics::Filter as MetricFilter;
use sampling::Decisions;

use crate::{Clean, Retry, Route, file, otlp};

/// One shipper.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name, which names its cursor too.
    pub name: String,
    /// Where to.
    pub destination: DestinationConfig,
    /// The signals it carries; `None` means all. The rest is stepped over.
    pub signals: Option<Vec<Signal>>,
    /// The tenant that it carries; `None` means all.
    pub tenant: Option<TenantId>,
    /// What of the blocks is carried; `None` means all. There must be decisions about each of
    /// `signals`.
    pub decisions: Option<Decisions>,
    /// Which metrics are carried; `None` means all.
    pub metrics: Option<MetricFilter>,
    /// What of the blocks is carried, where that is not what sampling decides: in place of
    /// `decisions`.
    pub route: Option<Arc<dyn Route>>,
    /// Takes out of what `decisions` leave what the destination need not see.
    pub clean: Option<Clean>,
    /// The most bytes of a request before compression. A receiver's limit counts the whole
    /// message; that of most is 4 MiB.
    pub batch_max_bytes: usize,
    /// Requests in flight at once. Together with the next one they are all that is held in memory:
    /// at most `(in_flight + 1) * batch_max_bytes`, or a single block where one is larger; twice
    /// that while batches wait to see whether it is they that the destination cannot take.
    pub in_flight: usize,
    /// How failed requests are tried again.
    pub retry: Retry,
    /// How long a shutdown may take to ship what is left, and to end what is in flight.
    pub drain: Duration,
    /// What becomes of items that the destination refuses.
    pub dead_letters: DeadLetterConfig,
}

impl Config {
    /// A config with every default.
    pub fn new(
        name: impl Into<String>,
        destination: DestinationConfig,
        dead_letter_dir: impl Into<PathBuf>,
    ) -> Self {
        Config {
            name: name.into(),
            destination,
            signals: None,
            tenant: None,
            decisions: None,
            metrics: None,
            route: None,
            clean: None,
            batch_max_bytes: 4 << 20,
            in_flight: 4,
            retry: Retry::default(),
            drain: Duration::from_secs(5),
            dead_letters: DeadLetterConfig::new(dead_letter_dir),
        }
    }

    pub(crate) fn filter(&self) -> Filter {
        Filter {
            signals: self.signals.clone(),
            tenant: self.tenant.clone(),
            ..Filter::default()
        }
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let limits = [
            ("batch_max_bytes", self.batch_max_bytes as u64, 1, 1 << 30),
            ("in_flight", self.in_flight as u64, 1, 64),
        ];
        for (key, value, least, most) in limits {
            if !(least..=most).contains(&value) {
                return Err(ConfigError::Limit {
                    key,
                    value,
                    least,
                    most,
                });
            }
        }
        Ok(())
    }
}

/// Which destination.
#[derive(Clone, Debug)]
pub enum DestinationConfig {
    /// An OTLP receiver, over gRPC or HTTP.
    Otlp(otlp::Config),
    /// Files in a folder.
    File(file::Config),
}

/// Where refused items are put aside.
#[derive(Clone, Debug)]
pub struct DeadLetterConfig {
    /// The folder. It is made when there is something to put into it.
    pub dir: PathBuf,
    /// The most bytes of all dead letters of one shipper. What no longer fits is counted as lost.
    pub max_bytes: u64,
    /// The size at which the file is closed and the next one begun.
    pub rotate_bytes: u64,
}

impl DeadLetterConfig {
    /// 64 MiB in files of 8 MiB.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        DeadLetterConfig {
            dir: dir.into(),
            max_bytes: 64 << 20,
            rotate_bytes: 8 << 20,
        }
    }
}

/// Why a shipper cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// `https://` without a word on whom to trust.
    #[error(
        "{url}: no CA is named that vouches for it\nhint: add `tls: {{ ca: FILE }}`; the system's own bundle is a file too, such as /etc/ssl/certs/ca-certificates.crt"
    )]
    NoCa {
        /// The endpoint.
        url: url::Url,
    },
    /// An endpoint that cannot be one.
    #[error("{url}: {what}\nhint: write it as in http://127.0.0.1:4317")]
    Endpoint {
        /// The endpoint.
        url: url::Url,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A header that HTTP does not allow, or that is set by the shipper itself.
    #[error("the header `{name}` {what}\nhint: check `headers` of the destination")]
    Header {
        /// Its name. Its value is never shown.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A number out of its range.
    #[error("`{key}` is {value}\nhint: use {least} to {most}")]
    Limit {
        /// Which.
        key: &'static str,
        /// Its value.
        value: u64,
        /// The least allowed.
        least: u64,
        /// The most allowed.
        most: u64,
    },
    /// The cursor cannot be opened.
    #[error(transparent)]
    Cursor(#[from] journal::OpenError),
}
