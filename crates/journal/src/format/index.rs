//! What a sealed segment ends in: an index of its blocks and a trailer with a SHA-256.

use std::collections::HashMap;

use ident::{Signal, TenantId};

use super::read::{array, u32_at, u64_at};
use super::{BlockHeader, Codec, Salt, marker};

const WORD: [u8; 4] = *b"SIDX";
const HEAD: usize = 96;
const ENTRY: usize = 56;
/// The length of a sealed segment's last part.
pub(crate) const TRAILER_BYTES: u64 = 64;
const TRAILER_MAGIC: [u8; 8] = *b"STELSEAL";

/// One block, as the index knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub offset: u64,
    pub length: u32,
    pub records: u32,
    /// A number in the index's table of tenants; `u32::MAX` for a gap.
    pub tenant: u32,
    /// 0 for a gap.
    pub signal: u8,
    pub codec: u8,
    pub items: u64,
    pub min_time_unix_nano: u64,
    pub max_time_unix_nano: u64,
    pub appended_unix_nano: u64,
}

/// A segment's totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub blocks: u64,
    pub raw_bytes: u64,
    /// By signal, in the order of [`Signal::ALL`].
    pub items: [u64; 3],
    pub min_time_unix_nano: u64,
    pub max_time_unix_nano: u64,
    pub first_appended_unix_nano: u64,
    pub last_appended_unix_nano: u64,
}

impl Summary {
    pub(crate) fn add(&mut self, header: &BlockHeader) {
        self.blocks += 1;
        if header.codec != Codec::Gap {
            if self.first_appended_unix_nano == 0 {
                self.first_appended_unix_nano = header.appended_unix_nano;
            }
            self.last_appended_unix_nano = header.appended_unix_nano;
        }
        self.raw_bytes += u64::from(header.raw_bytes);
        if let Some((_, signal)) = &header.owner {
            self.items[usize::from(signal.code()) - 1] += header.items;
        }
        if header.max_time_unix_nano != 0 {
            self.max_time_unix_nano = self.max_time_unix_nano.max(header.max_time_unix_nano);
            self.min_time_unix_nano = match self.min_time_unix_nano {
                0 => header.min_time_unix_nano,
                min => min.min(header.min_time_unix_nano),
            };
        }
    }

    pub(crate) fn total_items(&self) -> u64 {
        self.items.iter().sum()
    }
}

/// The index of a segment: built while it is written, stored when it is sealed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    pub entries: Vec<IndexEntry>,
    pub tenants: Vec<TenantId>,
    pub summary: Summary,
    numbers: HashMap<TenantId, u32>,
}

impl Index {
    /// The 16 bytes that the index of a segment begins with.
    pub(crate) fn marker(salt: &Salt) -> [u8; 16] {
        marker(&WORD, salt)
    }

    pub(crate) fn add(&mut self, header: &BlockHeader) {
        let (tenant, signal) = match &header.owner {
            Some((tenant, signal)) => (self.number(tenant), signal.code()),
            None => (u32::MAX, 0),
        };
        self.summary.add(header);
        self.entries.push(IndexEntry {
            offset: header.offset,
            length: u32::try_from(header.total_bytes()).unwrap_or(u32::MAX),
            records: header.records,
            tenant,
            signal,
            codec: header.codec as u8,
            items: header.items,
            min_time_unix_nano: header.min_time_unix_nano,
            max_time_unix_nano: header.max_time_unix_nano,
            appended_unix_nano: header.appended_unix_nano,
        });
    }

    fn number(&mut self, tenant: &TenantId) -> u32 {
        if let Some(number) = self.numbers.get(tenant) {
            return *number;
        }
        let number = self.tenants.len() as u32;
        self.tenants.push(tenant.clone());
        self.numbers.insert(tenant.clone(), number);
        number
    }

    /// The bytes of an index and trailer without a block.
    pub(crate) const EMPTY: u64 = (HEAD + 4) as u64 + TRAILER_BYTES;
    /// The most bytes that one more block adds.
    pub(crate) const MAX_SHARE: u64 = (ENTRY + 1 + TenantId::MAX_BYTES) as u64;

    /// How many bytes index and trailer will have.
    pub(crate) fn encoded_bytes(&self) -> u64 {
        let tenants: usize = self.tenants.iter().map(|t| 1 + t.as_str().len()).sum();
        (tenants + self.entries.len() * ENTRY) as u64 + Self::EMPTY
    }

