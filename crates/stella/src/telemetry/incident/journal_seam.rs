//! What incidents hold of the journal, and how much room it has.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use control::incident::IncidentId;
use control::seam::{Retention, Room};
use jiff::Timestamp;
use journal::{Hold, Journal};

type Span = (u64, u64);

/// The journal's holds, by incident.
pub struct JournalSeam {
    journal: Journal,
    held: Mutex<BTreeMap<IncidentId, (Span, Hold)>>,
}

impl JournalSeam {
    /// Goes on with the holds that the journal was opened with.
    pub fn new(journal: Journal, held: BTreeMap<IncidentId, (Span, Hold)>) -> Self {
        let held = Mutex::new(held);
        JournalSeam { journal, held }
    }
}

/// A hold's span in nanoseconds after 1970, as the journal wants it.
pub fn span(from: Timestamp, to: Option<Timestamp>) -> Span {
    let nanos = |at: Timestamp| u64::try_from(at.as_nanosecond()).unwrap_or(0);
    (nanos(from), to.map_or(u64::MAX, nanos))
}

impl Retention for JournalSeam {
    fn hold(&self, id: &IncidentId, from: Timestamp, to: Option<Timestamp>) {
        let span = span(from, to);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.get(id).is_some_and(|(known, _)| *known == span) {
            return;
        }
        // The new one is there before the old one goes.
        let hold = self.journal.hold(span.0, span.1);
        held.insert(id.clone(), (span, hold));
    }

    fn release(&self, id: &IncidentId) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(id);
    }

    fn room(&self) -> Room {
        let stats = self.journal.stats();
        let now = self.journal.clock();
        let held = Duration::from_nanos(match stats.oldest_unix_nano {
            0 => 0,
            oldest => now.saturating_sub(oldest),
        });
        Room {
            // Over at least a second: the first requests say nothing of a rate.
            bytes_per_second: stats.bytes as f64 / held.as_secs_f64().max(1.0),
            held,
            free_bytes: free_bytes(&self.journal),
        }
    }
}

fn free_bytes(journal: &Journal) -> Option<u64> {
    let stat = rustix::fs::statvfs(journal.dir()).ok()?;
    stat.f_bavail.checked_mul(stat.f_frsize)
}
