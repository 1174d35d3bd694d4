//! The committer: one thread that turns all that waits into one write and one `fdatasync`.
//!
//! While a sync runs, the next records gather; so the slower the disk, the larger the batches, and
//! no timer is needed. ACK-DURABLE: a waiter hears success after the sync, readers see a block
//! after the sync.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use ident::{Signal, TenantId};
use tokio::sync::oneshot;

use crate::append::{Answer, Pending, RETRY_DISK};
use crate::catalog::{Segment, State};
use crate::error::{AppendError, Trouble};
use crate::format::{
    BlockHeader, Codec, Index, MAX_BLOCK_HEADER, MAX_BLOCKS, SEGMENT_HEADER_BYTES, Summary,
};
use crate::retention;
use crate::segment::{ActiveSegment, OutBlock, WriteFault, Written};
use crate::shared::{Shared, lock};
use crate::types::{Block, Position, Record};

/// Small records are joined up to a block of this size.
const JOIN: usize = 256 << 10;
/// How often an idle committer looks at the age of its segment.
const IDLE: Duration = Duration::from_secs(1);

pub(crate) struct Committer {
    shared: Arc<Shared>,
    active: Option<ActiveSegment>,
    next_id: u64,
    /// The number of the segment that was last asked to be made ahead.
    asked: u64,
}

/// A block of the batch and who waits for it.
struct Out {
    block: OutBlock,
    waiters: Vec<oneshot::Sender<Answer>>,
}

impl Committer {
    pub(crate) fn new(shared: Arc<Shared>, active: Option<ActiveSegment>, next_id: u64) -> Self {
        Committer {
            shared,
            active,
            next_id,
            asked: 0,
        }
    }

    /// Runs until the queue is closed and empty. Gives the segment that is still open.
    pub(crate) fn run(mut self) -> Option<ActiveSegment> {
        let segment_limit = self.shared.options.segment_limit();
        loop {
            let batch = self.shared.queue.take(IDLE, segment_limit);
            if !batch.items.is_empty() {
                self.commit(batch.items);
            }
            if batch.last {
                return self.close_segment();
            }
            self.roll_if_old();
        }
    }

    fn commit(&mut self, items: Vec<Pending>) {
        let reserved: usize = items.iter().map(|p| p.record.payload.len()).sum();
        let now = self.shared.begin_commit();
        let (mut blocks, waiters): (Vec<_>, Vec<_>) = self
            .build(items, now)
            .into_iter()
            .map(|out| (out.block, out.waiters))
            .unzip();
        let written = self.write(&mut blocks);
        if written.is_ok() {
            self.publish(&blocks);
        }
        self.shared.committed();
        match written {
            Ok(written) => {
                self.answer_all(&blocks, waiters);
                if let Some(active) = &mut self.active {
                    active.absorb(&written, &blocks);
                }
                self.look_ahead();
            }
            Err(error) => {
                for waiter in waiters.into_iter().flatten() {
                    let _ = waiter.send(Err(error.clone()));
                }
            }
        }
        self.shared.queue.release(reserved);
        for compressed in blocks.into_iter().filter_map(|b| b.compressed) {
            self.shared.codecs.give_back(compressed);
        }
    }

    /// Makes blocks: a large record alone, small ones of one tenant and signal together.
    fn build(&self, items: Vec<Pending>, now: u64) -> Vec<Out> {
        let mut outs = Vec::new();
        let mut groups: HashMap<(TenantId, Signal), (usize, Vec<Pending>)> = HashMap::new();
        for mut item in items {
            match item.prepared.take() {
                Some(compressed) => {
                    let header = header_of(std::slice::from_ref(&item), now);
                    outs.push(Out {
                        block: finish(header, item.record.payload, compressed),
                        waiters: vec![item.waiter],
                    });
                }
                None => {
                    let key = (item.record.tenant.clone(), item.record.signal);
                    let (bytes, group) = groups.entry(key).or_default();
                    if !group.is_empty() && *bytes + item.record.payload.len() > JOIN {
                        outs.push(self.join(std::mem::take(group), now));
                        *bytes = 0;
                    }
                    *bytes += item.record.payload.len();
                    group.push(item);
                }
            }
        }
        let groups = groups.into_values();
        outs.extend(groups.map(|(_, group)| self.join(group, now)));
        outs
    }

    fn join(&self, group: Vec<Pending>, now: u64) -> Out {
        let header = header_of(&group, now);
        let raw = match group.as_slice() {
            [one] => one.record.payload.clone(),
            many => {
                let bytes = many.iter().map(|p| p.record.payload.len()).sum();
                let mut raw = BytesMut::with_capacity(bytes);
                many.iter()
                    .for_each(|p| raw.extend_from_slice(&p.record.payload));
                raw.freeze()
            }
        };
        let compressed = self.shared.codecs.compress(&raw);
        Out {
            block: finish(header, raw, compressed),
            waiters: group.into_iter().map(|p| p.waiter).collect(),
        }
    }

