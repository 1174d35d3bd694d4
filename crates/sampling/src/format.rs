//! The bytes of a decision file. One file holds the decisions about the blocks of one signal in one
//! segment of the journal, in the order of the blocks. All numbers are little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 4, 2, 2 | `stdc`, version 1, 0 |
//! | 8 | the segment's number |
//!
//! and for each block:
//!
//! | bytes | what |
//! |---|---|
//! | 8, 4 | the block's offset in its segment, and its length there |
//! | 4, 4 | items in it, items that stay |
//! | 4, n | how many bytes follow; a bit for each item, the first the lowest of the first byte. None where all items stay or none does |
//! | 4 | CRC32C of the entry before it |

use sampler::Selection;

const MAGIC: &[u8; 4] = b"stdc";
const VERSION: u16 = 1;
/// The length of a file's head.
pub(crate) const HEAD: usize = 16;
const FIXED: usize = 24;
const SUM: usize = 4;
/// The longest bitmap that is believed: of a block that is one span a byte.
const MAX_BITMAP: usize = 1 << 24;

/// What was decided about a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub offset: u64,
    pub length: u32,
    pub selection: Selection,
}

/// What is at the beginning of some bytes.
pub(crate) enum Parsed {
    Entry(Entry, usize),
    /// So many bytes are needed, as far as can be told.
    More(usize),
    Damaged,
}

pub(crate) fn head(segment: u64) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(MAGIC);
    head[4..6].copy_from_slice(&VERSION.to_le_bytes());
    head[8..].copy_from_slice(&segment.to_le_bytes());
    head
}

pub(crate) fn put(out: &mut Vec<u8>, offset: u64, length: u32, selection: &Selection) {
    let start = out.len();
    let bitmap = selection.bitmap();
    out.extend_from_slice(&offset.to_le_bytes());
    for number in [
        length,
        selection.items(),
        selection.kept(),
        bitmap.len() as u32,
    ] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(bitmap);
    let sum = crc32c::crc32c(&out[start..]);
    out.extend_from_slice(&sum.to_le_bytes());
}

pub(crate) fn parse(bytes: &[u8]) -> Parsed {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else {
        return Parsed::More(FIXED + SUM);
    };
    let u32_at = |at: usize| {
        let found = fixed.get(at..).and_then(|b| b.first_chunk());
        u32::from_le_bytes(found.copied().unwrap_or_default())
    };
    let bitmap = u32_at(20) as usize;
    if bitmap > MAX_BITMAP {
        return Parsed::Damaged;
    }
    let Some((bitmap, after)) = rest.split_at_checked(bitmap) else {
        return Parsed::More(FIXED + bitmap + SUM);
    };
    let Some(sum) = after.first_chunk::<SUM>() else {
        return Parsed::More(FIXED + bitmap.len() + SUM);
    };
    let length = FIXED + bitmap.len();
    if crc32c::crc32c(&bytes[..length]) != u32::from_le_bytes(*sum) {
        return Parsed::Damaged;
    }
    match Selection::from_stored(u32_at(12), u32_at(16), bitmap) {
        Some(selection) => {
            let offset = u64::from(u32_at(0)) | u64::from(u32_at(4)) << 32;
            let entry = Entry {
                offset,
                length: u32_at(8),
                selection,
            };
            Parsed::Entry(entry, length + SUM)
        }
        None => Parsed::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantees: no flipped bit and no cut makes another decision.
    #[test]
    fn damage_is_noticed() {
        let mut selection = Selection::default();
        (0..19).for_each(|at| selection.push(at % 3 == 0));
        let mut bytes = Vec::new();
        put(&mut bytes, 0x1_0000_0007, 99, &selection);
        let whole = Entry {
            offset: 0x1_0000_0007,
            length: 99,
            selection,
        };
        assert!(
            matches!(parse(&bytes), Parsed::Entry(entry, n) if entry == whole && n == bytes.len())
        );
        for cut in 0..bytes.len() {
            assert!(matches!(parse(&bytes[..cut]), Parsed::More(n) if n > cut));
        }
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(parse(&bad), Parsed::Entry(..)), "bit {bit}");
        }
    }
}
