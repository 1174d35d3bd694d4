//! Reading with a durable cursor, which holds retention.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::cursor;
use crate::error::{OpenError, ReadError};
use crate::reader::Reader;
use crate::shared::{Shared, lock};
use crate::types::{Block, ConsumerStatus, Filter, Position, Start};
use crate::walk::Walk;

/// What is known of a consumer, whether or not something reads under its name.
#[derive(Debug)]
pub(crate) struct ConsumerState {
    pub name: String,
    committed: Mutex<Position>,
    /// Moved since its file was written.
    pub dirty: AtomicBool,
    pub live: AtomicBool,
}

impl ConsumerState {
    pub(crate) fn new(name: String, committed: Position, dirty: bool) -> Self {
        ConsumerState {
            name,
            committed: Mutex::new(committed),
            dirty: AtomicBool::new(dirty),
            live: AtomicBool::new(false),
        }
    }

    pub(crate) fn committed(&self) -> Position {
        *lock(&self.committed)
    }

    /// Moves forward only.
    pub(crate) fn advance(&self, to: Position) {
        let mut committed = lock(&self.committed);
        if to > *committed {
            *committed = to;
            self.dirty.store(true, Ordering::Release);
        }
    }
}

/// A named reader with a durable cursor. What it has not committed stays in the journal
/// (unless the journal drops the oldest at its limit), and is read again after a restart.
pub struct Consumer {
    shared: Arc<Shared>,
    state: Arc<ConsumerState>,
    reader: Reader,
    /// The place after the last block that was given out.
    given: Position,
}

impl Consumer {
    pub(crate) fn open(shared: &Arc<Shared>, name: &str, start: Start) -> Result<Self, OpenError> {
        cursor::check_name(name)?;
        if shared.is_closed() {
            return Err(OpenError::Closed);
        }
        let mut walk = Walk::new(Arc::clone(shared), start, Filter::default());
        let state = {
            let mut consumers = lock(&shared.consumers);
            let state = consumers.entry(name.to_owned()).or_insert_with(|| {
                Arc::new(ConsumerState::new(name.to_owned(), walk.position, true))
            });
            Arc::clone(state)
        };
        if state.live.swap(true, Ordering::AcqRel) {
            return Err(OpenError::InUse {
                name: name.to_owned(),
            });
        }
        walk.seek(state.committed());
        let mut reader = Reader::new(Arc::clone(shared), Start::Oldest, Filter::default());
        reader.seek(state.committed());
        let consumer = Consumer {
            shared: Arc::clone(shared),
            given: state.committed(),
            state,
            reader,
        };
        if consumer.state.dirty.load(Ordering::Acquire)
            && let Err(error) = consumer.flush()
        {
            // Upkeep tries again. A full disk must not keep a gateway from starting.
            tracing::warn!(%error, consumer = name, "a new cursor is not durable yet");
        }
        Ok(consumer)
    }

    /// Reads only what the filter wants. What it does not want counts as dealt with as soon as
    /// everything before it is committed.
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.reader.walk.set_filter(filter);
        self
    }

    /// Others follow close behind: see [`Reader::leading`].
    #[must_use]
    pub fn leading(mut self) -> Self {
        self.reader.walk.leads = true;
        self
    }

    /// The next block; waits for one. Cancel-safe: a dropped future has skipped nothing.
    ///
    /// # Errors
    /// [`ReadError::Closed`] when the journal is closed and all was read; [`ReadError::Io`] when
    /// the disk refuses, with the place kept.
    pub async fn next(&mut self) -> Result<Block, ReadError> {
        loop {
            if let Some(block) = self.reader.advance().await? {
                return Ok(self.give(block));
            }
            self.pass_unwanted();
            self.reader.wait().await;
        }
    }

    /// The next block, or `None` at the end as it is now. Never waits for an append; a block that
    /// is not in memory is read on a blocking thread of the runtime. Cancel-safe.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn advance(&mut self) -> Result<Option<Block>, ReadError> {
        let found = self.reader.advance().await;
        if !matches!(found, Ok(Some(_))) {
            self.pass_unwanted();
        }
        Ok(found?.map(|block| self.give(block)))
    }

    /// Waits until there may be more than the last [`advance`](Self::advance) saw. Cancel-safe.
    pub async fn changed(&mut self) {
        self.reader.wait().await;
    }

    /// The next block, if there is one now. Reads the disk on this thread if need be.
    ///
    /// # Errors
    /// As [`next`](Self::next); at the end of a journal that is open it is `Ok(None)`.
    pub fn try_next(&mut self) -> Result<Option<Block>, ReadError> {
        let found = self.reader.try_next();
        if !matches!(found, Ok(Some(_))) {
            self.pass_unwanted();
        }
        Ok(found?.map(|block| self.give(block)))
    }

    /// Everything before `upto` (a block's `next`) is dealt with and need not be kept for this
    /// consumer. Moves forward only. Durable within the journal's cursor interval.
    pub fn commit(&self, upto: Position) {
        self.state.advance(upto);
    }

    /// Makes the committed place durable now. Blocks the thread for a sync or two.
    ///
    /// # Errors
    /// If the cursor's file cannot be written. The journal tries again by itself.
    pub fn flush(&self) -> Result<(), ReadError> {
        cursor::write_one(&self.shared, &self.state)
    }

    /// The committed place: where reading begins after a restart.
    pub fn position(&self) -> Position {
        self.state.committed()
    }

    /// The place of the next block that [`next`](Self::next) will give.
    pub fn read_position(&self) -> Position {
        self.reader.position()
    }

    /// Reads on from another place, such as the committed one to read again what was not
    /// acknowledged. The committed place stays.
    pub fn seek(&mut self, position: Position) {
        self.reader.seek(position);
        self.given = position;
    }

    /// How far this consumer is.
    pub fn status(&self) -> ConsumerStatus {
        status(&self.shared, &self.state)
    }

    fn give(&mut self, block: Block) -> Block {
        self.given = block.next;
        block
    }

    /// If all that was given out is committed, what was stepped over since is dealt with too.
    fn pass_unwanted(&self) {
        if self.state.committed() >= self.given {
            self.state.advance(self.reader.position());
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.state.live.store(false, Ordering::Release);
    }
}

pub(crate) fn status(shared: &Arc<Shared>, state: &ConsumerState) -> ConsumerStatus {
    let position = state.committed();
    let lag_bytes = lock(&shared.catalog).bytes_after(position);
    let oldest = Walk::new(Arc::clone(shared), Start::At(position), Filter::default())
        .peek()
        .ok()
        .flatten()
        .map(|header| header.appended_unix_nano);
    ConsumerStatus {
        name: state.name.clone(),
        position,
        lag_bytes,
        lag: oldest.map_or(Duration::ZERO, |at| {
            Duration::from_nanos(shared.now().saturating_sub(at))
        }),
        live: state.live.load(Ordering::Acquire),
    }
}
