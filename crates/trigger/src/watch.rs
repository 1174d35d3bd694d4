//! The watch: blocks in, firings out.

use std::time::Duration;

use ident::{Signal, TenantId};
use otlp::wire::bodies;
use policy::units::Time;

use crate::config::{Trigger, Wrong, check};
use crate::counters::Counters;
use crate::groups::Groups;
use crate::kind::Kind;
use crate::read::{self, SpanFacts};
use crate::tally::SLOTS;

/// Counts for all triggers.
#[derive(Debug)]
pub struct Watch {
    triggers: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    name: String,
    kind: Kind,
    window: Time,
    slot_nanos: u64,
    groups: Groups,
    counters: Counters,
    /// Of the resource at hand.
    hits: u32,
    items: u32,
}

/// A block of the journal.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'b> {
    /// Whose it is.
    pub tenant: &'b TenantId,
    /// What it holds.
    pub signal: Signal,
    /// When it was appended, in nanoseconds since 1970. Never goes back.
    pub appended_unix_nano: u64,
    /// Its checked bytes.
    pub payload: &'b [u8],
}

/// A threshold that was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// Which trigger, as they were given.
    pub trigger: usize,
    /// Whose.
    pub tenant: TenantId,
    /// Of which service.
    pub service: String,
    /// When the block was appended with which it was reached.
    pub at_unix_nano: u64,
    /// For a person: what was measured.
    pub measured: String,
}

impl Watch {
    /// Counts for these triggers from now on.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn new(triggers: &[Trigger]) -> Result<Watch, Wrong> {
        check(triggers)?;
        let watched = triggers.iter().filter_map(|trigger| {
            let window = u64::try_from(trigger.window.0.as_nanos()).unwrap_or(u64::MAX);
            Some(Watched {
                name: trigger.name.clone(),
                kind: Kind::of(trigger)?,
                window: trigger.window,
                slot_nanos: (window / SLOTS).max(1),
                groups: Groups::new(trigger.max_groups),
                counters: Counters::default(),
                hits: 0,
                items: 0,
            })
        });
        Ok(Watch {
            triggers: watched.collect(),
        })
    }

    /// The signals whose blocks it wants to see.
    pub fn signals(&self) -> Vec<Signal> {
        let wanted = |signal: &Signal| self.triggers.iter().any(|t| t.signal() == *signal);
        Signal::ALL.into_iter().filter(wanted).collect()
    }

    /// The longest window: a watch that has been shown so much is as one that saw all.
    pub fn window(&self) -> Duration {
        let windows = self.triggers.iter().map(|watched| watched.window.0);
        windows.max().unwrap_or_default()
    }

    /// Counts a block, and tells what has reached its threshold: a tenant and service at most once
    /// a trigger in each twelfth of its window. Ends early where the bytes are malformed.
    pub fn observe(&mut self, block: &Seen<'_>, mut tell: impl FnMut(Firing)) {
        for group in bodies(block.payload, 1) {
            match block.signal {
                Signal::Traces => self.count_spans(group),
                Signal::Logs => self.count_records(group),
                Signal::Metrics => return,
            }
            let service = read::service(group);
            for (at, watched) in self.triggers.iter_mut().enumerate() {
                if let Some(firing) = watched.settle(at, service, block) {
                    tell(firing);
                }
            }
        }
    }

    /// How many pairs of a tenant and a service each trigger counts for.
    pub fn groups(&self) -> impl Iterator<Item = (&str, usize)> {
        self.triggers
            .iter()
            .map(|watched| (watched.name.as_str(), watched.groups.len()))
    }

    /// What was not watched since it was last asked, by trigger.
    pub fn take_counters(&mut self) -> impl Iterator<Item = (&str, Counters)> {
        let taken = |watched: &mut Watched| std::mem::take(&mut watched.counters);
        self.triggers.iter_mut().map(move |watched| {
            let counters = taken(watched);
            (watched.name.as_str(), counters)
        })
    }

    fn count_spans(&mut self, group: &[u8]) {
        for scope in bodies(group, 2) {
            for span in bodies(scope, 2) {
                let facts = read::span(span);
                self.triggers
                    .iter_mut()
                    .for_each(|watched| watched.span(facts));
            }
        }
    }

    fn count_records(&mut self, group: &[u8]) {
        for scope in bodies(group, 2) {
            for record in bodies(scope, 2) {
                self.triggers
                    .iter_mut()
                    .for_each(|watched| watched.record(record));
            }
        }
    }
}

impl Watched {
    fn signal(&self) -> Signal {
        match self.kind {
            Kind::Pattern { .. } => Signal::Logs,
            _ => Signal::Traces,
        }
    }

    fn span(&mut self, facts: SpanFacts) {
        let hit = match self.kind {
            Kind::Errors { .. } => facts.failed,
            Kind::Slow {
                roots_only: true, ..
            } if !facts.root => return,
            Kind::Slow { nanos, .. } => facts.nanos > nanos,
            Kind::Pattern { .. } => return,
        };
        self.hits = self.hits.saturating_add(u32::from(hit));
        self.items = self.items.saturating_add(1);
    }

    fn record(&mut self, record: &[u8]) {
        let Kind::Pattern { regex, .. } = &self.kind else {
            return;
        };
        let hit = read::body_has(record, |text| regex.is_match(text));
        self.hits = self.hits.saturating_add(u32::from(hit));
        self.items = self.items.saturating_add(1);
    }

    /// Counts what a resource had, and says whether that makes it fire.
    fn settle(&mut self, at: usize, service: Option<&str>, block: &Seen<'_>) -> Option<Firing> {
        let (hits, items) = (
            std::mem::take(&mut self.hits),
            std::mem::take(&mut self.items),
        );
        // What a pattern does not match needs no group.
        let counted = match self.kind {
            Kind::Pattern { .. } => hits,
            _ => items,
        };
        if counted == 0 {
            return None;
        }
        let Some(service) = service else {
            self.counters.no_service += u64::from(counted);
            return None;
        };
        let slot = block.appended_unix_nano / self.slot_nanos;
        let Some(tally) = self.groups.get(block.tenant, service, slot) else {
            self.counters.no_room += u64::from(counted);
            return None;
        };
        let (hits, items) = tally.add(slot, hits, items);
        if tally.fired == Some(slot) || !self.kind.fires(hits, items) {
            return None;
        }
        tally.fired = Some(slot);
        Some(Firing {
            trigger: at,
            tenant: block.tenant.clone(),
            service: service.to_owned(),
            at_unix_nano: block.appended_unix_nano,
            measured: self.kind.measured(hits, items),
        })
    }
}
