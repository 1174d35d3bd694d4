//! The circuit breaker: when a destination fails time and again, one request at a time finds out
//! whether it is back.
//!
//! [`Breaker`] is the pure part, given the time. [`Gate`] is what deliveries wait at; it also keeps
//! them from the destination while that has asked for a pause, and lets all but one of them go
//! when the breaker opens (BOUNDED: one batch is held while a destination is down).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::status::BreakerState;

/// So many failures in a row open the breaker.
pub(crate) const THRESHOLD: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Instant },
    HalfOpen,
}

/// What a delivery may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Send now.
    Go,
    /// Ask again at this time, or when something changes.
    At(Instant),
    /// Another one is finding out; ask again when something changes.
    Busy,
}

/// The state machine.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: State,
    failures: u32,
    pause: Option<Instant>,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Breaker {
            state: State::Closed,
            failures: 0,
            pause: None,
        }
    }

    /// Asks for leave to send. In the open state the first to ask after its time is the probe.
    pub(crate) fn ask(&mut self, now: Instant) -> Answer {
        if let Some(until) = self.pause {
            if now < until {
                return Answer::At(until);
            }
            self.pause = None;
        }
        match self.state {
            State::Closed => Answer::Go,
            State::Open { until } if now < until => Answer::At(until),
            State::Open { .. } => {
                self.state = State::HalfOpen;
                Answer::Go
            }
            State::HalfOpen => Answer::Busy,
        }
    }

    /// The destination answered.
    pub(crate) fn answered(&mut self) {
        self.failures = 0;
        self.state = State::Closed;
    }

    /// It did not, or refuses everything (`at_once`); it is left alone for `delay`.
    pub(crate) fn failed(&mut self, now: Instant, delay: Duration, at_once: bool) {
        self.failures = self.failures.saturating_add(1);
        if at_once || self.failures >= THRESHOLD || self.state != State::Closed {
            self.state = State::Open { until: now + delay };
        }
    }

    /// It asked for a pause.
    pub(crate) fn paused(&mut self, until: Instant) {
        self.pause = self.pause.max(Some(until));
    }

    pub(crate) fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen => BreakerState::HalfOpen,
        }
    }
}

/// The breaker as deliveries share it.
#[derive(Debug)]
pub(crate) struct Gate {
    shared: Mutex<Shared>,
    changed: Notify,
}

#[derive(Debug)]
struct Shared {
    breaker: Breaker,
    deliveries: usize,
    accepted: u64,
    doubtful: usize,
    doubtful_bytes: usize,
}

/// A delivery that waits to see whether others pass, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Doubt<'a> {
    gate: &'a Gate,
    bytes: usize,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        let mut shared = self.gate.lock();
        shared.doubtful -= 1;
        shared.doubtful_bytes -= self.bytes;
    }
}

impl Gate {
    pub(crate) fn new() -> Self {
        Gate {
            shared: Mutex::new(Shared {
                breaker: Breaker::new(),
                deliveries: 0,
                accepted: 0,
                doubtful: 0,
                doubtful_bytes: 0,
            }),
            changed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for leave to send.
    pub(crate) async fn enter(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Before asking, so that no change in between is missed.
            changed.as_mut().enable();
            let answer = self.lock().breaker.ask(Instant::now());
            match answer {
                Answer::Go => return,
                Answer::At(until) => {
                    let _ = tokio::time::timeout_at(until, changed).await;
                }
                Answer::Busy => changed.await,
            }
        }
    }

    /// Tells of an answer; `accepted` if it was a good one. Returns whether the breaker closed.
    pub(crate) fn answered(&self, accepted: bool) -> bool {
        let closed = {
            let mut shared = self.lock();
            shared.accepted += u64::from(accepted);
            let before = shared.breaker.state();
            shared.breaker.answered();
            before != BreakerState::Closed
        };
        if closed {
            self.changed.notify_waiters();
        }
        closed
    }

    /// Tells of a failure. Returns whether the breaker opened from closed.
    pub(crate) fn failed(&self, delay: Duration, at_once: bool) -> bool {
        let opened = {
            let mut shared = self.lock();
            let before = shared.breaker.state();
            shared.breaker.failed(Instant::now(), delay, at_once);
            before == BreakerState::Closed && shared.breaker.state() == BreakerState::Open
        };
        self.changed.notify_waiters();
        opened
    }

    /// Tells that the destination asked for a pause.
    pub(crate) fn paused(&self, delay: Duration) {
        self.lock().breaker.paused(Instant::now() + delay);
    }

    pub(crate) fn state(&self) -> BreakerState {
        self.lock().breaker.state()
    }

    /// How many requests the destination has accepted.
    pub(crate) fn accepted(&self) -> u64 {
        self.lock().accepted
    }

    /// A delivery, of so many bytes, goes on only once others have passed.
    pub(crate) fn doubt(&self, bytes: usize) -> Doubt<'_> {
        let mut shared = self.lock();
        shared.doubtful += 1;
        shared.doubtful_bytes += bytes;
        Doubt { gate: self, bytes }
    }

