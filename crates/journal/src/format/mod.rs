//! The bytes on disk, version 1: segment header, blocks, index, trailer. Pure: no files here.
//!
//! All numbers are little-endian. `docs/formats/journal.md` has the same tables for people.
//!
//! Every block begins with a marker of which 12 bytes are random and differ in each segment (the
//! *salt*). A sender cannot know them, so no payload can hold bytes that a search for blocks after
//! damage would take for a block of another tenant.

mod block;
mod index;
mod read;

pub(crate) use block::{BlockHeader, Codec, MAX_BLOCK_HEADER, MIN_BLOCK_HEADER};
pub(crate) use index::{Index, Summary, TRAILER_BYTES, Trailer};

use read::{array, u16_at, u32_at, u64_at};

/// The format version that is written, and the newest that is read.
pub(crate) const VERSION: u16 = 1;
/// The length of a segment's header: where its first block begins.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 64;
/// The most bytes of a block's payload, uncompressed or stored.
pub(crate) const MAX_RAW_BYTES: u32 = 256 << 20;
/// The most blocks of a segment: bounds its index in memory to a few megabytes.
pub(crate) const MAX_BLOCKS: usize = 65_536;

const SEGMENT_MAGIC: [u8; 8] = *b"STELJRNL";

/// What makes a segment's markers its own.
pub(crate) type Salt = [u8; 12];

/// The first 64 bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub id: u64,
    pub created_unix_nano: u64,
    pub salt: Salt,
}

/// Why bytes are not a segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    Damaged,
    TooNew(u16),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES as usize] {
        let mut out = [0; SEGMENT_HEADER_BYTES as usize];
        out[..8].copy_from_slice(&SEGMENT_MAGIC);
        out[8..10].copy_from_slice(&VERSION.to_le_bytes());
        out[10..12].copy_from_slice(&(SEGMENT_HEADER_BYTES as u16).to_le_bytes());
        out[16..24].copy_from_slice(&self.id.to_le_bytes());
        out[24..32].copy_from_slice(&self.created_unix_nano.to_le_bytes());
        out[32..44].copy_from_slice(&self.salt);
        let crc = crc32c::crc32c(&out[..60]);
        out[60..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let bytes = bytes
            .get(..SEGMENT_HEADER_BYTES as usize)
            .ok_or(HeaderFault::Damaged)?;
        if bytes[..8] != SEGMENT_MAGIC || crc32c::crc32c(&bytes[..60]) != u32_at(bytes, 60) {
            return Err(HeaderFault::Damaged);
        }
        let version = u16_at(bytes, 8);
        if version > VERSION {
            return Err(HeaderFault::TooNew(version));
        }
        Ok(SegmentHeader {
            id: u64_at(bytes, 16),
            created_unix_nano: u64_at(bytes, 24),
            salt: array(bytes, 32),
        })
    }
}

fn marker(word: &[u8; 4], salt: &Salt) -> [u8; 16] {
    let mut out = [0; 16];
    out[..4].copy_from_slice(word);
    out[4..].copy_from_slice(salt);
    out
}

#[cfg(test)]
mod tests;