    fn write(&mut self, blocks: &mut [OutBlock]) -> Result<Written, AppendError> {
        let bytes: u64 = blocks.iter().map(|b| b.header.total_bytes()).sum();
        // Room for the index too, so that sealing never passes the limit.
        let index = self.active.as_ref().map_or(0, |a| a.index.encoded_bytes());
        let more = blocks.len() as u64 * Index::MAX_SHARE + Index::EMPTY + SEGMENT_HEADER_BYTES;
        retention::make_room(&self.shared, bytes + index + more)?;
        match self.write_once(blocks, bytes) {
            Ok(written) => {
                self.clear_trouble();
                Ok(written)
            }
            Err(trouble) => {
                // A full disk may get room from what every consumer has passed.
                if trouble.is_disk_full()
                    && retention::relieve(&self.shared, bytes)
                    && let Ok(written) = self.write_once(blocks, bytes)
                {
                    self.clear_trouble();
                    return Ok(written);
                }
                self.note_trouble(&trouble);
                Err(AppendError::Unavailable {
                    retry_after: RETRY_DISK,
                    reason: trouble,
                })
            }
        }
    }

    fn write_once(&mut self, blocks: &mut [OutBlock], bytes: u64) -> Result<Written, Trouble> {
        let shared = Arc::clone(&self.shared);
        let active = self.active_for(bytes, blocks.len())?;
        let began = Instant::now();
        match active.write(&shared.env, blocks, shared.sync()) {
            Ok(written) => {
                shared
                    .metrics
                    .commit_seconds
                    .observe(began.elapsed().as_secs_f64());
                Ok(written)
            }
            Err(WriteFault { trouble, usable }) => {
                if !usable {
                    self.retire();
                }
                Err(trouble)
            }
        }
    }

    /// The active segment, with room for so many bytes and blocks: a new one if need be.
    fn active_for(&mut self, bytes: u64, blocks: usize) -> Result<&mut ActiveSegment, Trouble> {
        let limit = self.shared.options.segment_limit();
        let outgrown = |a: &ActiveSegment| {
            !a.is_empty() && (a.len + bytes > limit || a.index.entries.len() + blocks > MAX_BLOCKS)
        };
        if self.active.as_ref().is_some_and(outgrown) {
            self.retire();
        }
        if self.active.is_none() {
            let made = self.make_segment()?;
            lock(&self.shared.catalog).segments.insert(
                made.id,
                Segment::new(State::Active, made.len, made.len, Summary::default()),
            );
            self.active = Some(made);
        }
        self.active.as_mut().ok_or_else(|| Trouble {
            what: "make the segment",
            path: Arc::from(self.shared.dir.segments()),
            kind: std::io::ErrorKind::Other,
            message: Arc::from("no segment"),
        })
    }

    /// The segment that was made ahead, or a new one.
    fn make_segment(&mut self) -> Result<ActiveSegment, Trouble> {
        let shared = &self.shared;
        let (env, dir, sync) = (&shared.env, &shared.dir, shared.sync());
        // A number is never used twice, not even that of a file that could not be made.
        let id = self.next_id;
        self.next_id += 1;
        match shared.jobs.take_spare() {
            Some(spare) if spare.id == id => match spare.begin(env, dir, sync) {
                Ok(begun) => return Ok(begun),
                Err(trouble) => tracing::debug!(%trouble, "what was made ahead cannot be begun"),
            },
            Some(other) => other.discard(env),
            None => {}
        }
        ActiveSegment::create(env, dir, id, shared.now(), sync)
    }

    /// Has the next segment made once the active one is half full.
    fn look_ahead(&mut self) {
        let half = self.shared.options.segment_limit() / 2;
        let is_due = self.active.as_ref().is_some_and(|a| a.len >= half);
        if is_due && self.asked != self.next_id {
            self.asked = self.next_id;
            self.shared.jobs.prepare(self.next_id);
        }
    }

    /// Ends the active segment and hands it over for sealing.
    fn retire(&mut self) {
        if let Some(active) = self.close_segment() {
            self.shared.jobs.seal(active);
        }
    }

    fn close_segment(&mut self) -> Option<ActiveSegment> {
        let active = self.active.take()?;
        if let Some(info) = lock(&self.shared.catalog).segments.get_mut(&active.id) {
            info.state = State::Closed;
            info.file_bytes = active.len + active.index.encoded_bytes();
        }
        Some(active)
    }

