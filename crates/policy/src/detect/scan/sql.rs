//! Literals within SQL. What is SQL is told by two keywords that belong together, and only what
//! stands behind the first of them is taken apart.
//!
//! Linear: one pass over the words to find the statement, one over its tokens.

use super::Out;
use super::bytes::{
    ALNUM, DIGIT, DOT, HEX, LETTER, UPPER, WORD, at, before, find_all, is, run_end, while_end,
};

/// String literals (without their quotes) and numbers of the first statement in the value and of
/// all that follows it. Placeholders, identifiers and comments are left.
///
/// A value that begins with a statement may be in any case; within other text the keywords must
/// be in capitals, since "select … from" is English too.
pub(super) fn sql_literal(hay: &[u8], out: &mut Out<'_>) {
    if let Some(start) = statement(hay) {
        literals(hay, start, out);
    }
}

/// What has been read of a statement's keywords.
#[derive(Default)]
struct Keywords {
    select: Option<usize>,
    update: Option<usize>,
    /// A verb that needs the very next word: INSERT INTO, DELETE FROM, ALTER USER.
    pair: Option<(&'static [u8], usize)>,
}

/// Where the statement begins.
fn statement(hay: &[u8]) -> Option<usize> {
    let first = lead_end(hay);
    let lead = &hay[first..run_end(hay, first, WORD)];
    let any_case = [
        &b"select"[..],
        b"with",
        b"insert",
        b"update",
        b"delete",
        b"merge",
        b"replace",
        b"create",
        b"alter",
    ]
    .iter()
    .any(|verb| lead.eq_ignore_ascii_case(verb));
    let mut read = Keywords::default();
    let mut i = 0;
    loop {
        let start = while_end(hay, i, |b| !is(b, WORD));
        if start == hay.len() {
            return None;
        }
        let end = run_end(hay, start, WORD);
        let word = &hay[start..end];
        if any_case || word.iter().all(|&b| is(b, UPPER)) {
            if let Some(begin) = read.next(word, start) {
                return Some(begin);
            }
        } else {
            read.pair = None;
        }
        i = end;
    }
}

impl Keywords {
    fn next(&mut self, word: &[u8], at: usize) -> Option<usize> {
        let is_word = |keyword: &[u8]| word.eq_ignore_ascii_case(keyword);
        let pair = self.pair.take();
        if is_word(b"select") {
            self.select.get_or_insert(at);
        } else if is_word(b"update") {
            self.update.get_or_insert(at);
        } else if is_word(b"insert") || is_word(b"replace") || is_word(b"merge") {
            self.pair = Some((b"into", at));
        } else if is_word(b"delete") {
            self.pair = Some((b"from", at));
        } else if is_word(b"create") || is_word(b"alter") {
            self.pair = Some((b"user", at));
        }
        let complete = if let Some((_, begin)) = pair.filter(|(second, _)| is_word(second)) {
            Some(begin)
        } else if is_word(b"from") {
            self.select
        } else if is_word(b"set") {
            self.update
        } else {
            None
        };
        complete.map(|begin| self.select.map_or(begin, |select| select.min(begin)))
    }
}

/// Behind white space, parentheses and comments at the beginning.
fn lead_end(hay: &[u8]) -> usize {
    let mut i = 0;
    loop {
        i = while_end(hay, i, |b| {
            b.is_ascii_whitespace() || matches!(b, b'(' | b';')
        });
        if !hay[i..].starts_with(b"/*") {
            return i;
        }
        let Some(end) = find_all(b"*/", hay, i + 2) else {
            return i;
        };
        i = end + 2;
    }
}

fn literals(hay: &[u8], start: usize, out: &mut Out<'_>) {
    let mut i = start;
    while i < hay.len() {
        i = match (hay[i], at(hay, i + 1)) {
            (b'\'', _) => string(hay, i + 1, b'\'', out),
            (b'"', _) if compared(hay, i) => string(hay, i + 1, b'"', out),
            (quote @ (b'"' | b'`'), _) => identifier_end(hay, i + 1, quote),
            (b'-', b'-') => find_all(b"\n", hay, i + 2).unwrap_or(hay.len()),
            (b'/', b'*') => find_all(b"*/", hay, i + 2).map_or(hay.len(), |end| end + 2),
            (byte, _) if is(byte, DIGIT) => number(hay, i, out),
            (byte, _) if is(byte, LETTER) || matches!(byte, b'_' | b'$' | b'@' | b'#' | b':') => {
                run_end(hay, i + 1, WORD)
            }
            _ => while_end(hay, i + 1, |b| {
                !is(b, WORD)
                    && !matches!(
                        b,
                        b'\'' | b'"' | b'`' | b'-' | b'/' | b'$' | b'@' | b'#' | b':'
                    )
            }),
        };
    }
}

/// Whether a double quote stands where a value does, as MySQL allows: behind a comparison. The
/// quotes of `"a"."b"` are an identifier's.
fn compared(hay: &[u8], quote: usize) -> bool {
    let spaced = if before(hay, quote) == b' ' {
        quote - 1
    } else {
        quote
    };
    matches!(before(hay, spaced), b'=' | b'<' | b'>')
}

/// Takes a string literal whose contents begin at `start`; says where it ends.
fn string(hay: &[u8], start: usize, quote: u8, out: &mut Out<'_>) -> usize {
    let end = string_end(hay, start, quote);
    let after = (end + 1).min(hay.len());
    let identifier = quote == b'"' && at(hay, after) == b'.';
    if end > start && !identifier {
        out.push(start, end);
    }
    after
}

/// A doubled quote is part of the string. So is one behind a backslash (MySQL), unless what
/// follows shows that the backslash was only the last character (standard SQL).
fn string_end(hay: &[u8], start: usize, quote: u8) -> usize {
    let mut i = start;
    loop {
        i = while_end(hay, i, |b| b != quote && b != b'\\');
        let next = at(hay, i + 1);
        if i >= hay.len() {
            return hay.len();
        } else if hay[i] == quote {
            if next != quote {
                return i;
            }
            i += 2;
        } else if next == quote && matches!(at(hay, i + 2), b' ' | b',' | b')' | b';' | 0) {
            return i + 1;
        } else {
            i = (i + 2).min(hay.len());
        }
    }
}

fn identifier_end(hay: &[u8], start: usize, quote: u8) -> usize {
    while_end(hay, start, |b| b != quote) + 1
}

/// Takes a number that is a token of its own; says where the token ends.
fn number(hay: &[u8], start: usize, out: &mut Out<'_>) -> usize {
    let hexadecimal = hay[start] == b'0' && matches!(at(hay, start + 1), b'x' | b'X');
    let mut end = if hexadecimal {
        run_end(hay, start + 2, HEX)
    } else {
        run_end(hay, start, DIGIT)
    };
    if !hexadecimal && at(hay, end) == b'.' && is(at(hay, end + 1), DIGIT) {
        end = run_end(hay, end + 1, DIGIT);
    }
    if !hexadecimal && matches!(at(hay, end), b'e' | b'E') {
        let sign = end + 1 + usize::from(matches!(at(hay, end + 1), b'+' | b'-'));
        let exponent = run_end(hay, sign, DIGIT);
        if exponent > sign {
            end = exponent;
        }
    }
    if is(at(hay, end), WORD) {
        return run_end(hay, end, ALNUM | WORD | DOT);
    }
    if !is(before(hay, start), WORD | DOT) || before(hay, start) == b'.' {
        out.push(start, end);
    }
    end
}
