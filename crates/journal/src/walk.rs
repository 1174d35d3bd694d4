//! How readers and consumers move along the journal: from the cache while they keep up, else from
//! disk on a blocking thread. Only durable blocks are seen. One block is held at a time.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::catalog::Place;
use crate::commit::to_block;
use crate::error::ReadError;
use crate::file::{FileFault, SegmentFile};
use crate::format::{BlockHeader, Codec};
use crate::recover::salvage_header;
use crate::scan::{Found, Range, Scan};
use crate::shared::{Shared, lock};
use crate::types::{Block, Filter, Position, Start};

/// The most blocks that one trip to the disk steps over before it comes back.
const MAX_STEPS: usize = 1024;

#[derive(Clone)]
pub(crate) struct Walk {
    shared: Arc<Shared>,
    pub position: Position,
    filter: Arc<Filter>,
    /// The file of `position`'s segment: it stays readable when retention removes the segment.
    file: Option<Arc<SegmentFile>>,
    /// Others follow close behind and are left what is read.
    pub leads: bool,
    /// What must be read from disk is given without its payload.
    pub heads_only: bool,
}

/// What memory alone can say.
pub(crate) enum Step {
    Block(Block),
    End,
    Disk,
}

impl Walk {
    pub(crate) fn new(shared: Arc<Shared>, start: Start, filter: Filter) -> Self {
        let position = {
            let catalog = lock(&shared.catalog);
            match start {
                Start::Oldest => catalog.oldest(),
                Start::Newest => catalog.newest(),
                Start::At(position) => position,
            }
        };
        Walk {
            shared,
            position,
            filter: Arc::new(filter),
            file: None,
            leads: false,
            heads_only: false,
        }
    }

    pub(crate) fn seek(&mut self, position: Position) {
        self.position = position;
        self.file = None;
    }

    pub(crate) fn set_filter(&mut self, filter: Filter) {
        self.filter = Arc::new(filter);
    }

    /// Goes on as far as memory allows.
    pub(crate) fn step_in_memory(&mut self) -> Step {
        loop {
            let cached = lock(&self.shared.cache).get(self.position);
            let block = match cached {
                Some(block) => block,
                None => {
                    let place = lock(&self.shared.catalog).place(self.position);
                    match place {
                        Place::GoTo(next) => {
                            self.seek(next);
                            continue;
                        }
                        Place::End => return Step::End,
                        // Only here: a reader at the end asks often.
                        Place::Inside { .. } => match self.reread() {
                            Some(block) => block,
                            None => return Step::Disk,
                        },
                    }
                }
            };
            self.position = block.next;
            if self.filter.wants_block(&block) {
                self.shared.metrics.cache_hits.inc();
                return Step::Block(block);
            }
        }
    }

    /// What a leading reader has read from disk.
    fn reread(&self) -> Option<Block> {
        lock(&self.shared.reread).get(self.position)
    }

