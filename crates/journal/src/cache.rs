//! The most recent blocks, uncompressed, so that a reader that keeps up never reads the disk.
//! BOUNDED by the bytes of their payloads.

use std::collections::VecDeque;

use crate::types::{Block, Position};

/// What a block costs beside its payload.
const OVERHEAD: usize = 256;

#[derive(Debug)]
pub(crate) struct Cache {
    blocks: VecDeque<Block>,
    bytes: usize,
    limit: usize,
}

impl Cache {
    pub(crate) fn new(limit: usize) -> Self {
        Cache {
            blocks: VecDeque::new(),
            bytes: 0,
            limit,
        }
    }

    /// Keeps a block, which is later than all before it.
    pub(crate) fn push(&mut self, block: Block) {
        let cost = block.payload.len() + OVERHEAD;
        while self.bytes + cost > self.limit {
            if !self.drop_oldest() {
                return;
            }
        }
        self.bytes += cost;
        self.blocks.push_back(block);
    }

    /// `false` if there is none.
    fn drop_oldest(&mut self) -> bool {
        let old = self.blocks.pop_front();
        self.bytes -= old.as_ref().map_or(0, |old| old.payload.len() + OVERHEAD);
        old.is_some()
    }

    pub(crate) fn get(&self, at: Position) -> Option<Block> {
        let found = self.blocks.binary_search_by_key(&at, |b| b.position).ok()?;
        self.blocks.get(found).cloned()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Blocks that a reader at the head of others has read from disk: those behind it find them here
/// and neither read nor decompress them again. BOUNDED by bytes and number.
#[derive(Debug)]
pub(crate) struct Reread(Cache);

impl Reread {
    /// A search looks at each.
    const MOST: usize = 256;

    pub(crate) fn new(limit: usize) -> Self {
        Reread(Cache::new(limit))
    }

    /// Keeps a block, wherever in the log it stands.
    pub(crate) fn push(&mut self, block: Block) {
        if self.0.blocks.len() >= Self::MOST {
            self.0.drop_oldest();
        }
        self.0.push(block);
    }

    pub(crate) fn get(&self, at: Position) -> Option<Block> {
        self.0.blocks.iter().find(|b| b.position == at).cloned()
    }
}
