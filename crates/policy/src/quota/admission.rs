//! The quotas of all tenants: what each has used, kept as long as it matters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ident::{Signal, TenantId};

use super::bucket::{Bucket, Wait};
use super::config::Quotas;
use super::exceeded::{Exceeded, Limit};
use super::fingerprint::Fingerprints;
use super::plan::{Plan, Plans, QuotaError, slot};
use super::series::{Series, SeriesSet};
use super::shape::ItemLimits;
use super::share::{Account, Lease, Share};

const SHARDS: usize = 16;
const DAY: u64 = 24 * 60 * 60;
/// How often a full shard is searched for tenants to forget: the search is the one thing here
/// whose cost grows with the number of tenants.
const SEARCH_NANOS: u64 = 100_000_000;

/// An instant, as two clocks see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Nanoseconds since any fixed instant, by a clock that is never set.
    pub nanos: u64,
    /// Seconds since the Unix epoch, for the limits of a day.
    pub unix_seconds: u64,
}

/// Decides how much each tenant may send. Shared by all threads.
///
/// A tenant costs about 400 bytes while it is kept track of, and about 40 bytes for each active
/// series if its series are limited.
#[derive(Debug)]
pub struct Admission {
    plans: Plans,
    shards: Box<[Mutex<Shard>]>,
    share: Arc<Share>,
    fingerprints: Fingerprints,
    tenants: AtomicUsize,
    max_tenants: usize,
    retry: Duration,
    epoch: u64,
}

#[derive(Debug, Default)]
struct Shard {
    tenants: HashMap<TenantId, Box<Tenant>>,
    next_search: u64,
}

#[derive(Debug)]
struct Tenant {
    plan: Arc<Plan>,
    buckets: [[Bucket; 2]; 3],
    account: Arc<Account>,
    day: u64,
    day_bytes: u64,
    series: SeriesSet,
}

/// What became of the series of one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesVerdict {
    /// Points of series that came before.
    pub known: u64,
    /// Points that began a series.
    pub new: u64,
    /// Points of series over the limit: to be dropped, and counted.
    pub refused: u64,
    /// A bit for each point, in the order of the bytes; empty if none is refused.
    bits: Vec<u64>,
}

impl SeriesVerdict {
    /// Whether the point of this index, in the order of [`otlp::edit::retain`], is refused.
    pub fn is_refused(&self, index: u64) -> bool {
        let word = usize::try_from(index / 64)
            .ok()
            .and_then(|at| self.bits.get(at));
        word.is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn refuse(&mut self, index: u64) {
        self.refused += 1;
        let Ok(at) = usize::try_from(index / 64) else {
            return;
        };
        if self.bits.len() <= at {
            self.bits.resize(at + 1, 0);
        }
        if let Some(word) = self.bits.get_mut(at) {
            *word |= 1 << (index % 64);
        }
    }
}

impl Admission {
    /// Compiles the quotas. `in_flight_bytes` is what all tenants share; `key` is random.
    ///
    /// # Errors
    /// If a quota makes no sense.
    pub fn new(quotas: &Quotas, in_flight_bytes: u64, key: [u64; 2]) -> Result<Self, QuotaError> {
        let epoch = u64::try_from(quotas.series_idle.0.as_nanos()).unwrap_or(u64::MAX);
        for (zero, what) in [
            (quotas.max_tenants == 0, "max_tenants"),
            (quotas.retry.0.is_zero(), "retry"),
            (epoch == 0, "series_idle"),
        ] {
            if zero {
                return Err(QuotaError::ZeroOfAll(what));
            }
        }
        Ok(Admission {
            plans: Plans::new(quotas)?,
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            share: Share::new(in_flight_bytes, quotas.retry.0),
            fingerprints: Fingerprints::new(key),
            tenants: AtomicUsize::new(0),
            max_tenants: quotas.max_tenants,
            retry: quotas.retry.0,
            epoch,
        })
    }