    /// Reads on from disk until a block is wanted, the end is reached, or enough was stepped over.
    /// Blocks the thread.
    pub(crate) fn step_on_disk(&mut self) -> Result<Option<Block>, ReadError> {
        for _ in 0..MAX_STEPS {
            let place = lock(&self.shared.catalog).place(self.position);
            let data_end = match place {
                Place::Inside { data_end } => data_end,
                Place::GoTo(next) => {
                    self.seek(next);
                    continue;
                }
                Place::End => return Ok(None),
            };
            let Some(file) = self.file()? else {
                // Retention was faster. The catalog knows where to go on.
                continue;
            };
            let found = self.read(&file, data_end).map_err(|source| ReadError::Io {
                path: file.path.clone(),
                source,
            })?;
            if let Some(block) = found {
                self.shared.metrics.cache_misses.inc();
                if self.leads && !self.heads_only {
                    lock(&self.shared.reread).push(block.clone());
                }
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    /// The header of the block at the walk's place, without moving. Blocks the thread.
    pub(crate) fn peek(&mut self) -> Result<Option<BlockHeader>, ReadError> {
        loop {
            let place = lock(&self.shared.catalog).place(self.position);
            match place {
                Place::GoTo(next) => self.seek(next),
                Place::End => return Ok(None),
                Place::Inside { data_end } => {
                    let Some(file) = self.file()? else { continue };
                    return file
                        .block_header(self.position.offset, data_end)
                        .map_err(|source| ReadError::Io {
                            path: file.path.clone(),
                            source,
                        });
                }
            }
        }
    }

    fn read(&mut self, file: &SegmentFile, data_end: u64) -> io::Result<Option<Block>> {
        let Some(header) = file.block_header(self.position.offset, data_end)? else {
            return self.step_over_damage(file, data_end);
        };
        let wanted = header.owner.as_ref().is_some_and(|(tenant, signal)| {
            let times = (header.min_time_unix_nano, header.max_time_unix_nano);
            self.filter
                .wants(*signal, tenant.as_str(), times, header.appended_unix_nano)
        });
        let next = header.offset + header.total_bytes();
        if header.codec == Codec::Gap || !wanted {
            self.position.offset = next;
            return Ok(None);
        }
        if self.heads_only {
            self.position.offset = next;
            return Ok(to_block(self.position.segment, &header, Bytes::new()));
        }
        match file.payload(&header, &self.shared.codecs)? {
            Some(payload) => {
                self.position.offset = next;
                Ok(to_block(self.position.segment, &header, payload))
            }
            None => self.step_over_damage(file, data_end),
        }
    }

    /// LOSS-COUNTED: damage is stepped over, reported and counted, once.
    fn step_over_damage(&mut self, file: &SegmentFile, data_end: u64) -> io::Result<Option<Block>> {
        let mut scan = Scan::new(file, self.position.offset, data_end);
        let range = match scan.next()? {
            Some(Found::Damaged(range) | Found::Tail(range)) => range,
            // The stored bytes are sound, but do not decompress.
            Some(Found::Block(header)) => Range::of(&header),
            None => return Ok(None),
        };
        let range = known_loss(file, range);
        self.shared.note_damage(self.position.segment, &range);
        self.position.offset = range.offset + range.bytes;
        Ok(None)
    }

    fn file(&mut self) -> Result<Option<Arc<SegmentFile>>, ReadError> {
        if let Some(file) = &self.file {
            return Ok(Some(Arc::clone(file)));
        }
        let segment = self.position.segment;
        let path = self.shared.dir.segment(segment);
        match SegmentFile::open(&path) {
            Ok(file) => {
                let file = Arc::new(file);
                self.file = Some(Arc::clone(&file));
                Ok(Some(file))
            }
            Err(FileFault::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                let gone = !lock(&self.shared.catalog).segments.contains_key(&segment);
                match gone {
                    true => Ok(None),
                    false => Err(ReadError::Io {
                        path,
                        source: error,
                    }),
                }
            }
            Err(FileFault::Io(source)) => Err(ReadError::Io { path, source }),
            Err(FileFault::Header(_)) => match salvage_header(&path, segment) {
                Ok(Some(file)) => {
                    self.file = Some(Arc::new(file));
                    Ok(self.file.clone())
                }
                Ok(None) => Err(ReadError::Io {
                    path,
                    source: io::ErrorKind::InvalidData.into(),
                }),
                Err(source) => Err(ReadError::Io { path, source }),
            },
        }
    }
}

/// What a sealed segment's index knows of a range's blocks; else what its headers said.
pub(crate) fn known_loss(file: &SegmentFile, range: Range) -> Range {
    let Ok(Some(trailer)) = file.trailer() else {
        return range;
    };
    let Ok(Some(index)) = file.index(&trailer) else {
        return range;
    };
    let mut known = Range {
        blocks: 0,
        items: [0; 3],
        ..range
    };
    let inside = range.offset..range.offset + range.bytes;
    for entry in index.entries.iter().filter(|e| inside.contains(&e.offset)) {
        if let Some(items) = usize::from(entry.signal)
            .checked_sub(1)
            .and_then(|signal| known.items.get_mut(signal))
        {
            known.blocks += 1;
            *items += entry.items;
        }
    }
    known
}
