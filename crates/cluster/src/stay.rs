//! The traces that stay where they are although their owner has changed.
//!
//! Its bytes: `stst`, a version (u16) and two zero bytes, the number of ids (u64), the ids in
//! order, 16 bytes each, and the CRC32C of all before it (u32). Numbers are little-endian.

use std::io;

use crate::member::TraceId;

const MAGIC: &[u8; 8] = b"stst\x01\0\0\0";
const HEAD: usize = 16;

/// Ids of traces, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stay(Vec<TraceId>);

impl Stay {
    /// These, of which some may be there more than once.
    pub fn new(mut ids: Vec<TraceId>) -> Stay {
        ids.sort_unstable();
        ids.dedup();
        ids.shrink_to_fit();
        Stay(ids)
    }

    /// Whether a trace stays.
    pub fn contains(&self, trace: &TraceId) -> bool {
        self.0.binary_search(trace).is_ok()
    }

    /// How many stay.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The ids, in order.
    pub fn into_ids(self) -> Vec<TraceId> {
        self.0
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD + self.0.len() * 16 + 4);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&(self.0.len() as u64).to_le_bytes());
        out.extend(self.0.iter().flatten());
        let sum = crc32c::crc32c(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> io::Result<Stay> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is damaged");
        let (whole, sum) = bytes.split_last_chunk::<4>().ok_or_else(damaged)?;
        if crc32c::crc32c(whole) != u32::from_le_bytes(*sum) {
            return Err(damaged());
        }
        let head = whole.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let (count, ids) = head.split_first_chunk::<8>().ok_or_else(damaged)?;
        let (ids, rest) = ids.as_chunks::<16>();
        let counted = u64::from_le_bytes(*count) == ids.len() as u64 && rest.is_empty();
        match counted && ids.is_sorted() {
            true => Ok(Stay(ids.to_vec())),
            false => Err(damaged()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn ids_are_stored_and_damage_is_noticed() {
        let id = |n: u8| [n; 16];
        let stay = Stay::new(vec![id(7), id(3), id(7), id(200)]);
        assert_eq!(stay.count(), 3);
        assert!(stay.contains(&id(3)) && !stay.contains(&id(4)));
        let bytes = stay.to_bytes();
        assert_eq!(Stay::from_bytes(&bytes).unwrap(), stay);
        for cut in 0..bytes.len() {
            assert!(Stay::from_bytes(&bytes[..cut]).is_err());
        }
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Stay::from_bytes(&bad).is_err(), "bit {bit}");
        }
    }
}
