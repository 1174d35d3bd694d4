//! The credentials of an Authorization header, anchored at the name of their scheme.
//!
//! Linear: what follows a scheme is looked at once, and the search goes on behind it. The look
//! back for the header's name is bounded.

use super::Out;
use super::bytes::{
    ALNUM, BASE64URL, DIGIT, DOT, PLUS_SLASH, WORD, at, before, find2, is, while_end, while_start,
    word_at,
};

/// How much punctuation may stand between `authorization` and the scheme: `":["` and the like.
const MAX_PUNCTUATION: usize = 8;

/// The token after `Bearer` (RFC 6750). After `authorization` any token; elsewhere one that does
/// not look like the next word of a sentence.
pub(super) fn bearer_token(hay: &[u8], out: &mut Out<'_>) {
    credentials(hay, out, b"bearer", is_token68, |token, header| {
        header || token.len() >= 24 || (token.len() >= 8 && token.iter().any(|&b| is(b, DIGIT)))
    });
}

/// The base64 after `Basic` (RFC 7617). After `authorization` any; elsewhere what decodes to
/// printable ASCII with a colon in it.
pub(super) fn basic_credentials(hay: &[u8], out: &mut Out<'_>) {
    let is_base64 = |b| is(b, BASE64URL | PLUS_SLASH) || b == b'=';
    credentials(hay, out, b"basic", is_base64, |token, header| {
        token.len() >= 4 && (header || decodes_to_pair(token))
    });
}

fn is_token68(byte: u8) -> bool {
    is(byte, BASE64URL | PLUS_SLASH | DOT) || matches!(byte, b'~' | b'=')
}

fn credentials(
    hay: &[u8],
    out: &mut Out<'_>,
    scheme: &[u8],
    in_token: impl Fn(u8) -> bool,
    accepts: impl Fn(&[u8], bool) -> bool,
) {
    let (lower, upper) = (scheme[0], scheme[0].to_ascii_uppercase());
    let mut from = 0;
    while let Some(start) = find2(lower, upper, hay, from) {
        from = start + 1;
        if is(before(hay, start), WORD) || !word_at(hay, start, scheme) {
            continue;
        }
        let gap = start + scheme.len();
        let token = while_end(hay, gap, |b| matches!(b, b' ' | b'\t'));
        from = token;
        if token == gap || !is(at(hay, token), ALNUM) {
            continue;
        }
        let end = while_end(hay, token, &in_token);
        if accepts(&hay[token..end], after_header(hay, start)) {
            out.push(token, end);
            from = end;
        } else {
            // The next scheme may be this very word: "basic bearer …".
            from = while_end(hay, token, |b| is(b, ALNUM)).min(end);
            if word_at(hay, token, scheme) {
                from = token;
            }
        }
    }
}

/// Whether the header's name stands before, as in `authorization: Bearer …`.
fn after_header(hay: &[u8], scheme: usize) -> bool {
    const NAME: &[u8] = b"authorization";
    let end = while_start(hay, 0, scheme, MAX_PUNCTUATION, |b| {
        matches!(b, b' ' | b'\t' | b':' | b'=' | b'"' | b'\'' | b'[' | b'\\')
    });
    end < scheme && end >= NAME.len() && word_at(hay, end - NAME.len(), NAME)
}

/// Whether base64 decodes to `user:password` in printable ASCII.
fn decodes_to_pair(token: &[u8]) -> bool {
    let (mut bits, mut held, mut colon) = (0u32, 0u32, false);
    for &byte in token {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => break,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            let decoded = (bits >> held) & 0xff;
            if !(0x20..0x7f).contains(&decoded) {
                return false;
            }
            colon |= decoded == u32::from(b':');
        }
    }
    colon
}
