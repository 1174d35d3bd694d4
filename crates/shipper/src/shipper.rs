//! A shipper: reads the journal, keeps deliveries going, moves the cursor.
//!
//! One task runs [`Shipper::run`]; it alone touches the consumer and the ledger. Each delivery is a
//! task of its own ([`crate::deliver`]).
//!
//! BOUNDED: it reads on only while what is held stays below the limit. When a delivery gives back
//! its batch because the destination is down, everything that waits is forgotten and read again
//! later.

mod run;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use ident::Signal;
use journal::{Consumer, Journal, Start};
use sampler::metrics::Filter;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::breaker::Gate;
use crate::choose::Chooser;
use crate::config::{Config, ConfigError, DestinationConfig};
use crate::dead_letter::DeadLetters;
use crate::deliver::Context;
use crate::destination::Destination;
use crate::metrics::Metrics;
use crate::status::{Status, StatusHandle};
use crate::{file, otlp};
use egress::Connector;
use run::Run;

/// Carries the journal to one destination.
pub struct Shipper {
    context: Arc<Context>,
    consumer: Consumer,
    chooser: Option<Chooser>,
    filter: Option<Filter>,
    in_flight: usize,
    drain: Duration,
    queue_capacity: u64,
}

/// A destination, which several shippers may carry to.
#[derive(Clone)]
pub struct Outlet {
    destination: Arc<dyn Destination>,
    description: String,
}

impl Outlet {
    /// Prepares a destination. Nothing is sent.
    ///
    /// # Errors
    /// If the config cannot work. A destination that does not answer is no error.
    pub fn open(config: &DestinationConfig, connector: &Connector) -> Result<Self, ConfigError> {
        Ok(match config {
            DestinationConfig::Otlp(otlp) => Outlet {
                destination: Arc::new(otlp::Otlp::new(otlp, connector.clone())?),
                description: otlp.describe(),
            },
            DestinationConfig::File(file) => Outlet {
                destination: Arc::new(file::Files::new(file)),
                description: file.describe(),
            },
        })
    }

    #[cfg(test)]
    pub(crate) fn of(destination: Box<dyn Destination>) -> Self {
        Outlet {
            destination: Arc::from(destination),
            description: "the destination under test".to_owned(),
        }
    }
}

impl Shipper {
    /// Opens the cursor and prepares the destination. Nothing is sent before [`run`](Self::run).
    ///
    /// # Errors
    /// If the config cannot work, or the cursor cannot be opened. A destination that does not
    /// answer is no error.
    pub fn open(
        config: Config,
        journal: &Journal,
        connector: &Connector,
        metrics: &Metrics,
    ) -> Result<Shipper, ConfigError> {
        let outlet = Outlet::open(&config.destination, connector)?;
        Self::open_at(config, Start::Oldest, &outlet, journal, metrics)
    }

    /// The same to a destination that another shipper carries to as well, and from another place if
    /// the cursor is new. The config's own `destination` is not looked at.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_at(
        config: Config,
        start: Start,
        outlet: &Outlet,
        journal: &Journal,
        metrics: &Metrics,
    ) -> Result<Shipper, ConfigError> {
        config.check()?;
        let Outlet {
            destination,
            description,
        } = outlet.clone();
        let mut consumer = journal
            .consumer(&config.name, start)?
            .with_filter(config.filter());
        if config.decisions.is_some() {
            // It is further behind than the journal's cache reaches. Another one that follows the
            // same decisions is as far, and finds what this one has decompressed.
            consumer = consumer.leading();
        }
        let chooser = match (&config.route, &config.decisions) {
            (Some(route), _) => Some(Chooser::routed(route)),
            (None, Some(decisions)) => Some(Chooser::new(decisions, config.clean)),
            (None, None) => None,
        };
        let signals = config.signals.as_deref().unwrap_or(&Signal::ALL);
        metrics.prepare(&config.name, signals);
        let status = StatusHandle::new(Status {
            name: config.name.clone(),
            destination: description,
            ..Status::default()
        });
        let in_flight = config.in_flight.min(destination.max_in_flight());
        let dead_letters = DeadLetters::new(&config.name, config.dead_letters);
        let context = Arc::new(Context {
            name: config.name,
            destination,
            gate: Gate::new(),
            requests: Semaphore::new(in_flight),
            retry: config.retry,
            max_bytes: config.batch_max_bytes,
            dead_letters: Arc::new(dead_letters),
            metrics: metrics.clone(),
            lost: journal.lost().clone(),
            status,
            stop: CancellationToken::new(),
        });
        let shipper = Shipper {
            context,
            consumer,
            chooser,
            filter: config.metrics,
            in_flight,
            drain: config.drain,
            queue_capacity: journal.options().max_bytes,
        };
        shipper.context.show_breaker();
        Ok(shipper)
    }

    /// A handle to read its status from.
    pub fn status(&self) -> StatusHandle {
        self.context.status.clone()
    }

    /// Runs until `shutdown`; then ships what is left while that takes no longer than
    /// [`Config::drain`] and the destination answers, and makes the cursor durable. What is not
    /// decided by then is left. Also ends when the journal is closed, or its decisions end, and all
    /// was read and dealt with; then it returns `true`.
    pub async fn run(self, shutdown: CancellationToken) -> bool {
        let context = Arc::clone(&self.context);
        context.status.update(|status| status.running = true);
        let mut run = Run::new(self);
        let ended = run.until(&shutdown).await;
        run.wind_up().await;
        context.status.update(|status| status.running = false);
        ended
    }
}