    pub(crate) fn encode(&self, salt: &Salt) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_bytes() as usize);
        let s = &self.summary;
        out.extend_from_slice(&Self::marker(salt));
        out.extend_from_slice(&(self.entries.len() as u32).to_le_bytes());
        out.extend_from_slice(&(self.tenants.len() as u32).to_le_bytes());
        // Sections: none are defined in version 1. A reader skips those it does not know.
        out.extend_from_slice(&0u32.to_le_bytes());
        out.extend_from_slice(&0u32.to_le_bytes());
        for number in [
            s.min_time_unix_nano,
            s.max_time_unix_nano,
            s.first_appended_unix_nano,
            s.last_appended_unix_nano,
            s.raw_bytes,
            s.items[0],
            s.items[1],
            s.items[2],
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for tenant in &self.tenants {
            out.push(tenant.as_str().len() as u8);
            out.extend_from_slice(tenant.as_str().as_bytes());
        }
        for e in &self.entries {
            out.extend_from_slice(&e.offset.to_le_bytes());
            out.extend_from_slice(&e.length.to_le_bytes());
            out.extend_from_slice(&e.records.to_le_bytes());
            out.extend_from_slice(&e.tenant.to_le_bytes());
            out.extend_from_slice(&[e.signal, e.codec, 0, 0]);
            out.extend_from_slice(&e.items.to_le_bytes());
            out.extend_from_slice(&e.min_time_unix_nano.to_le_bytes());
            out.extend_from_slice(&e.max_time_unix_nano.to_le_bytes());
            out.extend_from_slice(&e.appended_unix_nano.to_le_bytes());
        }
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads an index. `None` if the bytes are not one.
    pub(crate) fn decode(bytes: &[u8], salt: &Salt) -> Option<Self> {
        let body = bytes.len().checked_sub(4)?;
        if body < HEAD
            || !bytes.starts_with(&Self::marker(salt))
            || crc32c::crc32c(&bytes[..body]) != u32_at(bytes, body)
        {
            return None;
        }
        let blocks = u32_at(bytes, 16) as usize;
        let tenants = u32_at(bytes, 20) as usize;
        let mut index = Index {
            summary: Summary {
                blocks: blocks as u64,
                min_time_unix_nano: u64_at(bytes, 32),
                max_time_unix_nano: u64_at(bytes, 40),
                first_appended_unix_nano: u64_at(bytes, 48),
                last_appended_unix_nano: u64_at(bytes, 56),
                raw_bytes: u64_at(bytes, 64),
                items: [u64_at(bytes, 72), u64_at(bytes, 80), u64_at(bytes, 88)],
            },
            ..Index::default()
        };
        let mut rest = bytes.get(HEAD..body)?;
        for _ in 0..tenants {
            let (&len, after) = rest.split_first()?;
            let (name, after) = after.split_at_checked(usize::from(len))?;
            let tenant: TenantId = std::str::from_utf8(name).ok()?.parse().ok()?;
            index.number(&tenant);
            rest = after;
        }
        if index.tenants.len() != tenants {
            return None;
        }
        // The rest after the entries are sections, which this version knows none of.
        let entries = rest.get(..blocks.checked_mul(ENTRY)?)?;
        index.entries = entries.chunks_exact(ENTRY).map(decode_entry).collect();
        let known = |e: &IndexEntry| {
            (e.signal == 0 && e.tenant == u32::MAX)
                || (Signal::from_code(e.signal).is_some() && (e.tenant as usize) < tenants)
        };
        index.entries.iter().all(known).then_some(index)
    }
}

fn decode_entry(e: &[u8]) -> IndexEntry {
    IndexEntry {
        offset: u64_at(e, 0),
        length: u32_at(e, 8),
        records: u32_at(e, 12),
        tenant: u32_at(e, 16),
        signal: e[20],
        codec: e[21],
        items: u64_at(e, 24),
        min_time_unix_nano: u64_at(e, 32),
        max_time_unix_nano: u64_at(e, 40),
        appended_unix_nano: u64_at(e, 48),
    }
}

/// The last 64 bytes of a sealed segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    /// Of every byte of the file before the trailer.
    pub sha256: [u8; 32],
    pub index_offset: u64,
    pub index_bytes: u64,
}

impl Trailer {
    pub(crate) fn encode(&self) -> [u8; TRAILER_BYTES as usize] {
        let mut out = [0; TRAILER_BYTES as usize];
        out[..32].copy_from_slice(&self.sha256);
        out[32..40].copy_from_slice(&self.index_offset.to_le_bytes());
        out[40..48].copy_from_slice(&self.index_bytes.to_le_bytes());
        let crc = crc32c::crc32c(&out[..52]);
        out[52..56].copy_from_slice(&crc.to_le_bytes());
        out[56..].copy_from_slice(&TRAILER_MAGIC);
        out
    }

    /// The trailer of a file of `file_bytes` bytes, if these last bytes of it are one.
    pub(crate) fn decode(bytes: &[u8], file_bytes: u64) -> Option<Self> {
        if bytes.len() != TRAILER_BYTES as usize
            || bytes[56..] != TRAILER_MAGIC
            || crc32c::crc32c(&bytes[..52]) != u32_at(bytes, 52)
        {
            return None;
        }
        let trailer = Trailer {
            sha256: array(bytes, 0),
            index_offset: u64_at(bytes, 32),
            index_bytes: u64_at(bytes, 40),
        };
        let end = trailer
            .index_offset
            .checked_add(trailer.index_bytes)?
            .checked_add(TRAILER_BYTES)?;
        (end == file_bytes && trailer.index_offset >= super::SEGMENT_HEADER_BYTES)
            .then_some(trailer)
    }
}
