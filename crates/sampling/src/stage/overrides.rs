//! What the running sampler is told.

use std::io;
use std::sync::Arc;

use ident::Signal;
use journal::{Position, Start};
use sampler::{MAX_OVERRIDES, Override};

use super::Stage;
use crate::control::{Command, ControlError, InForce, KeepAll, Progress};
use crate::decisions::{Unknown, Writer};
use crate::lookback::{self, Account, FirstRound, Round, Work, holder_of, name_of};
use crate::open::on_a_thread;
use crate::store::{First, Lookback, Stored};

/// What reads the past gives way to what takes the present in.
const NICE: i32 = 10;
/// So much of the log is looked at in the first round.
const FIRST_NANOS: u64 = 30_000_000_000;

impl Stage {
    pub(super) fn obey(&mut self, command: Command) {
        // Whoever asked may have gone away; what was asked for is done all the same.
        match command {
            Command::KeepAll(what, answer) => {
                let _ = answer.send(self.keep_all(what));
            }
            Command::End(id, answer) => {
                let _ = answer.send(self.end(&id));
            }
        }
    }

    fn keep_all(&mut self, what: KeepAll) -> Result<InForce, ControlError> {
        let known = self.book.entries().clone();
        if let Some(entry) = known.iter().find(|entry| entry.id == what.id) {
            return Ok(InForce::of(entry));
        }
        let mut free = (1..=MAX_OVERRIDES as u8)
            .filter(|number| known.iter().all(|entry| entry.number != *number));
        let number = free.next().ok_or(ControlError::TooMany(known.len()))?;
        let lookback = u64::try_from(what.lookback.as_nanos()).unwrap_or(u64::MAX);
        let stats = self.journal.stats();
        let now = self.journal.clock();
        let wanted = now.saturating_sub(lookback).max(stats.oldest_unix_nano);
        let declared = self.sampler.keep_all(Override {
            number,
            scope: what.scope.clone(),
            from_unix_nano: wanted,
            to_unix_nano: u64::MAX,
        });
        // Number and scope were checked; an override that ended is forgotten by the sampler first.
        let in_force = declared.map_err(|_| ControlError::TooMany(known.len()))?;
        let from = in_force.from_unix_nano;
        let past = in_force.recut_from_unix_nano.filter(|_| lookback > 0);
        let first = past.and_then(|past| self.first_round(past, now));
        let entry = Stored {
            id: what.id,
            number,
            scope: what.scope,
            from_unix_nano: from,
            to_unix_nano: None,
            lookback_from_unix_nano: past.unwrap_or(from),
            lookback: match past {
                Some(past) => {
                    let wait = self.sampler.lag_nanos(Signal::Traces);
                    let start = self.journal.position_at(past.saturating_sub(wait));
                    Lookback::Deciding { start }
                }
                None => Lookback::Done,
            },
            first,
            kept_before_spans: 0,
            kept_during_spans: 0,
        };
        let answer = InForce::of(&entry);
        if let Err(error) = self.book.change(|entries| entries.push(entry.clone())) {
            self.sampler.end_override(number);
            return Err(ControlError::Store(error));
        }
        self.show_overrides();
        if let Lookback::Deciding { start } = entry.lookback {
            self.look_back(entry, start, true);
        }
        Ok(answer)
    }

    /// What can be shipped of a look back without waiting: the newest blocks that are decided.
    fn first_round(&self, past: u64, now: u64) -> Option<First> {
        let wait = self.sampler.lag_nanos(Signal::Traces);
        let from = now.saturating_sub(wait).saturating_sub(FIRST_NANOS);
        let start = self.journal.position_at(from.max(past));
        let end = self.deciding.first()?.writer.until();
        (start < end).then_some(First {
            start,
            end,
            shipped: false,
        })
    }

    fn end(&mut self, id: &str) -> Result<Option<Progress>, ControlError> {
        let known = self.book.entries().clone();
        let Some(entry) = known.iter().find(|entry| entry.id == id) else {
            return Ok(None);
        };
        if entry.to_unix_nano.is_none() {
            let to = self.sampler.end_override(entry.number);
            // Without a block since it began, it kept nothing.
            let to = to.unwrap_or(0).max(entry.from_unix_nano);
            let ended = self.book.change(|entries| {
                if let Some(entry) = entries.iter_mut().find(|entry| entry.id == id) {
                    entry.to_unix_nano = Some(to);
                }
            });
            // In memory it has ended; after a restart it goes on until it is ended again.
            ended.map_err(ControlError::Store)?;
        }
        self.show_overrides();
        let entries = self.book.entries();
        Ok(entries.iter().find(|e| e.id == id).map(Progress::of))
    }

    /// Frees the numbers of overrides that nothing asks for any more.
    pub(super) fn forget_ended(&mut self, now: u64) -> io::Result<()> {
        let longest = self.sampler.recut_lead_nanos().saturating_mul(2);
        let over = |entry: &Stored| {
            let ended = entry.to_unix_nano.map(|to| to.saturating_add(longest));
            entry.is_looked_back() && ended.is_some_and(|ended| ended < now)
        };
        let gone: Vec<u8> = {
            let entries = self.book.entries();
            let gone = entries.iter().filter(|entry| over(entry));
            gone.map(|entry| entry.number).collect()
        };
        if !gone.is_empty() {
            self.book.change(|entries| entries.retain(|e| !over(e)))?;
            gone.iter().for_each(|n| self.sampler.forget_override(*n));
            self.show_overrides();
        }
        Ok(())
    }

