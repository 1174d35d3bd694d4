//! Payment card numbers, anchored at groups of digits.
//!
//! Linear: each group of digits is measured once; from a group of four at most 24 bytes forward.

use super::Out;
use super::bytes::{DIGIT, WORD, at, before, is, run_end, while_end};
use crate::detect::validate::{luhn, of_issuer};

/// How printed numbers are grouped, the longer first.
const GROUPINGS: &[&[usize]] = &[
    &[4, 4, 4, 4, 3],
    &[4, 4, 4, 4],
    &[4, 6, 5],
    &[4, 6, 4],
    &[4, 4, 4, 1],
];

const MAX_DIGITS: usize = 19;

/// 13 to 19 digits in one run, or grouped as on a card by single spaces or dashes.
pub(super) fn card_number(hay: &[u8], out: &mut Out<'_>) {
    let mut from = 0;
    loop {
        let start = while_end(hay, from, |b| !is(b, DIGIT));
        if start == hay.len() {
            return;
        }
        let end = run_end(hay, start, DIGIT);
        from = end;
        if !starts(hay, start) {
            continue;
        }
        let found = match end - start {
            13..=MAX_DIGITS => plain(hay, start, end),
            4 => GROUPINGS
                .iter()
                .find_map(|sizes| grouped(hay, start, sizes)),
            _ => None,
        };
        if let Some(end) = found {
            out.push(start, end);
            from = end;
        }
    }
}

/// Not within a word, a fraction or a longer grouped number.
fn starts(hay: &[u8], start: usize) -> bool {
    match before(hay, start) {
        b'.' | b'-' => !is(before(hay, start - 1), DIGIT),
        last => !is(last, WORD),
    }
}

fn ends(hay: &[u8], end: usize) -> bool {
    match at(hay, end) {
        b'.' | b'-' => !is(at(hay, end + 1), DIGIT),
        next => !is(next, WORD),
    }
}

fn plain(hay: &[u8], start: usize, end: usize) -> Option<usize> {
    (ends(hay, end) && valid(&hay[start..end])).then_some(end)
}

fn grouped(hay: &[u8], start: usize, sizes: &[usize]) -> Option<usize> {
    let separator = at(hay, start + 4);
    if !matches!(separator, b' ' | b'-') {
        return None;
    }
    let mut digits = [0; MAX_DIGITS];
    let (mut len, mut i) = (0, start);
    for (n, &size) in sizes.iter().enumerate() {
        if n > 0 {
            if at(hay, i) != separator {
                return None;
            }
            i += 1;
        }
        let group = hay.get(i..i + size)?;
        if !group.iter().all(|&b| is(b, DIGIT)) {
            return None;
        }
        digits.get_mut(len..len + size)?.copy_from_slice(group);
        len += size;
        i += size;
    }
    (ends(hay, i) && valid(&digits[..len])).then_some(i)
}

fn valid(digits: &[u8]) -> bool {
    of_issuer(digits) && luhn(digits)
}
