//! International bank account numbers, anchored at a country's two letters.
//!
//! Linear: from each place at most 34 characters (and 8 spaces) forward.

use super::Out;
use super::bytes::{DIGIT, UPPER, WORD, at, before, find_upper, is};
use crate::detect::validate::mod97;

const MAX: usize = 34;

/// The registry's lengths (SWIFT IBAN registry, release 99).
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// In one run, or in groups of four with single spaces.
pub(super) fn iban(hay: &[u8], out: &mut Out<'_>) {
    let mut from = 0;
    while let Some(start) = find_upper(hay, from) {
        from = start + 1;
        if is(before(hay, start), WORD) {
            continue;
        }
        if let Some(end) = iban_end(hay, start) {
            out.push(start, end);
            from = end;
        }
    }
}

fn iban_end(hay: &[u8], start: usize) -> Option<usize> {
    let country = hay.get(start..start + 2)?;
    if !is(at(hay, start + 2), DIGIT) || !is(at(hay, start + 3), DIGIT) {
        return None;
    }
    let place = LENGTHS
        .binary_search_by(|(code, _)| code.as_slice().cmp(country))
        .ok()?;
    let len = LENGTHS[place].1;
    let spaced = at(hay, start + 4) == b' ';
    let mut text = [0; MAX];
    let mut i = start;
    for (n, slot) in text.iter_mut().take(len).enumerate() {
        if spaced && n > 0 && n % 4 == 0 {
            if at(hay, i) != b' ' {
                return None;
            }
            i += 1;
        }
        *slot = at(hay, i);
        if !is(*slot, UPPER | DIGIT) {
            return None;
        }
        i += 1;
    }
    (!is(at(hay, i), WORD) && mod97(&text[..len])).then_some(i)
}
