//! All incidents of a gateway: one lock around the pure transitions, the disk and the seams.
//!
//! RESTARTABLE: what was asked for is stored before anything follows from it. What follows
//! (retention, sampling, notifications) is [settled](settle) from the stored record: at once, and
//! again at the start and on each tick, until it is done.
//!
//! Every method may block on the disk; call them where that is allowed.

mod settle;
mod tell;
#[cfg(test)]
pub(crate) mod tests;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use meter::Meter;
use rand::TryRng;
use rand::rngs::SysRng;

use crate::config::Config;
use crate::estimate::Estimate;
use crate::incident::{self, Incident, IncidentId, Open, Refusal, Scope, State};
use crate::metrics::Metrics;
use crate::seam::{self, Events, Retention, Sampling};
use crate::store::{Kept, Loaded, Store, StoreError};

/// What an incident has an effect on.
#[derive(Clone)]
pub struct Seams {
    /// Sampling.
    pub sampling: Arc<dyn Sampling>,
    /// Retention.
    pub retention: Arc<dyn Retention>,
    /// Filters of metrics.
    pub metrics: Arc<dyn seam::Metrics>,
    /// Notifications.
    pub events: Arc<dyn Events>,
}

/// All incidents. Clones are handles of the same.
#[derive(Clone)]
pub struct Register(Arc<Inner>);

struct Inner {
    config: Config,
    store: Store,
    seams: Seams,
    metrics: Metrics,
    state: Mutex<All>,
    /// The scopes of those that are open, for who must not wait for the disk.
    open: RwLock<Arc<Vec<Scope>>>,
    /// Those that are open or wait for their capture, for the same.
    at_hand: RwLock<Arc<Vec<Incident>>>,
    /// Names of files that could not be read: what is in force for them is left alone.
    damaged: BTreeSet<String>,
}

#[derive(Default)]
struct All {
    incidents: BTreeMap<IncidentId, Incident>,
    /// Those whose file is not as they are.
    dirty: BTreeSet<IncidentId>,
    /// Those with a step that failed, which has been logged.
    troubled: BTreeSet<IncidentId>,
    /// What is held for files that could not be read, with the file.
    kept: Vec<(String, Kept)>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The request is wrong here and now.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The disk failed.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The system gave no random bytes.
    #[error("the system gave no chance")]
    Chance,
}

/// An incident that was asked for.
#[derive(Clone, Debug)]
pub struct Opened {
    /// It.
    pub incident: Incident,
    /// Whether it was made now, and not by an earlier request.
    pub fresh: bool,
    /// What it will hold.
    pub estimate: Estimate,
}

impl Register {
    /// Goes on with what is stored. What follows from it is brought about by the first
    /// [`tick`](Self::tick), once sampling runs.
    pub fn start(
        store: Store,
        loaded: Loaded,
        config: Config,
        seams: Seams,
        meter: &Meter,
    ) -> Register {
        let metrics = Metrics::new(meter);
        metrics.prepare(&config.triggers);
        metrics.damaged.set(loaded.damaged.len() as f64);
        let kept = loaded.damaged.iter().filter_map(|damaged| {
            let kept = damaged.keeps(&config);
            damaged.tell(kept.as_ref());
            Some((damaged.file.clone(), kept?))
        });
        let kept: Vec<(String, Kept)> = kept.collect();
        metrics.damaged_holds.set(kept.len() as f64);
        let damaged = loaded.damaged.iter();
        let damaged = damaged.map(|damaged| damaged.file.trim_end_matches(".json").to_owned());
        let damaged = damaged.collect();
        for incident in loaded.incidents.values().filter(|known| known.is_open()) {
            metrics.opened(incident);
        }
        let inner = Inner {
            config,
            store,
            seams,
            metrics,
            state: Mutex::new(All {
                incidents: loaded.incidents,
                kept,
                ..All::default()
            }),
            open: RwLock::default(),
            at_hand: RwLock::default(),
            damaged,
        };
        inner.publish(&inner.lock());
        Register(Arc::new(inner))
    }