    /// Takes a request of `bytes` (decompressed) and `items`, or nothing of it.
    ///
    /// # Errors
    /// If it is over a limit.
    pub fn request(
        &self,
        tenant: &TenantId,
        signal: Signal,
        (bytes, items): (u64, u64),
        now: Now,
    ) -> Result<(), Exceeded> {
        self.with(tenant, now, |tenant| {
            tenant.request(signal, bytes, items, now)
        })?
    }

    /// A lease on bytes in flight, still empty.
    ///
    /// # Errors
    /// If there is no room for another tenant.
    pub fn lease(&self, tenant: &TenantId, now: Now) -> Result<Lease, Exceeded> {
        self.with(tenant, now, |tenant| {
            Lease::new(&self.share, &tenant.account)
        })
    }

    /// Looks at the series of a checked metrics request; `None` if the tenant has no limit.
    ///
    /// # Errors
    /// If there is no room for another tenant.
    pub fn series(
        &self,
        tenant: &TenantId,
        request: &[u8],
        now: Now,
    ) -> Result<Option<SeriesVerdict>, Exceeded> {
        let Some(limit) = self.plans.of(tenant).series else {
            return Ok(None);
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        // Hashing is the dear part, so it is done before the lock.
        let mut points = Vec::new();
        self.fingerprints
            .of_points(request, |point| points.push(point));
        self.with(tenant, now, |tenant| {
            tenant.series.advance(now.nanos, self.epoch);
            let mut verdict = SeriesVerdict::default();
            for (index, point) in (0..).zip(points) {
                match tenant.series.admit(point, limit) {
                    Series::Known => verdict.known += 1,
                    Series::New => verdict.new += 1,
                    Series::Refused => verdict.refuse(index),
                }
            }
            Some(verdict)
        })
    }

    /// What the tenant's items may have, for [`first_violation`](super::shape::first_violation).
    pub fn item_limits(&self, tenant: &TenantId) -> ItemLimits {
        self.plans.of(tenant).items
    }

    /// Counts bytes that went into the journal earlier on the day of `now`, before a restart.
    ///
    /// # Errors
    /// If there is no room for another tenant.
    pub fn restore_day(&self, tenant: &TenantId, bytes: u64, now: Now) -> Result<(), Exceeded> {
        self.with(tenant, now, |tenant| {
            tenant.turn_day(now);
            tenant.day_bytes = tenant.day_bytes.saturating_add(bytes);
        })
    }

    /// Forgets tenants that nothing tells from new ones; how many. To be called now and then: it
    /// gives memory back, and a new tenant that finds no room looks for some in one shard only.
    pub fn forget_idle(&self, now: Now) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| self.forget(&mut lock(shard), now)).sum()
    }

    /// How many tenants are kept track of.
    pub fn tenants(&self) -> usize {
        self.tenants.load(Ordering::Relaxed)
    }

    fn with<T>(
        &self,
        name: &TenantId,
        now: Now,
        run: impl FnOnce(&mut Tenant) -> T,
    ) -> Result<T, Exceeded> {
        let sum = |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte));
        let at = name.as_str().bytes().fold(0, sum) % SHARDS;
        let full = Exceeded {
            limit: Limit::Tenants,
            retry_after: Some(self.retry),
        };
        let mut shard = lock(self.shards.get(at).ok_or(full)?);
        if let Some(tenant) = shard.tenants.get_mut(name) {
            return Ok(run(tenant));
        }
        if !self.reserve() {
            if now.nanos < shard.next_search {
                return Err(full);
            }
            shard.next_search = now.nanos.saturating_add(SEARCH_NANOS);
            if self.forget(&mut shard, now) == 0 || !self.reserve() {
                return Err(full);
            }
        }
        let plan = Arc::clone(self.plans.of(name));
        let tenant = shard.tenants.entry(name.clone());
        Ok(run(tenant.or_insert_with(|| Box::new(Tenant::new(plan)))))
    }

    /// Counts one more tenant if there is room.
    fn reserve(&self) -> bool {
        let more = |tenants: usize| (tenants < self.max_tenants).then_some(tenants + 1);
        self.tenants
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    fn forget(&self, shard: &mut Shard, now: Now) -> usize {
        let before = shard.tenants.len();
        shard
            .tenants
            .retain(|_, tenant| !tenant.is_as_new(now, self.epoch));
        let gone = before - shard.tenants.len();
        self.tenants.fetch_sub(gone, Ordering::Relaxed);
        gone
    }
}

