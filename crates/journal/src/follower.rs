//! Reading a journal's directory without its lock, also while another process writes it.

use std::io;
use std::path::Path;

use crate::codec::Codecs;
use crate::commit::to_block;
use crate::dir::Dir;
use crate::error::{OpenError, ReadError};
use crate::file::{FileFault, SegmentFile};
use crate::format::{BlockHeader, Codec, HeaderFault, SEGMENT_HEADER_BYTES};
use crate::options::Compression;
use crate::recover::salvage_header;
use crate::scan::{Found, Scan};
use crate::types::{Block, Filter, Position, Start};

/// Reads blocks in order from a directory that another process may be writing, for `tail` and
/// `dump`.
///
/// It changes nothing and holds nothing back. It may see a block a moment before that is durable;
/// such a block may be gone after a power loss. If its place leaves the journal, it goes on at the
/// oldest block that is kept.
pub struct Follower {
    dir: Dir,
    position: Position,
    filter: Filter,
    file: Option<SegmentFile>,
    codecs: Codecs,
    damaged_bytes: u64,
}

/// What is at the follower's place.
enum Look {
    /// A block, not yet read.
    Block(BlockHeader),
    /// Nothing that can be read. Go on here.
    Over { to: u64 },
    /// The segment's blocks end here.
    EndOfSegment,
    /// Nothing yet.
    Wait,
}

impl Follower {
    /// Begins to read a journal's directory.
    ///
    /// # Errors
    /// If there is no journal or it cannot be read.
    pub fn open(dir: &Path, start: Start, filter: Filter) -> Result<Follower, OpenError> {
        let dir = Dir::new(dir);
        let ids = dir
            .segment_ids()
            .map_err(OpenError::io("read the journal in", &dir.segments()))?;
        let at = |segment: u64| Position {
            segment,
            offset: SEGMENT_HEADER_BYTES,
        };
        let position = match start {
            Start::At(position) => position,
            Start::Oldest => at(ids.first().copied().unwrap_or(1)),
            Start::Newest => at(ids.last().copied().unwrap_or(1)),
        };
        let mut follower = Follower {
            dir,
            position,
            filter: Filter::default(),
            file: None,
            codecs: Codecs::new(Compression::None),
            damaged_bytes: 0,
        };
        if start == Start::Newest {
            follower.skip_to_end().map_err(|error| match error {
                ReadError::Io { path, source } => OpenError::Io {
                    what: "read",
                    path,
                    source,
                },
                ReadError::Closed => OpenError::Closed,
            })?;
        }
        follower.filter = filter;
        Ok(follower)
    }

