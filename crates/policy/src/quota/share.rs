//! Bytes in flight, shared fairly between tenants.
//!
//! A tenant's share is the whole, divided by weight among the tenants that have bytes in flight or
//! are expected to. Within its share a tenant gets whatever room there is. Beyond it, it gets what
//! the others leave, and must keep free what they need: a tenant that was refused is expected to
//! come again with as much, at the most its share, for the time of the window, and as long as it
//! keeps coming. So alone a tenant may have all of it, one that comes to a full gateway is refused
//! once and then finds room, and greedy tenants end at equal parts. Nothing is taken back: what a
//! tenant has it keeps until its requests are done, which takes as long as a write takes.
//!
//! A tenant with nothing in flight may always have one request, however many share, as long as
//! there is room at all; else a share smaller than a request would stop everybody.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::exceeded::{Exceeded, Limit};

/// The bytes that all tenants share.
#[derive(Debug)]
pub(super) struct Share {
    total: u64,
    /// How long a refused tenant is expected, in nanoseconds.
    window: u64,
    retry: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    /// The weights of all accounts that are active: with bytes in flight, or expected.
    active: u64,
    /// What expected accounts need beyond what they have.
    reserved: u64,
    /// Accounts that have been refused, each once, and when to look at them again.
    queue: VecDeque<(u64, Arc<Account>)>,
}

/// One tenant's part. Its fields are changed under the lock of the [`Share`] alone; they are atomic
/// so that they can be shared at all.
#[derive(Debug)]
pub(super) struct Account {
    weight: u64,
    own_limit: u64,
    used: AtomicU64,
    /// How much it is expected to have in flight; 0 if it is not expected.
    need: AtomicU64,
    expected_until: AtomicU64,
    queued: AtomicBool,
}

impl Account {
    pub(super) fn new(weight: u32, own_limit: u64) -> Self {
        Account {
            weight: u64::from(weight),
            own_limit,
            used: AtomicU64::new(0),
            need: AtomicU64::new(0),
            expected_until: AtomicU64::new(0),
            queued: AtomicBool::new(false),
        }
    }

    /// Whether nothing tells it from a new one. Nobody else may hold it.
    pub(super) fn is_idle(&self) -> bool {
        self.active_weight() == 0
    }

    fn reserve(&self) -> u64 {
        let need = self.need.load(Relaxed);
        need.saturating_sub(self.used.load(Relaxed))
    }

    fn active_weight(&self) -> u64 {
        let active = self.used.load(Relaxed) != 0 || self.need.load(Relaxed) != 0;
        if active { self.weight } else { 0 }
    }
}

impl Share {
    pub(super) fn new(total: u64, retry: Duration) -> Arc<Self> {
        let nanos = u64::try_from(retry.as_nanos()).unwrap_or(u64::MAX);
        Arc::new(Share {
            total,
            window: nanos.saturating_mul(2).max(1),
            retry,
            state: Mutex::new(State::default()),
        })
    }

    /// `held` is what the request has already: if it is more than a limit by itself, waiting does
    /// not help.
    fn take(
        &self,
        account: &Arc<Account>,
        held: u64,
        bytes: u64,
        now: u64,
    ) -> Result<(), Exceeded> {
        let whole = held.saturating_add(bytes);
        let mut state = self.state();
        state.expire(now);
        let used = account.used.load(Relaxed);
        let wanted = used.saturating_add(bytes);
        let refuse = |limit, ever| {
            Err(Exceeded {
                limit,
                retry_after: (whole <= ever).then_some(self.retry),
            })
        };
        if wanted > account.own_limit {
            return refuse(Limit::InFlightBytes, account.own_limit);
        }
        let share = self.share(&state, account);
        let kept_free = if used > 0 && wanted > share {
            state.reserved - account.reserve()
        } else {
            0
        };
        let until = now.saturating_add(self.window);
        if state.used.saturating_add(bytes).saturating_add(kept_free) > self.total {
            if whole <= self.total {
                state.expect(account, wanted.min(share), until);
            }
            return refuse(Limit::FairShare, self.total);
        }
        state.used += bytes;
        state.change(account, |account| account.used.store(wanted, Relaxed));
        // It is expected for as long as it needs about as much as it was refused.
        if wanted >= account.need.load(Relaxed) / 2 {
            account.expected_until.fetch_max(until, Relaxed);
        }
        Ok(())
    }

    fn share(&self, state: &State, account: &Account) -> u64 {
        let all = state.active - account.active_weight() + account.weight;
        let share = u128::from(self.total) * u128::from(account.weight) / u128::from(all.max(1));
        u64::try_from(share).unwrap_or(u64::MAX)
    }

    fn give(&self, account: &Account, bytes: u64) {
        let mut state = self.state();
        state.used -= bytes;
        state.change(account, |account| {
            account.used.fetch_sub(bytes, Relaxed);
        });
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> (u64, u64) {
        let state = self.state();
        (state.used, state.active)
    }

    /// Nothing in here panics half-way, so a poisoned lock guards a good state.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Changes an account and what is counted of it.
    fn change(&mut self, account: &Account, change: impl FnOnce(&Account)) {
        let (reserve, weight) = (account.reserve(), account.active_weight());
        change(account);
        self.reserved = self.reserved - reserve + account.reserve();
        self.active = self.active - weight + account.active_weight();
    }

    fn expect(&mut self, account: &Arc<Account>, need: u64, until: u64) {
        self.change(account, |account| {
            account.need.fetch_max(need.max(1), Relaxed);
        });
        account.expected_until.store(until, Relaxed);
        if !account.queued.swap(true, Relaxed) {
            self.queue.push_back((until, Arc::clone(account)));
        }
    }

    /// Lets go of accounts that have not come for longer than the window. One that has goes to the
    /// end of the queue, where it may be expected for up to a window too long.
    fn expire(&mut self, now: u64) {
        while let Some((_, account)) = self.queue.pop_front_if(|(at, _)| *at <= now) {
            let until = account.expected_until.load(Relaxed);
            if until > now {
                self.queue.push_back((until, account));
                continue;
            }
            account.queued.store(false, Relaxed);
            self.change(&account, |account| account.need.store(0, Relaxed));
        }
    }
}

/// Bytes in flight of one request; given back when it is dropped.
#[derive(Debug)]
pub struct Lease {
    share: Arc<Share>,
    account: Arc<Account>,
    bytes: u64,
}

impl Lease {
    pub(super) fn new(share: &Arc<Share>, account: &Arc<Account>) -> Self {
        Lease {
            share: Arc::clone(share),
            account: Arc::clone(account),
            bytes: 0,
        }
    }

    /// Takes `bytes` more, at `now` in nanoseconds. What it has it keeps if this is refused.
    ///
    /// # Errors
    /// If the tenant is over its own limit or over its share.
    pub fn grow(&mut self, bytes: u64, now: u64) -> Result<(), Exceeded> {
        self.share.take(&self.account, self.bytes, bytes, now)?;
        self.bytes += bytes;
        Ok(())
    }

    /// How much it has.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.share.give(&self.account, self.bytes);
    }
}

#[cfg(test)]
mod tests;
