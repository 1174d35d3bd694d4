//! What a sampler has counted (LOSS-COUNTED).

use crate::decision::{Decision, Reason};

/// Traces and their spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Traces. Late spans are counted with their traces' decisions and add none.
    pub traces: u64,
    /// Spans.
    pub spans: u64,
    /// Bytes of serialized spans.
    pub bytes: u64,
}

impl Count {
    pub(crate) fn add(&mut self, traces: u64, spans: u64, bytes: u64) {
        self.traces += traces;
        self.spans += spans;
        self.bytes += bytes;
    }
}

/// What a sampler has seen and decided since it was made, or since
/// [`take_counters`](crate::Sampler::take_counters).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Blocks of traces.
    pub blocks: u64,
    /// Spans in them.
    pub spans: u64,
    /// Traces that were decided before their time, because `max_traces` had begun after them.
    pub early: u64,
    /// Spans that came after their trace was decided.
    pub late_spans: u64,
    /// Traces of which the table lost track before they were decided, because `remember_traces`
    /// others had spans. They follow `untracked`.
    pub forgotten: u64,
    /// Sightings of services and operations that were not counted, for want of room.
    pub rare_overflowed: u64,
    /// Blocks with a time before that of another block. The journal writes none.
    pub out_of_order: u64,
    no_policy: Count,
    untracked: Count,
    overrides: [Count; 16],
    policies: Vec<Count>,
}

impl Counters {
    /// What was decided for a reason. For [`Reason::Untracked`]: spans that were not tracked.
    pub fn by(&self, reason: Reason) -> Count {
        match reason {
            Reason::NoPolicy => self.no_policy,
            Reason::Untracked => self.untracked,
            Reason::Override(number) => self.overrides[usize::from(number & 15)],
            Reason::Policy(at) => {
                let found = self.policies.get(usize::from(at));
                found.copied().unwrap_or_default()
            }
        }
    }

    pub(crate) fn of(&mut self, decision: Decision) -> &mut Count {
        match decision.reason {
            Reason::NoPolicy => &mut self.no_policy,
            Reason::Untracked => &mut self.untracked,
            Reason::Override(number) => &mut self.overrides[usize::from(number & 15)],
            Reason::Policy(at) => {
                let at = usize::from(at);
                if self.policies.len() <= at {
                    self.policies.resize(at + 1, Count::default());
                }
                &mut self.policies[at]
            }
        }
    }

    pub(crate) fn untracked(&mut self) -> &mut Count {
        &mut self.untracked
    }
}
