//! Walking over a segment's blocks with every CRC checked, and finding the way again after damage.

use std::io;

use crate::file::SegmentFile;
use crate::format::BlockHeader;

/// One thing after the other in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A block whose header and payload CRC hold.
    Block(BlockHeader),
    /// A range that holds no sound block, and after which a sound block follows.
    Damaged(Range),
    /// The rest, which holds no sound block. Nothing follows.
    Tail(Range),
}

/// A range of bytes that could not be read as blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Range {
    pub offset: u64,
    pub bytes: u64,
    /// Blocks in it whose header is sound, so that it is known what was lost.
    pub blocks: u64,
    /// The items of these, by signal.
    pub items: [u64; 3],
}

impl Range {
    /// The range of one block that is known by its header.
    pub(crate) fn of(header: &BlockHeader) -> Self {
        let mut range = Range {
            offset: header.offset,
            bytes: header.total_bytes(),
            ..Range::default()
        };
        range.count(header);
        range
    }

    fn count(&mut self, header: &BlockHeader) {
        if let Some((_, signal)) = &header.owner {
            self.blocks += 1;
            self.items[usize::from(signal.code()) - 1] += header.items;
        }
    }

    pub(crate) fn end(&self) -> u64 {
        self.offset + self.bytes
    }
}

pub(crate) struct Scan<'a> {
    file: &'a SegmentFile,
    at: u64,
    end: u64,
    /// A block that was found behind damage.
    next: Option<BlockHeader>,
    buffer: Vec<u8>,
}

const CHUNK: usize = 256 << 10;

impl<'a> Scan<'a> {
    /// Looks at the bytes from `at` up to `end`.
    pub(crate) fn new(file: &'a SegmentFile, at: u64, end: u64) -> Self {
        Scan {
            file,
            at,
            end,
            next: None,
            buffer: Vec::new(),
        }
    }

    /// What comes next; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Found>> {
        if let Some(header) = self.next.take() {
            self.at = header.offset + header.total_bytes();
            return Ok(Some(Found::Block(header)));
        }
        if self.at >= self.end {
            return Ok(None);
        }
        if let Some(header) = self.sound(self.at)? {
            self.at += header.total_bytes();
            return Ok(Some(Found::Block(header)));
        }
        self.resync().map(Some)
    }

    fn sound(&mut self, at: u64) -> io::Result<Option<BlockHeader>> {
        let Some(header) = self.file.block_header(at, self.end)? else {
            return Ok(None);
        };
        let sound = self.file.stored(&header, &mut self.buffer)?;
        Ok(sound.then_some(header))
    }

    fn resync(&mut self) -> io::Result<Found> {
        let mut range = Range {
            offset: self.at,
            ..Range::default()
        };
        let mut from = self.at;
        while let Some(at) = self.find_marker(from)? {
            if let Some(header) = self.file.block_header(at, self.end)? {
                if self.file.stored(&header, &mut self.buffer)? {
                    range.bytes = at - range.offset;
                    self.next = Some(header);
                    return Ok(Found::Damaged(range));
                }
                range.count(&header);
            }
            from = at + 1;
        }
        range.bytes = self.end - range.offset;
        self.at = self.end;
        Ok(Found::Tail(range))
    }

    fn find_marker(&self, mut from: u64) -> io::Result<Option<u64>> {
        let marker = BlockHeader::marker(&self.file.header.salt);
        let finder = memchr::memmem::Finder::new(&marker);
        let mut chunk = vec![0; CHUNK];
        while from < self.end {
            let want = usize::try_from(self.end - from).unwrap_or(CHUNK).min(CHUNK);
            let read = self.file.read(&mut chunk[..want], from)?;
            if let Some(at) = finder.find(&chunk[..read]) {
                return Ok(Some(from + at as u64));
            }
            if read < want || want < CHUNK {
                break;
            }
            from += (read - (marker.len() - 1)) as u64;
        }
        Ok(None)
    }
}
