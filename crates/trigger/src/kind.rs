//! What a trigger counts, and when that is too much.

use regex::bytes::{Regex, RegexBuilder};

use crate::config::{ErrorRate, Latency, LogPattern, Of, Trigger};

/// What a reason's template may have in it.
pub(crate) const WORDS: [&str; 5] = ["service", "tenant", "trigger", "measured", "window"];
/// The most memory that a compiled pattern takes.
const PATTERN_BYTES: usize = 1 << 20;
/// Shares are compared as whole millionths: the same on every machine.
const MILLION: f64 = 1e6;

/// A trigger's rule.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Errors {
        share: u64,
        least: u64,
    },
    Slow {
        quantile: u64,
        nanos: u64,
        least: u64,
        roots_only: bool,
    },
    Pattern {
        regex: Regex,
        count: u64,
    },
}

impl Kind {
    /// The rule of a checked trigger; `None` of one that is not.
    pub(crate) fn of(trigger: &Trigger) -> Option<Kind> {
        let millionths = |share: f64| (share * MILLION).round() as u64;
        Some(
            match (&trigger.error_rate, &trigger.latency, &trigger.log_pattern) {
                (Some(ErrorRate { share, min_spans }), ..) => Kind::Errors {
                    share: millionths(*share).max(1),
                    least: *min_spans,
                },
                (_, Some(latency), _) => {
                    let Latency {
                        quantile,
                        threshold,
                        min_spans,
                        of,
                    } = latency;
                    Kind::Slow {
                        quantile: millionths(*quantile).clamp(1, 999_999),
                        nanos: u64::try_from(threshold.0.as_nanos()).unwrap_or(u64::MAX),
                        least: *min_spans,
                        roots_only: *of == Of::Root,
                    }
                }
                (.., Some(LogPattern { pattern, count })) => Kind::Pattern {
                    regex: compile(pattern).ok()?,
                    count: *count,
                },
                _ => return None,
            },
        )
    }

    /// Whether so many hits of so many items are too much.
    pub(crate) fn fires(&self, hits: u64, items: u64) -> bool {
        let million = MILLION as u128;
        match *self {
            Kind::Errors { share, least } => {
                items >= least
                    && u128::from(hits) * million >= u128::from(share) * u128::from(items)
            }
            // The quantile by nearest rank is longer than the threshold where fewer durations are
            // at most the threshold than its rank says: an exact answer from two counts.
            Kind::Slow {
                quantile, least, ..
            } => {
                let rank = (u128::from(quantile) * u128::from(items)).div_ceil(million);
                items >= least && u128::from(items - hits.min(items)) < rank
            }
            Kind::Pattern { count, .. } => hits >= count,
        }
    }

    /// For a person: what was measured.
    pub(crate) fn measured(&self, hits: u64, items: u64) -> String {
        match *self {
            Kind::Errors { .. } => {
                let share = hits as f64 * 100.0 / (items as f64).max(1.0);
                format!("{share:.1} % of {items} spans failed")
            }
            Kind::Slow {
                quantile,
                nanos,
                roots_only,
                ..
            } => {
                let quantile = quantile as f64 / MILLION;
                let spans = if roots_only { "root spans" } else { "spans" };
                let threshold = policy::units::Time(std::time::Duration::from_nanos(nanos));
                format!(
                    "the {quantile} quantile of {items} {spans} is over {threshold}: {hits} took longer"
                )
            }
            Kind::Pattern { .. } => format!("{hits} log records match"),
        }
    }
}

/// A pattern; the error is for a person.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build();
    let regex = built.map_err(|error| error.to_string())?;
    match regex.is_match(b"") {
        true => Err("it matches the empty text".to_owned()),
        false => Ok(regex),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantees: the quantile that two counts tell is that of the sorted durations, by nearest
    /// rank.
    #[test]
    fn a_quantile_is_exact() {
        let mut seed = 1_u64;
        for round in 0..3000_u64 {
            let mut next = |most: u64| {
                seed = seed
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (seed >> 33) % most
            };
            let count = 1 + next(60);
            let mut all: Vec<u64> = (0..count).map(|_| next(20)).collect();
            all.sort_unstable();
            let (percent, threshold) = (1 + round % 99, next(20));
            let rank = (percent * count).div_ceil(100).max(1);
            let quantile = all[rank as usize - 1];
            let hits = all.iter().filter(|value| **value > threshold).count() as u64;
            let kind = Kind::Slow {
                quantile: percent * 10_000,
                nanos: threshold,
                least: 1,
                roots_only: false,
            };
            assert_eq!(
                kind.fires(hits, count),
                quantile > threshold,
                "{all:?} {percent} {threshold}"
            );
        }
    }

    #[test]
    fn thresholds_and_least_numbers() {
        let errors = Kind::Errors {
            share: 100_000,
            least: 20,
        };
        assert!(errors.fires(2, 20) && errors.fires(u64::MAX, u64::MAX));
        assert!(!errors.fires(19, 19) && !errors.fires(2, 21));
        assert_eq!(errors.measured(3, 20), "15.0 % of 20 spans failed");
        let pattern = Kind::Pattern {
            regex: compile("x").unwrap(),
            count: 3,
        };
        assert!(pattern.fires(3, 3) && !pattern.fires(2, 2));
        assert!(compile("x*").is_err() && compile("(").is_err());
    }
}
