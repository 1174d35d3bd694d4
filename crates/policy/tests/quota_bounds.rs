//! Buckets and series against naive models.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::Duration;

use policy::quota::{Bucket, Rate, Series, SeriesSet, Wait};
use proptest::prelude::*;

fn rate(per_second: u64, burst: u64) -> Rate {
    Rate {
        per_second: NonZeroU64::new(per_second).unwrap(),
        burst: NonZeroU64::new(burst).unwrap(),
    }
}

/// A list of what was taken and when. Some more units fit if, from each of those instants to now,
/// no more was taken than a burst and what the rate pays in that time: a bucket's definition.
#[derive(Default)]
struct Model(Vec<(u64, u64)>);

impl Model {
    fn fits(&self, rate: Rate, units: u64, now: u64) -> bool {
        let nanos = 1_000_000_000i128;
        let burst = i128::from(rate.burst.get()) * nanos;
        let mut taken = i128::from(units) * nanos;
        let mut fits = taken <= burst;
        for (at, units) in self.0.iter().rev() {
            taken += i128::from(*units) * nanos;
            let paid = i128::from(now - at) * i128::from(rate.per_second.get());
            fits &= taken <= burst + paid;
        }
        fits
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Guarantees: a bucket admits what its definition admits, to the nanosecond, and the wait it
    /// tells is the least one.
    #[test]
    fn a_bucket_is_its_definition(
        per_second in 1u64..5_000_000_000,
        burst in 1u64..2000,
        steps in prop::collection::vec((0u64..400_000_000, 0u64..1500, any::<bool>()), 1..60),
    ) {
        let rate = rate(per_second, burst);
        let (mut bucket, mut model, mut now) = (Bucket::default(), Model::default(), 1_000_000_000);
        for (pause, units, short) in steps {
            now += if short { pause % 1000 } else { pause };
            match bucket.wait(rate, units, now) {
                Wait::None => {
                    prop_assert!(model.fits(rate, units, now));
                    bucket.take(units);
                    model.0.push((now, units));
                }
                Wait::Never => prop_assert!(units > burst),
                Wait::For(wait) => {
                    let wait = u64::try_from(wait.as_nanos()).unwrap();
                    prop_assert!(wait > 0 && units <= burst);
                    prop_assert!(!model.fits(rate, units, now + wait - 1));
                    prop_assert!(model.fits(rate, units, now + wait));
                    let mut later = bucket;
                    prop_assert_eq!(later.wait(rate, units, now + wait), Wait::None);
                }
            }
            let mut copy = bucket;
            prop_assert_eq!(copy.is_full(rate, now), model.fits(rate, burst, now));
        }
    }

    /// Guarantees (BOUNDED): no more series are active than the limit; a series that was taken and
    /// comes at least once an epoch is never refused; one that stops for two epochs is forgotten.
    #[test]
    fn known_series_pass(
        limit in 1usize..20,
        steps in prop::collection::vec((0u64..40, 0u64..60), 1..400),
    ) {
        const EPOCH: u64 = 100;
        let mut set = SeriesSet::default();
        // When each series was last taken.
        let mut taken: HashMap<u64, u64> = HashMap::new();
        let mut now = 1;
        for (pause, series) in steps {
            now += pause;
            set.advance(now, EPOCH);
            let was_active = set.active();
            let last = taken.get(&series).map(|last| now - last);
            // Spread as fingerprints are.
            let admitted = set.admit(series.wrapping_mul(0x9e37_79b9_7f4a_7c15), limit);
            match admitted {
                Series::Known => prop_assert!(last.is_some_and(|idle| idle < 2 * EPOCH + 40)),
                Series::New => prop_assert!(was_active < limit && last.is_none_or(|idle| idle >= EPOCH)),
                Series::Refused => {
                    prop_assert!(was_active >= limit, "there was room");
                    prop_assert!(last.is_none_or(|idle| idle >= EPOCH), "a known series was refused");
                }
            }
            if admitted != Series::Refused {
                taken.insert(series, now);
            }
            prop_assert!(set.active() <= limit);
            // What came in the last epoch is active, whatever else is.
            let live = taken.values().filter(|last| now - **last < EPOCH).count();
            prop_assert!(live <= set.active());
        }
    }
}

/// Guarantees: a clock that goes backwards gives nothing, and extreme values do not overflow.
#[test]
fn clocks_and_numbers_at_their_ends() {
    let mut bucket = Bucket::default();
    let slow = rate(1, 10);
    assert_eq!(bucket.wait(slow, 10, 5_000_000_000), Wait::None);
    bucket.take(10);
    assert_eq!(bucket.wait(slow, 1, 0), Wait::For(Duration::from_secs(1)));
    assert_eq!(
        bucket.wait(slow, 1, 5_999_999_999),
        Wait::For(Duration::from_nanos(1))
    );
    assert_eq!(bucket.wait(slow, 1, 6_000_000_000), Wait::None);
    let huge = rate(u64::MAX, u64::MAX);
    let mut bucket = Bucket::default();
    assert_eq!(bucket.wait(huge, u64::MAX, 0), Wait::None);
    bucket.take(u64::MAX);
    assert_eq!(
        bucket.wait(huge, u64::MAX, 0),
        Wait::For(Duration::from_secs(1))
    );
    assert!(bucket.is_full(huge, u64::MAX));
    let mut bucket = Bucket::default();
    bucket.take(u64::MAX);
    assert_eq!(
        bucket.wait(rate(1, u64::MAX), u64::MAX, 0),
        Wait::For(Duration::from_nanos(u64::MAX))
    );
}

/// Guarantees: after two epochs without anything the set is as new, and takes its memory back.
#[test]
fn an_idle_set_is_forgotten() {
    let mut set = SeriesSet::default();
    set.advance(10, 100);
    for series in 0..50 {
        assert_eq!(set.admit(series, 50), Series::New);
    }
    assert_eq!(set.admit(50, 50), Series::Refused);
    set.advance(110, 100);
    assert_eq!(
        (set.active(), set.admit(50, 50), set.admit(7, 50)),
        (50, Series::Refused, Series::Known)
    );
    set.advance(210, 100);
    assert_eq!(set.active(), 1);
    assert!(!set.is_forgotten(309, 100));
    assert!(set.is_forgotten(1000, 100));
}
