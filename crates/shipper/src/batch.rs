//! Batches: blocks of one tenant and one signal, put together by listing them.

use std::collections::VecDeque;

use bytes::Bytes;
use ident::{Signal, TenantId};
use journal::{Block, Position};

/// The most blocks of a batch, so that a body is never a list of tens of thousands of pieces.
pub(crate) const MAX_CHUNKS: usize = 1024;
/// The most batches that are open for blocks at once; each is another tenant or signal.
const MAX_OPEN: usize = 64;

/// One valid export request: a block, or a part of one.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub bytes: Bytes,
    pub items: u64,
    /// Its block's number in the ledger.
    pub entry: u64,
    /// Where its block is.
    pub position: Position,
}

/// What one request carries. Its chunks, one after the other, are one valid export request.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub tenant: TenantId,
    pub signal: Signal,
    pub chunks: Vec<Chunk>,
}

impl Batch {
    pub(crate) fn bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    pub(crate) fn items(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.items).sum()
    }

    /// Whose and what it is.
    pub(crate) fn key(&self) -> (TenantId, Signal) {
        (self.tenant.clone(), self.signal)
    }

    /// The same tenant and signal with other chunks.
    pub(crate) fn with(&self, chunks: Vec<Chunk>) -> Batch {
        Batch {
            tenant: self.tenant.clone(),
            signal: self.signal,
            chunks,
        }
    }
}

/// Sorts blocks into batches. The journal mixes tenants and signals, so several batches are open
/// at once; a batch is full when the next block would make it larger than the limit.
#[derive(Debug)]
pub(crate) struct Assembler {
    max_bytes: usize,
    /// In the order of their first blocks.
    open: VecDeque<(Batch, usize)>,
    full: VecDeque<Batch>,
    bytes: usize,
    blocks: usize,
}

impl Assembler {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Assembler {
            max_bytes,
            open: VecDeque::new(),
            full: VecDeque::new(),
            bytes: 0,
            blocks: 0,
        }
    }

    /// Bytes that wait here.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Blocks that wait here.
    pub(crate) fn blocks(&self) -> usize {
        self.blocks
    }

    pub(crate) fn push(&mut self, block: Block, entry: u64) {
        let size = block.payload.len();
        self.bytes += size;
        self.blocks += 1;
        let chunk = Chunk {
            bytes: block.payload,
            items: block.items,
            entry,
            position: block.position,
        };
        let same = |(batch, _): &(Batch, usize)| {
            batch.signal == block.signal && batch.tenant == block.tenant
        };
        if let Some(at) = self.open.iter().position(same)
            && let Some((batch, bytes)) = self.open.get_mut(at)
        {
            if *bytes + size <= self.max_bytes && batch.chunks.len() < MAX_CHUNKS {
                *bytes += size;
                batch.chunks.push(chunk);
                return;
            }
            self.full
                .extend(self.open.remove(at).map(|(batch, _)| batch));
        } else if self.open.len() >= MAX_OPEN {
            self.full
                .extend(self.open.pop_front().map(|(batch, _)| batch));
        }
        let batch = Batch {
            tenant: block.tenant,
            signal: block.signal,
            chunks: vec![chunk],
        };
        self.open.push_back((batch, size));
    }

    /// A full batch, if there is one.
    pub(crate) fn pop_full(&mut self) -> Option<Batch> {
        let batch = self.full.pop_front();
        self.took(batch)
    }

    /// The oldest full batch; if there is none, the oldest open one that is `free` to go.
    pub(crate) fn pop(&mut self, free: impl Fn(&Batch) -> bool) -> Option<Batch> {
        let batch = self.full.pop_front().or_else(|| {
            let at = self.open.iter().position(|(batch, _)| free(batch))?;
            self.open.remove(at).map(|(batch, _)| batch)
        });
        self.took(batch)
    }

    /// Forgets all; the blocks are read again.
    pub(crate) fn clear(&mut self) {
        *self = Assembler::new(self.max_bytes);
    }

    fn took(&mut self, batch: Option<Batch>) -> Option<Batch> {
        if let Some(batch) = &batch {
            self.bytes -= batch.bytes();
            self.blocks -= batch.chunks.len();
        }
        batch
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn block(tenant: &str, signal: Signal, offset: u64, bytes: usize) -> Block {
        Block {
            position: Position { segment: 1, offset },
            next: Position {
                segment: 1,
                offset: offset + 1,
            },
            tenant: tenant.parse().unwrap(),
            signal,
            items: 1,
            records: 1,
            min_time_unix_nano: 0,
            max_time_unix_nano: 0,
            appended_unix_nano: 0,
            payload: Bytes::from(vec![0; bytes]),
        }
    }

    fn entries(batch: &Batch) -> Vec<u64> {
        batch.chunks.iter().map(|chunk| chunk.entry).collect()
    }

    #[test]
    fn blocks_of_one_tenant_and_signal_share_a_batch_up_to_the_limit() {
        let mut assembler = Assembler::new(10);
        for (entry, (tenant, signal, bytes)) in [
            ("a", Signal::Traces, 4),
            ("b", Signal::Traces, 4),
            ("a", Signal::Logs, 4),
            ("a", Signal::Traces, 6),
            ("a", Signal::Traces, 1),
            ("b", Signal::Traces, 20),
        ]
        .into_iter()
        .enumerate()
        {
            let entry = entry as u64;
            assembler.push(block(tenant, signal, entry, bytes), entry);
        }
        assert_eq!(assembler.bytes(), 39);
        assert_eq!(entries(&assembler.pop_full().unwrap()), [0, 3]);
        assert_eq!(entries(&assembler.pop_full().unwrap()), [1]);
        assert!(assembler.pop_full().is_none());
        let busy = |batch: &Batch| batch.signal != Signal::Logs;
        assert_eq!(entries(&assembler.pop(busy).unwrap()), [4], "2 waits");
        assert_eq!(entries(&assembler.pop(|_| true).unwrap()), [2]);
        assert_eq!(
            entries(&assembler.pop(|_| true).unwrap()),
            [5],
            "larger alone"
        );
        assert!(assembler.pop(|_| true).is_none());
        assert_eq!((assembler.bytes(), assembler.blocks()), (0, 0));
    }

    /// Guarantees: BOUNDED; neither many tenants nor many tiny blocks pile up in open batches.
    #[test]
    fn open_batches_and_their_blocks_are_bounded() {
        let mut assembler = Assembler::new(usize::MAX);
        for i in 0..=MAX_OPEN as u64 {
            assembler.push(block(&format!("t{i}"), Signal::Logs, i, 1), i);
        }
        assert_eq!(entries(&assembler.pop_full().unwrap()), [0]);
        assembler.clear();
        for i in 0..=MAX_CHUNKS as u64 {
            assembler.push(block("a", Signal::Logs, i, 1), i);
        }
        assert_eq!(assembler.pop_full().unwrap().chunks.len(), MAX_CHUNKS);
    }
}
