//! What the journal's handle, threads, readers and consumers share.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::append::Queue;
use crate::cache::{Cache, Reread};
use crate::catalog::Catalog;
use crate::codec::Codecs;
use crate::consumer::ConsumerState;
use crate::dir::Dir;
use crate::error::Trouble;
use crate::metrics::Metrics;
use crate::options::Options;
use crate::scan::Range;
use crate::seam::Env;
use crate::types::Position;
use crate::upkeep::Jobs;

pub(crate) struct Shared {
    pub dir: Dir,
    pub options: Options,
    pub env: Env,
    pub metrics: Metrics,
    pub codecs: Codecs,
    pub queue: Queue,
    pub jobs: Jobs,
    /// Locked before `cache` where both are needed.
    pub catalog: Mutex<Catalog>,
    pub cache: Mutex<Cache>,
    pub reread: Mutex<Reread>,
    pub consumers: Mutex<BTreeMap<String, Arc<ConsumerState>>>,
    /// Ranges of append times that retention leaves alone.
    pub holds: Mutex<BTreeMap<u64, (u64, u64)>>,
    /// Held by the one thread that decides which segment leaves.
    pub deciding: Mutex<()>,
    /// The place after the newest durable block: wakes readers.
    pub published: watch::Sender<Position>,
    /// Nothing will be written any more.
    pub closed: AtomicBool,
    /// Set while the byte limit refuses appends: how many bytes the refused batch needed.
    pub full: AtomicU64,
    /// What keeps the journal from writing now.
    pub trouble: Mutex<Option<Trouble>>,
    /// Given back when the last thread ends.
    pub lock: Mutex<Option<File>>,
    /// The journal's clock, which never goes back.
    clock: AtomicU64,
    /// While blocks are committed: no later than the time they carry; else [`NOT_COMMITTING`].
    committing: AtomicU64,
}

const NOT_COMMITTING: u64 = u64::MAX;

impl Shared {
    #[expect(clippy::too_many_arguments, reason = "called once, by name")]
    pub(crate) fn new(
        dir: Dir,
        options: Options,
        env: Env,
        metrics: Metrics,
        codecs: Codecs,
        catalog: Catalog,
        consumers: BTreeMap<String, Arc<ConsumerState>>,
        lock: File,
    ) -> Self {
        let stats = catalog.stats();
        Shared {
            queue: Queue::new(options.pending_bytes),
            cache: Mutex::new(Cache::new(options.cache_bytes)),
            reread: Mutex::new(Reread::new(options.cache_bytes / 2)),
            published: watch::Sender::new(stats.newest),
            clock: AtomicU64::new(stats.newest_unix_nano),
            committing: AtomicU64::new(NOT_COMMITTING),
            jobs: Jobs::default(),
            catalog: Mutex::new(catalog),
            consumers: Mutex::new(consumers),
            holds: Mutex::default(),
            deciding: Mutex::default(),
            closed: AtomicBool::new(false),
            full: AtomicU64::new(0),
            trouble: Mutex::new(None),
            lock: Mutex::new(Some(lock)),
            dir,
            options,
            env,
            metrics,
            codecs,
        }
    }

    /// The time now; never before a time it gave earlier, nor before the newest block.
    pub(crate) fn now(&self) -> u64 {
        let now = self.env.now();
        self.clock.fetch_max(now, Ordering::SeqCst).max(now)
    }

    /// The time that the blocks of a commit carry. Until [`committed`](Self::committed),
    /// [`settled`](Self::settled) does not go past it.
    pub(crate) fn begin_commit(&self) -> u64 {
        // In this order: whoever does not see the mark asked the clock before this does again.
        self.committing.store(self.now(), Ordering::SeqCst);
        self.now()
    }

    /// What was being committed is published, or has failed.
    pub(crate) fn committed(&self) {
        self.committing.store(NOT_COMMITTING, Ordering::SeqCst);
    }

    /// A time before which no block will be published that is not published yet.
    pub(crate) fn settled(&self) -> u64 {
        let now = self.now();
        now.min(self.committing.load(Ordering::SeqCst))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn sync(&self) -> bool {
        self.options.durability == crate::options::Durability::Fsync
    }

    /// Counts damage that a reader met, once.
    pub(crate) fn note_damage(&self, segment: u64, range: &Range) {
        if !lock(&self.catalog).note_damage(segment, range.offset) {
            return;
        }
        self.metrics.damaged_bytes.inc_by(range.bytes);
        self.metrics.damaged_ranges.inc();
        self.metrics.lose(range.items, "journal_damaged");
        tracing::error!(
            segment,
            offset = range.offset,
            bytes = range.bytes,
            items_known_lost = range.items.iter().sum::<u64>(),
            "a range of the journal is damaged and was stepped over; `journal check` tells more"
        );
    }
}

/// A poisoned lock's data is still whole: nothing here leaves it half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
