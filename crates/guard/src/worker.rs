//! Redactors that are used again: each remembers keys and clean values of requests before.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ident::Signal;
use otlp::CheckError;
use otlp::edit::Edited;
use policy::redaction::{Counts, Policy, Redactor};

/// The most redactors that wait for work.
const MAX_IDLE: usize = 32;

/// A redactor and where it counts.
#[derive(Default)]
struct Worker {
    redactor: Redactor,
    counts: Counts,
}

/// As many workers as were ever busy at once.
#[derive(Default)]
pub(crate) struct Workers {
    idle: Mutex<Vec<Worker>>,
}

impl Workers {
    /// Redacts a checked request; `None` if nothing of it changes. `changed` hears how often each
    /// rule changed something.
    pub(crate) fn redact(
        &self,
        policy: &Policy,
        signal: Signal,
        payload: &[u8],
        mut changed: impl FnMut(&str, u64),
    ) -> Result<Option<Bytes>, CheckError> {
        let mut worker = self.lock().pop().unwrap_or_default();
        worker.counts.clear();
        // Mostly as much as before: a mask is about as long as what it stands for.
        let mut out = Vec::with_capacity(payload.len() + payload.len() / 16);
        let edited =
            worker
                .redactor
                .redact(policy, signal, payload, &mut out, &mut worker.counts)?;
        for (rule, count) in policy.rules().iter().zip(worker.counts.as_slice()) {
            if *count > 0 {
                changed(rule, *count);
            }
        }
        let mut idle = self.lock();
        if idle.len() < MAX_IDLE {
            idle.push(worker);
        }
        Ok(match edited {
            Edited::Unchanged => None,
            Edited::Changed => Some(Bytes::from(out)),
        })
    }

    /// A worker is whole before it is put back, so a poisoned lock guards a good state.
    fn lock(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
