//! The durable outbox: what was put is told to every target that wants it, whatever happens.
//!
//! # What it guarantees
//! - **RESTARTABLE**: what [`Outbox::put`] returned `Ok` for is on disk, and reaches each target at
//!   least once, or is found among its dead letters. A kill at any instant changes nothing of that.
//! - An event is put once for each target, however often it comes: ids are remembered beyond
//!   delivery ([`Limits::remembered`]).
//! - Order is kept within a subject for each target. One that is given up lets the next go.
//! - **BOUNDED**: entries, bytes, dead letters and remembered ids have limits for each target. At
//!   the limit the oldest that waits goes to the dead letters, and the oldest dead letter is
//!   dropped; both are counted and logged.

mod entry;
mod keeper;
mod queue;
mod requests;
mod run;
mod shelf;
#[cfg(test)]
mod tests;
mod view;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use egress::Retry;
use jiff::Timestamp;
use tokio::sync::Notify;

pub use entry::{Because, Dead, Entry};
pub use keeper::{Retried, RetryError, Which, retry};
pub use run::Runner;
pub use view::{Listed, Listing, list};

use crate::disk::Disk;
use crate::event::{Event, Pattern};
use crate::metrics::Metrics;
use crate::target::TargetName;
use shelf::Shelf;

/// How much waits, for how long, and how it is tried again. For each target.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The most events that wait.
    pub max_entries: usize,
    /// The most bytes that they have.
    pub max_bytes: u64,
    /// The most dead letters.
    pub dead_letters: usize,
    /// How many delivered events are remembered, so that they are not sent again.
    pub remembered: usize,
    /// How often an event is tried.
    pub max_attempts: u32,
    /// For how long an event is tried.
    pub max_age: Duration,
    /// How long the waits in between are.
    pub retry: Retry,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_entries: 1000,
            max_bytes: 16 << 20,
            dead_letters: 1000,
            remembered: 1000,
            max_attempts: 1000,
            max_age: Duration::from_secs(3 * 24 * 3600),
            retry: Retry {
                initial: Duration::from_secs(5),
                max: Duration::from_secs(600),
                multiplier: 2.0,
                jitter: 0.5,
                max_elapsed: None,
            },
        }
    }
}

impl Limits {
    fn max_age_ms(&self) -> u64 {
        u64::try_from(self.max_age.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Says what time it is.
pub(crate) type Clock = dyn Fn() -> Timestamp + Send + Sync;

/// What became of a put, in targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// It now waits for so many.
    pub queued: usize,
    /// So many have it already.
    pub known: usize,
}

/// Why an event was not put. It may be put again.
#[derive(Debug, thiserror::Error)]
#[error("the event for `{target}` cannot be written: {source}\nhint: is the disk full?")]
pub struct PutError {
    target: TargetName,
    source: io::Error,
}

/// Why the outbox cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "another process has the outbox {path}\nhint: is a gateway running on this data directory?"
    )]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The disk.
    #[error("the outbox {path}: {source}\nhint: the folder must belong to this user")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A handle to the outbox. Clones are the same outbox; it stays locked until the last has gone.
#[derive(Clone)]
pub struct Outbox {
    inner: Arc<Inner>,
}

struct Inner {
    slots: Vec<Slot>,
    root: PathBuf,
    clock: Arc<Clock>,
    _lock: File,
}

/// A target's part.
struct Slot {
    name: TargetName,
    wants: Vec<Pattern>,
    shelf: Mutex<Shelf>,
    /// Something was put, or taken back.
    changed: Notify,
}

impl std::fmt::Debug for Outbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox")
            .field("root", &self.inner.root)
            .finish_non_exhaustive()
    }
}

impl Outbox {
    /// Opens the outbox in `root` for targets and what each of them wants.
    ///
    /// # Errors
    /// If another process has it, or the disk refuses.
    pub fn open(
        root: &Path,
        targets: &[(TargetName, Vec<Pattern>)],
        limits: &Limits,
        metrics: &Metrics,
    ) -> Result<Outbox, OpenError> {
        let clock = Arc::new(Timestamp::now);
        Self::open_with(root, targets, limits, metrics, Disk::default(), clock)
    }

    pub(crate) fn open_with(
        root: &Path,
        targets: &[(TargetName, Vec<Pattern>)],
        limits: &Limits,
        metrics: &Metrics,
        disk: Disk,
        clock: Arc<Clock>,
    ) -> Result<Outbox, OpenError> {
        let failed = |source| OpenError::Io {
            path: root.to_owned(),
            source,
        };
        disk.make_dir(root).map_err(failed)?;
        let lock = lock(root)?;
        let mut slots = Vec::new();
        for (name, wants) in targets {
            let shelf = Shelf::open(
                name.clone(),
                root,
                disk.clone(),
                limits.clone(),
                metrics.of(name),
            );
            slots.push(Slot {
                name: name.clone(),
                wants: wants.clone(),
                shelf: Mutex::new(shelf.map_err(failed)?),
                changed: Notify::new(),
            });
        }
        disk.make_dir(&root.join(requests::FOLDER))
            .map_err(failed)?;
        let inner = Inner {
            slots,
            root: root.to_owned(),
            clock,
            _lock: lock,
        };
        inner.warn_of_strangers();
        Ok(Outbox {
            inner: Arc::new(inner),
        })
    }

    /// Takes an event in for every target that wants it. Durable when it returns `Ok`. It blocks
    /// for as long as the disk takes, and never waits for a target.
    ///
    /// # Errors
    /// If the disk refuses. Some targets may have it then; the event may be put again.
    pub fn put(&self, event: &Event) -> Result<Put, PutError> {
        let mut done = Put::default();
        for slot in &self.inner.slots {
            if !slot.wants.iter().any(|wanted| wanted.matches(event.kind())) {
                continue;
            }
            let new = slot.lock().put(event, (self.inner.clock)());
            let new = new.map_err(|source| PutError {
                target: slot.name.clone(),
                source,
            })?;
            if new {
                done.queued += 1;
                slot.changed.notify_one();
            } else {
                done.known += 1;
            }
        }
        Ok(done)
    }
}

impl Inner {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// What waits for a target that is no longer there waits on, and somebody should know.
    fn warn_of_strangers(&self) {
        let names = crate::disk::names(&self.root.join(shelf::PENDING)).unwrap_or_default();
        for name in names {
            let known = self.slots.iter().any(|slot| slot.name.as_str() == name);
            let waiting = crate::disk::names(&self.root.join(shelf::PENDING).join(&name));
            let waiting = waiting.map_or(0, |files| files.len());
            if !known && waiting > 0 {
                tracing::warn!(
                    target_name = name,
                    waiting,
                    "events wait for a target that the profile no longer has"
                );
            }
        }
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the lock, which the returned file holds until it is closed.
fn lock(root: &Path) -> Result<File, OpenError> {
    let failed = |source| OpenError::Io {
        path: root.to_owned(),
        source,
    };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(root.join("LOCK"))
        .map_err(failed)?;
    // Somebody who looks holds it for an instant.
    for _ in 0..10 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    Err(OpenError::InUse {
        path: root.to_owned(),
    })
}
