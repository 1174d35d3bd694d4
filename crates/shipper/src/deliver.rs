//! The life of one batch: sent, tried again, narrowed down, put aside, until nothing is left of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ident::Signal;
use meter::CounterVec;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::batch::Batch;
use crate::breaker::Gate;
use crate::dead_letter::{DeadLetters, PutAside};
use crate::destination::{Accepted, Class, Destination, Failure};
use crate::metrics::Metrics;
use crate::narrow::{Narrowed, Narrowing};
use crate::status::StatusHandle;
use egress::{Backoff, Retry};

/// What the deliveries of one shipper share.
pub(crate) struct Context {
    pub name: String,
    pub destination: Arc<dyn Destination>,
    pub gate: Gate,
    /// A permit for each request that may be in flight.
    pub requests: Semaphore,
    pub retry: Retry,
    pub max_bytes: usize,
    pub dead_letters: Arc<DeadLetters>,
    pub metrics: Metrics,
    pub lost: CounterVec,
    pub status: StatusHandle,
    /// Deliveries that wait for another try end now; their batches are read again after a restart.
    pub stop: CancellationToken,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// Every item is acknowledged, put aside or counted as lost.
    All,
    /// The batch must be read again.
    Left,
}

/// How one piece ended.
enum Attempted {
    Accepted(Accepted),
    /// By the destination, for what it holds or for an unclear reason.
    Refused(Failure),
    GivenUp,
    Left,
}

/// Delivers a batch.
pub(crate) async fn deliver(context: &Context, batch: Batch) -> Delivered {
    let begun = Instant::now();
    let mut backoff = Backoff::default();
    let bytes = batch.bytes();
    let mut work = Narrowing::new(batch, context.max_bytes);
    let mut doubt = None;
    while let Some(piece) = work.next() {
        let whole = work.is_whole();
        let failure = match attempt(context, &piece.batch, whole, begun).await {
            Attempted::Accepted(accepted) => {
                context.accepted(&piece.batch, accepted);
                continue;
            }
            Attempted::GivenUp => {
                context.give_up(&piece.batch);
                continue;
            }
            Attempted::Left => return Delivered::Left,
            Attempted::Refused(failure) => failure,
        };
        let narrowed = match failure.class {
            Class::Unclear => work.unclear(piece, context.gate.accepted()),
            _ => work.refused(piece),
        };
        if whole && !work.is_whole() {
            tracing::warn!(
                shipper = context.name,
                reason = failure.summary(),
                "the destination refuses a batch for what it holds; looking for the items at fault"
            );
        }
        match narrowed {
            Narrowed::GoOn => doubt = None,
            Narrowed::Culprit(culprit) => {
                if !context.put_aside(culprit, &failure).await {
                    return Delivered::Left;
                }
            }
            Narrowed::Wait => {
                // It must not keep those from being sent that would decide about it.
                doubt.get_or_insert_with(|| context.gate.doubt(bytes));
                let delay = backoff.next(&context.retry, failure.retry_after, rand::random());
                if context.is_too_late(begun, delay) {
                    // All that is left, or it would wait again and again.
                    while let Some(piece) = work.next() {
                        context.give_up(&piece.batch);
                    }
                } else if !context.wait(delay).await {
                    return Delivered::Left;
                }
            }
        }
    }
    drop(doubt);
    context.gate.end();
    Delivered::All
}

/// Sends a piece until the destination has decided about it.
async fn attempt(context: &Context, piece: &Batch, whole: bool, begun: Instant) -> Attempted {
    let mut backoff = Backoff::default();
    loop {
        let leave = tokio::select! {
            biased;
            () = context.stop.cancelled() => return Attempted::Left,
            leave = context.leave_to_send() => leave,
        };
        let sent = Instant::now();
        let answer = context.destination.send(piece).await;
        drop(leave);
        context
            .metrics
            .seconds
            .with_label_values(&[&context.name])
            .observe(sent.elapsed().as_secs_f64());
        let failure = match answer {
            Ok(accepted) => {
                context.answered(true);
                return Attempted::Accepted(accepted);
            }
            Err(failure) => failure,
        };
        context.note(&failure.summary());
        let delay = backoff.next(&context.retry, failure.retry_after, rand::random());
        match failure.class {
            Class::Refused | Class::Unclear => {
                context.answered(false);
                return Attempted::Refused(failure);
            }
            Class::Throttled => {
                context.answered(false);
                context.gate.paused(delay);
            }
            Class::Transient => {
                context.failed(&failure, delay, false);
                if failure.retry_after.is_some() {
                    // `UNAVAILABLE` with RetryInfo and 503 with Retry-After are throttling too: the
                    // delay is meant for every request.
                    context.gate.paused(delay);
                }
            }
            Class::Misconfigured => context.failed(&failure, delay, true),
        }
        context.show_breaker();
        if context.is_too_late(begun, delay) {
            return Attempted::GivenUp;
        }
        // BOUNDED: while the destination is down, one batch is held. What has been narrowed stays,
        // so that nothing is put aside twice.
        if whole && context.gate.leave() {
            return Attempted::Left;
        }
        if !context.wait(delay).await {
            return Attempted::Left;
        }
    }
}

