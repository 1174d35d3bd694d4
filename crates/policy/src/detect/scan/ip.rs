//! IP addresses: version 4 anchored at dots, version 6 at colons.
//!
//! Linear: from each dot at most 3 bytes back and 12 forward (and a bounded look at what stands
//! before); runs of address characters around colons are looked at once.

use super::Out;
use super::bytes::{
    DIGIT, HEX, LETTER, WORD, at, before, find, is, while_end, while_start, word_at,
};
use std::net::Ipv6Addr;

/// The longest text of an IPv6 address.
const MAX_V6: usize = 45;

/// Four octets. Loopback (127/8), 0.0.0.0 and 255.255.255.255 identify nobody and are left.
/// Versions are left where they are evident: after `v`, a letter and `/` or `-`, or the word
/// "version"; before `-` or `+` and a suffix; or as a part of more numbers.
pub(super) fn ipv4(hay: &[u8], out: &mut Out<'_>) {
    let mut from = 0;
    while let Some(dot) = find(b'.', hay, from) {
        from = dot + 1;
        if !is(at(hay, from), DIGIT) || !is(before(hay, dot), DIGIT) {
            continue;
        }
        let start = while_start(hay, 0, dot, 3, |b| is(b, DIGIT));
        let Some((end, octets)) = quad(hay, start) else {
            continue;
        };
        let nobody = octets[0] == 127 || octets == [0; 4] || octets == [255; 4];
        if !nobody && v4_starts(hay, start, end) && v4_ends(hay, end) {
            out.push(start, end);
            from = end;
        }
    }
}

/// Four octets without leading zeros from `start` on, and their end.
fn quad(hay: &[u8], start: usize) -> Option<(usize, [u8; 4])> {
    let (first, i) = octet(hay, start)?;
    let (second, i) = dotted_octet(hay, i)?;
    let (third, i) = dotted_octet(hay, i)?;
    let (fourth, i) = dotted_octet(hay, i)?;
    Some((i, [first, second, third, fourth]))
}

fn dotted_octet(hay: &[u8], i: usize) -> Option<(u8, usize)> {
    if at(hay, i) == b'.' {
        octet(hay, i + 1)
    } else {
        None
    }
}

/// One to three digits, and where they end.
#[inline]
fn octet(hay: &[u8], start: usize) -> Option<(u8, usize)> {
    let digit = |i| Some(at(hay, i).wrapping_sub(b'0')).filter(|&digit| digit <= 9);
    let mut number = u16::from(digit(start)?);
    let mut i = start + 1;
    while let Some(next) = digit(i) {
        // A second digit after a zero, or a fourth.
        if number == 0 || i == start + 3 {
            return None;
        }
        number = number * 10 + u16::from(next);
        i += 1;
    }
    Some((u8::try_from(number).ok()?, i))
}

fn v4_starts(hay: &[u8], start: usize, end: usize) -> bool {
    let last = before(hay, start);
    if is(last, WORD) || last == b'.' {
        return false;
    }
    let letter_before = start > 1 && is(hay[start - 2], LETTER);
    match last {
        b'-' => !letter_before,
        // `Chrome/120.0.0.0` is a version; `host/10.0.0.1:8080` is how Java prints an address.
        b'/' => !letter_before || at(hay, end) == b':',
        _ => !after_version(hay, start),
    }
}

/// Whether "version" stands before, with at most four of ` =:"'` between.
fn after_version(hay: &[u8], start: usize) -> bool {
    let word_end = while_start(hay, 0, start, 4, |b| {
        matches!(b, b' ' | b'=' | b':' | b'"' | b'\'')
    });
    word_end < start && word_end >= 7 && word_at(hay, word_end - 7, b"version")
}

fn v4_ends(hay: &[u8], end: usize) -> bool {
    match (at(hay, end), at(hay, end + 1)) {
        (b'.', next) => !is(next, DIGIT),
        // A range of addresses goes on with an address, a version with anything else.
        (b'-', next) => !is(next, WORD) || quad(hay, end + 1).is_some(),
        (next, _) => !is(next, WORD) && next != b'+',
    }
}

/// Addresses as RFC 4291 writes them. `::` and `::1` identify nobody and are left. What is short
/// enough to be a name in a program (`a::b`) is left: an abbreviated address begins with a group
/// of four digits, `64:ff9b::` or `::ffff:`, and eight groups of two are a hardware address.
pub(super) fn ipv6(hay: &[u8], out: &mut Out<'_>) {
    let mut from = 0;
    while let Some(colon) = find(b':', hay, from) {
        let start = while_start(hay, from, colon, 5, is_v6);
        let end = while_end(hay, colon, is_v6);
        from = end;
        if is(before(hay, start), WORD) || is(at(hay, end), WORD) || is_v6(before(hay, start)) {
            continue;
        }
        let trimmed = trim_v6(&hay[start..end]);
        if let Some(text) = address(trimmed) {
            out.push(start, start + text.len());
        }
    }
}

fn is_v6(byte: u8) -> bool {
    is(byte, HEX) || matches!(byte, b':' | b'.')
}

/// Without the punctuation of a sentence at the end.
fn trim_v6(text: &[u8]) -> &[u8] {
    match text {
        [rest @ .., b'.'] => rest,
        [.., b':', b':'] => text,
        [rest @ .., b':'] => rest,
        _ => text,
    }
}

fn address(text: &[u8]) -> Option<&[u8]> {
    if text.len() > MAX_V6 {
        return None;
    }
    let parsed: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
    if parsed.is_loopback() || parsed.is_unspecified() {
        return None;
    }
    let mut groups = text.split(|&b| b == b':');
    let evident = if text.windows(2).any(|two| two == b"::") {
        let first = groups.next().unwrap_or_default();
        (first.len() == 4 && text.iter().any(|&b| is(b, DIGIT)))
            || word_at(text, 0, b"64:ff9b::")
            || word_at(text, 0, b"::ffff:")
    } else {
        groups.any(|group| group.len() > 2)
    };
    evident.then_some(text)
}
