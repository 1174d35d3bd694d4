//! Reading again what is past, for an override: which spans in its scope sampling had let go.
//!
//! The journal is read beside the running sampler, by a sampler of its own that keeps nothing but
//! the override's scope; what the running one has kept is taken out by its decisions, so that
//! nothing is shipped that was shipped. The result is a decision log of its own, which shippers
//! follow with cursors of their own (RESTARTABLE). One look back decides at a time (BOUNDED).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ident::Signal;
use journal::{Block, Filter, Journal, Position, ReadError, Reader, Start};
use sampler::config::Sampling as Config;
use sampler::{CutError, Recut, Sampler, Selection, Step};
use tokio_util::sync::CancellationToken;

use crate::control::Book;
use crate::decisions::{DecisionReader, Decisions, Look, Writer};
use crate::metrics::Metrics;
use crate::ownership::{Ownership, Seen};
use crate::store::{First, Lookback as State, Store, Stored};

/// How long it sleeps where it waits for the journal or for the running sampler.
const NAP: Duration = Duration::from_millis(20);
/// Decisions are shown to shippers when so many bytes of them wait.
const FLUSH_BYTES: usize = 16 << 10;

/// A look back that shippers are to follow: each with a cursor of its own, from `start` on, until
/// its decisions end.
#[derive(Debug)]
pub struct Lookback {
    /// What cursors are called by, as in `lookback-3`.
    pub name: String,
    /// What is to be shipped.
    pub decisions: Decisions,
    /// Where reading begins.
    pub start: Position,
    number: u8,
    round: Round,
    book: Arc<Book>,
    store: Store,
}

/// A look back has two rounds, each with decisions of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// What is itself in scope, of the last half minute that is decided already: there is nothing
    /// to wait for.
    First,
    /// All else.
    Second,
}

impl Lookback {
    /// Every shipper has followed it to its end: it is forgotten.
    pub fn shipped(self) {
        let (number, round) = (self.number, self.round);
        let done = self.book.change(|entries| {
            let Some(entry) = entries.iter_mut().find(|e| e.number == number) else {
                return;
            };
            match (round, &mut entry.first) {
                (Round::First, Some(first)) => first.shipped = true,
                (Round::First, None) => {}
                (Round::Second, _) => entry.lookback = State::Done,
            }
        });
        if let Err(error) = done {
            // It is shipped again after a restart.
            tracing::warn!(%error, "the end of a look back cannot be stored");
            return;
        }
        if round == Round::Second {
            let _ = std::fs::remove_dir_all(self.store.decisions(&self.name));
        }
        forget_first(&self.book, &self.store, number);
    }
}

/// Removes what the first round has decided, if it is shipped and the second has taken it out.
fn forget_first(book: &Book, store: &Store, number: u8) {
    let entries = book.entries();
    let entry = entries.iter().find(|entry| entry.number == number);
    if entry.is_some_and(Stored::first_is_over) {
        let name = name_of(number, Round::First);
        let _ = std::fs::remove_dir_all(store.decisions(&name));
    }
}

/// What a look back needs.
pub(crate) struct Work {
    pub config: Config,
    pub journal: Journal,
    pub kept: DecisionReader,
    pub account: Account,
    pub start: Position,
    pub writer: Writer,
    pub own: Option<Arc<dyn Ownership>>,
    pub first: Option<FirstRound>,
    pub store: Store,
}

/// What a look back is about and what it has kept, over both rounds.
pub(crate) struct Account {
    pub entry: Stored,
    pub book: Arc<Book>,
    pub metrics: Metrics,
}

/// What its first round needs.
pub(crate) struct FirstRound {
    pub range: First,
    pub writer: Writer,
}

