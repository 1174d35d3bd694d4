//! A value made of files, and made anew when they change.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;

use crate::Error;
use crate::expiry::{self, Expiry, Kind, Reminder, Stage};
use crate::files::{Snapshot, Source};
use crate::metrics::EndpointMetrics;
use crate::settle::Settle;

/// Makes the value of what the files hold. Pure, so that it can be tried on any contents.
type Make<T> = Box<dyn Fn(&Snapshot) -> Result<(T, Vec<Expiry>), Error> + Send + Sync>;

/// The value in use, where it comes from, and what was found at the last look.
pub(crate) struct Reload<T> {
    endpoint: String,
    sources: Vec<Source>,
    make: Make<T>,
    current: RwLock<Arc<T>>,
    state: Mutex<State>,
    /// Tells who has to know that the value in use is another.
    changed: watch::Sender<()>,
    pub(crate) metrics: EndpointMetrics,
}

struct State {
    settle: Settle,
    expiries: Vec<(Expiry, Reminder)>,
}

/// What is looked at now and then.
pub(crate) trait Look: Send + Sync {
    /// Reads the files and takes them if they have changed, at `now` in seconds after 1970.
    fn look(&self, now: i64);
}

impl<T> Reload<T> {
    /// Makes the value for the first time.
    pub(crate) fn new(
        endpoint: &str,
        sources: Vec<Source>,
        make: Make<T>,
        metrics: EndpointMetrics,
    ) -> Result<Self, Error> {
        let snapshot = Snapshot::read(&sources);
        let (value, expiries) = make(&snapshot)?;
        let reload = Reload {
            endpoint: endpoint.to_owned(),
            sources,
            make,
            current: RwLock::new(Arc::new(value)),
            state: Mutex::new(State {
                settle: Settle::new(snapshot.digest()),
                expiries: Vec::new(),
            }),
            changed: watch::Sender::new(()),
            metrics,
        };
        let mut state = reload.lock();
        reload.note(&mut state, expiries);
        reload.remind(&mut state, expiry::now());
        drop(state);
        Ok(reload)
    }

    /// The value in use.
    pub(crate) fn current(&self) -> Arc<T> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Is told of each value after this one.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn take(&self, state: &mut State, snapshot: &Snapshot) {
        match (self.make)(snapshot) {
            Ok((value, expiries)) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
                self.metrics.reloaded.inc();
                self.metrics.stale.set(0.0);
                self.note(state, expiries);
                tracing::info!(
                    endpoint = self.endpoint,
                    "the TLS files have changed and are in use; open connections go on"
                );
                self.changed.send_replace(());
            }
            Err(error) => {
                self.metrics.refused.inc();
                self.metrics.stale.set(1.0);
                tracing::error!(
                    endpoint = self.endpoint,
                    %error,
                    "the TLS files have changed and cannot be used; what they held before stays in use"
                );
            }
        }
    }

    /// Shows when things expire.
    fn note(&self, state: &mut State, expiries: Vec<Expiry>) {
        for kind in [Kind::Certificate, Kind::Ca, Kind::Crl] {
            match expiries.iter().find(|expiry| expiry.kind == kind) {
                Some(expiry) => self.metrics.expires(kind, expiry.at),
                None => self.metrics.expires_no_more(kind),
            }
        }
        let fresh = expiries
            .into_iter()
            .map(|expiry| (expiry, Reminder::default()));
        state.expiries = fresh.collect();
    }

    fn remind(&self, state: &mut State, now: i64) {
        let endpoint = self.endpoint.as_str();
        for (expiry, reminder) in &mut state.expiries {
            let what = expiry.kind.as_str();
            let days = (expiry.at - now) / (24 * 3600);
            match reminder.due(expiry.at, now) {
                None | Some(Stage::Far) => {}
                Some(Stage::Month) => {
                    tracing::warn!(endpoint, what, days, "expires within 30 days; renew it");
                }
                Some(Stage::Week) => {
                    tracing::warn!(endpoint, what, days, "expires within 7 days; renew it now");
                }
                // A bundle may well hold a CA that nobody needs any more.
                Some(Stage::Over) if expiry.kind == Kind::Ca => {
                    tracing::warn!(endpoint, what, "one of the CAs has expired");
                }
                Some(Stage::Over) => {
                    tracing::error!(endpoint, what, "has expired");
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send + Sync> Look for Reload<T> {
    fn look(&self, now: i64) {
        let snapshot = Snapshot::read(&self.sources);
        let mut state = self.lock();
        if state.settle.found(snapshot.digest()) {
            self.take(&mut state, &snapshot);
        }
        self.remind(&mut state, now);
    }
}
