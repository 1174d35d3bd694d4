//! The sampler: what it is made of, and what a caller may ask of it.

mod cut;
mod known;
mod restart;
mod state;
#[cfg(test)]
mod tests;

use ident::{Signal, TenantId};
use journal::Block;

use crate::checkpoint::Checkpoint;
use crate::config::{ConfigError, Sampling};
use crate::counters::Counters;
use crate::decision::Decision;
use crate::generation::Generation;
use crate::overrides::{Override, OverrideError, Overrides};
use crate::pace::Pace;
use crate::pass::{Pass, Seen};
use crate::plan::{Plan, compile};
use crate::rare::Rarities;
use crate::trail::Trail;
pub use cut::{CutError, Kept, Selected};
use state::{BATCH, NOTES, Traces};
pub use state::{Cause, Explanation, State};

/// Decides about the traces of one journal. See the crate's documentation.
#[derive(Debug)]
pub struct Sampler {
    plan: Plan,
    overrides: Overrides,
    rare: Rarities,
    traces: Traces,
    only: Option<u8>,
}

/// What a re-cut gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recut {
    /// Traces in scope that no policy keeps: those that were not shipped. Exact if no policy
    /// limits a rate and no trace lasts longer than the read-back.
    Missing,
    /// All traces in scope, those too that were shipped.
    All,
}

/// From when on an override counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Store the override with this as its beginning: after a restart it must be the same.
    pub from_unix_nano: u64,
    /// What of it is past, to be re-cut: from here to `from_unix_nano`.
    pub recut_from_unix_nano: Option<u64>,
}

impl Sampler {
    /// A sampler that has seen nothing, to begin at any place of a journal.
    ///
    /// # Errors
    /// If the configuration cannot work.
    pub fn new(config: &Sampling) -> Result<Sampler, ConfigError> {
        Ok(Self::with_plan(compile(config)?))
    }

    /// A sampler that goes on where another stopped, once it has observed the journal from
    /// [`Checkpoint::read_from`] on. Blocks that were appended at
    /// [`Checkpoint::exact_from_unix_nano`] or later can then be cut as if nothing had happened.
    ///
    /// A checkpoint of another configuration is of no use: its limiters and decisions are left
    /// out, and only the read-back counts.
    ///
    /// # Errors
    /// If the configuration cannot work.
    pub fn resume(config: &Sampling, checkpoint: Checkpoint) -> Result<Sampler, ConfigError> {
        let mut sampler = Self::new(config)?;
        if checkpoint.is_of(&sampler.plan) {
            sampler.traces.pending = Some(checkpoint);
        }
        Ok(sampler)
    }

    /// A sampler that reads again what is past, for one override, and [cuts](Self::cut) nothing
    /// but the traces in its scope. It must observe the journal from
    /// [`recut_lead_nanos`](Self::recut_lead_nanos) before the override's beginning on.
    ///
    /// # Errors
    /// If the configuration cannot work. The override's own faults are told by
    /// [`keep_all`](Self::keep_all).
    pub fn recut(config: &Sampling, what: Recut, number: u8) -> Result<Sampler, ConfigError> {
        let mut plan = compile(config)?;
        plan.overrides_first = what == Recut::All;
        let mut sampler = Self::with_plan(plan);
        sampler.only = Some(number);
        Ok(sampler)
    }

    /// How long before a time the log must be read for first spans to be told from late ones.
    pub fn recut_lead_nanos(&self) -> u64 {
        self.plan.remember * 2 + self.plan.wait
    }

    fn with_plan(plan: Plan) -> Self {
        Sampler {
            overrides: Overrides::default(),
            rare: Rarities::new(&plan),
            traces: Traces::new(&plan),
            plan,
            only: None,
        }
    }

    /// Whose turn it is, observing or cutting.
    pub fn pace(&self) -> Pace {
        Pace {
            wait: self.plan.wait,
        }
    }

    /// Looks at a block. Blocks come in the order of the log, without gaps as far as traces are
    /// concerned; those of other signals may be left out or not.
    pub fn observe(&mut self, block: &Block) {
        let Sampler {
            plan,
            overrides,
            rare,
            traces,
            ..
        } = self;
        let time = traces.begin(plan, rare, block);
        if block.signal != Signal::Traces {
            return;
        }
        overrides.forget_before(time.saturating_sub(plan.wait));
        let tenant = traces.tenant(plan, &block.tenant);
        let mut pass = Pass {
            plan,
            overrides: overrides.active(&block.tenant, time),
            rare,
            tenant: block.tenant.as_str(),
        };
        let mut batch = [Seen::default(); BATCH];
        let mut waiting = 0;
        pass.run(&block.payload, |seen| {
            batch[waiting] = *seen;
            waiting += 1;
            if waiting == BATCH {
                traces.see(plan, tenant, &batch);
                waiting = 0;
            }
        });
        traces.see(plan, tenant, &batch[..waiting]);
        traces.trail.end(block.items);
        traces.counters.rare_overflowed += std::mem::take(&mut self.rare.overflowed);
    }

