//! Reading one segment's file, at any place, without a position of its own.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::codec::Codecs;
use crate::format::{
    BlockHeader, Codec, HeaderFault, Index, MAX_BLOCK_HEADER, SEGMENT_HEADER_BYTES, SegmentHeader,
    TRAILER_BYTES, Trailer,
};

#[derive(Debug)]
pub(crate) struct SegmentFile {
    pub path: PathBuf,
    pub header: SegmentHeader,
    file: File,
    /// Bytes that the disk cannot give (`EIO`) read as zeros, so that they are found damaged and
    /// the rest is found at all. For recovery and checks; readers keep their place and try again.
    forgiving: bool,
}

/// Why a segment's file could not be opened for reading.
#[derive(Debug)]
pub(crate) enum FileFault {
    Io(io::Error),
    Header(HeaderFault),
}

impl SegmentFile {
    pub(crate) fn open(path: &Path) -> Result<Self, FileFault> {
        let file = File::open(path).map_err(FileFault::Io)?;
        let mut bytes = [0; SEGMENT_HEADER_BYTES as usize];
        let read = read_up_to(&file, &mut bytes, 0).map_err(FileFault::Io)?;
        let header = SegmentHeader::decode(&bytes[..read]).map_err(FileFault::Header)?;
        Ok(SegmentFile {
            path: path.to_owned(),
            header,
            file,
            forgiving: false,
        })
    }

    /// Reads what the disk cannot give as zeros.
    pub(crate) fn forgiving(self) -> Self {
        SegmentFile {
            forgiving: true,
            ..self
        }
    }

    /// A file whose header is known from elsewhere.
    pub(crate) fn with_header(path: &Path, header: SegmentHeader) -> io::Result<Self> {
        Ok(SegmentFile {
            path: path.to_owned(),
            header,
            file: File::open(path)?,
            forgiving: false,
        })
    }

    pub(crate) fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Fills `buffer` from `offset`, or as much of it as the file has.
    pub(crate) fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match read_up_to(&self.file, buffer, offset) {
            Err(error) if self.forgiving && is_bad_sector(&error) => {
                let end = self.len()?.saturating_sub(offset);
                let len = usize::try_from(end).unwrap_or(usize::MAX).min(buffer.len());
                for (piece, part) in buffer[..len].chunks_mut(SECTOR).enumerate() {
                    let at = offset + (piece * SECTOR) as u64;
                    if read_up_to(&self.file, part, at).is_err() {
                        part.fill(0);
                    }
                }
                Ok(len)
            }
            done => done,
        }
    }

    /// The header of the block at `offset`, if a whole block fits before `end` and its header is
    /// sound. The payload has not been looked at.
    pub(crate) fn block_header(&self, offset: u64, end: u64) -> io::Result<Option<BlockHeader>> {
        let mut bytes = [0; MAX_BLOCK_HEADER];
        let room = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let room = room.min(MAX_BLOCK_HEADER);
        let read = self.read(&mut bytes[..room], offset)?;
        let header = BlockHeader::decode(&bytes[..read], &self.header.salt, offset);
        Ok(header.filter(|h| {
            offset
                .checked_add(h.total_bytes())
                .is_some_and(|to| to <= end)
        }))
    }

    /// The stored payload of a block, in `buffer`. `false` if its CRC does not hold.
    pub(crate) fn stored(&self, block: &BlockHeader, buffer: &mut Vec<u8>) -> io::Result<bool> {
        buffer.clear();
        buffer.resize(block.stored_bytes as usize, 0);
        let at = block.offset + block.header_bytes() as u64;
        let read = self.read(buffer, at)?;
        Ok(read == buffer.len() && crc32c::crc32c(buffer) == block.payload_crc)
    }

    /// The uncompressed payload of a block. `None` if it is damaged.
    pub(crate) fn payload(
        &self,
        block: &BlockHeader,
        codecs: &Codecs,
    ) -> io::Result<Option<Bytes>> {
        let mut stored = Vec::new();
        if !self.stored(block, &mut stored)? {
            return Ok(None);
        }
        Ok(match block.codec {
            Codec::None => Some(Bytes::from(stored)),
            Codec::Zstd => codecs
                .decompress(&stored, block.raw_bytes as usize)
                .ok()
                .map(Bytes::from),
            Codec::Gap => None,
        })
    }

    /// The trailer, if the segment is sealed and its last 64 bytes are sound.
    pub(crate) fn trailer(&self) -> io::Result<Option<Trailer>> {
        let len = self.len()?;
        let Some(at) = len.checked_sub(TRAILER_BYTES) else {
            return Ok(None);
        };
        let mut bytes = [0; TRAILER_BYTES as usize];
        let read = self.read(&mut bytes, at)?;
        Ok(Trailer::decode(&bytes[..read], len))
    }

    /// The index that a trailer points at, if it is sound.
    pub(crate) fn index(&self, trailer: &Trailer) -> io::Result<Option<Index>> {
        // The trailer's CRC held and its lengths add up to the file's, so this is bounded by it.
        let mut bytes = vec![0; usize::try_from(trailer.index_bytes).unwrap_or(0)];
        let read = self.read(&mut bytes, trailer.index_offset)?;
        Ok(Index::decode(&bytes[..read], &self.header.salt))
    }
}

/// What a bad spot is read in pieces of.
const SECTOR: usize = 4096;

fn is_bad_sector(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

fn read_up_to(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
