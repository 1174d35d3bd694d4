//! Finds what a block repeats.
//!
//! Telemetry repeats itself at one distance for long: an item is as long as the one before, and
//! differs from it in ids, times and a few values. So after a match ends, the input is first
//! compared with itself at that same distance, [`WINDOW`] bytes at once, for the next place where
//! [`RUN`] bytes are equal. Only if there is none, the length of something has changed, and a hash
//! table says where the next bytes were seen before.

use crate::bits::load8;

/// Bytes compared at once.
const WINDOW: usize = 32;
/// The least match at a known distance.
const RUN: u32 = 4;
/// How far one search looks: two windows that overlap, so that no run is missed.
const REACH: usize = 2 * WINDOW - (RUN as usize - 1);
/// The end of a block is stored as it is: every load of a search stays inside.
const TAIL: usize = REACH + 8;
/// Places remembered: 16 KiB, in the first-level cache.
const TABLE_LOG: u32 = 12;
/// The greatest distance that the predefined offset codes can say.
const MAX_DISTANCE: usize = (1 << 29) - 4;

/// Some literals, then a match.
#[derive(Clone, Copy)]
pub(crate) struct Sequence {
    pub literals: u32,
    pub length: u32,
    /// 1 to 3 for a distance used lately, else the distance + 3 (RFC 8878, section 3.1.1.5).
    pub offset_value: u32,
}

/// The last three distances.
#[derive(Clone, Copy)]
pub(crate) struct Distances([usize; 3]);

impl Distances {
    /// What a frame begins with.
    pub(crate) const INITIAL: Distances = Distances([1, 4, 8]);

    /// The value that says `distance`, which becomes the last one.
    #[inline(always)]
    fn say(&mut self, distance: usize, literals: usize) -> u32 {
        let [last, second, third] = self.0;
        if literals > 0 && distance == last {
            return 1;
        }
        // Without literals a match at the last distance would have been part of the match before,
        // so the values move up by one.
        let shift = u32::from(literals > 0);
        if distance == second {
            self.0 = [second, last, third];
            1 + shift
        } else if distance == third {
            self.0 = [third, last, second];
            2 + shift
        } else {
            self.0 = [distance, last, second];
            distance as u32 + 3
        }
    }
}

pub(crate) struct Matcher {
    table: Box<[u32; 1 << TABLE_LOG]>,
}

impl Matcher {
    pub(crate) fn new() -> Self {
        Matcher {
            table: Box::new([0; 1 << TABLE_LOG]),
        }
    }

    /// Forgets what came before: another input begins.
    pub(crate) fn reset(&mut self) {
        self.table.fill(0);
    }

    /// Splits `src[start..end]` into `sequences` and `literals`, the last of which follow the last
    /// match.
    pub(crate) fn split(
        &mut self,
        src: &[u8],
        (start, end): (usize, usize),
        distances: &mut Distances,
        sequences: &mut Vec<Sequence>,
        literals: &mut Vec<u8>,
    ) {
        // Nothing is read beyond the block, as its content ends there.
        let src = &src[..end];
        let mut anchor = start;
        let mut at = start;
        while at + TAIL <= end {
            let found = match repeated(src, at, distances.0[0]) {
                Some(place) => Some((place, distances.0[0])),
                None => self.seen(src, at, anchor),
            };
            let Some((mut place, distance)) = found else {
                at += REACH + ((at - anchor) >> 3);
                continue;
            };
            while place > anchor && place > distance && src[place - 1] == src[place - distance - 1]
            {
                place -= 1;
            }
            let length = equal_bytes(src, place, place - distance);
            literals.extend_from_slice(&src[anchor..place]);
            sequences.push(Sequence {
                literals: (place - anchor) as u32,
                length: length as u32,
                offset_value: distances.say(distance, place - anchor),
            });
            at = place + length;
            anchor = at;
            self.remember(src, place);
            self.remember(src, at.saturating_sub(8));
        }
        literals.extend_from_slice(&src[anchor..]);
    }

    /// The first place within reach whose bytes were seen before, and the distance to them.
    #[inline]
    fn seen(&mut self, src: &[u8], from: usize, anchor: usize) -> Option<(usize, usize)> {
        // The longer nothing was found, the fewer places are tried.
        let step = 1 + ((from - anchor) >> 6);
        for place in (from..from + REACH).step_by(step) {
            let bytes = load8(src, place);
            let slot = &mut self.table[slot_of(bytes)];
            let before = *slot as usize;
            *slot = place as u32;
            // The upper two bytes do not count: six make a match.
            if before < place
                && (load8(src, before) ^ bytes) << 16 == 0
                && place - before <= MAX_DISTANCE
            {
                return Some((place, place - before));
            }
        }
        None
    }

    #[inline(always)]
    fn remember(&mut self, src: &[u8], place: usize) {
        self.table[slot_of(load8(src, place))] = place as u32;
    }
}

#[inline(always)]
fn slot_of(bytes: u64) -> usize {
    const PRIME: u64 = 0xcf1b_bcdc_bfa5_6300 | 1;
    ((bytes << 16).wrapping_mul(PRIME) >> (64 - TABLE_LOG)) as usize
}

/// The first place within reach of `at` where [`RUN`] bytes equal those at `distance` before.
#[inline(always)]
fn repeated(src: &[u8], at: usize, distance: usize) -> Option<usize> {
    let before = at.checked_sub(distance)?;
    let next = WINDOW - (RUN as usize - 1);
    for skip in [0, next] {
        let mask = equal_mask(src, at + skip, before + skip);
        let runs = mask & (mask >> 1) & (mask >> 2) & (mask >> 3);
        if runs != 0 {
            return Some(at + skip + runs.trailing_zeros() as usize);
        }
    }
    None
}

/// Bit n tells whether the bytes n after both places are equal.
#[inline(always)]
fn equal_mask(src: &[u8], a: usize, b: usize) -> u32 {
    let (Some(a), Some(b)) = (window(src, a), window(src, b)) else {
        return 0;
    };
    // Written for the compiler to make it one comparison of vectors.
    let mut mask = 0;
    for n in 0..WINDOW {
        mask |= u32::from(a[n] == b[n]) << n;
    }
    mask
}

#[inline(always)]
fn window(src: &[u8], at: usize) -> Option<&[u8; WINDOW]> {
    src.get(at..)?.first_chunk()
}

/// How many bytes from `a` on equal those from `b` on, up to the end.
#[inline(always)]
fn equal_bytes(src: &[u8], a: usize, b: usize) -> usize {
    let (ahead, behind) = (&src[a..], &src[b..]);
    let mut length = 0;
    while let (Some(x), Some(y)) = (
        ahead.get(length..).and_then(<[u8]>::first_chunk::<8>),
        behind.get(length..).and_then(<[u8]>::first_chunk::<8>),
    ) {
        let differ = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if differ != 0 {
            return length + differ.trailing_zeros() as usize / 8;
        }
        length += 8;
    }
    while length < ahead.len() && ahead[length] == behind[length] {
        length += 1;
    }
    length
}
