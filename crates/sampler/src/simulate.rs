//! The same core over blocks that are already there: what would be kept, and why.

use ident::TenantId;
use journal::Block;

use crate::config::{ConfigError, Sampling};
use crate::counters::{Count, Counters};
use crate::decision::{Decision, Reason};
use crate::sampler::{Explanation, Sampler};

/// What a configuration would have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// What each policy would have decided, in the order of the configuration. Policies that
    /// decided nothing are there too.
    pub policies: Vec<Outcome>,
    /// What no policy would have sampled.
    pub not_sampled: Count,
    /// What could not have been tracked.
    pub untracked: Count,
    /// Everything that was counted.
    pub counters: Counters,
    /// The time of the first block and of the last.
    pub span_of_log: Option<(u64, u64)>,
}

/// What one policy would have decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its name.
    pub policy: String,
    /// Whether it keeps; `false` for `drop`.
    pub keeps: bool,
    /// How much.
    pub count: Count,
}

/// Why a simulation ended early.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError<E> {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The blocks.
    #[error("{0}")]
    Read(E),
}

/// Runs a configuration over blocks, in the order of the log.
///
/// # Errors
/// If the configuration cannot work, or a block cannot be read.
pub fn simulate<E>(
    config: &Sampling,
    blocks: impl IntoIterator<Item = Result<Block, E>>,
) -> Result<Simulation, SimulateError<E>> {
    let mut sampler = Sampler::new(config)?;
    let span_of_log = run(&mut sampler, blocks)?;
    let counters = sampler.counters().clone();
    let drops = |name: &str| {
        let mut all = config.policies.iter();
        all.any(|policy| policy.name == name && policy.drop.is_some())
    };
    let policies = sampler.policies().enumerate().map(|(at, name)| Outcome {
        policy: name.to_owned(),
        keeps: !drops(name),
        count: counters.by(Reason::Policy(at as u16)),
    });
    Ok(Simulation {
        policies: policies.collect(),
        not_sampled: counters.by(Reason::NoPolicy),
        untracked: counters.by(Reason::Untracked),
        counters,
        span_of_log,
    })
}

/// Says how a trace is decided: blocks from [`Sampler::recut_lead_nanos`] before its first span on.
/// Empty if it has no spans in them.
///
/// # Errors
/// As [`simulate`].
pub fn explain<E>(
    config: &Sampling,
    tenant: &TenantId,
    trace_id: [u8; 16],
    blocks: impl IntoIterator<Item = Result<Block, E>>,
) -> Result<Vec<Explanation>, SimulateError<E>> {
    let mut sampler = Sampler::new(config)?;
    sampler.watch(tenant.clone(), trace_id);
    run(&mut sampler, blocks)?;
    Ok(sampler.explanations().to_vec())
}

/// Which spans of a block are a trace's, by their place in it; empty for what is malformed.
pub fn spans_of(block: &Block, trace_id: &[u8; 16]) -> Vec<u32> {
    let (mut at, mut found) = (0, Vec::new());
    let walked = otlp::edit::retain(block.signal, &block.payload, &mut Vec::new(), |span| {
        if crate::pass::trace_id(span) == trace_id {
            found.push(at);
        }
        at += 1;
        true
    });
    match walked {
        Ok(_) => found,
        Err(_) => Vec::new(),
    }
}

fn run<E>(
    sampler: &mut Sampler,
    blocks: impl IntoIterator<Item = Result<Block, E>>,
) -> Result<Option<(u64, u64)>, SimulateError<E>> {
    let mut times = None;
    for block in blocks {
        let block = block.map_err(SimulateError::Read)?;
        sampler.observe(&block);
        let time = block.appended_unix_nano;
        times = Some(times.map_or((time, time), |(first, _)| (first, time)));
    }
    sampler.finish();
    Ok(times)
}

impl Simulation {
    /// What would have been kept.
    pub fn kept(&self) -> Count {
        let mut kept = Count::default();
        let outcomes = self.policies.iter().filter(|outcome| outcome.keeps);
        for Outcome { count, .. } in outcomes {
            kept.add(count.traces, count.spans, count.bytes);
        }
        kept
    }

    /// The decision that an outcome stands for.
    pub fn decision(&self, at: usize) -> Option<Decision> {
        let outcome = self.policies.get(at)?;
        Some(Decision {
            kept: outcome.keeps,
            reason: Reason::Policy(u16::try_from(at).ok()?),
        })
    }
}