    /// Opens an incident, unless one answers the request already: one with the same idempotency
    /// key, or what `instead` finds.
    ///
    /// # Errors
    /// If it is refused, or cannot be made durable.
    pub fn open(
        &self,
        asked: Open,
        now: Timestamp,
        instead: impl FnOnce(&BTreeMap<IncidentId, Incident>) -> Result<Option<IncidentId>, Refusal>,
    ) -> Result<Opened, Failure> {
        let inner = &*self.0;
        let mut all = inner.lock();
        inner.end_what_is_over(&mut all, now);
        let room = inner.seams.retention.room();
        if let Some(known) = repeated(&all.incidents, &asked)?.or(instead(&all.incidents)?)
            && let Some(incident) = all.incidents.get(&known)
        {
            return Ok(Opened {
                estimate: Estimate::of(incident, all.holding(), now, &room),
                incident: incident.clone(),
                fresh: false,
            });
        }
        let id = fresh_id(&all.incidents, now)?;
        let incident = incident::open(
            asked,
            id.clone(),
            now,
            all.open().count(),
            &inner.config.limits(),
        )?;
        let estimate = Estimate::of(&incident, all.holding(), now, &room);
        estimate.check(inner.config.disk_budget)?;
        // Before it is stored, so that what it looks back to does not leave meanwhile.
        inner.seams.retention.hold(&id, incident.hold.from, None);
        if let Err(error) = inner.store.put(&incident) {
            inner.seams.retention.release(&id);
            return Err(error.into());
        }
        inner.metrics.opened(&incident);
        inner.note(&incident, 0);
        all.incidents.insert(id.clone(), incident);
        inner.publish(&all);
        inner.settle_one(&mut all, &id, now);
        let incident = all.incidents.get(&id).cloned().ok_or(Refusal::Unknown)?;
        Ok(Opened {
            incident,
            fresh: true,
            estimate,
        })
    }

    /// Moves an incident's end to `ttl` from now.
    ///
    /// # Errors
    /// If it is refused, or cannot be made durable.
    pub fn extend(
        &self,
        id: &IncidentId,
        ttl: Duration,
        by: &str,
        note: Option<&str>,
        now: Timestamp,
    ) -> Result<Incident, Failure> {
        let inner = &*self.0;
        inner.change(id, now, |incident, others| {
            incident::extend(incident, ttl, by, note, now, &inner.config.limits())?;
            let room = inner.seams.retention.room();
            let others = others.values().filter(|other| !other.hold.released);
            Estimate::of(incident, others, now, &room).check(inner.config.disk_budget)?;
            Ok(true)
        })
    }

    /// Ends an incident. One that is over stays as it is.
    ///
    /// # Errors
    /// If it is refused, or cannot be made durable.
    pub fn close(
        &self,
        id: &IncidentId,
        by: &str,
        note: Option<&str>,
        now: Timestamp,
    ) -> Result<Incident, Failure> {
        let config = &self.0.config;
        let (after, limits) = (config.capture_deadline.0, config.limits());
        self.0.change(id, now, |incident, _| {
            incident::close(incident, by, note, now, after, &limits)
        })
    }

