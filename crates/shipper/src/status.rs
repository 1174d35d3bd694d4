//! What a person wants to know of a shipper.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use journal::Position;
use serde::Serialize;

/// The circuit breaker's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Requests go through.
    #[default]
    Closed,
    /// One request finds out whether the destination is back.
    HalfOpen,
    /// The destination is left alone for a while.
    Open,
}

impl std::fmt::Display for BreakerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            BreakerState::Closed => "closed",
            BreakerState::HalfOpen => "half_open",
            BreakerState::Open => "open",
        })
    }
}

impl BreakerState {
    pub(crate) fn as_number(self) -> f64 {
        match self {
            BreakerState::Closed => 0.0,
            BreakerState::HalfOpen => 1.0,
            BreakerState::Open => 2.0,
        }
    }
}

/// How a shipper is, as of about a second ago.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// What it ships to, such as `otlp over gRPC to http://127.0.0.1:4317`. No secrets.
    pub destination: String,
    /// Whether it runs.
    pub running: bool,
    /// Whether requests go through.
    pub breaker: BreakerState,
    /// Up to here everything is acknowledged.
    pub position: Position,
    /// Bytes of the journal on disk that are not acknowledged.
    pub lag_bytes: u64,
    /// Age of the oldest block that is not acknowledged, in seconds.
    pub lag_seconds: f64,
    /// Batches that are being delivered.
    pub in_flight: usize,
    /// Items acknowledged since the start.
    pub sent_items: u64,
    /// Items put aside since the start.
    pub dead_letter_items: u64,
    /// Items lost since the start: rejected, or no room among the dead letters.
    pub lost_items: u64,
    /// What the last failure was; it may be over. No secrets, no data.
    pub last_error: Option<String>,
    /// When that was, in seconds since 1970.
    pub last_error_unix: Option<u64>,
}

/// Reads a shipper's status while it runs, and after.
#[derive(Clone, Debug)]
pub struct StatusHandle(Arc<Mutex<Status>>);

impl StatusHandle {
    pub(crate) fn new(status: Status) -> Self {
        StatusHandle(Arc::new(Mutex::new(status)))
    }

    /// The status now.
    pub fn get(&self) -> Status {
        self.lock().clone()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