/// Nothing under the lock panics half-way, so a poisoned lock guards a good state.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tenant {
    fn new(plan: Arc<Plan>) -> Self {
        Tenant {
            account: Arc::new(Account::new(plan.weight, plan.in_flight_bytes)),
            plan,
            buckets: Default::default(),
            day: 0,
            day_bytes: 0,
            series: SeriesSet::default(),
        }
    }

    fn request(
        &mut self,
        signal: Signal,
        bytes: u64,
        items: u64,
        now: Now,
    ) -> Result<(), Exceeded> {
        let exceeded = |limit, retry_after| Err(Exceeded { limit, retry_after });
        if bytes > self.plan.request_bytes {
            return exceeded(Limit::RequestBytes, None);
        }
        let day_bytes = self.turn_day(now).saturating_add(bytes);
        if let Some(limit) = self.plan.journal_bytes_per_day
            && day_bytes > limit
        {
            let midnight = Duration::from_secs(DAY - now.unix_seconds % DAY);
            let retry = (bytes <= limit).then_some(midnight);
            return exceeded(Limit::JournalBytesPerDay, retry);
        }
        let slot = slot(signal);
        let (Some(rates), Some(buckets)) = (self.plan.rates.get(slot), self.buckets.get_mut(slot))
        else {
            return Ok(());
        };
        let limits = [Limit::BytesPerSecond, Limit::ItemsPerSecond];
        let mut wait: Option<(Limit, Duration)> = None;
        for (((rate, bucket), units), limit) in rates
            .iter()
            .zip(buckets.iter_mut())
            .zip([bytes, items])
            .zip(limits)
        {
            match rate.map_or(Wait::None, |rate| bucket.wait(rate, units, now.nanos)) {
                Wait::None => {}
                Wait::Never => return exceeded(limit, None),
                Wait::For(time) if wait.is_none_or(|(_, longest)| time > longest) => {
                    wait = Some((limit, time));
                }
                Wait::For(_) => {}
            }
        }
        if let Some((limit, time)) = wait {
            return exceeded(limit, Some(time));
        }
        for ((rate, bucket), units) in rates.iter().zip(buckets).zip([bytes, items]) {
            if rate.is_some() {
                bucket.take(units);
            }
        }
        self.day_bytes = day_bytes;
        Ok(())
    }

    /// Begins a new day if it is one; the bytes of this day so far. A clock set back to an earlier
    /// day goes on with the later one, so that setting it gives nobody more.
    fn turn_day(&mut self, now: Now) -> u64 {
        let today = now.unix_seconds / DAY;
        if today > self.day {
            self.day = today;
            self.day_bytes = 0;
        }
        self.day_bytes
    }

    /// Whether a new one would be the same: forgetting it gives nobody a fresh burst.
    fn is_as_new(&mut self, now: Now, epoch: u64) -> bool {
        let mut rates = self
            .plan
            .rates
            .iter()
            .flatten()
            .zip(self.buckets.iter_mut().flatten());
        let full = rates.all(|(rate, bucket)| rate.is_none_or(|r| bucket.is_full(r, now.nanos)));
        let limited = self.plan.journal_bytes_per_day.is_some();
        let day = !limited || self.turn_day(now) == 0;
        full && day
            && Arc::strong_count(&self.account) == 1
            && self.account.is_idle()
            && self.series.is_forgotten(now.nanos, epoch)
    }
}
