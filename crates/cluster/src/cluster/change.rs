//! How what is known changes: a new list, what the others have told, what is forgotten.

use std::io;
use std::sync::Arc;

use ident::Signal;
use journal::{Filter, ReadError, Start};

use super::{Cluster, nanos};
use crate::history::{At, Epoch, History, MAX_EPOCHS};
use crate::member::{Members, TraceId};
use crate::pick;
use crate::stay::Stay;
use crate::told::Former;

/// Why a change of the list is not taken over. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error(
        "the list has changed {MAX_EPOCHS} times or more within the handover\nhint: see why it is not stable, or make `cluster.handover` shorter"
    )]
    TooOften,
    #[error(
        "a change of the list cannot be stored: {0}\nhint: see to the disk of the data directory"
    )]
    Write(#[from] io::Error),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Cluster {
    /// Takes over a list, if it is another. Blocks for as long as the look back takes.
    pub(crate) fn change(&self, members: Members) -> Result<bool, ChangeError> {
        // A look back that failed comes first: changes are in order.
        self.find_stays()?;
        let is_new;
        {
            let mut history = self.write();
            // Whoever has asked about a block asked about one before this place, and whoever asks
            // about a later one has to wait for this lock.
            let (from, now) = (self.0.journal.stats().newest, self.0.journal.clock());
            let handover = nanos(self.0.options.handover);
            let Some(next) = history.changed(members.clone(), from, now, handover) else {
                let current = history.current().map(|epoch| &epoch.members);
                return match current == Some(&members) {
                    true => Ok(false),
                    false => Err(ChangeError::TooOften),
                };
            };
            is_new = next.epochs.len() > history.epochs.len();
            // RESTARTABLE: before it counts.
            self.0.store.put(&next)?;
            *history = next;
            if is_new {
                self.0.metrics.changes.inc();
            }
        }
        self.tell();
        self.find_stays()?;
        Ok(true)
    }

    /// What the others have said was before this gateway joined; nothing if there was nothing.
    pub(crate) fn joined(&self, formers: Vec<Former>) -> io::Result<()> {
        {
            let mut history = self.write();
            let formers = formers.into_iter().map(|f| (f.members, f.age_nanos));
            let next = history.joined(formers.collect(), self.0.journal.clock());
            for epoch in &next.epochs {
                self.0.store.put_stay(epoch.number, &Stay::default())?;
            }
            self.0.store.put(&next)?;
            *history = next;
        }
        self.tell();
        Ok(())
    }

    /// Forgets what no block is asked about any more.
    pub(crate) fn forget(&self) -> io::Result<()> {
        let stats = self.0.journal.stats();
        let oldest = match stats.oldest_unix_nano {
            0 => self.0.journal.clock(),
            time => time,
        };
        let mut history = self.write();
        let mut next = history.clone();
        let gone = next.forget_before(stats.oldest, oldest);
        if gone > 0 {
            self.0.store.put(&next)?;
            for epoch in history.epochs.iter().take(gone) {
                self.0.store.forget_stay(epoch.number);
            }
            *history = next;
        }
        drop(history);
        self.show();
        Ok(())
    }

    /// Finds the traces that stay with each change for which that is not known yet, in order.
    pub(super) fn find_stays(&self) -> Result<(), ChangeError> {
        loop {
            let history = self.history();
            if history.joining {
                return Ok(());
            }
            let missing = history.epochs.iter().skip(1).position(|e| e.stay.is_none());
            let Some(at) = missing.map(|at| at + 1) else {
                return Ok(());
            };
            let Some(epoch) = history.epochs.get(at) else {
                return Ok(());
            };
            let stay = self.find_stay(&history, epoch)?;
            self.0.store.put_stay(epoch.number, &stay)?;
            if let Some(epoch) = self.write().epochs.get_mut(at) {
                epoch.stay = Some(Arc::new(stay));
            }
            self.tell();
        }
    }

    /// The traces that this gateway had items of lately and that another owns from an epoch on.
    fn find_stay(&self, history: &History, epoch: &Epoch) -> Result<Stay, ReadError> {
        let journal = &self.0.journal;
        // In the journal's time: after an outage, what came before it counts.
        let begin = epoch.since_unix_nano.min(journal.stats().newest_unix_nano);
        let begin = begin.saturating_sub(nanos(self.0.options.look_back));
        let start = Start::At(journal.position_at(begin));
        let mut reader = journal.reader(start, Filter::signal(Signal::Traces));
        let (mut ids, mut limit) = (Vec::<TraceId>::new(), 1 << 16);
        loop {
            let block = match reader.try_next() {
                Ok(Some(block)) if block.position < epoch.from => block,
                Ok(_) | Err(ReadError::Closed) => break,
                Err(error) => return Err(error),
            };
            if block.appended_unix_nano < begin {
                continue;
            }
            let route = match history.at(block.position, block.appended_unix_nano) {
                At::Known(route) => Some(route),
                At::Alone => None,
                At::Unknown => continue,
            };
            // The journal holds checked bytes; of what is damaged the sampler knows nothing either.
            let _ = pick::own_traces(route.as_ref(), &block, |id| {
                if epoch.members.owner(&id) != Some(&history.me) {
                    ids.push(id);
                }
            });
            if ids.len() > limit {
                // BOUNDED: a trace is there as often as it has spans.
                ids = Stay::new(std::mem::take(&mut ids)).into_ids();
                limit = ids.len() * 2 + (1 << 16);
            }
        }
        let mut ids = Stay::new(ids).into_ids();
        let most = self.0.options.max_staying;
        if ids.len() > most {
            let over = (ids.len() - most) as u64;
            self.0.metrics.not_staying.inc_by(over);
            tracing::error!(
                over,
                most,
                "more traces are under way than can stay at a change of members; some may be decided twice"
            );
            ids.truncate(most);
        }
        Ok(Stay::new(ids))
    }
}
