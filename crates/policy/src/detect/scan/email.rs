//! E-mail addresses, anchored at `@`.
//!
//! Linear: from each `@` back to the last one at most, and [`MAX_DOMAIN`] bytes forward.

use super::Out;
use super::bytes::while_start;
use super::bytes::{ALNUM, DASH, DIGIT, DOT, LETTER, UNDERSCORE, at, find, is, run_end_within};

const MAX_LABEL: usize = 63;
const MAX_DOMAIN: usize = 255;

/// Last labels of systemd units (`getty@tty1.service`) and no domains.
const UNITS: &[&[u8]] = &[
    b"service", b"socket", b"target", b"timer", b"slice", b"scope", b"mount", b"device", b"swap",
];

/// `local@domain`. A local part of `git` is how repositories are addressed, and a domain that
/// begins with a number is a version (`lodash@4.17.21`): neither is reported.
pub(super) fn email(hay: &[u8], out: &mut Out<'_>) {
    let (mut floor, mut from) = (0, 0);
    while let Some(sign) = find(b'@', hay, from) {
        from = sign + 1;
        let start = while_start(hay, floor, sign, usize::MAX, is_local);
        if start == sign || &hay[start..sign] == b"git" {
            continue;
        }
        if let Some(end) = domain_end(hay, sign + 1) {
            out.push(start, end);
            (floor, from) = (end, end);
        }
    }
}

fn is_local(byte: u8) -> bool {
    is(byte, ALNUM | UNDERSCORE | DASH | DOT) || matches!(byte, b'%' | b'+')
}

/// The end of the last label that can be a top level domain.
fn domain_end(hay: &[u8], from: usize) -> Option<usize> {
    let (mut label, mut best) = (from, None);
    loop {
        let end = run_end_within(hay, label, ALNUM | DASH, MAX_LABEL + 1);
        let text = &hay[label..end];
        if text.is_empty() || text.len() > MAX_LABEL || end - from > MAX_DOMAIN {
            return best;
        }
        if label == from {
            if text.iter().all(|&b| is(b, DIGIT)) {
                return None;
            }
        } else if is_top(text) {
            best = Some(end);
        }
        if at(hay, end) != b'.' {
            return best;
        }
        label = end + 1;
    }
}

fn is_top(label: &[u8]) -> bool {
    let letters = (2..=24).contains(&label.len()) && label.iter().all(|&b| is(b, LETTER));
    (letters && !UNITS.contains(&label)) || (label.len() > 4 && label.starts_with(b"xn--"))
}
