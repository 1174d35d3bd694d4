//! The running sampler: observes the journal, decides its blocks a wait later, stores what must
//! outlive it. It has a thread of its own, the only one that touches the sampler.

mod overrides;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ident::Signal;
use journal::{Block, Consumer, Filter, Journal, ReadError, Reader, Start};
use sampler::config::Sampling as Config;
use sampler::{Checkpoint, CutError, Sampler, Selection, Step};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::control::{Book, Command};
use crate::decisions::Writer;
use crate::lookback::Lookback;
use crate::metrics::Metrics;
use crate::ownership::{Ownership, Seen};
use crate::store::Store;

/// Decisions are written when so many bytes of them wait, or so much time has passed.
const FLUSH_BYTES: usize = 32 << 10;
const FLUSH_AFTER: Duration = Duration::from_millis(20);
/// How often the journal is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How long it sleeps where it is not known yet what is its own.
const NAP_NANOS: u64 = 20_000_000;

/// A signal whose blocks are decided.
pub(crate) struct Deciding {
    pub signal: Signal,
    pub reader: Reader,
    pub next: Option<Seen>,
    pub writer: Writer,
    /// How much longer than traces its blocks wait.
    pub extra: u64,
}

/// Everything that runs.
pub(crate) struct Stage {
    pub config: Config,
    pub journal: Journal,
    pub store: Store,
    pub metrics: Metrics,
    pub sampler: Sampler,
    pub observe: Reader,
    pub next: Option<Seen>,
    /// Which items are decided here; all of them if there is nobody to share with.
    pub own: Option<Arc<dyn Ownership>>,
    /// A block was read of which that is not known yet. It is read again.
    pub unknown: bool,
    pub deciding: Vec<Deciding>,
    /// Holds in the journal what a restart reads back.
    pub holder: Consumer,
    pub checkpoint: Option<Checkpoint>,
    pub book: Arc<Book>,
    pub commands: mpsc::Receiver<Command>,
    pub lookbacks: mpsc::UnboundedSender<Lookback>,
    /// One look back decides at a time.
    pub one_lookback: Arc<Semaphore>,
    pub stop: CancellationToken,
    pub selection: Selection,
    pub reading_back: bool,
    pub flushed: Instant,
    pub ticked: Instant,
}

/// What a step came to.
enum Turn {
    Done,
    Wait { until_unix_nano: Option<u64> },
    Closed,
}

/// What keeps it from going on; it is tried again.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the sampler cannot store its decisions: {0}")]
    Write(#[from] io::Error),
}

