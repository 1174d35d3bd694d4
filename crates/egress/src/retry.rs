//! When to try again: exponential backoff with jitter, as the upstream Collector's `configretry`
//! has it. Pure: no clock, no randomness of its own.

use std::time::Duration;

/// How failed requests are tried again. The defaults are the upstream Collector's, except that
/// nothing is ever given up: what shippers send, the journal keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// The wait after the first failure, before jitter.
    pub initial: Duration,
    /// The longest wait, before jitter.
    pub max: Duration,
    /// How much longer each wait is than the one before.
    pub multiplier: f64,
    /// How far a wait may be off, as a share of it: 0.5 means from half to one and a half.
    pub jitter: f64,
    /// After this long a batch is given up and counted as lost; `None` means never.
    pub max_elapsed: Option<Duration>,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            initial: Duration::from_secs(5),
            max: Duration::from_secs(30),
            multiplier: 1.5,
            jitter: 0.5,
            max_elapsed: None,
        }
    }
}

/// The longest that a destination can make us wait (BOUNDED): a wrong date in a header must not
/// stop a shipper for years.
pub const MAX_SERVER_DELAY: Duration = Duration::from_secs(3600);

/// The least that a destination can make us wait. `Retry-After: 0`, or a date that its slow clock
/// puts into the past, would otherwise have us ask without a pause.
pub const MIN_SERVER_DELAY: Duration = Duration::from_millis(100);

/// The waits of one batch.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The waits after so many failures that were counted elsewhere.
    pub fn after(failures: u32) -> Self {
        Backoff { failures }
    }

    /// The next wait. `random` is in 0..1; a delay that the destination asked for wins.
    pub fn next(&mut self, retry: &Retry, asked: Option<Duration>, random: f64) -> Duration {
        let max = retry.max.as_secs_f64();
        let steps = self.failures.min(1000) as i32;
        let grown = retry.initial.as_secs_f64() * retry.multiplier.max(1.0).powi(steps);
        let interval = grown.min(max);
        self.failures = self.failures.saturating_add(1);
        if let Some(asked) = asked {
            return asked.clamp(MIN_SERVER_DELAY, MAX_SERVER_DELAY);
        }
        let jitter = retry.jitter.clamp(0.0, 1.0);
        let wait = interval * (1.0 - jitter + 2.0 * jitter * random.clamp(0.0, 1.0));
        Duration::try_from_secs_f64(wait).unwrap_or(retry.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_as_the_upstream_collectors_does() {
        let retry = Retry::default();
        let mut backoff = Backoff::default();
        let waits: Vec<f64> = (0..7)
            .map(|_| backoff.next(&retry, None, 0.5).as_secs_f64())
            .collect();
        let expected = [5.0, 7.5, 11.25, 16.875, 25.3125, 30.0, 30.0];
        for (wait, expected) in waits.iter().zip(expected) {
            assert!((wait - expected).abs() < 1e-6, "{waits:?}");
        }
    }

    #[test]
    fn jitter_is_a_share_of_the_wait() {
        let retry = Retry::default();
        let least = Backoff::default().next(&retry, None, 0.0);
        let most = Backoff::default().next(&retry, None, 1.0);
        assert_eq!(least, Duration::from_millis(2500));
        assert_eq!(most, Duration::from_millis(7500));
    }

    #[test]
    fn what_the_destination_asks_for_wins_within_reason() {
        let retry = Retry::default();
        let mut backoff = Backoff::default();
        let asked = |backoff: &mut Backoff, secs| {
            backoff.next(&retry, Some(Duration::from_secs(secs)), 0.3)
        };
        assert_eq!(asked(&mut backoff, 0), MIN_SERVER_DELAY);
        assert_eq!(asked(&mut backoff, 90), Duration::from_secs(90));
        assert_eq!(asked(&mut backoff, u64::MAX), MAX_SERVER_DELAY);
    }

    #[test]
    fn odd_settings_do_no_harm() {
        let retry = Retry {
            multiplier: f64::INFINITY,
            jitter: f64::NAN,
            max: Duration::MAX,
            ..Retry::default()
        };
        let mut backoff = Backoff::default();
        for _ in 0..3 {
            let _ = backoff.next(&retry, None, f64::NAN);
        }
    }
}
