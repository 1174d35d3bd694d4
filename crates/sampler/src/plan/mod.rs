//! The policies compiled: what to look for in each span, and how answers combine.
//!
//! A policy that asks about single spans becomes a bit of the trace's state, set as soon as a span
//! answers yes. So one pass over a span serves all policies, and a trace's state stays the same
//! size however many spans it has.

mod compile;
mod keys;
mod node;

use crate::config::{Sampling, Untracked, nanos};
use crate::limiter::Template;
pub(crate) use compile::compile;
pub(crate) use keys::Keys;
pub(crate) use node::{Answers, Case, Node};

/// The bits that policies may have. The rest of a trace's 64 bits follows.
pub(crate) const MAX_LEAVES: usize = 58;
/// A span without a parent was seen.
pub(crate) const ROOT: u64 = 1 << 58;
/// A span with explicit randomness was seen.
pub(crate) const EXPLICIT: u64 = 1 << 59;
/// From here on, the number of the first override that a span matched; 0 for none.
pub(crate) const OVERRIDE_SHIFT: u32 = 60;

/// Everything that a sampler knows before it sees a span.
#[derive(Debug)]
pub(crate) struct Plan {
    pub wait: u64,
    pub quiet: Option<u64>,
    pub remember: u64,
    pub max_traces: usize,
    pub remember_traces: usize,
    pub untracked: Untracked,
    pub first_match: bool,
    pub fingerprint: u64,
    /// An override is named even where a policy keeps the trace too.
    pub overrides_first: bool,
    /// In the order of the configuration.
    pub policies: Vec<Named>,
    /// Indexes of `policies` in the order in which they are asked: `drop` first.
    pub order: Vec<u16>,
    /// What each bit stands for.
    pub leaves: Vec<String>,
    pub keys: Keys,
    /// The bits that spans of status 0, 1 and 2 set.
    pub status: [u64; 3],
    pub roots: Vec<RootTest>,
    pub states: Vec<StateTest>,
    pub thresholds: Vec<ThresholdTest>,
    pub rare: Vec<RareTest>,
    /// The limiters that each tenant has.
    pub limiters: Vec<Template>,
}

/// A policy of the configuration.
#[derive(Debug)]
pub(crate) struct Named {
    pub name: String,
    pub node: Node,
    /// It drops what it samples.
    pub drops: bool,
}

/// A duration between two bounds, as upstream compares it: in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Between {
    pub threshold_ms: u64,
    pub upper_threshold_ms: u64,
}

impl Between {
    pub(crate) fn holds(self, duration_nanos: u64) -> bool {
        let ms = duration_nanos / 1_000_000;
        match self.upper_threshold_ms {
            0 => ms >= self.threshold_ms,
            upper => self.threshold_ms < ms && ms <= upper,
        }
    }
}

#[derive(Debug)]
pub(crate) struct RootTest {
    pub bit: u64,
    pub between: Between,
}

#[derive(Debug)]
pub(crate) struct StateTest {
    pub bit: u64,
    pub key: Box<[u8]>,
    pub values: Vec<Box<[u8]>>,
}

#[derive(Debug)]
pub(crate) struct ThresholdTest {
    pub bit: u64,
    pub threshold: u64,
}

#[derive(Debug)]
pub(crate) struct RareTest {
    pub bit: u64,
    pub minimum: u32,
    pub max_operations: usize,
}

impl Plan {
    fn empty(config: &Sampling) -> Self {
        Plan {
            wait: nanos(config.wait),
            quiet: config.quiet.map(nanos),
            remember: nanos(config.remember),
            max_traces: config.max_traces,
            remember_traces: config.remember_traces,
            untracked: config.untracked,
            first_match: config.sample_on_first_match,
            fingerprint: config.fingerprint(),
            overrides_first: false,
            policies: Vec::new(),
            order: Vec::new(),
            leaves: Vec::new(),
            keys: Keys::default(),
            status: [0; 3],
            roots: Vec::new(),
            states: Vec::new(),
            thresholds: Vec::new(),
            rare: Vec::new(),
            limiters: Vec::new(),
        }
    }

    /// Whether spans' trace states are of interest.
    pub(crate) fn reads_trace_state(&self) -> bool {
        !self.states.is_empty() || !self.thresholds.is_empty()
    }
}
