//! A block's header, which stands before its payload.

use ident::{Signal, TenantId};

use super::read::{u16_at, u32_at, u64_at};
use super::{MAX_RAW_BYTES, Salt, marker};

const FIXED: usize = 80;
/// The shortest header: no tenant.
pub(crate) const MIN_BLOCK_HEADER: usize = FIXED + 4;
/// The longest header.
pub(crate) const MAX_BLOCK_HEADER: usize = FIXED + TenantId::MAX_BYTES + 4;
const WORD: [u8; 4] = *b"SBLK";

/// How the payload is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Codec {
    /// As it is.
    None = 0,
    /// One zstd frame.
    Zstd = 1,
    /// No payload to read: `check --repair` has put this over a damaged range of the same length.
    Gap = 2,
}

/// What a block's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    pub codec: Codec,
    /// `None` for a gap.
    pub owner: Option<(TenantId, Signal)>,
    pub records: u32,
    pub stored_bytes: u32,
    pub raw_bytes: u32,
    pub payload_crc: u32,
    pub items: u64,
    pub min_time_unix_nano: u64,
    pub max_time_unix_nano: u64,
    pub appended_unix_nano: u64,
    /// Where in its segment the block was written.
    pub offset: u64,
}

impl BlockHeader {
    /// The 16 bytes that every block of a segment begins with.
    pub(crate) fn marker(salt: &Salt) -> [u8; 16] {
        marker(&WORD, salt)
    }

    fn tenant(&self) -> &str {
        self.owner.as_ref().map_or("", |(t, _)| t.as_str())
    }

    pub(crate) fn header_bytes(&self) -> usize {
        MIN_BLOCK_HEADER + self.tenant().len()
    }

    /// Header and payload together.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.header_bytes() as u64 + u64::from(self.stored_bytes)
    }

    pub(crate) fn encode(&self, salt: &Salt, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&Self::marker(salt));
        out.extend_from_slice(&(self.header_bytes() as u16).to_le_bytes());
        out.push(self.codec as u8);
        out.push(self.owner.as_ref().map_or(0, |(_, s)| s.code()));
        out.push(self.tenant().len() as u8);
        out.extend_from_slice(&[0; 3]);
        out.extend_from_slice(&self.records.to_le_bytes());
        out.extend_from_slice(&self.stored_bytes.to_le_bytes());
        out.extend_from_slice(&self.raw_bytes.to_le_bytes());
        out.extend_from_slice(&self.payload_crc.to_le_bytes());
        out.extend_from_slice(&self.items.to_le_bytes());
        out.extend_from_slice(&self.min_time_unix_nano.to_le_bytes());
        out.extend_from_slice(&self.max_time_unix_nano.to_le_bytes());
        out.extend_from_slice(&self.appended_unix_nano.to_le_bytes());
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(self.tenant().as_bytes());
        let crc = crc32c::crc32c(&out[start..]);
        out.extend_from_slice(&crc.to_le_bytes());
    }

    /// The header at the start of `bytes`, if a block that belongs at `offset` begins there.
    pub(crate) fn decode(bytes: &[u8], salt: &Salt, offset: u64) -> Option<Self> {
        if !bytes.starts_with(&Self::marker(salt)) || bytes.len() < MIN_BLOCK_HEADER {
            return None;
        }
        let len = usize::from(u16_at(bytes, 16));
        let tenant_len = usize::from(bytes[20]);
        if len != MIN_BLOCK_HEADER + tenant_len || bytes.len() < len {
            return None;
        }
        if crc32c::crc32c(&bytes[..len - 4]) != u32_at(bytes, len - 4) {
            return None;
        }
        let codec = match bytes[18] {
            0 => Codec::None,
            1 => Codec::Zstd,
            2 => Codec::Gap,
            _ => return None,
        };
        let owner = match codec {
            Codec::Gap => None,
            Codec::None | Codec::Zstd => {
                let tenant = std::str::from_utf8(&bytes[FIXED..FIXED + tenant_len]).ok()?;
                Some((tenant.parse().ok()?, Signal::from_code(bytes[19])?))
            }
        };
        let header = BlockHeader {
            codec,
            owner,
            records: u32_at(bytes, 24),
            stored_bytes: u32_at(bytes, 28),
            raw_bytes: u32_at(bytes, 32),
            payload_crc: u32_at(bytes, 36),
            items: u64_at(bytes, 40),
            min_time_unix_nano: u64_at(bytes, 48),
            max_time_unix_nano: u64_at(bytes, 56),
            appended_unix_nano: u64_at(bytes, 64),
            offset: u64_at(bytes, 72),
        };
        let sizes_hold = header.stored_bytes <= MAX_RAW_BYTES
            && header.raw_bytes <= MAX_RAW_BYTES
            && (codec != Codec::None || header.raw_bytes == header.stored_bytes)
            && header.header_bytes() == len;
        (header.offset == offset && sizes_hold).then_some(header)
    }
}