    /// The next block, if there is one now. Reads the disk on this thread.
    ///
    /// # Errors
    /// If the disk refuses; the place is kept.
    pub fn try_next(&mut self) -> Result<Option<Block>, ReadError> {
        while let Some(header) = self.next_header()? {
            let next = header.offset + header.total_bytes();
            let wanted = header.owner.as_ref().is_some_and(|(tenant, signal)| {
                let times = (header.min_time_unix_nano, header.max_time_unix_nano);
                let appended = header.appended_unix_nano;
                self.filter.wants(*signal, tenant.as_str(), times, appended)
            });
            if !wanted || header.codec == Codec::Gap {
                self.position.offset = next;
                continue;
            }
            let Some(file) = &self.file else { continue };
            let payload = file
                .payload(&header, &self.codecs)
                .map_err(failed(&file.path))?;
            if let Some(payload) = payload {
                self.position.offset = next;
                return Ok(to_block(self.position.segment, &header, payload));
            }
            match self.look_past_damage()? {
                Look::Over { to } => self.step_over(to),
                Look::EndOfSegment if self.go_to_next_segment()? => {}
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The place of the next block to be read.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Bytes that could not be read and were stepped over.
    pub fn damaged_bytes(&self) -> u64 {
        self.damaged_bytes
    }

    fn skip_to_end(&mut self) -> Result<(), ReadError> {
        while let Some(header) = self.next_header()? {
            self.position.offset = header.offset + header.total_bytes();
        }
        Ok(())
    }

    /// The header of the block at the follower's place, after moving on to where one is.
    fn next_header(&mut self) -> Result<Option<BlockHeader>, ReadError> {
        loop {
            if !self.open_file()? {
                match self.go_to_next_segment()? {
                    true => continue,
                    false => return Ok(None),
                }
            }
            match self.look()? {
                Look::Block(header) => return Ok(Some(header)),
                Look::Over { to } => self.step_over(to),
                Look::EndOfSegment if self.go_to_next_segment()? => {}
                Look::EndOfSegment | Look::Wait => return Ok(None),
            }
        }
    }

    fn look(&self) -> Result<Look, ReadError> {
        let Some(file) = &self.file else {
            return Ok(Look::Wait);
        };
        let failed = failed(&file.path);
        let look = || -> io::Result<Option<BlockHeader>> {
            file.block_header(self.position.offset, file.len()?)
        };
        match look().map_err(failed)? {
            Some(header) => Ok(Look::Block(header)),
            None => self.look_past_damage(),
        }
    }

    /// No sound block is at the follower's place: why?
    fn look_past_damage(&self) -> Result<Look, ReadError> {
        let Some(file) = &self.file else {
            return Ok(Look::Wait);
        };
        let at = self.position.offset;
        let look = || -> io::Result<Look> {
            if let Some(trailer) = file.trailer()? {
                let end = trailer.index_offset;
                if at >= end {
                    return Ok(Look::EndOfSegment);
                }
                let to = match Scan::new(file, at, end).next()? {
                    Some(Found::Damaged(range) | Found::Tail(range)) => range.end(),
                    Some(Found::Block(header)) => header.offset + header.total_bytes(),
                    None => end,
                };
                return Ok(Look::Over { to });
            }
            // Asked before the length, so that a later segment means that this one has its last
            // block.
            let last = self.later_segment()?.is_none();
            match Scan::new(file, at, file.len()?).next()? {
                Some(Found::Damaged(range)) => Ok(Look::Over { to: range.end() }),
                // The payload does not decompress, or its last bytes have just been written.
                Some(Found::Block(header)) => Ok(match file.payload(&header, &self.codecs)? {
                    Some(_) => Look::Block(header),
                    None => Look::Over {
                        to: header.offset + header.total_bytes(),
                    },
                }),
                Some(Found::Tail(_)) | None if last => Ok(Look::Wait),
                Some(Found::Tail(_)) | None => Ok(Look::EndOfSegment),
            }
        };
        look().map_err(failed(&file.path))
    }

    fn step_over(&mut self, to: u64) {
        self.damaged_bytes += to.saturating_sub(self.position.offset);
        self.position.offset = to;
    }

    fn later_segment(&self) -> io::Result<Option<u64>> {
        let ids = self.dir.segment_ids()?;
        Ok(ids.into_iter().find(|id| *id > self.position.segment))
    }

    fn go_to_next_segment(&mut self) -> Result<bool, ReadError> {
        let next = self.later_segment().map_err(failed(&self.dir.segments()))?;
        let Some(segment) = next else {
            return Ok(false);
        };
        self.position = Position {
            segment,
            offset: SEGMENT_HEADER_BYTES,
        };
        self.file = None;
        Ok(true)
    }

    /// Opens the file of the follower's segment. `false` if there is none, or it is of no use.
    fn open_file(&mut self) -> Result<bool, ReadError> {
        if self.file.is_some() {
            return Ok(true);
        }
        let path = self.dir.segment(self.position.segment);
        let file = match SegmentFile::open(&path) {
            Ok(file) => Some(file),
            Err(FileFault::Io(error)) if error.kind() == io::ErrorKind::NotFound => None,
            Err(FileFault::Io(error)) => return Err(failed(&path)(error)),
            Err(FileFault::Header(HeaderFault::TooNew(version))) => {
                let why = format!("its format version {version} is newer than this program's");
                return Err(failed(&path)(io::Error::other(why)));
            }
            Err(FileFault::Header(HeaderFault::Damaged)) => {
                salvage_header(&path, self.position.segment).map_err(failed(&path))?
            }
        };
        self.position.offset = self.position.offset.max(SEGMENT_HEADER_BYTES);
        self.file = file;
        Ok(self.file.is_some())
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> ReadError + use<> {
    let path = path.to_owned();
    move |source| ReadError::Io {
        path: path.clone(),
        source,
    }
}