impl Context {
    /// Waits until fewer requests are in flight than may be, and then at the gate: what the answers
    /// to those before said counts for this one too.
    async fn leave_to_send(&self) -> Option<SemaphorePermit<'_>> {
        let permit = self.requests.acquire().await;
        self.gate.enter().await;
        // It is never closed.
        permit.ok()
    }

    /// Waits for another try. Returns `false` if the shutdown came first.
    async fn wait(&self, delay: Duration) -> bool {
        self.metrics.retries.with_label_values(&[&self.name]).inc();
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(delay) => true,
        }
    }

    fn is_too_late(&self, begun: Instant, delay: Duration) -> bool {
        let limit = self.retry.max_elapsed;
        limit.is_some_and(|limit| begun.elapsed() + delay > limit)
    }

    fn give_up(&self, piece: &Batch) {
        self.lose(piece.signal, piece.items(), "retries_exhausted");
    }

    fn answered(&self, accepted: bool) {
        if self.gate.answered(accepted) {
            tracing::info!(shipper = self.name, "the destination answers again");
            self.show_breaker();
        }
    }

    fn failed(&self, failure: &Failure, delay: Duration, at_once: bool) {
        let opened = self.gate.failed(delay, at_once);
        let reason = failure.summary();
        let retry_in_seconds = delay.as_secs_f64();
        if failure.class == Class::Misconfigured {
            tracing::error!(
                shipper = self.name,
                reason,
                retry_in_seconds,
                "the destination refuses everything; nothing is lost, but nothing arrives until its configuration is mended"
            );
        } else if opened {
            tracing::warn!(
                shipper = self.name,
                reason,
                retry_in_seconds,
                "the destination is down; the journal keeps what is for it"
            );
        } else {
            tracing::debug!(
                shipper = self.name,
                reason,
                retry_in_seconds,
                "trying again"
            );
        }
    }

    pub(crate) fn show_breaker(&self) {
        let state = self.gate.state();
        self.metrics
            .breaker
            .with_label_values(&[&self.name])
            .set(state.as_number());
        self.status.update(|status| status.breaker = state);
    }

    /// Remembers a failure for the status.
    pub(crate) fn note(&self, error: &str) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        self.status.update(|status| {
            status.last_error = Some(error.to_owned());
            status.last_error_unix = Some(now);
        });
    }

    fn accepted(&self, piece: &Batch, accepted: Accepted) {
        let rejected = accepted.rejected.min(piece.items());
        let sent = piece.items() - rejected;
        self.metrics.sent(&self.name, piece.signal, sent);
        self.status.update(|status| status.sent_items += sent);
        if rejected > 0 {
            // LOSS-COUNTED. The specification forbids to send them again, and does not say which.
            self.note(&format!(
                "the destination rejected {rejected} {} of a request it took",
                piece.signal.items_name()
            ));
            tracing::warn!(
                shipper = self.name,
                tenant = piece.tenant.as_str(),
                signal = piece.signal.as_str(),
                rejected,
                "the destination took a request without some of its items"
            );
            self.lose(piece.signal, rejected, "rejected_by_destination");
        }
    }

    /// LOSS-COUNTED.
    fn lose(&self, signal: Signal, items: u64, reason: &str) {
        self.metrics.send_failed(&self.name, signal, items);
        self.lost
            .with_label_values(&[signal.as_str(), reason])
            .inc_by(items);
        self.status.update(|status| status.lost_items += items);
    }

    /// Puts a culprit aside. Returns `false` if that could not be done before the shutdown.
    async fn put_aside(&self, culprit: Batch, failure: &Failure) -> bool {
        let reason = format!("{}: {}", failure.code, failure.message);
        let signal = culprit.signal;
        let culprit = Arc::new(culprit);
        let mut backoff = Backoff::default();
        let put = loop {
            let letters = Arc::clone(&self.dead_letters);
            let (piece, why) = (Arc::clone(&culprit), reason.clone());
            let done = tokio::task::spawn_blocking(move || letters.put(&piece, &why)).await;
            let error = match done {
                Ok(Ok(put)) => break put,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the writer was stopped".to_owned(),
            };
            // The item is safe in the journal as long as the cursor stays.
            self.note(&format!("cannot write the dead letters: {error}"));
            tracing::error!(shipper = self.name, error, "cannot write the dead letters");
            let delay = backoff.next(&self.retry, None, rand::random());
            if !self.wait(delay).await {
                return false;
            }
        };
        self.count_put_aside(signal, put, failure);
        true
    }

    fn count_put_aside(&self, signal: Signal, put: PutAside, failure: &Failure) {
        self.metrics
            .dead_letters
            .with_label_values(&[&self.name, signal.as_str()])
            .inc_by(put.kept);
        self.metrics.send_failed(&self.name, signal, put.kept);
        self.status
            .update(|status| status.dead_letter_items += put.kept);
        tracing::warn!(
            shipper = self.name,
            signal = signal.as_str(),
            put_aside = put.kept,
            no_room = put.lost,
            reason = failure.summary(),
            "items that the destination refuses are put aside as dead letters"
        );
        if put.lost > 0 {
            self.lose(signal, put.lost, "dead_letters_full");
        }
    }
}
