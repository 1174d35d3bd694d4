//! Reading without a cursor.

use std::sync::Arc;

use tokio::sync::watch;

use crate::error::ReadError;
use crate::shared::Shared;
use crate::types::{Block, Filter, Position, Start};
use crate::walk::{Step, Walk};

/// Reads blocks in order, from any place, without holding retention: if its place leaves the
/// journal, it goes on at the oldest block that is kept.
pub struct Reader {
    pub(crate) walk: Walk,
    shared: Arc<Shared>,
    published: watch::Receiver<Position>,
}

impl Reader {
    pub(crate) fn new(shared: Arc<Shared>, start: Start, filter: Filter) -> Self {
        Reader {
            walk: Walk::new(Arc::clone(&shared), start, filter),
            published: shared.published.subscribe(),
            shared,
        }
    }

    /// The next block; waits for one. Cancel-safe: a dropped future has skipped nothing.
    ///
    /// A block that is not in memory is read on a blocking thread of the runtime.
    ///
    /// # Errors
    /// [`ReadError::Closed`] when the journal is closed and all was read; [`ReadError::Io`] when
    /// the disk refuses, with the place kept.
    pub async fn next(&mut self) -> Result<Block, ReadError> {
        loop {
            match self.advance().await? {
                Some(block) => return Ok(block),
                None => self.wait().await,
            }
        }
    }

    /// The next block, or `None` at the end as it is now.
    pub(crate) async fn advance(&mut self) -> Result<Option<Block>, ReadError> {
        loop {
            let closed = self.shared.is_closed();
            self.published.borrow_and_update();
            match self.walk.step_in_memory() {
                Step::Block(block) => return Ok(Some(block)),
                Step::End if closed => return Err(ReadError::Closed),
                Step::End => return Ok(None),
                Step::Disk => {
                    let mut walk = self.walk.clone();
                    let task = tokio::task::spawn_blocking(move || {
                        let found = walk.step_on_disk();
                        (walk, found)
                    });
                    let Ok((walk, found)) = task.await else {
                        return Err(ReadError::Closed);
                    };
                    self.walk = walk;
                    if let Some(block) = found? {
                        return Ok(Some(block));
                    }
                }
            }
        }
    }

    /// Until there may be more than the last [`advance`](Self::advance) saw.
    pub(crate) async fn wait(&mut self) {
        // The sender lives as long as `shared`.
        let _ = self.published.changed().await;
    }

    /// The next block, if there is one now. Reads the disk on this thread if need be.
    ///
    /// # Errors
    /// As [`next`](Self::next); at the end of a journal that is open it is `Ok(None)`.
    pub fn try_next(&mut self) -> Result<Option<Block>, ReadError> {
        loop {
            let closed = self.shared.is_closed();
            match self.walk.step_in_memory() {
                Step::Block(block) => return Ok(Some(block)),
                Step::End if closed => return Err(ReadError::Closed),
                Step::End => return Ok(None),
                Step::Disk => {
                    if let Some(block) = self.walk.step_on_disk()? {
                        return Ok(Some(block));
                    }
                }
            }
        }
    }

    /// Others follow close behind: what this one reads from disk is kept in memory for them for a
    /// while, in at most half of [`Options::cache_bytes`](crate::Options::cache_bytes).
    #[must_use]
    pub fn leading(mut self) -> Self {
        self.walk.leads = true;
        self
    }

    /// What is not in memory is given with an empty payload, neither read nor decompressed: for
    /// who mostly needs to know of a block only where and when it is.
    /// [`Block::payload`](crate::Block::payload) is then empty although
    /// [`Block::items`](crate::Block::items) is not 0.
    #[must_use]
    pub fn heads_only(mut self) -> Self {
        self.walk.heads_only = true;
        self
    }

    /// The place of the next block to be read.
    pub fn position(&self) -> Position {
        self.walk.position
    }

    /// Goes to another place.
    pub fn seek(&mut self, position: Position) {
        self.walk.seek(position);
    }
}