impl Stage {
    pub(crate) async fn run(mut self) {
        self.resume_lookbacks();
        let stop = self.stop.clone();
        let mut faulty = false;
        while !stop.is_cancelled() {
            // While it reads back, what it has not observed yet may be decided already: an
            // override that came into force now would neither keep it nor look back for it.
            while !self.reading_back
                && let Ok(command) = self.commands.try_recv()
            {
                self.obey(command);
            }
            match self.turn() {
                Ok(Turn::Done) => faulty = false,
                Ok(Turn::Closed) => break,
                Ok(Turn::Wait { until_unix_nano }) => {
                    faulty = false;
                    self.wait(until_unix_nano).await;
                }
                Err(error) => {
                    if !std::mem::replace(&mut faulty, true) {
                        tracing::error!(%error, "sampling waits; so does shipping");
                    }
                    tokio::select! {
                        () = tokio::time::sleep(TICK) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
        }
        for deciding in &mut self.deciding {
            if let Err(error) = deciding.writer.sync() {
                // They are made again, and will be the same.
                tracing::warn!(%error, "the last decisions are not durable");
            }
        }
    }

    /// One step, and what is due beside it.
    fn turn(&mut self) -> Result<Turn, Fault> {
        let waiting: usize = self.deciding.iter().map(|d| d.writer.waiting()).sum();
        if waiting >= FLUSH_BYTES || (waiting > 0 && self.flushed.elapsed() >= FLUSH_AFTER) {
            self.flush()?;
        }
        if self.ticked.elapsed() >= TICK {
            self.ticked = Instant::now();
            self.tick()?;
        }
        let turn = self.step()?;
        if let Turn::Wait { .. } | Turn::Closed = turn {
            self.flush()?;
        }
        // After the step, so that one that could not be stored is tried again.
        self.checkpoint = self.sampler.take_checkpoint().or(self.checkpoint.take());
        self.store_checkpoint()?;
        Ok(turn)
    }

    fn step(&mut self) -> Result<Turn, Fault> {
        // Before looking: what comes afterwards is not earlier.
        let now = self.journal.clock();
        let mut closed = false;
        self.unknown = false;
        if self.next.is_none() {
            (self.next, closed) = self.try_observe()?;
        }
        let mut first: Option<(u64, usize)> = None;
        for (at, deciding) in self.deciding.iter_mut().enumerate() {
            if deciding.next.is_none() {
                let own = self.own.as_ref();
                (deciding.next, _) = try_next(&mut deciding.reader, own, &mut self.unknown)?;
            }
            if let Some(seen) = &deciding.next {
                let time = seen.block.appended_unix_nano.saturating_add(deciding.extra);
                first = first.into_iter().chain([(time, at)]).min();
            }
        }
        if self.unknown {
            // Time does not go on past what nobody knows.
            return Ok(Turn::Wait {
                until_unix_nano: Some(now.saturating_add(NAP_NANOS)),
            });
        }
        let observe = self.next.as_ref().map(|seen| seen.block.appended_unix_nano);
        let step = self
            .sampler
            .pace()
            .next(observe, first.map(|(time, _)| time), now);
        Ok(match (step, first) {
            (Step::Observe, _) => {
                if let Some(seen) = self.next.take() {
                    self.sampler.observe(&seen.block);
                }
                Turn::Done
            }
            (Step::Cut, Some((_, at))) => {
                self.decide(at)?;
                Turn::Done
            }
            (Step::Cut | Step::Wait { .. }, _) if closed => Turn::Closed,
            (Step::Wait { until_unix_nano }, _) => {
                self.sampler.idle(now);
                Turn::Wait { until_unix_nano }
            }
            (Step::Cut, None) => Turn::Wait {
                until_unix_nano: None,
            },
        })
    }

    fn try_observe(&mut self) -> Result<(Option<Seen>, bool), ReadError> {
        let own = self.own.as_ref();
        try_next(&mut self.observe, own, &mut self.unknown)
    }

    fn decide(&mut self, at: usize) -> Result<(), Fault> {
        if std::mem::take(&mut self.reading_back) {
            // What was read back was counted before the restart.
            self.sampler.take_counters();
        }
        let Some(deciding) = self.deciding.get_mut(at) else {
            return Ok(());
        };
        let Some(seen) = &deciding.next else {
            return Ok(());
        };
        let block = &seen.block;
        let mut during = [0; 16];
        let mut selected = self.sampler.select(block, &mut self.selection);
        if let Err(CutError::NeedsPayload) = selected {
            let whole = read_again(&self.journal, block)?;
            selected = self.sampler.select(&whole, &mut self.selection);
        }
        match selected {
            Ok(selected) => during = selected.by_override,
            // A payload that is not there cannot be read by shippers either, which count it.
            Err(error @ (CutError::Malformed(_) | CutError::NeedsPayload)) => {
                tracing::error!(%error, position = %block.position, "a block cannot be sampled; it is shipped whole");
                let items = u32::try_from(block.items).unwrap_or(u32::MAX);
                self.selection = Selection::from_stored(items, items, &[]).unwrap_or_default();
            }
            Err(error) => {
                tracing::error!(%error, "the sampler is rebuilt from the journal");
                let time = block.appended_unix_nano;
                self.metrics.rebuilt.inc();
                self.rebuild(time);
                return Ok(());
            }
        }
        // Before it is widened: the rest is decided, and counted, where it is forwarded to.
        let (items, kept) = (self.selection.items(), self.selection.kept());
        seen.widen(&mut self.selection);
        deciding.writer.push(block, &self.selection)?;
        self.metrics.decided(deciding.signal, items, kept);
        deciding.next = None;
        for (number, spans) in (0..).zip(during).filter(|(_, spans)| *spans > 0) {
            let add = |entry: &mut crate::store::Stored| entry.kept_during_spans += spans;
            self.book.count(number, add);
        }
        Ok(())
    }

    /// Begins anew without a checkpoint, for blocks of this time and later.
    fn rebuild(&mut self, time: u64) {
        let Ok(mut sampler) = Sampler::new(&self.config) else {
            // It was made of the same configuration before.
            return;
        };
        let lead = sampler.recut_lead_nanos();
        crate::open::give_overrides(&mut sampler, &self.book);
        let start = self.journal.position_at(time.saturating_sub(lead));
        self.observe = self
            .journal
            .reader(Start::At(start), Filter::signal(Signal::Traces));
        self.next = None;
        self.sampler = sampler;
        self.reading_back = true;
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed = Instant::now();
        for deciding in &mut self.deciding {
            deciding.writer.flush()?;
        }
        if !self.reading_back {
            self.metrics.add(&mut self.sampler);
        }
        Ok(())
    }

    /// RESTARTABLE: decisions are durable before the checkpoint that no longer leads to them, and
    /// the checkpoint before the journal forgets what came before it.
    fn store_checkpoint(&mut self) -> io::Result<()> {
        let Some(checkpoint) = &self.checkpoint else {
            return Ok(());
        };
        for deciding in &mut self.deciding {
            deciding.writer.sync()?;
        }
        self.store.put_checkpoint(checkpoint)?;
        self.holder.commit(checkpoint.read_from());
        self.checkpoint = None;
        if !self.book.entries().is_empty() {
            self.book.change(|_| {})?;
        }
        Ok(())
    }

    fn tick(&mut self) -> io::Result<()> {
        let now = self.journal.clock();
        let stats = self.journal.stats();
        for deciding in &mut self.deciding {
            deciding.writer.prune(stats.oldest.segment)?;
        }
        let oldest = self.deciding.iter().filter_map(|d| d.next.as_ref());
        let oldest = oldest.map(|seen| seen.block.appended_unix_nano).min();
        let lag = oldest.map_or(0, |time| now.saturating_sub(time));
        self.metrics
            .lag
            .set(Duration::from_nanos(lag).as_secs_f64());
        self.give_way(stats.bytes);
        self.forget_ended(now)?;
        Ok(())
    }

    /// A journal that is nearly full must not be kept full for the sake of a restart: senders
    /// would be told to wait until `remember` has passed a few times.
    fn give_way(&mut self, bytes: u64) {
        let short = bytes > self.journal.options().max_bytes / 10 * 9;
        let before = self.metrics.short_journal.get() != 0.0;
        if short != before {
            self.metrics.short_journal.set(f64::from(u8::from(short)));
            if short {
                tracing::warn!(
                    "the journal is nearly full, so what a restart of the sampler would read back is not kept; decisions may differ after a restart now"
                );
            }
        }
        if short && let Some(until) = self.deciding.iter().map(|d| d.writer.until()).min() {
            self.holder.commit(until);
        }
    }

    async fn wait(&mut self, until_unix_nano: Option<u64>) {
        let now = self.journal.clock();
        let due = until_unix_nano.map(|until| Duration::from_nanos(until.saturating_sub(now)));
        let nap = due.map_or(TICK, |due| due.min(TICK));
        let stop = self.stop.clone();
        let sees_all = self.next.is_none() && !self.unknown;
        let place = self.observe.position();
        tokio::select! {
            () = stop.cancelled() => {}
            Some(command) = self.commands.recv() => self.obey(command),
            block = self.observe.next(), if sees_all => {
                if let Ok(block) = block {
                    self.next = Seen::of(self.own.as_ref(), block);
                    if self.next.is_none() {
                        self.observe.seek(place);
                    }
                }
                // The next turn meets an error again.
            }
            () = tokio::time::sleep(nap) => {}
        }
    }
}

/// The same block with its payload; as it is where that is damaged.
fn read_again(journal: &Journal, block: &Block) -> Result<Block, ReadError> {
    let filter = Filter::signal(block.signal);
    let found = journal
        .reader(Start::At(block.position), filter)
        .try_next()?;
    Ok(found
        .filter(|found| found.position == block.position)
        .unwrap_or_else(|| block.clone()))
}

/// The next block, and whether none will ever come. One of which is not known what is its own sets
/// `unknown`, and is read again.
pub(crate) fn try_next(
    reader: &mut Reader,
    own: Option<&Arc<dyn Ownership>>,
    unknown: &mut bool,
) -> Result<(Option<Seen>, bool), ReadError> {
    let place = reader.position();
    match reader.try_next() {
        Ok(None) => Ok((None, false)),
        Ok(Some(block)) => {
            let seen = Seen::of(own, block);
            if seen.is_none() {
                reader.seek(place);
                *unknown = true;
            }
            Ok((seen, false))
        }
        Err(ReadError::Closed) => Ok((None, true)),
        Err(error) => Err(error),
    }
}
