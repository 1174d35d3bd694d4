//! What follows from an incident's record, done until it is done.

use std::time::Duration;

use jiff::Timestamp;

use super::{All, Inner};
use crate::incident::{self, Incident, IncidentId};
use crate::seam;

impl Inner {
    /// Settles all, and ends what is in force for none of them.
    pub(super) fn settle_all(&self, all: &mut All, now: Timestamp) {
        let ids: Vec<IncidentId> = all.incidents.keys().cloned().collect();
        for id in ids {
            if needs(all, &id, self) {
                self.settle_one(all, &id, now);
            }
        }
        for id in self.seams.sampling.in_force() {
            let known = id
                .parse()
                .is_ok_and(|id: IncidentId| all.incidents.contains_key(&id));
            if known || self.damaged.contains(&id) {
                continue;
            }
            tracing::warn!(
                incident = id,
                "sampling is raised for no incident that is known; it is ended"
            );
            if let Err(why) = self.seams.sampling.end(&id) {
                tracing::error!(incident = id, why, "raised sampling cannot be ended yet");
            }
        }
        self.metrics
            .trouble
            .set((all.troubled.len() + all.dirty.len()) as f64);
    }

    /// Settles one, and stores what changed.
    pub(super) fn settle_one(&self, all: &mut All, id: &IncidentId, now: Timestamp) {
        let Some(mut incident) = all.incidents.remove(id) else {
            return;
        };
        let before = incident.clone();
        let done = self.settle(&mut incident, now);
        match done {
            Ok(()) => {
                all.troubled.remove(id);
            }
            Err(why) => {
                if all.troubled.insert(id.clone()) {
                    tracing::error!(
                        incident = id.as_str(),
                        why,
                        "a step of an incident failed; it is tried again"
                    );
                }
            }
        }
        if incident != before || all.dirty.contains(id) {
            match self.store.put(&incident) {
                Ok(()) => {
                    all.dirty.remove(id);
                }
                Err(error) => {
                    if all.dirty.insert(id.clone()) {
                        tracing::error!(%error, "an incident is not stored yet; it is tried again");
                    }
                }
            }
        }
        all.incidents.insert(id.clone(), incident);
        self.metrics
            .trouble
            .set((all.troubled.len() + all.dirty.len()) as f64);
    }

    /// Each step is repeatable. One that fails does not keep the others from being taken.
    fn settle(&self, incident: &mut Incident, now: Timestamp) -> Result<(), String> {
        let known = incident.timeline.len();
        if let Ok(true) = incident::release(incident, None, now) {
            self.note(incident, known);
        }
        let retention = &self.seams.retention;
        match incident.hold.released {
            false => retention.hold(&incident.id, incident.hold.from, incident.hold.to),
            true => retention.release(&incident.id),
        }
        let sampled = self.settle_sampling(incident, now);
        if let Some(kept) = self.seams.sampling.kept(&incident.id)
            && !incident.is_open()
        {
            incident.kept = Some(kept);
        }
        let told = self.tell(incident);
        sampled.and(told)
    }

    fn settle_sampling(&self, incident: &mut Incident, now: Timestamp) -> Result<(), String> {
        let sampling = &self.seams.sampling;
        let raised = sampling
            .in_force()
            .iter()
            .any(|id| id == incident.id.as_str());
        if !incident.is_open() {
            return match raised {
                true => sampling.end(incident.id.as_str()),
                false => Ok(()),
            };
        }
        if raised && incident.in_force_from.is_some() {
            return Ok(());
        }
        // As far back as it was to go when it was opened, however late this comes.
        let lookback = now.duration_since(incident.hold.from).try_into();
        let lookback: Duration = lookback.unwrap_or_default();
        let from = sampling.keep_all(&incident.id, &incident.scope, lookback)?;
        let opened_at = incident.opened_at;
        let known = incident.timeline.len();
        if incident::in_force(incident, from.unwrap_or(opened_at), now) {
            self.note(incident, known);
        }
        Ok(())
    }

    /// Hands what happened to notifications, in order.
    fn tell(&self, incident: &mut Incident) -> Result<(), String> {
        while incident.told < incident.timeline.len() {
            if let Some(event) = seam::event(incident, incident.told) {
                self.seams.events.put(&event)?;
            }
            incident.told += 1;
        }
        Ok(())
    }
}

/// Whether there may be something to do.
fn needs(all: &All, id: &IncidentId, inner: &Inner) -> bool {
    let Some(incident) = all.incidents.get(id) else {
        return false;
    };
    let kept = || inner.seams.sampling.kept(id);
    incident.is_open()
        || !incident.hold.released
        || incident.told < incident.timeline.len()
        || all.dirty.contains(id)
        || all.troubled.contains(id)
        || kept().is_some_and(|kept| incident.kept != Some(kept))
}
