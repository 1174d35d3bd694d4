//! Epochs, checkpoints, and how a sampler finds back to its state (RESTARTABLE).
//!
//! The log's time is divided into epochs of the length of `remember`. With each, the older of two
//! generations of known traces is forgotten. So whether a trace is known at a time depends on the
//! spans of that epoch and the one before alone. The proof that follows from it is in
//! `docs/sampling.md`.

use super::state::Traces;
use crate::checkpoint::{Carried, Checkpoint};
use crate::limiter::Limiter;
use crate::plan::Plan;
use crate::rare::Rarities;

impl Traces {
    /// The next epoch begins: `now` is its first instant, and `until` how far time goes at once.
    pub(crate) fn turn(&mut self, plan: &Plan, rare: &mut Rarities, until: u64) {
        self.checkpoint = self.check(plan).or_else(|| self.checkpoint.take());
        std::mem::swap(&mut self.current, &mut self.previous);
        let lately = self.current.len().max(self.previous.len());
        self.current.clear(lately);
        self.carried.clear();
        rare.clear();
        self.last = None;
        self.starts.rotate_right(1);
        self.starts[0] = None;
        self.epoch += 1;
        if self.current.len() + self.previous.len() + self.ring.len() == 0 {
            // Nothing is left that time could change, so a long pause costs nothing.
            let last = until / plan.remember;
            if last > self.epoch + 3 {
                self.epoch = last;
                self.starts = [None; 3];
            }
        }
        self.arrive();
    }

    /// An epoch has begun.
    pub(crate) fn arrive(&mut self) {
        if self
            .pending
            .as_ref()
            .is_some_and(|at| at.epoch <= self.epoch)
            && let Some(checkpoint) = self.pending.take()
        {
            self.apply(checkpoint);
        }
        let used = |limiters: &[Limiter]| limiters.iter().any(Limiter::is_used);
        let limiters = self.limiters.iter().filter(|(_, limiters)| used(limiters));
        self.snapshot = limiters.cloned().collect();
    }

    /// What the checkpoint at the end of this epoch says.
    fn check(&self, plan: &Plan) -> Option<Checkpoint> {
        if self.pending.is_some() {
            return None;
        }
        let carried = self.carried.iter().filter_map(|place| {
            let entry = crate::decision::Entry::unpack(self.current.entry(*place));
            match entry {
                crate::decision::Entry::Decided {
                    tenant, decision, ..
                } => Some(Carried {
                    tenant: self.limiters.get(usize::from(tenant))?.0.clone(),
                    trace_id: self.current.id(*place),
                    decision,
                }),
                crate::decision::Entry::Open(_) | crate::decision::Entry::Moved(_) => None,
            }
        });
        Some(Checkpoint {
            fingerprint: plan.fingerprint,
            epoch: self.epoch,
            remember: plan.remember,
            // Without a block since, the next one will be the first.
            read_from: self.starts[2].or(self.end)?,
            limiters: self.snapshot.clone(),
            carried: carried.collect(),
        })
    }

    fn apply(&mut self, checkpoint: Checkpoint) {
        // Limiters of tenants that were not met in the read-back count too; others are as new.
        for (_, limiters) in &mut self.limiters {
            limiters.iter_mut().for_each(Limiter::renew);
        }
        for (tenant, limiters) in checkpoint.limiters {
            match self.tenants.get(&tenant) {
                Some(number) => self.limiters[usize::from(*number)].1 = limiters,
                None => {
                    self.tenants
                        .insert(tenant.clone(), self.limiters.len() as u16);
                    self.limiters.push((tenant, limiters));
                }
            }
        }
        for Carried {
            tenant,
            trace_id,
            decision,
        } in checkpoint.carried
        {
            if let Some(number) = self.tenants.get(&tenant).copied() {
                self.overlay(number, &trace_id, decision);
            }
        }
    }
}
