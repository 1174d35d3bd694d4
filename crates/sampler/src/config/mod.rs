//! `sampling` in the profile: how long to wait, how much to remember, and the policies.
//!
//! Policies have the names, fields and meanings of the upstream Collector's tail-sampling
//! processor, so that its `policies` can be taken over; `docs/sampling.md` lists what differs.

mod error;
mod policies;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::ConfigError;
pub use policies::{
    And, BooleanAttribute, BytesLimiting, Composite, Drop, Latency, Not, NumericAttribute, Policy,
    PolicyType, Probabilistic, Rare, RateAllocation, RateLimiting, RootDuration, SpanCount,
    StatusCode, StatusCodeName, StringAttribute, TraceState,
};
pub use policy::units::Time;

/// Which traces go on to long-term storage. The journal keeps all of them for its window.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// How long after its first span a trace is decided, and how far shipping is behind the
    /// journal.
    pub wait: Time,
    /// How long after the span that has no parent a trace is decided, if that is sooner. Spans
    /// that come later follow the decision without having a say in it. Not set: `wait` alone.
    pub quiet: Option<Time>,
    /// How long a decision is remembered after the last span of its trace: at least this, at most
    /// twice this. At least as long as `wait`.
    pub remember: Time,
    /// The most traces that may have begun within `wait`. Beyond, the oldest is decided early.
    pub max_traces: usize,
    /// The most traces that may have spans within `remember`. Spans of more traces are not
    /// tracked; see `untracked`. At least as many as `max_traces`.
    pub remember_traces: usize,
    /// What becomes of spans that cannot be tracked: their table is full, or they have no trace id.
    pub untracked: Untracked,
    /// Which log records are shipped.
    pub logs: Logs,
    /// Stop at the first policy that samples, as upstream's option of this name. Otherwise every
    /// policy is asked, and every limiter takes its share of a trace even if others sample it.
    pub sample_on_first_match: bool,
    /// In order: the first that samples a trace is named as the one that did. `drop` comes first
    /// wherever it stands.
    pub policies: Vec<Policy>,
}

impl Default for Sampling {
    fn default() -> Self {
        let seconds = |seconds| Time(Duration::from_secs(seconds));
        Sampling {
            wait: seconds(30),
            quiet: None,
            remember: seconds(120),
            max_traces: 200_000,
            remember_traces: 500_000,
            untracked: Untracked::Keep,
            logs: Logs::All,
            sample_on_first_match: false,
            policies: Vec::new(),
        }
    }
}

/// What becomes of spans that cannot be tracked. They are counted either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Untracked {
    /// They are shipped.
    #[default]
    Keep,
    /// They are not.
    Drop,
}

/// Which log records are shipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Logs {
    /// All, as soon as they are there.
    #[default]
    All,
    /// Those without a trace id, and those whose trace is kept: twice `wait` behind the journal,
    /// since most records come before their spans do. `remember` must be at least twice `wait`.
    WithTrace,
}

/// The most traces in any table: about 12 GiB of them.
const MAX_TRACES: usize = 1 << 28;

impl Sampling {
    /// Checks everything, the policies too, without making the tables.
    ///
    /// # Errors
    /// If the configuration cannot work.
    pub fn validate(&self) -> Result<(), ConfigError> {
        crate::plan::compile(self).map(drop)
    }

    /// Checks what can be checked without compiling the policies.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let range = |key, value: Duration, least: Duration, most: Duration| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(ConfigError::Time {
                    key,
                    value: Time(value),
                    least: Time(least),
                    most: Time(most),
                })
            }
        };
        let (wait, remember) = (self.wait.0, self.remember.0);
        let day = Duration::from_secs(24 * 3600);
        range("wait", wait, Duration::from_millis(1), day)?;
        let least = match self.logs {
            Logs::All => wait,
            Logs::WithTrace => wait * 2,
        };
        range("remember", remember, least, day)?;
        if let Some(quiet) = self.quiet {
            range("quiet", quiet.0, Duration::ZERO, wait)?;
        }
        let traces = |key, value: usize, least: usize| {
            if (least..=MAX_TRACES).contains(&value) {
                Ok(())
            } else {
                Err(ConfigError::Traces {
                    key,
                    value,
                    least,
                    most: MAX_TRACES,
                })
            }
        };
        traces("max_traces", self.max_traces, 1)?;
        traces("remember_traces", self.remember_traces, self.max_traces)
    }

    /// Tells configurations apart: a checkpoint is of use only to the one that wrote it.
    pub(crate) fn fingerprint(&self) -> u64 {
        // Everything in it can be written as JSON.
        let text = serde_json::to_vec(self).unwrap_or_default();
        crate::probability::fnv1a(&[&text])
    }
}

/// A time in nanoseconds; what does not fit is far beyond what `check` lets pass.
pub(crate) fn nanos(time: Time) -> u64 {
    u64::try_from(time.0.as_nanos()).unwrap_or(u64::MAX)
}
