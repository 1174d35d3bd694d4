//! Phone numbers with enough evidence: a `+` and a country, or the North American spelling.
//!
//! National numbers without either are not told from ids and are not reported. Linear: at most
//! 45 bytes forward from each `+`, and a fixed layout from each group of digits.

use super::Out;
use super::bytes::{DIGIT, WORD, at, before, find, is, run_end_within, while_end};

const MIN_DIGITS: usize = 8;
/// E.164.
const MAX_DIGITS: usize = 15;

/// `+49 30 1234567`, `+14155552671`, `(415) 555-2671`, `415-555-2671`, `415.555.2671`.
pub(super) fn phone_number(hay: &[u8], out: &mut Out<'_>) {
    international(hay, out);
    north_american(hay, out);
}

fn international(hay: &[u8], out: &mut Out<'_>) {
    let mut from = 0;
    while let Some(plus) = find(b'+', hay, from) {
        from = plus + 1;
        if is(before(hay, plus), WORD) || before(hay, plus) == b'+' {
            continue;
        }
        if let Some(end) = e164_end(hay, plus + 1) {
            out.push(plus, end);
            from = end;
        }
    }
}

/// The end of the last group of digits with which the number has 8 to 15 of them.
fn e164_end(hay: &[u8], from: usize) -> Option<usize> {
    if !matches!(at(hay, from), b'1'..=b'9') {
        return None;
    }
    let (mut i, mut digits, mut best) = (from, 0, None);
    loop {
        let end = run_end_within(hay, i, DIGIT, MAX_DIGITS + 1);
        digits += end - i;
        if end == i || digits > MAX_DIGITS || is(at(hay, end), WORD) {
            return best;
        }
        if digits >= MIN_DIGITS {
            best = Some(end);
        }
        i = separator_end(hay, end);
        if i == end {
            return best;
        }
    }
}

/// One of ` .-`, or a parenthesis with at most one space on its outer side.
fn separator_end(hay: &[u8], i: usize) -> usize {
    match (at(hay, i), at(hay, i + 1)) {
        (b' ', b'(') | (b')', b' ' | b'-') => i + 2,
        (b' ' | b'.' | b'-' | b'(' | b')', _) => i + 1,
        _ => i,
    }
}

fn north_american(hay: &[u8], out: &mut Out<'_>) {
    let mut from = 0;
    loop {
        let digit = while_end(hay, from, |b| !is(b, DIGIT));
        if digit == hay.len() {
            return;
        }
        from = run_end_within(hay, digit, DIGIT, usize::MAX);
        if from - digit != 3 {
            continue;
        }
        let parenthesis = (before(hay, digit) == b'(').then(|| digit - 1);
        let found = parenthesis
            .into_iter()
            .chain([digit])
            .find_map(|start| ten_digits(hay, start));
        if let Some((start, end)) = found {
            out.push(start, end);
            from = end;
        }
    }
}

fn ten_digits(hay: &[u8], start: usize) -> Option<(usize, usize)> {
    let end = ten_digits_end(hay, start)?;
    nanp_bounded(hay, start, end).then_some((start, end))
}

fn ten_digits_end(hay: &[u8], start: usize) -> Option<usize> {
    let (area, exchange, separator) = if at(hay, start) == b'(' {
        if at(hay, start + 4) != b')' {
            return None;
        }
        let space = usize::from(at(hay, start + 5) == b' ');
        (start + 1, start + 5 + space, None)
    } else {
        (start, start + 4, Some(at(hay, start + 3)))
    };
    let separator = separator.unwrap_or_else(|| at(hay, exchange + 3));
    let shape = matches!(separator, b'-' | b'.')
        && at(hay, exchange + 3) == separator
        && [area, exchange]
            .iter()
            .all(|&i| matches!(at(hay, i), b'2'..=b'9'))
        && [(area, 3), (exchange, 3), (exchange + 4, 4)]
            .iter()
            .all(|&(i, size)| {
                hay.get(i..i + size)
                    .is_some_and(|group| group.iter().all(|&b| is(b, DIGIT)))
            });
    shape.then_some(exchange + 8)
}

fn nanp_bounded(hay: &[u8], start: usize, end: usize) -> bool {
    let (last, next) = (before(hay, start), at(hay, end));
    let free = match last {
        // `1-415-555-2671`
        b'-' | b'.' => {
            before(hay, start - 1) == b'1' && !is(before(hay, start.saturating_sub(2)), WORD)
        }
        _ => !is(last, WORD) && last != b'/',
    };
    free && !is(next, WORD) && !(matches!(next, b'-' | b'.' | b'/') && is(at(hay, end + 1), WORD))
}