    fn roll_if_old(&mut self) {
        let age = self.shared.options.segment_age().as_nanos();
        let now = self.shared.now();
        let first = |a: &ActiveSegment| a.index.summary.first_appended_unix_nano;
        let old =
            |a: &ActiveSegment| !a.is_empty() && u128::from(now.saturating_sub(first(a))) >= age;
        if self.active.as_ref().is_some_and(old) {
            self.retire();
        }
    }

    /// Makes committed blocks visible: catalog, cache, then the readers' wake-up.
    fn publish(&self, blocks: &[OutBlock]) {
        let Some(active) = &self.active else { return };
        let shared = &self.shared;
        {
            let mut catalog = lock(&shared.catalog);
            if let Some(info) = catalog.segments.get_mut(&active.id) {
                info.data_end = active.len;
                info.file_bytes = active.len;
                info.summary = active.index.summary;
            }
            let mut cache = lock(&shared.cache);
            for block in blocks {
                if let Some(block) = read_back(active.id, block) {
                    cache.push(block);
                }
            }
            shared.metrics.cache_bytes.set(cache.bytes() as f64);
        }
        shared.published.send_replace(Position {
            segment: active.id,
            offset: active.len,
        });
    }

    fn answer_all(&self, blocks: &[OutBlock], waiters: Vec<Vec<oneshot::Sender<Answer>>>) {
        let segment = self.active.as_ref().map_or(0, |a| a.id);
        let metrics = &self.shared.metrics;
        metrics.commits.inc();
        for (block, waiters) in blocks.iter().zip(waiters) {
            let header = &block.header;
            metrics.blocks.inc();
            metrics.records.inc_by(u64::from(header.records));
            metrics.raw_bytes.inc_by(u64::from(header.raw_bytes));
            metrics.stored_bytes.inc_by(header.total_bytes());
            let position = Position {
                segment,
                offset: header.offset,
            };
            for waiter in waiters {
                let _ = waiter.send(Ok(position));
            }
        }
    }

    fn note_trouble(&self, trouble: &Trouble) {
        self.shared.metrics.failures.inc();
        self.shared.metrics.available.set(0.0);
        let before = lock(&self.shared.trouble).replace(trouble.clone());
        if before.as_ref() != Some(trouble) {
            tracing::error!(%trouble, "the journal cannot write; senders are told to wait");
        }
    }

    fn clear_trouble(&self) {
        self.shared.full.store(0, Ordering::Relaxed);
        self.shared.metrics.available.set(1.0);
        if lock(&self.shared.trouble).take().is_some() {
            tracing::info!("the journal writes again");
        }
    }
}

fn header_of(group: &[Pending], now: u64) -> BlockHeader {
    let records = || group.iter().map(|p| &p.record);
    let with_time = || records().filter(|r| r.max_time_unix_nano != 0);
    let owner = records()
        .next()
        .map(|first: &Record| (first.tenant.clone(), first.signal));
    BlockHeader {
        codec: Codec::None,
        owner,
        records: group.len() as u32,
        stored_bytes: 0,
        raw_bytes: 0,
        payload_crc: 0,
        items: records().map(|r| r.items).sum(),
        min_time_unix_nano: with_time().map(|r| r.min_time_unix_nano).min().unwrap_or(0),
        max_time_unix_nano: with_time().map(|r| r.max_time_unix_nano).max().unwrap_or(0),
        appended_unix_nano: now,
        offset: 0,
    }
}

fn finish(mut header: BlockHeader, raw: Bytes, compressed: Option<Vec<u8>>) -> OutBlock {
    let stored = compressed.as_deref().unwrap_or(&raw);
    header.codec = match compressed {
        Some(_) => Codec::Zstd,
        None => Codec::None,
    };
    header.stored_bytes = stored.len() as u32;
    header.raw_bytes = raw.len() as u32;
    header.payload_crc = crc32c::crc32c(stored);
    debug_assert!(header.header_bytes() <= MAX_BLOCK_HEADER);
    OutBlock {
        header,
        raw,
        compressed,
    }
}

/// The block as a reader will see it.
fn read_back(segment: u64, out: &OutBlock) -> Option<Block> {
    debug_assert!(out.header.offset >= SEGMENT_HEADER_BYTES);
    to_block(segment, &out.header, out.raw.clone())
}

/// A block from its header and uncompressed payload; `None` for a gap.
pub(crate) fn to_block(segment: u64, header: &BlockHeader, payload: Bytes) -> Option<Block> {
    let (tenant, signal) = header.owner.clone()?;
    let at = |offset| Position { segment, offset };
    Some(Block {
        position: at(header.offset),
        next: at(header.offset + header.total_bytes()),
        tenant,
        signal,
        items: header.items,
        records: header.records,
        min_time_unix_nano: header.min_time_unix_nano,
        max_time_unix_nano: header.max_time_unix_nano,
        appended_unix_nano: header.appended_unix_nano,
        payload,
    })
}
