//! Keeps the endpoints of a process, and looks at their files now and then.
//!
//! Polling sees every way in which files change: written in place, renamed over, a symbolic link
//! further up the path turned elsewhere (as orchestrators do with mounted secrets), network file
//! systems. See `docs/decisions` for why nothing cleverer is done.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meter::Meter;
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, ClientFiles};
use crate::metrics::Metrics;
use crate::reload::Look;
use crate::server::{Server, ServerFiles};
use crate::{Error, expiry};

/// How often files are read. A change is in use after two looks at the most.
const EVERY: Duration = Duration::from_secs(2);

/// Makes endpoints and keeps them up to date. Clones share them.
#[derive(Clone)]
pub struct Keeper {
    metrics: Metrics,
    endpoints: Arc<Mutex<Vec<Arc<dyn Look>>>>,
    now: Arc<Notify>,
}

impl Keeper {
    /// A keeper without endpoints.
    ///
    /// # Panics
    /// If one was made of this meter before, as every maker of [`Meter`].
    pub fn new(meter: &Meter) -> Self {
        Keeper {
            metrics: Metrics::new(meter),
            endpoints: Arc::default(),
            now: Arc::default(),
        }
    }

    /// A listener's side. `endpoint` names it in logs and metrics.
    ///
    /// # Errors
    /// If the files cannot be used.
    pub fn server(&self, endpoint: &str, files: ServerFiles) -> Result<Arc<Server>, Error> {
        let server = Arc::new(Server::load(endpoint, files, self.metrics.of(endpoint))?);
        self.add(server.look());
        Ok(server)
    }

    /// The side of what connects to a destination.
    ///
    /// # Errors
    /// If the files cannot be used.
    pub fn client(&self, endpoint: &str, files: ClientFiles) -> Result<Arc<Client>, Error> {
        let client = Arc::new(Client::load(endpoint, files, self.metrics.of(endpoint))?);
        self.add(client.look());
        Ok(client)
    }

    /// Looks at the files every few seconds until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
                () = self.now.notified() => {}
            }
            let keeper = self.clone();
            // A network file system may take its time, so not on a thread that serves sockets.
            if let Err(error) = tokio::task::spawn_blocking(move || keeper.look()).await {
                tracing::error!(%error, "looking at the TLS files failed");
            }
        }
    }

    /// Makes [`run`](Self::run) look now rather than at its next time.
    pub fn hurry(&self) {
        self.now.notify_one();
    }

    /// Looks at the files of all endpoints once. Blocks.
    pub fn look(&self) {
        let endpoints = self
            .endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for endpoint in endpoints {
            endpoint.look(expiry::now());
        }
    }

    fn add(&self, endpoint: Arc<dyn Look>) {
        self.endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(endpoint);
    }
}
