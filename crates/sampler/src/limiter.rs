//! Limiters on the log's time, in whole numbers: what passes depends on nothing else.

const NANOS: u128 = 1_000_000_000;

/// How fast, and how much at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub per_second: u64,
    pub burst: u64,
}

/// What a tenant's limiter begins as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Template {
    /// A full token bucket.
    Bucket(Rate),
    /// So many shares of which nothing is used.
    Shares(usize),
}

/// One limiter of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Limiter {
    /// A token bucket, as golang.org/x/time/rate, which upstream uses. `debt` is what of the burst
    /// is used up, in units times nanoseconds: a nanosecond pays off exactly `per_second` of it.
    Bucket { rate: Rate, debt: u128, last: u64 },
    /// What each share has used in the second.
    Shares { second: u64, used: Box<[u64]> },
}

impl Limiter {
    pub(crate) fn new(template: Template) -> Self {
        match template {
            Template::Bucket(rate) => Limiter::Bucket {
                rate,
                debt: 0,
                last: 0,
            },
            Template::Shares(shares) => Limiter::Shares {
                second: 0,
                used: vec![0; shares].into(),
            },
        }
    }

    /// Whether it has ever let something pass, and so may differ from a new one.
    pub(crate) fn is_used(&self) -> bool {
        match self {
            Limiter::Bucket { debt, .. } => *debt > 0,
            Limiter::Shares { used, .. } => used.iter().any(|used| *used > 0),
        }
    }

    /// Makes it as new.
    pub(crate) fn renew(&mut self) {
        match self {
            Limiter::Bucket { debt, last, .. } => (*debt, *last) = (0, 0),
            Limiter::Shares { second, used } => {
                *second = 0;
                used.fill(0);
            }
        }
    }

    /// Takes all of the units from a bucket, or none.
    pub(crate) fn take(&mut self, units: u64, now: u64) -> bool {
        let Limiter::Bucket { rate, debt, last } = self else {
            return false;
        };
        let paid = u128::from(now.saturating_sub(*last)) * u128::from(rate.per_second);
        *debt = debt.saturating_sub(paid);
        *last = now.max(*last);
        let wanted = *debt + u128::from(units) * NANOS;
        let fits = wanted <= u128::from(rate.burst) * NANOS;
        if fits {
            *debt = wanted;
        }
        fits
    }

    /// Uses some of a share of the second, if that much is left.
    pub(crate) fn share(&mut self, at: usize, share: u64, units: u64, now: u64) -> bool {
        let Limiter::Shares { second, used } = self else {
            return false;
        };
        let this = now / NANOS as u64;
        if *second != this {
            *second = this;
            used.fill(0);
        }
        let Some(used) = used.get_mut(at) else {
            return false;
        };
        let after = used.saturating_add(units);
        let fits = after <= share;
        if fits {
            *used = after;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Limiter::new(Template::Bucket(Rate {
            per_second: 3,
            burst: 6,
        }));
        assert!(
            !bucket.take(7, 5 * SECOND),
            "more than the burst never fits"
        );
        assert!(bucket.take(6, 5 * SECOND));
        assert!(!bucket.take(1, 5 * SECOND + SECOND / 3));
        assert!(bucket.take(1, 5 * SECOND + SECOND / 3 + 1));
        assert!(bucket.take(6, 100 * SECOND));
        assert!(!bucket.take(1, 4 * SECOND), "time stands still");
    }

    #[test]
    fn shares_begin_anew_each_second() {
        let mut shares = Limiter::new(Template::Shares(2));
        assert!(shares.share(0, 5, 3, SECOND));
        assert!(!shares.share(0, 5, 3, SECOND + 1));
        assert!(
            shares.share(0, 5, 2, SECOND + 2),
            "a smaller one still fits"
        );
        assert!(shares.share(1, 5, 5, SECOND + 3));
        assert!(shares.share(0, 5, 5, 2 * SECOND));
    }
}
