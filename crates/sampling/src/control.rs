//! Overrides for incidents: what a running gateway can be told, and what it tells of them.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sampler::{MAX_SCOPE_ATTRIBUTES, Scope};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::store::{Lookback, Store, Stored};

/// The longest id.
const MAX_ID: usize = 64;

/// Tells the sampler what to keep beyond its policies. Clones speak to the same sampler.
#[derive(Clone, Debug)]
pub struct Control {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) book: Arc<Book>,
}

/// What to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeepAll {
    /// By which it is known: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub id: String,
    /// Which traces.
    pub scope: Scope,
    /// How much of the past is read again; what has left the journal is not.
    pub lookback: Duration,
}

/// From when on something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct InForce {
    /// Blocks that were appended at this time or later are kept.
    pub from_unix_nano: u64,
    /// From here to `from_unix_nano` the journal is read again.
    pub lookback_from_unix_nano: u64,
}

/// How an override is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Its id.
    pub id: String,
    /// Which traces.
    pub scope: Scope,
    /// When it came into force.
    pub from_unix_nano: u64,
    /// When it ended, if it has.
    pub to_unix_nano: Option<u64>,
    /// From here to `from_unix_nano` the journal is read again.
    pub lookback_from_unix_nano: u64,
    /// Whether the look back has found all that it will find. Shipping it may go on.
    pub lookback_done: bool,
    /// Spans that sampling had let go and that the look back found.
    pub kept_before_spans: u64,
    /// Spans that are kept because of this override alone. After a crash those since the last
    /// checkpoint may be missing here.
    pub kept_during_spans: u64,
}

/// Why the sampler did not do what it was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// There is no number left.
    #[error(
        "{0} overrides are in force or ended a short while ago\nhint: end one, or wait for `sampling.remember` to pass a few times"
    )]
    TooMany(usize),
    /// The scope.
    #[error(
        "a scope of {0} attributes is too large\nhint: at most {MAX_SCOPE_ATTRIBUTES} have room"
    )]
    Scope(usize),
    /// The id.
    #[error("`{0}` is not an id\nhint: use 1 to {MAX_ID} of A-Z a-z 0-9 . _ -")]
    Id(String),
    /// It could not be made durable, and is not in force.
    #[error("an override cannot be stored: {0}\nhint: see to the disk of the data directory")]
    Store(io::Error),
    /// The sampler has ended.
    #[error("the gateway is stopping\nhint: try again when it runs")]
    Stopped,
}

/// What the sampler is told.
#[derive(Debug)]
pub(crate) enum Command {
    KeepAll(KeepAll, oneshot::Sender<Result<InForce, ControlError>>),
    End(
        String,
        oneshot::Sender<Result<Option<Progress>, ControlError>>,
    ),
}

impl Control {
    /// From the next block on, keeps everything in a scope, and reads again what is past. Durable
    /// when it returns, until [`end`](Self::end). The same id again gives the first answer.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub async fn keep_all(&self, what: KeepAll) -> Result<InForce, ControlError> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if what.id.is_empty() || what.id.len() > MAX_ID || !what.id.bytes().all(good) {
            let id = what.id.chars().take(MAX_ID).collect();
            return Err(ControlError::Id(id));
        }
        if what.scope.attributes.len() > MAX_SCOPE_ATTRIBUTES {
            return Err(ControlError::Scope(what.scope.attributes.len()));
        }
        self.ask(|answer| Command::KeepAll(what, answer)).await
    }

    /// Ends an override from the next block on; a look back that is under way goes on. `None` if
    /// there is none of that id. Durable when it returns.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub async fn end(&self, id: &str) -> Result<Option<Progress>, ControlError> {
        let id = id.to_owned();
        self.ask(|answer| Command::End(id, answer)).await
    }

    /// All that are in force or ended a short while ago. Asks no disk.
    pub fn list(&self) -> Vec<Progress> {
        self.book.entries().iter().map(Progress::of).collect()
    }

    /// The one of an id.
    pub fn get(&self, id: &str) -> Option<Progress> {
        let entries = self.book.entries();
        entries.iter().find(|e| e.id == id).map(Progress::of)
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, ControlError>>) -> Command,
    ) -> Result<T, ControlError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.commands.send(command(answer)).await;
        sent.map_err(|_| ControlError::Stopped)?;
        answered.await.unwrap_or(Err(ControlError::Stopped))
    }
}

impl Progress {
    pub(crate) fn of(stored: &Stored) -> Progress {
        Progress {
            id: stored.id.clone(),
            scope: stored.scope.clone(),
            from_unix_nano: stored.from_unix_nano,
            to_unix_nano: stored.to_unix_nano,
            lookback_from_unix_nano: stored.lookback_from_unix_nano,
            lookback_done: !matches!(stored.lookback, Lookback::Deciding { .. }),
            kept_before_spans: stored.kept_before_spans,
            kept_during_spans: stored.kept_during_spans,
        }
    }
}

impl InForce {
    pub(crate) fn of(stored: &Stored) -> InForce {
        InForce {
            from_unix_nano: stored.from_unix_nano,
            lookback_from_unix_nano: stored.lookback_from_unix_nano,
        }
    }
}

/// The overrides, in memory and on disk.
#[derive(Debug)]
pub(crate) struct Book {
    store: Store,
    entries: Mutex<Vec<Stored>>,
}

impl Book {
    pub(crate) fn open(store: &Store) -> io::Result<Book> {
        Ok(Book {
            entries: Mutex::new(store.overrides()?),
            store: store.clone(),
        })
    }

    pub(crate) fn entries(&self) -> MutexGuard<'_, Vec<Stored>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes them, if that can be made durable.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Vec<Stored>)) -> io::Result<()> {
        let mut entries = self.entries();
        let mut new = entries.clone();
        change(&mut new);
        self.store.put_overrides(&new)?;
        *entries = new;
        Ok(())
    }

    /// Changes what need not be durable yet.
    pub(crate) fn count(&self, number: u8, count: impl FnOnce(&mut Stored)) {
        if let Some(entry) = self.entries().iter_mut().find(|e| e.number == number) {
            count(entry);
        }
    }
}