    /// Notes that the capture of an incident that is over was taken, and lets retention go.
    ///
    /// # Errors
    /// If none is awaited, or the change cannot be made durable.
    pub fn captured(
        &self,
        id: &IncidentId,
        manifest: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<Incident, Failure> {
        let limits = self.0.config.limits();
        self.0.change(id, now, |incident, _| {
            incident::captured(incident, manifest, by, now, &limits)
        })
    }

    /// Lets retention go before its time: the capture is given up.
    ///
    /// # Errors
    /// If it is open, or the change cannot be made durable.
    pub fn release(&self, id: &IncidentId, by: &str, now: Timestamp) -> Result<Incident, Failure> {
        self.0.change(id, now, |incident, _| {
            incident::release(incident, Some(by), now)
        })
    }

    /// One of them, with what has been kept until now.
    pub fn get(&self, id: &IncidentId) -> Option<Incident> {
        let incident = self.0.lock().incidents.get(id).cloned()?;
        Some(self.0.with_counts(incident))
    }

    /// All that are in a state, or all; the newest first, at most so many.
    pub fn list(&self, state: Option<State>, most: usize) -> Vec<Incident> {
        let all = self.0.lock();
        let wanted = |known: &&Incident| state.is_none_or(|state| known.state() == state);
        let found = all.incidents.values().rev().filter(wanted).take(most);
        let found: Vec<Incident> = found.cloned().collect();
        drop(all);
        found
            .into_iter()
            .map(|known| self.0.with_counts(known))
            .collect()
    }

    /// What an open incident will hold.
    pub fn estimate(&self, incident: &Incident, now: Timestamp) -> Estimate {
        let all = self.0.lock();
        Estimate::of(incident, all.holding(), now, &self.0.seams.retention.room())
    }

    /// Ends what is over, tries again what failed, forgets what is old. Call it each second.
    pub fn tick(&self, now: Timestamp) {
        let inner = &*self.0;
        let mut all = inner.lock();
        inner.end_what_is_over(&mut all, now);
        inner.settle_all(&mut all, now);
        inner.settle_damaged(&mut all, now);
        inner.forget_old(&mut all, now);
        inner.publish(&all);
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Counts what became of a firing.
    pub(crate) fn count_firing(&self, trigger: &str, outcome: &str) {
        self.0
            .metrics
            .firings
            .with_label_values(&[trigger, outcome])
            .inc();
    }

    /// Counts a request that was refused.
    pub(crate) fn count_refused(&self, code: &str) {
        self.0.metrics.refused.with_label_values(&[code]).inc();
    }
}

impl All {
    fn open(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().filter(|known| known.is_open())
    }

    /// Those that hold something, open or not.
    fn holding(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().filter(|known| !known.hold.released)
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, All> {
        // What is behind it is changed only by whole incidents, so it is whole after a panic too.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A transition: stored first, then in force.
    fn change(
        &self,
        id: &IncidentId,
        now: Timestamp,
        transition: impl FnOnce(&mut Incident, &BTreeMap<IncidentId, Incident>) -> Result<bool, Refusal>,
    ) -> Result<Incident, Failure> {
        let mut all = self.lock();
        self.end_what_is_over(&mut all, now);
        let mut changed = all.incidents.get(id).cloned().ok_or(Refusal::Unknown)?;
        if changed.is_open() {
            // The last counts while sampling still knows them.
            changed = self.with_counts(changed);
        }
        let known = changed.timeline.len();
        if transition(&mut changed, &all.incidents)? {
            self.store.put(&changed)?;
            self.note(&changed, known);
            if !changed.is_open() {
                self.metrics.ended(&changed);
            }
            all.incidents.insert(id.clone(), changed);
            self.publish(&all);
            self.settle_one(&mut all, id, now);
        }
        let incident = all.incidents.get(id).cloned().ok_or(Refusal::Unknown)?;
        Ok(self.with_counts(incident))
    }

    fn with_counts(&self, mut incident: Incident) -> Incident {
        if let Some(kept) = self.seams.sampling.kept(&incident.id) {
            incident.kept = Some(kept);
        }
        incident
    }
}

/// The incident that the same key opened before.
fn repeated(
    incidents: &BTreeMap<IncidentId, Incident>,
    asked: &Open,
) -> Result<Option<IncidentId>, Refusal> {
    let Some(key) = &asked.key else {
        return Ok(None);
    };
    let same = |known: &&Incident| known.key.as_ref().is_some_and(|other| other.key == key.key);
    match incidents.values().rev().find(same) {
        Some(known) if known.key.as_ref() == Some(key) => Ok(Some(known.id.clone())),
        Some(known) => Err(Refusal::KeyReused {
            id: known.id.clone(),
        }),
        None => Ok(None),
    }
}

fn fresh_id(
    incidents: &BTreeMap<IncidentId, Incident>,
    now: Timestamp,
) -> Result<IncidentId, Failure> {
    for _ in 0..16 {
        let mut chance = [0; 3];
        SysRng
            .try_fill_bytes(&mut chance)
            .map_err(|_| Failure::Chance)?;
        let id = IncidentId::new(now, chance);
        if !incidents.contains_key(&id) {
            return Ok(id);
        }
    }
    Err(Failure::Chance)
}