/// Why a look back ended early. It goes on after a restart.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] io::Error),
    #[error(transparent)]
    Cut(#[from] CutError),
    #[error(transparent)]
    Config(#[from] sampler::config::ConfigError),
    #[error(transparent)]
    Override(#[from] sampler::OverrideError),
}

pub(crate) fn name_of(number: u8, round: Round) -> String {
    match round {
        Round::First => format!("lookback-{number}-first"),
        Round::Second => format!("lookback-{number}"),
    }
}

/// The consumer that holds in the journal what a look back has still to decide.
pub(crate) fn holder_of(name: &str) -> String {
    format!("_sampler.{name}")
}

/// Makes the handle that shippers get.
pub(crate) fn handle(
    entry: &Stored,
    round: Round,
    start: Position,
    decisions: &Decisions,
    book: &Arc<Book>,
    store: &Store,
) -> Lookback {
    Lookback {
        name: name_of(entry.number, round),
        decisions: decisions.clone(),
        start,
        number: entry.number,
        round,
        book: Arc::clone(book),
        store: store.clone(),
    }
}

/// One of the two places at which the journal is read.
struct At {
    reader: Reader,
    next: Option<Seen>,
    own: Option<Arc<dyn Ownership>>,
    ended: bool,
    from: u64,
    to: u64,
}

impl At {
    /// Makes sure that the next block is there, if there is one; `false` where it is not known yet
    /// what of it is this gateway's own. `now` was read before.
    fn fill(&mut self, now: u64) -> Result<bool, ReadError> {
        while self.next.is_none() && !self.ended {
            let place = self.reader.position();
            match self.reader.try_next()? {
                Some(block) if block.appended_unix_nano < self.from => {}
                Some(block) if block.appended_unix_nano < self.to => {
                    self.next = Seen::of(self.own.as_ref(), block);
                    if self.next.is_none() {
                        self.reader.seek(place);
                        return Ok(false);
                    }
                }
                Some(_) => self.ended = true,
                None => {
                    self.ended = now >= self.to;
                    break;
                }
            }
        }
        Ok(true)
    }

    fn time(&self) -> Option<u64> {
        self.next.as_ref().map(|seen| seen.block.appended_unix_nano)
    }
}

impl Work {
    /// Decides what is itself in scope of a short part of the log, so that something is shipped at
    /// once: the second round must observe a whole `wait` before its first spans. It keeps no state
    /// of traces, so it waits for no other look back either.
    pub(crate) async fn first_round(&mut self, stop: &CancellationToken) -> Result<(), Fault> {
        let Some(FirstRound { range, mut writer }) = self.first.take() else {
            return Ok(());
        };
        let times = self.account.entry.lookback_from_unix_nano..self.account.entry.from_unix_nano;
        // Before a restart it came this far.
        let decided = writer.until();
        let filter = Filter::signal(Signal::Traces);
        let mut reader = self
            .journal
            .reader(Start::At(range.start), filter)
            .leading();
        let mut selection = Selection::default();
        loop {
            let place = reader.position();
            let next = reader.try_next()?;
            let Some(block) = next.filter(|block| block.position < range.end) else {
                break;
            };
            if block.position < decided {
                continue;
            }
            let Some(seen) = Seen::of(self.own.as_ref(), block) else {
                reader.seek(place);
                tokio::select! {
                    () = tokio::time::sleep(NAP) => continue,
                    () = stop.cancelled() => return Ok(()),
                }
            };
            let block = &seen.block;
            let told = self.account.entry.scope.select(block, &mut selection);
            if !told || !times.contains(&block.appended_unix_nano) {
                selection.clear();
            }
            seen.widen(&mut selection);
            if !take_out(&mut self.kept, &mut writer, block, &mut selection, stop).await? {
                return Ok(());
            }
            self.account.note(&mut writer, block, &selection)?;
            // The running sampler and the gateway go on beside it.
            tokio::task::yield_now().await;
            if stop.is_cancelled() {
                return Ok(());
            }
        }
        writer.sync()?;
        writer.decisions().complete();
        // The second round takes out what is in here.
        self.first = Some(FirstRound { range, writer });
        Ok(())
    }

    /// Decides all of it, unless it is told to stop. Runs on a thread of its own.
    pub(crate) async fn run(mut self, stop: &CancellationToken) -> Result<(), Fault> {
        let number = self.account.entry.number;
        let mut sampler = Sampler::recut(&self.config, Recut::All, number)?;
        let wait = sampler.lag_nanos(Signal::Traces);
        let (from, to) = (
            self.account.entry.lookback_from_unix_nano,
            self.account.entry.from_unix_nano,
        );
        sampler.keep_all(sampler::Override {
            from_unix_nano: from,
            to_unix_nano: to,
            ..self.account.entry.as_override()
        })?;
        let at = |journal: &Journal| At {
            reader: journal.reader(Start::At(self.start), Filter::signal(Signal::Traces)),
            next: None,
            own: self.own.clone(),
            ended: false,
            // A trace in scope may have begun before, and may go on after.
            from: from.saturating_sub(wait),
            to: to.saturating_add(wait),
        };
        let (mut observe, mut cut) = (at(&self.journal), at(&self.journal));
        // Shippers follow as soon as they have its decisions.
        cut.reader = cut.reader.leading();
        let mut selection = Selection::default();
        let pace = sampler.pace();
        // Before a restart it came this far.
        let decided = self.writer.until();
        let first = self.first.take();
        let mut first = first.map(|first| first.writer.decisions().reader());
        while !stop.is_cancelled() {
            let now = self.journal.clock();
            if !(observe.fill(now)? && cut.fill(now)?) {
                tokio::time::sleep(NAP).await;
                continue;
            }
            let now = if observe.ended { u64::MAX } else { now };
            match pace.next(observe.time(), cut.time(), now) {
                Step::Observe => {
                    if let Some(seen) = observe.next.take() {
                        sampler.observe(&seen.block);
                    }
                }
                Step::Cut => {
                    let Some(seen) = cut.next.take() else {
                        continue;
                    };
                    let block = &seen.block;
                    if block.position < decided {
                        continue;
                    }
                    match sampler.select(block, &mut selection) {
                        Ok(_) => {}
                        // It was shipped as it is.
                        Err(CutError::Malformed(_)) => selection.clear(),
                        Err(error) => return Err(error.into()),
                    }
                    seen.widen(&mut selection);
                    let (kept, writer) = (&mut self.kept, &mut self.writer);
                    if !take_out(kept, writer, block, &mut selection, stop).await? {
                        return Ok(());
                    }
                    if let Some(first) = &mut first
                        && selection.kept() > 0
                        && let Look::Decided(found) = first.look_up(block.position)?
                    {
                        selection.remove(&found);
                    }
                    self.account.note(&mut self.writer, block, &selection)?;
                }
                Step::Wait { .. } if cut.ended => return Ok(self.end()?),
                Step::Wait { .. } => {
                    self.writer.flush()?;
                    tokio::time::sleep(NAP).await;
                }
            }
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.writer.sync()?;
        self.writer.decisions().complete();
        let (number, start) = (self.account.entry.number, self.start);
        self.account.book.change(|entries| {
            if let Some(entry) = entries.iter_mut().find(|e| e.number == number) {
                entry.lookback = State::Shipping { start };
            }
        })?;
        forget_first(&self.account.book, &self.store, number);
        Ok(())
    }
}

/// Takes out what is kept anyway; `false` if it was told to stop before that was known.
async fn take_out(
    kept: &mut DecisionReader,
    writer: &mut Writer,
    block: &Block,
    selection: &mut Selection,
    stop: &CancellationToken,
) -> io::Result<bool> {
    while selection.kept() > 0 {
        match kept.look_up(block.position)? {
            Look::Decided(kept) => {
                selection.remove(&kept);
                return Ok(true);
            }
            Look::Undecided => {
                writer.flush()?;
                tokio::select! {
                    () = kept.changed() => {}
                    () = stop.cancelled() => return Ok(false),
                }
            }
            // It was shipped whole.
            Look::Unknown(_) | Look::Ended => selection.clear(),
        }
    }
    Ok(true)
}

impl Account {
    /// Writes what is kept of a block, and counts it.
    fn note(
        &mut self,
        writer: &mut Writer,
        block: &Block,
        selection: &Selection,
    ) -> io::Result<()> {
        let kept = u64::from(selection.kept());
        if kept > 0 {
            writer.push(block, selection)?;
        } else {
            // Of a block without items too, which would otherwise count as kept whole.
            writer.push(block, &Selection::none(selection.items().max(1)))?;
        }
        let is_first = kept > 0 && self.entry.kept_before_spans == 0;
        if writer.waiting() >= FLUSH_BYTES || is_first {
            writer.flush()?;
        }
        self.entry.kept_before_spans += kept;
        self.metrics.lookback_spans.inc_by(kept);
        let add = |entry: &mut Stored| entry.kept_before_spans += kept;
        self.book.count(self.entry.number, add);
        Ok(())
    }
}
