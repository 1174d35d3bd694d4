//! The loop of a shipper that runs: read, dispatch, hear how deliveries ended, move the cursor.

use std::sync::Arc;
use std::time::Duration;

use ident::{Signal, TenantId};
use journal::{Block, ReadError};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::Shipper;
use crate::batch::{Assembler, Batch};
use crate::choose::{Chooser, Chosen, filtered};
use crate::deliver::{Delivered, deliver};
use crate::ledger::Ledger;
use crate::status::BreakerState;

/// The most blocks that are read and not dealt with.
const MAX_BLOCKS: usize = 8192;
/// The most deliveries that wait, beside those in flight, to see whether others pass.
const MAX_DOUBTFUL: usize = 16;
/// How often lag and the like are looked at.
const TICK: Duration = Duration::from_secs(1);

/// Where reading is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// There may be more.
    On,
    /// All was read that there was.
    AtEnd,
    /// The next block is not decided; it waits in `undecided`.
    Behind,
    /// The disk refused; tried again at the next tick.
    Faulty,
    /// The journal is closed and all was read, or all that will be decided.
    Closed,
}

/// A delivery's end.
struct Ended {
    delivered: Delivered,
    /// Its blocks in the ledger.
    entries: Vec<u64>,
    bytes: usize,
    key: (TenantId, Signal),
}

/// A shipper that runs.
pub(super) struct Run {
    shipper: Shipper,
    assembler: Assembler,
    ledger: Ledger,
    deliveries: JoinSet<Ended>,
    /// Bytes of the batches that are being delivered.
    held_bytes: usize,
    /// Whose and what the requests under way are.
    under_way: Vec<(TenantId, Signal)>,
    reading: Reading,
    /// The next block, which was read and is not decided.
    undecided: Option<Block>,
    /// A delivery gave back its batch.
    left: bool,
    /// When the shutdown must be over, once it has begun.
    deadline: Option<Instant>,
    /// The destination's upkeep, if it runs.
    upkeep: Option<JoinHandle<()>>,
}

impl Run {
    pub(super) fn new(shipper: Shipper) -> Self {
        Run {
            assembler: Assembler::new(shipper.context.max_bytes),
            ledger: Ledger::default(),
            deliveries: JoinSet::new(),
            held_bytes: 0,
            under_way: Vec::new(),
            reading: Reading::On,
            undecided: None,
            left: false,
            deadline: None,
            upkeep: None,
            shipper,
        }
    }

