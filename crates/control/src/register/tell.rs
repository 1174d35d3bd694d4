//! What others see of incidents without waiting for them: what is in force, metrics, the audit.

use std::sync::{Arc, PoisonError};

use super::{All, Inner, Register};
use crate::incident::{Incident, Scope};
use crate::seam::Period;
use crate::store::{Damaged, Kept};

impl Register {
    /// The scopes of those that are open. Waits for nothing.
    pub fn scopes(&self) -> Arc<Vec<Scope>> {
        let open = self.0.open.read();
        Arc::clone(&open.unwrap_or_else(PoisonError::into_inner))
    }

    /// Those that are open or wait for their capture, the newest first. Waits for nothing.
    pub fn at_hand(&self) -> Arc<Vec<Incident>> {
        let at_hand = self.0.at_hand.read();
        Arc::clone(&at_hand.unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    /// Shows those that are in force or at hand.
    pub(super) fn publish(&self, all: &All) {
        let scopes = all.open().map(|known| known.scope.clone()).collect();
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        *open = Arc::new(scopes);
        drop(open);
        let shown = |known: &&Incident| known.is_open() || known.awaits_capture();
        let shown = all
            .incidents
            .values()
            .rev()
            .filter(shown)
            .cloned()
            .collect();
        let mut at_hand = self.at_hand.write().unwrap_or_else(PoisonError::into_inner);
        *at_hand = Arc::new(shown);
        drop(at_hand);
        self.metrics.captures(all.incidents.values());
        let period = |known: &Incident| Period {
            scope: known.scope.clone(),
            from: known.hold.from,
            to: known.hold.to,
        };
        let periods = all.incidents.values().map(period).collect();
        self.seams.metrics.pass(periods);
    }

    /// Counts and audits what happened since the timeline had so many entries.
    pub(super) fn note(&self, incident: &Incident, known: usize) {
        for entry in incident.timeline.iter().skip(known) {
            let what = entry.what.as_str();
            self.metrics.events.with_label_values(&[what]).inc();
            tracing::info!(
                target: "audit",
                event = what,
                incident = incident.id.as_str(),
                scope = %incident.scope,
                by = entry.by.as_deref().unwrap_or("stella"),
                approved_by = incident.approved_by.as_deref().unwrap_or_default(),
                expires_at = %incident.expires_at,
                note = entry.note.as_deref().unwrap_or_default(),
                "incident {what}"
            );
        }
    }
}

impl Damaged {
    /// Says what is wrong, and what is held.
    pub(super) fn tell(&self, kept: Option<&Kept>) {
        let until = kept.map(|kept| kept.until.to_string()).unwrap_or_default();
        tracing::error!(
            file = self.file,
            why = self.why,
            held_until = until,
            "an incident's file cannot be used; it is left as it is, and all that its incident may hold is held; move the file away to end that"
        );
    }
}
