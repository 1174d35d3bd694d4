//! What time does to incidents: they expire, and old ones are forgotten.

use jiff::Timestamp;

use super::{All, Inner};
use crate::automatic::REMEMBERED;
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
            let entries = known.timeline.len();
            if incident::expire(&mut known, now, self.config.capture_deadline.0) {
                self.note(&known, entries);
                self.metrics.ended(&known);
                // Its end follows from its record, so it needs no disk to be in force.
                all.dirty.insert(id.clone());
            }
            all.incidents.insert(id.clone(), known);
            self.settle_one(all, &id, now);
        }
    }

    /// What is held for files that cannot be read, until it cannot be needed any more or the file
    /// is gone.
    pub(super) fn settle_damaged(&self, all: &mut All, now: Timestamp) {
        let retention = &self.seams.retention;
        all.kept.retain(|(file, kept)| {
            let needed = now < kept.until && self.store.has(file);
            match needed {
                true => retention.hold(&kept.id, kept.from, Some(kept.to)),
                false => {
                    tracing::warn!(
                        file,
                        "nothing is held any more for an incident's damaged file"
                    );
                    retention.release(&kept.id);
                }
            }
            needed
        });
        self.metrics.damaged_holds.set(all.kept.len() as f64);
    }

    pub(super) fn forget_old(&self, all: &mut All, now: Timestamp) {
        // A cool-down and a cap are read off the records.
        let counts = |known: &Incident| {
            let ended = known.ended.as_ref().map_or(now, |ended| ended.at);
            known.origin.is_automatic() && now.duration_since(ended) < REMEMBERED
        };
        let gone = |known: &&Incident| !known.is_open() && known.hold.released && !counts(known);
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
