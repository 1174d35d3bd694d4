//! The journal's handle: opening, appending, reading, closing.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use meter::{CounterVec, Meter};
use tokio::sync::oneshot;

use crate::append;
use crate::codec::Codecs;
use crate::commit::Committer;
use crate::consumer::{self, Consumer};
use crate::cursor;
use crate::dir::Dir;
use crate::error::{AppendError, OpenError, Trouble};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::reader::Reader;
use crate::recover::{Recovered, Recovery, recover};
use crate::retention;
use crate::seam::Env;
use crate::shared::{Shared, lock};
use crate::types::{ConsumerStatus, Filter, Position, Record, Start, Stats};
use crate::upkeep;

/// The durable log. Clones are handles of the same journal.
///
/// When the last handle is dropped, what is queued is still committed and the lock is given back;
/// that blocks for a commit. [`close`](Journal::close) does the same without blocking the thread.
#[derive(Clone)]
pub struct Journal {
    shared: Arc<Shared>,
    threads: Arc<Threads>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal")
            .field("dir", &self.shared.dir.root)
            .finish_non_exhaustive()
    }
}

impl Journal {
    /// Opens the journal in a directory, which is made if need be; takes its lock; recovers.
    ///
    /// # Errors
    /// If another process has it open, if the disk refuses, or if a newer version wrote it. Damage
    /// is not an error: see [`Recovery`].
    pub fn open(
        dir: &Path,
        options: Options,
        meter: &Meter,
    ) -> Result<(Journal, Recovery), OpenError> {
        Self::open_with(dir, options, meter, Env::default())
    }

    /// Opens it as [`open`](Self::open) does, with [holds](Self::hold) that count before anything
    /// could leave. They come back in the order of `spans`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_holding(
        dir: &Path,
        options: Options,
        meter: &Meter,
        spans: &[(u64, u64)],
    ) -> Result<(Journal, Recovery, Vec<Hold>), OpenError> {
        Self::open_all(dir, options, meter, Env::default(), spans)
    }

    #[doc(hidden)]
    pub fn open_with(
        dir: &Path,
        options: Options,
        meter: &Meter,
        env: Env,
    ) -> Result<(Journal, Recovery), OpenError> {
        let (journal, recovery, _) = Self::open_all(dir, options, meter, env, &[])?;
        Ok((journal, recovery))
    }

    #[doc(hidden)]
    pub fn open_all(
        dir: &Path,
        options: Options,
        meter: &Meter,
        env: Env,
        spans: &[(u64, u64)],
    ) -> Result<(Journal, Recovery, Vec<Hold>), OpenError> {
        let dir = Dir::new(dir);
        dir.make(&env)?;
        let locked = dir.lock()?;
        let metrics = Metrics::new(meter);
        metrics.available.set(1.0);
        let Recovered {
            catalog,
            consumers,
            active,
            unsealed,
            next_id,
            report,
        } = recover(&dir, &env, &options, &metrics)?;
        let codecs = Codecs::new(options.compression);
        let shared = Arc::new(Shared::new(
            dir, options, env, metrics, codecs, catalog, consumers, locked,
        ));
        let holds = spans.iter().map(|span| Hold::new(&shared, *span)).collect();
        unsealed.into_iter().for_each(|s| shared.jobs.seal(s));
        let committer = Committer::new(Arc::clone(&shared), active, next_id);
        let threads = Threads::start(&shared, committer)
            .map_err(OpenError::io("start a thread for", &shared.dir.root))?;
        let journal = Journal {
            shared,
            threads: Arc::new(threads),
        };
        Ok((journal, report, holds))
    }

    /// Appends a record; resolves once it is durable (ACK-DURABLE). Payloads of 64 KiB and more
    /// are compressed on the calling thread before the wait.
    ///
    /// Cancel-safe: dropping the future corrupts nothing; the record may or may not be kept.
    ///
    /// # Errors
    /// See [`AppendError`]: each says whether and when to try again.
    pub async fn append(&self, record: Record) -> Result<Position, AppendError> {
        append::append(&self.shared, record).await
    }

    /// Opens a named consumer with a durable cursor, which holds retention from now on, in this
    /// process and later ones, until it is [removed](Self::remove_consumer). `start` counts only
    /// if no cursor is stored under that name.
    ///
    /// # Errors
    /// If the name is bad or in use.
    pub fn consumer(&self, name: &str, start: Start) -> Result<Consumer, OpenError> {
        Consumer::open(&self.shared, name, start)
    }

    /// Forgets a consumer and its cursor: it no longer holds retention. Without effect if there is
    /// none of that name.
    ///
    /// # Errors
    /// If it is open, or its file cannot be removed.
    pub fn remove_consumer(&self, name: &str) -> Result<(), OpenError> {
        cursor::check_name(name)?;
        let mut consumers = lock(&self.shared.consumers);
        let live = consumers
            .get(name)
            .is_some_and(|c| c.live.load(Ordering::Acquire));
        if live {
            return Err(OpenError::InUse {
                name: name.to_owned(),
            });
        }
        cursor::remove(&self.shared, name).map_err(OpenError::io(
            "remove a cursor in",
            &self.shared.dir.cursors(),
        ))?;
        consumers.remove(name);
        Ok(())
    }

    /// How far every known consumer is, by name. Reads a block header of each that is behind.
    pub fn consumers(&self) -> Vec<ConsumerStatus> {
        let states: Vec<_> = lock(&self.shared.consumers).values().cloned().collect();
        states
            .iter()
            .map(|state| consumer::status(&self.shared, state))
            .collect()
    }

    /// Opens a reader without a cursor, which does not hold retention.
    pub fn reader(&self, start: Start, filter: Filter) -> Reader {
        Reader::new(Arc::clone(&self.shared), start, filter)
    }

    /// Keeps blocks that were appended between two times (nanoseconds since 1970, inclusive) from
    /// leaving, until the hold is dropped. What is held may take [`Options::hold_bytes`] beyond the
    /// byte limit; past that the journal pushes back, also with
    /// [`AtLimit::DropOldest`](crate::AtLimit::DropOldest). Not durable: who holds says so again
    /// at the next start, with [`open_holding`](Self::open_holding).
    pub fn hold(&self, from_unix_nano: u64, to_unix_nano: u64) -> Hold {
        Hold::new(&self.shared, (from_unix_nano, to_unix_nano))
    }

    /// Bytes of the segments that holds cover.
    pub fn held_bytes(&self) -> u64 {
        retention::total_and_held(&self.shared).1
    }

    /// The journal's clock, in nanoseconds since 1970: every block that is not to be read yet will
    /// carry this time or a later one. It never goes back, and costs a reading of the clock.
    pub fn clock(&self) -> u64 {
        self.shared.settled()
    }

    /// A place from which on all blocks can be read that were appended at a time or later: where
    /// the segment begins that was being written then.
    pub fn position_at(&self, unix_nano: u64) -> Position {
        lock(&self.shared.catalog).position_at(unix_nano)
    }

    /// What the journal holds now.
    pub fn stats(&self) -> Stats {
        Stats {
            pending_bytes: self.shared.queue.reserved() as u64,
            ..lock(&self.shared.catalog).stats()
        }
    }

    /// What keeps the journal from writing, if its last commit failed.
    pub fn trouble(&self) -> Option<Trouble> {
        lock(&self.shared.trouble).clone()
    }

    /// `stella_items_lost_total{signal,reason}`: the one counter of lost items in the process.
    pub fn lost(&self) -> &CounterVec {
        &self.shared.metrics.lost
    }

    /// How the journal is kept.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// The journal's directory.
    pub fn dir(&self) -> &Path {
        &self.shared.dir.root
    }

    /// Commits what is queued, seals the active segment, writes the cursors and gives back the
    /// lock. Appends afterwards give [`AppendError::Closed`]; readers end when they have read all.
    ///
    /// # Errors
    /// [`AppendError::Unavailable`] if the last commit failed for a reason that still stands.
    pub async fn close(&self) -> Result<(), AppendError> {
        let ended = {
            let mut waiting = lock(&self.threads.closed);
            match waiting.as_mut() {
                // The threads have ended already.
                None => None,
                Some(waiting) => {
                    let (tell, ended) = oneshot::channel();
                    waiting.push(tell);
                    Some(ended)
                }
            }
        };
        self.shared.queue.close();
        if let Some(ended) = ended {
            let _ = ended.await;
        }
        match self.trouble() {
            None => Ok(()),
            Some(reason) => Err(AppendError::Unavailable {
                retry_after: append::RETRY_DISK,
                reason,
            }),
        }
    }
}