    /// How many deliveries are in doubt, and their bytes.
    pub(crate) fn doubtful(&self) -> (usize, usize) {
        let shared = self.lock();
        (shared.doubtful, shared.doubtful_bytes)
    }

    /// A delivery begins.
    pub(crate) fn begin(&self) {
        self.lock().deliveries += 1;
    }

    /// A delivery ends.
    pub(crate) fn end(&self) {
        self.lock().deliveries -= 1;
    }

    /// Whether a delivery should give back its batch: the breaker is not closed, and another
    /// delivery stays to find out when the destination is back. If so, it has ended.
    pub(crate) fn leave(&self) -> bool {
        let mut shared = self.lock();
        let leave = shared.deliveries > 1 && shared.breaker.state() != BreakerState::Closed;
        shared.deliveries -= usize::from(leave);
        leave
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_secs(5);

    #[test]
    fn opens_after_failures_in_a_row_and_lets_one_probe_through() {
        let now = Instant::now();
        let mut breaker = Breaker::new();
        for _ in 1..THRESHOLD {
            breaker.failed(now, DELAY, false);
            assert_eq!(breaker.ask(now), Answer::Go);
        }
        breaker.failed(now, DELAY, false);
        assert_eq!(breaker.ask(now), Answer::At(now + DELAY));
        assert_eq!(breaker.state(), BreakerState::Open);

        let later = now + DELAY;
        assert_eq!(breaker.ask(later), Answer::Go);
        assert_eq!(breaker.ask(later), Answer::Busy);
        assert_eq!(breaker.state(), BreakerState::HalfOpen);

        breaker.failed(later, DELAY, false);
        assert_eq!(breaker.ask(later), Answer::At(later + DELAY));
        assert_eq!(breaker.ask(later + DELAY), Answer::Go);
        breaker.answered();
        assert_eq!(breaker.state(), BreakerState::Closed);
        breaker.failed(later, DELAY, false);
        assert_eq!(breaker.ask(later), Answer::Go, "counting begins anew");
    }

    #[test]
    fn opens_at_once_where_everything_would_be_refused() {
        let now = Instant::now();
        let mut breaker = Breaker::new();
        breaker.failed(now, DELAY, true);
        assert_eq!(breaker.ask(now), Answer::At(now + DELAY));
    }

    #[test]
    fn a_pause_holds_even_where_the_breaker_is_closed() {
        let now = Instant::now();
        let mut breaker = Breaker::new();
        breaker.paused(now + DELAY);
        breaker.paused(now + DELAY / 2);
        breaker.answered();
        assert_eq!(breaker.ask(now), Answer::At(now + DELAY));
        assert_eq!(breaker.ask(now + DELAY), Answer::Go);
    }

    /// Guarantees: BOUNDED; when the breaker opens, all deliveries but one give back their batch.
    #[test]
    fn all_but_one_leave_an_open_breaker() {
        let gate = Gate::new();
        for _ in 0..4 {
            gate.begin();
        }
        assert!(!gate.leave(), "nobody leaves while it is closed");
        assert!(gate.failed(DELAY, true));
        assert_eq!((0..4).filter(|_| gate.leave()).count(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_behind_a_probe_goes_on_when_it_succeeds() {
        let gate = std::sync::Arc::new(Gate::new());
        gate.failed(DELAY, true);
        gate.enter().await;
        let behind = tokio::spawn({
            let gate = gate.clone();
            async move { gate.enter().await }
        });
        tokio::task::yield_now().await;
        assert!(!behind.is_finished());
        assert!(gate.answered(true));
        behind.await.unwrap();
    }
}
