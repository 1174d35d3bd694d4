//! Bytes in flight, shared fairly between tenants.
//!
//! Alone, a tenant may have all of it. Once another tenant is waiting, nobody gets more than its
//! share: the whole, divided by weight among the tenants that have bytes in flight or wait for some.
//! What a tenant has beyond its share it keeps until its requests are done, which takes as long as
//! a write takes; nothing is taken back.
//!
//! There is no queue: who is refused is told to come again, and counts as waiting until it has come
//! and been served, or has not come for the time of the window. A tenant with nothing in flight
//! may always have one request, however many share, as long as there is room at all; else a share
//! smaller than a request would stop everybody.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::exceeded::{Exceeded, Limit};

/// The bytes that all tenants share.
#[derive(Debug)]
pub(super) struct Share {
    total: u64,
    /// How long a refused tenant counts as waiting, in nanoseconds.
    window: u64,
    retry: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    /// The weights of all accounts that are active: with bytes in flight, or waiting.
    active: u64,
    waiting: u64,
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
    /// Until when it counts as waiting; 0 if it does not.
    waiting_until: AtomicU64,
    queued: AtomicBool,
}

impl Account {
    pub(super) fn new(weight: u32, own_limit: u64) -> Self {
        Account {
            weight: u64::from(weight),
            own_limit,
            used: AtomicU64::new(0),
            waiting_until: AtomicU64::new(0),
            queued: AtomicBool::new(false),
        }
    }

    /// Whether nothing tells it from a new one. Nobody else may hold it.
    pub(super) fn is_idle(&self) -> bool {
        self.used.load(Relaxed) == 0 && !self.is_waiting()
    }

    fn is_waiting(&self) -> bool {
        self.waiting_until.load(Relaxed) != 0
    }

    fn is_active(&self) -> bool {
        self.used.load(Relaxed) != 0 || self.is_waiting()
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

    fn take(&self, account: &Arc<Account>, bytes: u64, now: u64) -> Result<(), Exceeded> {
        let mut state = self.state();
        state.expire(now);
        let used = account.used.load(Relaxed);
        let wanted = used.saturating_add(bytes);
        let refuse = |limit, ever| {
            Err(Exceeded {
                limit,
                retry_after: (bytes <= ever).then_some(self.retry),
            })
        };
        if wanted > account.own_limit {
            return refuse(Limit::InFlightBytes, account.own_limit);
        }
        let was_active = account.is_active();
        let room = state.used.saturating_add(bytes) <= self.total;
        let others_wait = state.waiting > u64::from(account.is_waiting());
        if !room || (others_wait && used > 0 && wanted > self.share(&state, account)) {
            if bytes <= self.total {
                state.wait(account, now.saturating_add(self.window));
            }
            return refuse(Limit::FairShare, self.total);
        }
        if account.waiting_until.swap(0, Relaxed) != 0 {
            state.waiting -= 1;
        }
        if !was_active && bytes > 0 {
            state.active += account.weight;
        } else if was_active && wanted == 0 {
            state.active -= account.weight;
        }
        state.used += bytes;
        account.used.store(wanted, Relaxed);
        Ok(())
    }

    fn share(&self, state: &State, account: &Account) -> u64 {
        let mine = if account.is_active() {
            0
        } else {
            account.weight
        };
        let all = u128::from(state.active + mine).max(1);
        let share = u128::from(self.total) * u128::from(account.weight) / all;
        u64::try_from(share).unwrap_or(u64::MAX)
    }

    fn give(&self, account: &Account, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let mut state = self.state();
        state.used -= bytes;
        account.used.fetch_sub(bytes, Relaxed);
        if !account.is_active() {
            state.active -= account.weight;
        }
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
    fn wait(&mut self, account: &Arc<Account>, until: u64) {
        if !account.is_active() {
            self.active += account.weight;
        }
        if account.waiting_until.swap(until, Relaxed) == 0 {
            self.waiting += 1;
        }
        if !account.queued.swap(true, Relaxed) {
            self.queue.push_back((until, Arc::clone(account)));
        }
    }

    /// Lets go of accounts that have waited for longer than the window. One that was refused again
    /// in the meantime goes to the end, where it may count as waiting for up to a window too long.
    fn expire(&mut self, now: u64) {
        while let Some((_, account)) = self.queue.pop_front_if(|(at, _)| *at <= now) {
            let until = account.waiting_until.load(Relaxed);
            if until > now {
                self.queue.push_back((until, account));
                continue;
            }
            account.queued.store(false, Relaxed);
            if account.waiting_until.swap(0, Relaxed) != 0 {
                self.waiting -= 1;
                if account.used.load(Relaxed) == 0 {
                    self.active -= account.weight;
                }
            }
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
        self.share.take(&self.account, bytes, now)?;
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