/// Keeps a range of the journal from leaving while it lives.
#[must_use = "a hold ends when it is dropped"]
pub struct Hold {
    shared: Arc<Shared>,
    id: u64,
}

impl Hold {
    fn new(shared: &Arc<Shared>, span: (u64, u64)) -> Hold {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        lock(&shared.holds).insert(id, span);
        Hold {
            shared: Arc::clone(shared),
            id,
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        lock(&self.shared.holds).remove(&self.id);
    }
}

type Waiting = Mutex<Option<Vec<oneshot::Sender<()>>>>;

/// The two threads. Dropping this ends them.
struct Threads {
    shared: Arc<Shared>,
    committer: Option<JoinHandle<()>>,
    upkeep: Option<JoinHandle<()>>,
    /// Who waits for the end; `None` after it.
    closed: Arc<Waiting>,
}

impl Threads {
    fn start(shared: &Arc<Shared>, committer: Committer) -> std::io::Result<Self> {
        let closed: Arc<Waiting> = Arc::new(Mutex::new(Some(Vec::new())));
        let mut threads = Threads {
            shared: Arc::clone(shared),
            committer: None,
            upkeep: None,
            closed: Arc::clone(&closed),
        };
        let for_upkeep = Arc::clone(shared);
        threads.upkeep = Some(thread::Builder::new().name("journal-upkeep".into()).spawn(
            move || {
                upkeep::run(&for_upkeep);
                // In this order: the lock is free when a waiter hears of the end.
                lock(&for_upkeep.lock).take();
                lock(&closed).take();
            },
        )?);
        let for_commit = Arc::clone(shared);
        threads.committer = Some(thread::Builder::new().name("journal-commit".into()).spawn(
            move || {
                let end = EndOfCommits(for_commit);
                if let Some(active) = committer.run() {
                    end.0.jobs.seal(active);
                }
            },
        )?);
        Ok(threads)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.queue.close();
        if self.committer.is_none() {
            self.shared.jobs.finish();
        }
        for thread in [self.committer.take(), self.upkeep.take()] {
            let _ = thread.map(JoinHandle::join);
        }
    }
}

/// However the committer ends, nobody waits for it for ever.
struct EndOfCommits(Arc<Shared>);

impl Drop for EndOfCommits {
    fn drop(&mut self) {
        self.0.queue.abandon();
        self.0
            .closed
            .store(true, std::sync::atomic::Ordering::Release);
        self.0.published.send_modify(|_| {});
        self.0.jobs.finish();
    }
}
