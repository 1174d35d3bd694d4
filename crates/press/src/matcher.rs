//! Finds what a block repeats.
//!
//! Telemetry repeats itself at one distance for long: an item is as long as the one before, and
//! differs from it in ids, times and a few values. So after a match ends, the input is first
//! compared with itself at that same distance, [`WINDOW`] bytes at once, for the next place where
//! [`RUN`] bytes are equal. Only if there is none, the length of something has changed, and a hash
//! table says where the next bytes were seen before.

use crate::bits::load8;
use crate::equal::{WINDOW, equal_bytes, equal_mask, part, places_of};

/// The least match at a known distance.
const RUN: u32 = 4;
/// How far one search looks.
const REACH: usize = LOOK;
/// Two windows that overlap, so that no run is missed.
const LOOK: usize = 2 * WINDOW - (RUN as usize - 1);
/// How much longer or shorter something may have become to be found without the table.
const SHIFT: usize = 14;
/// Where such bytes are taken from.
const AHEAD: [usize; 2] = [16, 32];
/// The least match at another distance: its distance must be written.
const LEAST_SHIFTED: usize = 8;
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
            let last = distances.0[0];
            let found = match repeated(src, at, last) {
                Some((place, length)) => Some((place, last, length)),
                None => match shifted(src, at, anchor, last) {
                    Some(found) => Some(found),
                    None => self.seen(src, at, anchor),
                },
            };
            let Some((place, distance, length)) = found else {
                at += REACH + ((at - anchor) >> 3);
                continue;
            };
            copy(src, anchor, place, literals);
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

    /// The first match with bytes that were seen before, within reach: its place, its distance and
    /// its length.
    #[inline]
    fn seen(&mut self, src: &[u8], from: usize, anchor: usize) -> Option<(usize, usize, usize)> {
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
                return Some(extended(src, place, place - before, anchor));
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

/// A match, begun earlier where the bytes before it are equal too.
#[inline(always)]
fn extended(src: &[u8], mut place: usize, distance: usize, anchor: usize) -> (usize, usize, usize) {
    let end = place + equal_bytes(src, place, place - distance);
    while place > anchor && place > distance && src[place - 1] == src[place - distance - 1] {
        place -= 1;
    }
    (place, distance, end - place)
}

/// The first place within reach of `at` where [`RUN`] bytes equal those at `distance` before, and
/// how many are equal from there on.
#[inline(always)]
fn repeated(src: &[u8], at: usize, distance: usize) -> Option<(usize, usize)> {
    let before = at.checked_sub(distance)?;
    let (ahead, behind) = (part::<LOOK>(src, at)?, part::<LOOK>(src, before)?);
    for skip in [0, LOOK - WINDOW] {
        let (Some(x), Some(y)) = (part(ahead, skip), part(behind, skip)) else {
            return None;
        };
        let mask = equal_mask(x, y);
        let pairs = mask & (mask >> 1);
        let runs = pairs & (pairs >> 2);
        if runs != 0 {
            let first = runs.trailing_zeros();
            let length = (mask >> first).trailing_ones() as usize;
            let place = at + skip + first as usize;
            // A run up to the window's end may go on.
            let more = match first as usize + length < WINDOW {
                true => 0,
                false => equal_bytes(src, place + length, place + length - distance),
            };
            return Some((place, length + more));
        }
    }
    None
}

/// A match at almost the last distance: what lies between the last match and the next bytes that
/// repeat has another length than before, by at most [`SHIFT`] bytes. A few bytes that may be
/// behind it are looked for around the place where they were the last time.
#[inline(always)]
fn shifted(src: &[u8], at: usize, anchor: usize, distance: usize) -> Option<(usize, usize, usize)> {
    if distance < WINDOW {
        return None;
    }
    for ahead in AHEAD {
        let needle = at + ahead;
        let around = needle.checked_sub(distance + SHIFT)?;
        let found = places_of(src, needle, around);
        if found != 0 {
            let before = around + found.trailing_zeros() as usize;
            let (place, distance, length) = extended(src, needle, needle - before, anchor);
            if length >= LEAST_SHIFTED {
                return Some((place, distance, length));
            }
        }
    }
    None
}

/// Appends a copy of `src[from..to]`. Most literals are few, so a fixed number of bytes is copied
/// and what is too much cut off again.
#[inline(always)]
fn copy(src: &[u8], from: usize, to: usize, out: &mut Vec<u8>) {
    let length = to - from;
    match src.get(from..).and_then(<[u8]>::first_chunk::<WINDOW>) {
        Some(chunk) if length <= WINDOW => {
            let end = out.len() + length;
            out.extend_from_slice(chunk);
            out.truncate(end);
        }
        _ => out.extend_from_slice(&src[from..to]),
    }
}