    /// Decides everything: no more blocks will come.
    pub fn finish(&mut self) {
        let end = self.traces.now.saturating_add(self.plan.wait);
        self.traces.reach(&self.plan, &mut self.rare, end);
    }

    /// Lets time go on although no block comes, so that the journal need not keep for an idle
    /// sampler what nobody asks for any more. Everything must have been observed that was appended
    /// before `now`, and cut that is due by then; no block will be appended with an earlier time.
    pub fn idle(&mut self, now_unix_nano: u64) {
        if self.traces.observed.is_some() && now_unix_nano > self.traces.now {
            self.traces.reach(&self.plan, &mut self.rare, now_unix_nano);
        }
    }

    /// From now on keep all in a scope, though not before the override's own beginning. What is
    /// already observed is not looked at again: the answer says what to [re-cut](Self::recut), and
    /// which beginning to store. After a restart, give what was stored before anything is observed.
    ///
    /// # Errors
    /// If its number is not free, or its scope too large.
    pub fn keep_all(&mut self, mut new: Override) -> Result<InForce, OverrideError> {
        let wanted = new.from_unix_nano;
        let from = match self.traces.observed {
            // The last block's time may be that of the next one too, and is then partly past.
            Some(time) => wanted.max(time.saturating_add(1)),
            None => wanted,
        };
        new.from_unix_nano = from;
        self.overrides.add(new)?;
        Ok(InForce {
            from_unix_nano: from,
            recut_from_unix_nano: (wanted < from).then_some(wanted),
        })
    }

    /// Ends an override before its time; the end to be stored, if there is one of that number.
    pub fn end_override(&mut self, number: u8) -> Option<u64> {
        let now = self
            .traces
            .observed
            .map_or(0, |time| time.saturating_add(1));
        self.overrides.end(number, now).then_some(now)
    }

    /// Frees the number of an override that ended so long ago that no trace has it as its reason:
    /// `wait` and twice `remember`. The sampler forgets it by itself when the next block comes.
    pub fn forget_override(&mut self, number: u8) {
        self.overrides.forget(number);
    }

    /// The overrides that are not over.
    pub fn overrides(&self) -> &[Override] {
        self.overrides.list()
    }

    /// The newest checkpoint, if there is one that was not taken. It is made at the end of each
    /// `remember`. Store it, and let the journal forget what is before [`Checkpoint::read_from`].
    pub fn take_checkpoint(&mut self) -> Option<Checkpoint> {
        self.traces.checkpoint.take()
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        &self.traces.counters
    }

    /// What was counted, to begin anew: call it after a read-back, which counts again what was
    /// counted before.
    pub fn take_counters(&mut self) -> Counters {
        std::mem::take(&mut self.traces.counters)
    }

    /// Traces that began within `wait`.
    pub fn open_traces(&self) -> usize {
        self.traces.ring.len()
    }

    /// Traces with spans in this `remember` and in the one before, which are in two tables.
    pub fn remembered_traces(&self) -> (usize, usize) {
        (self.traces.current.len(), self.traces.previous.len())
    }

    /// The names of the policies, in the order of [`Reason::Policy`](crate::Reason::Policy).
    pub fn policies(&self) -> impl Iterator<Item = &str> {
        self.plan.policies.iter().map(|policy| policy.name.as_str())
    }

    /// Whether a policy, by its place in [`policies`](Self::policies), lets go what it samples.
    pub fn drops(&self, policy: u16) -> bool {
        let found = self.plan.policies.get(usize::from(policy));
        found.is_some_and(|policy| policy.drops)
    }

    /// The name by which metrics and explanations call what decided.
    pub fn reason_name(&self, decision: Decision) -> &str {
        state::reason_name(&self.plan, decision)
    }

    /// What is known of a trace now.
    pub fn state(&self, tenant: &TenantId, trace_id: &[u8; 16]) -> State {
        self.traces.state(&self.plan, tenant, trace_id)
    }

    /// Records how a trace is decided from now on, for [`explanations`](Self::explanations).
    pub fn watch(&mut self, tenant: TenantId, trace_id: [u8; 16]) {
        self.traces.watch = Some((tenant, trace_id));
    }

    /// How the watched trace was decided; more than once if it was forgotten in between.
    pub fn explanations(&self) -> &[Explanation] {
        &self.traces.explanations
    }
}

/// What the tables of a configuration take, at the most: the two generations, the ring, the trail,
/// and what comes with each of the ring's traces if `quiet` is set.
pub fn memory_bytes(config: &Sampling) -> usize {
    let quiet = if config.quiet.is_some() { 8 } else { 0 };
    2 * Generation::bytes(config.remember_traces)
        + Trail::bytes(config.max_traces * NOTES)
        + config.max_traces * (size_of::<crate::ring::Open>() + quiet)
}
