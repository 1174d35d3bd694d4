//! Classes of bytes and the few loops that all scanners are made of.
//!
//! Every loop over a value's bytes within a scanner goes through here, so that tests can count
//! the bytes looked at (`steps`) and show that the work grows with the value's length and no
//! faster.

pub(in crate::detect) const DIGIT: u8 = 1;
pub(in crate::detect) const UPPER: u8 = 2;
pub(in crate::detect) const LOWER: u8 = 4;
pub(in crate::detect) const UNDERSCORE: u8 = 8;
pub(in crate::detect) const DASH: u8 = 16;
pub(in crate::detect) const DOT: u8 = 32;
/// `+` and `/`.
pub(in crate::detect) const PLUS_SLASH: u8 = 64;
/// a to f, A to F.
pub(in crate::detect) const HEX_LETTER: u8 = 128;

pub(in crate::detect) const LETTER: u8 = UPPER | LOWER;
pub(in crate::detect) const ALNUM: u8 = DIGIT | LETTER;
pub(in crate::detect) const WORD: u8 = ALNUM | UNDERSCORE;
pub(in crate::detect) const HEX: u8 = DIGIT | HEX_LETTER;
pub(in crate::detect) const BASE64URL: u8 = WORD | DASH;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        table[byte] = match b {
            b'0'..=b'9' => DIGIT,
            b'A'..=b'F' => UPPER | HEX_LETTER,
            b'a'..=b'f' => LOWER | HEX_LETTER,
            b'G'..=b'Z' => UPPER,
            b'g'..=b'z' => LOWER,
            b'_' => UNDERSCORE,
            b'-' => DASH,
            b'.' => DOT,
            b'+' | b'/' => PLUS_SLASH,
            _ => 0,
        };
        byte += 1;
    }
    table
}

/// Whether a byte is in one of the classes.
#[inline]
pub(in crate::detect) fn is(byte: u8, classes: u8) -> bool {
    CLASSES[byte as usize] & classes != 0
}

/// The byte at `i`, or NUL, which is in no class, behind the end.
#[inline]
pub(in crate::detect) fn at(hay: &[u8], i: usize) -> u8 {
    hay.get(i).copied().unwrap_or(0)
}

/// The byte before `i`, or NUL at the beginning.
#[inline]
pub(in crate::detect) fn before(hay: &[u8], i: usize) -> u8 {
    i.checked_sub(1).map_or(0, |i| at(hay, i))
}

/// Where the run of bytes of these classes that begins at `from` ends.
#[inline]
pub(in crate::detect) fn run_end(hay: &[u8], from: usize, classes: u8) -> usize {
    while_end(hay, from, |b| is(b, classes))
}

/// As [`run_end`], but at most `max` bytes.
#[inline]
pub(in crate::detect) fn run_end_within(hay: &[u8], from: usize, classes: u8, max: usize) -> usize {
    let stop = hay.len().min(from.saturating_add(max));
    while_end(hay.get(..stop).unwrap_or(hay), from, |b| is(b, classes))
}

/// Where the bytes from `from` on cease to be `wanted`.
#[inline]
pub(in crate::detect) fn while_end(hay: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let mut i = from;
    while i < hay.len() && wanted(hay[i]) {
        i += 1;
    }
    steps(i - from + 1);
    i
}

/// Where the bytes before `end` begin to be `wanted`: at most `max` of them, none before `floor`.
#[inline]
pub(in crate::detect) fn while_start(
    hay: &[u8],
    floor: usize,
    end: usize,
    max: usize,
    wanted: impl Fn(u8) -> bool,
) -> usize {
    let floor = floor.max(end.saturating_sub(max));
    let mut i = end;
    while i > floor && wanted(hay[i - 1]) {
        i -= 1;
    }
    steps(end - i + 1);
    i
}

/// The next such byte from `from` on.
#[inline]
pub(in crate::detect) fn find(byte: u8, hay: &[u8], from: usize) -> Option<usize> {
    let found = memchr::memchr(byte, hay.get(from..)?).map(|i| from + i);
    steps(found.unwrap_or(hay.len()) - from + 1);
    found
}

/// The next of two bytes from `from` on.
#[inline]
pub(in crate::detect) fn find2(a: u8, b: u8, hay: &[u8], from: usize) -> Option<usize> {
    let found = memchr::memchr2(a, b, hay.get(from..)?).map(|i| from + i);
    steps(found.unwrap_or(hay.len()) - from + 1);
    found
}

/// The next place of some bytes from `from` on.
pub(in crate::detect) fn find_all(needle: &[u8], hay: &[u8], from: usize) -> Option<usize> {
    let found = memchr::memmem::find(hay.get(from..)?, needle).map(|i| from + i);
    steps(found.unwrap_or(hay.len()) - from + 1);
    found
}

/// The next capital letter from `from` on.
pub(in crate::detect) fn find_upper(hay: &[u8], from: usize) -> Option<usize> {
    let found = while_end(hay, from, |b| !is(b, UPPER));
    (found < hay.len()).then_some(found)
}

/// Whether `needle` stands at `i`, whatever the case of its letters.
#[inline]
pub(in crate::detect) fn word_at(hay: &[u8], i: usize, needle: &[u8]) -> bool {
    hay.get(i..i + needle.len())
        .is_some_and(|found| found.eq_ignore_ascii_case(needle))
}

#[cfg(not(test))]
#[inline]
pub(in crate::detect) fn steps(_: usize) {}

#[cfg(test)]
thread_local! {
    /// The bytes looked at by this thread.
    pub(in crate::detect) static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
pub(in crate::detect) fn steps(n: usize) {
    STEPS.with(|steps| steps.set(steps.get() + n));
}
