//! A token bucket in whole numbers: what is admitted does not depend on rounding.
//!
//! The state is the debt: how much of the burst is used up, in units times nanoseconds, so that a
//! nanosecond pays off exactly `per_second` of it.

use std::num::NonZeroU64;
use std::time::Duration;

const NANOS: u128 = 1_000_000_000;

/// How fast, and how much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Units a second in the long run.
    pub per_second: NonZeroU64,
    /// The most units at once.
    pub burst: NonZeroU64,
}

/// When some units could be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Now.
    None,
    /// After this time, if nothing else is taken; not a nanosecond before.
    For(Duration),
    /// Never: they are more than the burst.
    Never,
}

/// A bucket. It begins full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    debt: u128,
    last: u64,
}

impl Bucket {
    /// When `units` could be taken, as of `now` in nanoseconds since any fixed instant. A clock
    /// that goes backwards stands still.
    pub fn wait(&mut self, rate: Rate, units: u64, now: u64) -> Wait {
        self.settle(rate, now);
        let burst = u128::from(rate.burst.get()) * NANOS;
        let wanted = u128::from(units) * NANOS;
        if wanted > burst {
            return Wait::Never;
        }
        let over = (self.debt + wanted).saturating_sub(burst);
        if over == 0 {
            return Wait::None;
        }
        let nanos = over.div_ceil(u128::from(rate.per_second.get()));
        Wait::For(Duration::from_nanos(
            u64::try_from(nanos).unwrap_or(u64::MAX),
        ))
    }

    /// Takes units for which [`wait`](Self::wait) just said that there is none.
    pub fn take(&mut self, units: u64) {
        self.debt += u128::from(units) * NANOS;
    }

    /// Whether nothing tells this bucket from a new one.
    pub fn is_full(&mut self, rate: Rate, now: u64) -> bool {
        self.settle(rate, now);
        self.debt == 0
    }

    fn settle(&mut self, rate: Rate, now: u64) {
        let elapsed = now.saturating_sub(self.last);
        let paid = u128::from(elapsed) * u128::from(rate.per_second.get());
        self.debt = self.debt.saturating_sub(paid);
        self.last = self.last.max(now);
    }
}