    /// Ships until the shutdown, and then what is left. `true` if there is nothing more to come.
    pub(super) async fn until(&mut self, shutdown: &CancellationToken) -> bool {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.reap();
            self.fill().await;
            self.dispatch();
            let idle = self.deliveries.is_empty() && self.assembler.blocks() == 0;
            let ended = self.reading == Reading::Closed && idle && !self.left;
            let drained = idle && self.reading != Reading::On;
            let down = self.shipper.context.gate.state() != BreakerState::Closed;
            if ended || (self.deadline.is_some() && (drained || down)) {
                return ended;
            }
            let waits_for_more = self.reading == Reading::AtEnd;
            let behind = self.reading == Reading::Behind;
            tokio::select! {
                biased;
                () = shutdown.cancelled(), if self.deadline.is_none() => {
                    self.deadline = Some(Instant::now() + self.shipper.drain);
                    // Appends may have come since the end was reached.
                    self.reading = Reading::On;
                }
                () = sleep_until(self.deadline), if self.deadline.is_some() => return false,
                Some(ended) = self.deliveries.join_next() => self.ended(ended),
                () = self.shipper.consumer.changed(), if waits_for_more => {
                    self.reading = Reading::On;
                }
                () = decided(&mut self.shipper.chooser), if behind => {
                    self.reading = Reading::On;
                }
                _ = tick.tick() => self.tick(),
            }
        }
    }

    /// Ends what is in flight, for as long as that may take, and makes the cursor durable.
    pub(super) async fn wind_up(&mut self) {
        self.shipper.context.stop.cancel();
        let deadline = self
            .deadline
            .unwrap_or_else(|| Instant::now() + self.shipper.drain);
        while let Ok(Some(ended)) =
            tokio::time::timeout_at(deadline, self.deliveries.join_next()).await
        {
            self.ended(ended);
        }
        self.deliveries.shutdown().await;
        self.show_lag();
        if let Err(error) = self.shipper.consumer.flush() {
            tracing::warn!(
                shipper = self.shipper.context.name,
                error = error.to_string(),
                "the cursor could not be written; some data will be shipped again"
            );
        }
    }

    /// How many deliveries may run. Those that wait to see whether others pass take no slot from
    /// them: otherwise a few items at fault, each in a batch of its own, would stop everything.
    fn slots(&self) -> usize {
        let gate = &self.shipper.context.gate;
        match gate.state() {
            BreakerState::Closed => self.shipper.in_flight + gate.doubtful().0.min(MAX_DOUBTFUL),
            BreakerState::Open | BreakerState::HalfOpen => 1,
        }
    }

    /// Reads on, as far as limits allow.
    async fn fill(&mut self) {
        if self.shipper.context.gate.state() != BreakerState::Closed
            && self.assembler.blocks() > 0
            && !self.deliveries.is_empty()
        {
            // BOUNDED: while the destination is down, one batch is held.
            self.give_back();
            self.show_held();
        }
        if self.left {
            if !self.deliveries.is_empty() {
                return;
            }
            self.rewind();
        }
        let max_bytes = self.shipper.context.max_bytes;
        let most = max_bytes.saturating_mul(self.shipper.in_flight + 1);
        while self.reading == Reading::On {
            let gate = &self.shipper.context.gate;
            let limit = match gate.state() {
                BreakerState::Closed => most.saturating_add(gate.doubtful().1.min(most)),
                BreakerState::Open | BreakerState::HalfOpen => max_bytes,
            };
            if self.assembler.bytes() + self.held_bytes >= limit
                || self.assembler.bytes() >= max_bytes
                || self.ledger.len() >= MAX_BLOCKS
            {
                break;
            }
            self.read_one().await;
            // As soon as a batch is full, it goes.
            self.dispatch_full();
        }
    }

    async fn read_one(&mut self) {
        let read = match self.undecided.take() {
            Some(block) => Ok(Some(block)),
            None => self.shipper.consumer.advance().await,
        };
        match read {
            Ok(Some(block)) => self.take(block),
            Ok(None) => {
                self.reading = Reading::AtEnd;
                if self.ledger.len() == 0 {
                    // Lag is seen to end at once, not at the next tick.
                    self.show_lag();
                }
            }
            Err(ReadError::Closed) => self.reading = Reading::Closed,
            Err(error) => self.fault(&error, "cannot read the journal"),
        }
    }

    /// Notes a block, and has what is to be shipped of it shipped.
    fn take(&mut self, block: Block) {
        let chosen = match (&mut self.shipper.chooser, &self.shipper.filter) {
            (Some(chooser), _) => chooser.choose(&block),
            (None, Some(filter)) => Ok(filtered(filter, &block)),
            (None, None) => Ok(Chosen::Whole),
        };
        let chosen = match chosen {
            Ok(Chosen::Undecided) => {
                self.undecided = Some(block);
                self.reading = Reading::Behind;
                return;
            }
            Ok(Chosen::Ended) => {
                self.reading = Reading::Closed;
                return;
            }
            Ok(chosen) => chosen,
            Err(error) => {
                self.undecided = Some(block);
                self.fault(&error, "cannot read the sampler's decisions");
                return;
            }
        };
        let Some(entry) = self.ledger.add(block.position, block.next) else {
            self.commit();
            return;
        };
        let context = Arc::clone(&self.shipper.context);
        let labels = &[context.name.as_str(), block.signal.as_str()];
        let gone = match chosen {
            Chosen::Part { payload, items } => {
                let gone = block.items.saturating_sub(items);
                let part = Block {
                    payload,
                    items,
                    ..block
                };
                self.assembler.push(part, entry);
                gone
            }
            Chosen::Nothing => {
                self.ledger.done(entry);
                self.commit();
                block.items
            }
            _ => {
                if chosen == Chosen::Unknown {
                    let undecided = &context.metrics.undecided;
                    undecided.with_label_values(labels).inc_by(block.items);
                }
                self.assembler.push(block, entry);
                return;
            }
        };
        let metrics = &context.metrics;
        let counter = match &self.shipper.chooser {
            Some(chooser) if chooser.is_sampling() => &metrics.not_sampled,
            // What goes another way is not lost.
            Some(_) => return,
            None => &metrics.filtered,
        };
        counter.with_label_values(labels).inc_by(gone);
    }

    fn fault(&mut self, error: &dyn std::fmt::Display, what: &str) {
        self.reading = Reading::Faulty;
        let error = error.to_string();
        self.shipper.context.note(&error);
        tracing::error!(shipper = self.shipper.context.name, error, "{what}");
    }

    fn dispatch_full(&mut self) {
        while !self.left
            && self.deliveries.len() < self.slots()
            && let Some(batch) = self.assembler.pop_full()
        {
            self.start(batch);
        }
    }

    /// Sends what there is. A batch that is not full waits for company only while a request of its
    /// tenant and signal is under way: with a destination that is slower than the senders, requests
    /// get larger and not more, and nothing waits for a clock.
    fn dispatch(&mut self) {
        // Where a request may wait for others to be taken, others must not wait for it.
        let doubt = self.shipper.context.gate.doubtful().0 > 0;
        while !self.left && self.deliveries.len() < self.slots() {
            let under_way = &self.under_way;
            let free = |batch: &Batch| doubt || !under_way.contains(&batch.key());
            let Some(batch) = self.assembler.pop(free) else {
                return;
            };
            self.start(batch);
        }
    }

    fn start(&mut self, batch: Batch) {
        let context = Arc::clone(&self.shipper.context);
        let entries: Vec<u64> = batch.chunks.iter().map(|chunk| chunk.entry).collect();
        let bytes = batch.bytes();
        self.held_bytes += bytes;
        let key = batch.key();
        self.under_way.push(key.clone());
        context.gate.begin();
        self.deliveries.spawn(async move {
            let delivered = deliver(&context, batch).await;
            Ended {
                delivered,
                entries,
                bytes,
                key,
            }
        });
        self.show_held();
    }

    fn reap(&mut self) {
        while let Some(ended) = self.deliveries.try_join_next() {
            self.ended(ended);
        }
    }

    fn ended(&mut self, ended: Result<Ended, JoinError>) {
        match ended {
            Ok(ended) => {
                self.held_bytes -= ended.bytes;
                if let Some(at) = self.under_way.iter().position(|key| *key == ended.key) {
                    self.under_way.swap_remove(at);
                }
                match ended.delivered {
                    Delivered::All => ended.entries.iter().for_each(|at| self.ledger.done(*at)),
                    Delivered::Left => self.give_back(),
                }
            }
            Err(error) => {
                // A panic, which is a mistake in this program. The batch is read again.
                tracing::error!(
                    shipper = self.shipper.context.name,
                    error = error.to_string(),
                    "a delivery was aborted"
                );
                let gate = &self.shipper.context.gate;
                // It may have been the one that finds out, or it may happen time and again.
                gate.failed(self.shipper.context.retry.initial, false);
                gate.end();
                self.give_back();
            }
        }
        self.commit();
        self.show_held();
    }

    /// A batch was not dealt with: what waits is forgotten, to be read again with it.
    fn give_back(&mut self) {
        self.left = true;
        self.assembler.clear();
    }

    fn rewind(&mut self) {
        self.left = false;
        self.undecided = None;
        self.held_bytes = 0;
        self.under_way.clear();
        self.ledger.rewind();
        let position = self.shipper.consumer.position();
        self.shipper.consumer.seek(position);
        self.reading = Reading::On;
    }

    fn commit(&mut self) {
        if let Some(upto) = self.ledger.advance() {
            self.shipper.consumer.commit(upto);
        }
        if self.reading == Reading::AtEnd && self.ledger.len() == 0 {
            // Now the cursor may move over what the filter did not want.
            self.reading = Reading::On;
        }
    }

    fn tick(&mut self) {
        if self.reading == Reading::Faulty {
            self.reading = Reading::On;
        }
        self.show_lag();
        self.shipper.context.show_breaker();
        if self.upkeep.as_ref().is_none_or(JoinHandle::is_finished) {
            let context = Arc::clone(&self.shipper.context);
            let tick = move || context.destination.tick();
            self.upkeep = Some(tokio::task::spawn_blocking(tick));
        }
    }

    fn show_held(&self) {
        let context = &self.shipper.context;
        let metrics = &context.metrics;
        let name = &[context.name.as_str()];
        let bytes = self.held_bytes + self.assembler.bytes();
        metrics.held_bytes.with_label_values(name).set(bytes as f64);
        let in_flight = self.deliveries.len();
        metrics
            .in_flight
            .with_label_values(name)
            .set(in_flight as f64);
        context.status.update(|status| status.in_flight = in_flight);
    }

    fn show_lag(&self) {
        let lag = self.shipper.consumer.status();
        let context = &self.shipper.context;
        let metrics = &context.metrics;
        let name = &[context.name.as_str()];
        let seconds = lag.lag.as_secs_f64();
        metrics
            .queue_size
            .with_label_values(name)
            .set(lag.lag_bytes as f64);
        metrics
            .queue_capacity
            .with_label_values(name)
            .set(self.shipper.queue_capacity as f64);
        metrics.lag_seconds.with_label_values(name).set(seconds);
        context.status.update(|status| {
            status.position = lag.position;
            status.lag_bytes = lag.lag_bytes;
            status.lag_seconds = seconds;
        });
    }
}

/// Until more is decided.
async fn decided(chooser: &mut Option<Chooser>) {
    match chooser {
        Some(chooser) => chooser.changed().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
