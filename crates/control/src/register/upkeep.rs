//! What time does to incidents: they expire, and old ones are forgotten.

use jiff::Timestamp;

use super::{All, Inner};
use crate::incident::{self, Incident, IncidentId};

impl Inner {
    pub(super) fn end_what_is_over(&self, all: &mut All, now: Timestamp) {
        let over = |known: &&Incident| known.is_open() && known.expires_at <= now;
        let due: Vec<IncidentId> = all
            .incidents
            .values()
            .filter(over)
            .map(|known| known.id.clone())
            .collect();
        for id in due {
            let Some(known) = all.incidents.remove(&id) else {
                continue;
            };
            let mut known = self.with_counts(known);
            if incident::expire(&mut known, now, self.config.hold_after_close.0) {
                self.note(&known);
                self.metrics.ended(&known);
                // Its end follows from its record, so it needs no disk to be in force.
                all.dirty.insert(id.clone());
            }
            all.incidents.insert(id.clone(), known);
            self.settle_one(all, &id, now);
        }
    }

    pub(super) fn forget_old(&self, all: &mut All) {
        let gone = |known: &&Incident| !known.is_open() && known.hold.released;
        let closed: Vec<IncidentId> = all
            .incidents
            .values()
            .filter(gone)
            .map(|known| known.id.clone())
            .collect();
        let excess = closed.len().saturating_sub(self.config.keep_closed);
        for id in closed.into_iter().take(excess) {
            match self.store.remove(&id) {
                Ok(()) => {
                    all.incidents.remove(&id);
                    all.dirty.remove(&id);
                }
                Err(error) => tracing::warn!(%error, "an old incident is not forgotten yet"),
            }
        }
    }
}