    fn show_overrides(&self) {
        let entries = self.book.entries();
        let open = entries.iter().filter(|entry| entry.to_unix_nano.is_none());
        self.metrics.overrides.set(open.count() as f64);
    }

    /// After a start: look backs go on.
    pub(super) fn resume_lookbacks(&mut self) {
        self.show_overrides();
        let entries = self.book.entries().clone();
        for entry in entries {
            match entry.lookback {
                Lookback::Deciding { start } => self.look_back(entry, start, true),
                Lookback::Shipping { start } => self.look_back(entry, start, false),
                Lookback::Done => {
                    if let Some(first) = entry.first.filter(|first| !first.shipped) {
                        // Its decisions are all there: they were before the second round's.
                        self.follow_first(&entry, first);
                    }
                }
            }
        }
    }

    /// Lets shippers follow a look back, and has it decided where it is not.
    fn look_back(&mut self, entry: Stored, start: Position, undecided: bool) {
        let name = name_of(entry.number, Round::Second);
        let dir = self.store.decisions(&name);
        // Until it is decided, it holds in the journal what it has still to read.
        let holder = self.journal.consumer(&holder_of(&name), Start::At(start));
        let opened = Writer::open(&dir, start, Unknown::Nothing);
        let (writer, holder) = match (opened, holder) {
            (Ok(writer), Ok(holder)) => (writer, holder),
            (writer, holder) => {
                let error = writer.err().map(|e| e.to_string());
                let error = error.or(holder.err().map(|e| e.to_string()));
                let error = error.unwrap_or_default();
                tracing::error!(id = entry.id, error, "a look back waits for a restart");
                return;
            }
        };
        let decisions = writer.decisions().clone();
        let first = entry
            .first
            .map(|range| (self.follow_first(&entry, range), range.shipped));
        let first = match first {
            // The second round would ship what the first does after a restart.
            Some((None, false)) => return,
            first => first.and_then(|(first, _)| first),
        };
        let (book, store) = (&self.book, &self.store);
        let handle = lookback::handle(&entry, Round::Second, start, &decisions, book, store);
        // Nobody ships: a gateway without destinations.
        let _ = self.lookbacks.send(handle);
        if !undecided {
            decisions.complete();
            forget(&self.journal, &name, holder);
            return;
        }
        let Some(kept) = self.deciding.first().map(|d| d.writer.decisions().reader()) else {
            return;
        };
        let id = entry.id.clone();
        let work = Work {
            config: self.config.clone(),
            journal: self.journal.clone(),
            kept,
            account: Account {
                entry,
                book: Arc::clone(&self.book),
                metrics: self.metrics.clone(),
            },
            start,
            writer,
            own: self.own.clone(),
            first,
            store: self.store.clone(),
        };
        let (stop, turn) = (self.stop.clone(), Arc::clone(&self.one_lookback));
        let journal = self.journal.clone();
        let spawned = on_a_thread("lookback", NICE, async move {
            let mut work = work;
            work.account.entry.kept_before_spans = 0;
            if let Err(error) = work.first_round(&stop).await {
                tracing::error!(id, %error, "a look back ended early; it goes on after a restart");
                return;
            }
            let _turn = tokio::select! {
                turn = turn.acquire() => turn,
                () = stop.cancelled() => return,
            };
            match work.run(&stop).await {
                Ok(()) if stop.is_cancelled() => {}
                Ok(()) => forget(&journal, &name, holder),
                Err(error) => {
                    tracing::error!(id, %error, "a look back ended early; it goes on after a restart");
                }
            }
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "a look back waits for a restart");
        }
    }
}

impl Stage {
    /// Lets shippers follow the first round; what is needed to decide it.
    fn follow_first(&self, entry: &Stored, range: First) -> Option<FirstRound> {
        let dir = self.store.decisions(&name_of(entry.number, Round::First));
        if range.shipped && !dir.exists() {
            return None;
        }
        let writer = match Writer::open(&dir, range.start, Unknown::Nothing) {
            Ok(writer) => writer,
            Err(error) => {
                tracing::error!(id = entry.id, %error, "the first round of a look back waits for a restart");
                return None;
            }
        };
        let decisions = writer.decisions();
        if !matches!(entry.lookback, Lookback::Deciding { .. }) {
            decisions.complete();
        }
        if !range.shipped {
            let (book, store) = (&self.book, &self.store);
            let handle = lookback::handle(entry, Round::First, range.start, decisions, book, store);
            let _ = self.lookbacks.send(handle);
        }
        Some(FirstRound { range, writer })
    }
}

fn forget(journal: &journal::Journal, name: &str, holder: journal::Consumer) {
    drop(holder);
    if let Err(error) = journal.remove_consumer(&holder_of(name)) {
        tracing::warn!(%error, "a look back's hold stays until the next start");
    }
}
