//! The way of a record from the caller to the committer: limits, compression, the queue.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::AppendError;
use crate::shared::{Shared, lock};
use crate::types::{Position, Record};

/// Payloads from this size on are compressed by the caller, on as many cores as there are
/// callers; smaller ones by the committer, which first joins those of one tenant and signal.
pub(crate) const LARGE: usize = 64 << 10;

/// When to come back if too much waits for the group commit.
const RETRY_PENDING: Duration = Duration::from_millis(200);
/// When to come back if the journal's byte limit is reached: consumers must catch up first.
pub(crate) const RETRY_BYTES: Duration = Duration::from_secs(2);
/// When to come back if the disk refuses.
pub(crate) const RETRY_DISK: Duration = Duration::from_secs(1);
/// The longest that records of no or few bytes make the queue.
const MAX_QUEUED: usize = 65_536;

pub(crate) type Answer = Result<Position, AppendError>;

/// A record that waits for the group commit.
pub(crate) struct Pending {
    pub record: Record,
    /// `Some` if the caller has prepared the payload: its stored form, if that is another.
    pub prepared: Option<Option<Vec<u8>>>,
    pub waiter: oneshot::Sender<Answer>,
}

/// BOUNDED by the bytes of its payloads and by number.
pub(crate) struct Queue {
    limit: usize,
    /// Bytes from the moment a record is let in until it is answered.
    reserved: AtomicUsize,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    items: VecDeque<Pending>,
    closing: bool,
}

/// What the committer takes at once.
pub(crate) struct Batch {
    pub items: Vec<Pending>,
    /// Nothing more will come.
    pub last: bool,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        Queue {
            limit,
            reserved: AtomicUsize::new(0),
            state: Mutex::default(),
            wake: Condvar::new(),
        }
    }

    pub(crate) fn reserved(&self) -> usize {
        self.reserved.load(Ordering::Relaxed)
    }

    fn reserve(&self, bytes: usize) -> bool {
        self.reserved
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
                now.checked_add(bytes).filter(|sum| *sum <= self.limit)
            })
            .is_ok()
    }

    pub(crate) fn release(&self, bytes: usize) {
        self.reserved.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn push(&self, pending: Pending) -> Result<(), AppendError> {
        let mut state = lock(&self.state);
        if state.closing {
            return Err(AppendError::Closed);
        }
        if state.items.len() >= MAX_QUEUED {
            return Err(full_pending());
        }
        state.items.push_back(pending);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Waits for records, at most `timeout`; takes up to `max_bytes` of them, at least one.
    pub(crate) fn take(&self, timeout: Duration, max_bytes: u64) -> Batch {
        let state = lock(&self.state);
        let (mut state, _) = self
            .wake
            .wait_timeout_while(state, timeout, |s| s.items.is_empty() && !s.closing)
            .unwrap_or_else(PoisonError::into_inner);
        let mut items = Vec::new();
        let mut bytes = 0u64;
        while let Some(next) = state.items.front() {
            bytes += next.stored_len() as u64;
            if bytes > max_bytes && !items.is_empty() {
                break;
            }
            items.extend(state.items.pop_front());
        }
        Batch {
            last: state.closing && state.items.is_empty(),
            items,
        }
    }

    /// Takes no more records; what is queued is still committed.
    pub(crate) fn close(&self) {
        lock(&self.state).closing = true;
        self.wake.notify_all();
    }

    /// Drops what is queued: its waiters hear that the journal is closed.
    pub(crate) fn abandon(&self) {
        self.close();
        lock(&self.state).items.clear();
    }
}

impl Pending {
    fn stored_len(&self) -> usize {
        match &self.prepared {
            Some(Some(stored)) => stored.len(),
            _ => self.record.payload.len(),
        }
    }
}

fn full_pending() -> AppendError {
    AppendError::Full {
        retry_after: RETRY_PENDING,
        limit: "pending bytes",
    }
}

/// Queues a record and waits for its commit. Cancel-safe: whoever drops the future does not learn
/// whether the record was committed, and nothing else changes.
pub(crate) async fn append(shared: &Shared, record: Record) -> Answer {
    let bytes = record.payload.len();
    let limit = shared.options.record_limit();
    if bytes > limit {
        return Err(AppendError::TooLarge { bytes, limit });
    }
    if shared.full.load(Ordering::Relaxed) > 0 {
        shared.metrics.full.with_label_values(&["journal"]).inc();
        return Err(full_journal());
    }
    if !shared.queue.reserve(bytes) {
        shared.metrics.full.with_label_values(&["pending"]).inc();
        return Err(full_pending());
    }
    let prepared = (bytes >= LARGE).then(|| shared.codecs.compress(&record.payload));
    let (waiter, answer) = oneshot::channel();
    let pending = Pending {
        record,
        prepared,
        waiter,
    };
    if let Err(refused) = shared.queue.push(pending) {
        shared.queue.release(bytes);
        return Err(refused);
    }
    // From here on the committer gives back the reservation.
    answer.await.unwrap_or(Err(AppendError::Closed))
}

pub(crate) fn full_journal() -> AppendError {
    AppendError::Full {
        retry_after: RETRY_BYTES,
        limit: "journal bytes",
    }
}
