//! Private keys in PEM, anchored at their dashed lines.
//!
//! Linear: each line's mark is searched for from where the last search ended.

use super::Out;
use super::bytes::{ALNUM, PLUS_SLASH, UPPER, find_all, is, steps, while_end, while_start};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
/// The longest label: `ENCRYPTED PRIVATE KEY` and the like.
const MAX_LABEL: usize = 40;

/// From the BEGIN line to the END line. One that was cut off runs to the value's end; of one
/// whose beginning was cut off, the base64 before its END line is found.
pub(super) fn private_key(hay: &[u8], out: &mut Out<'_>) {
    let (mut from, mut floor) = (0, 0);
    while let Some(dashes) = find_all(b"-----", hay, from) {
        from = dashes + 1;
        let rest = &hay[dashes..];
        if rest.starts_with(BEGIN) && label_end(hay, dashes + BEGIN.len()).is_some() {
            let end = key_end(hay, dashes + BEGIN.len());
            out.push(dashes, end);
            (from, floor) = (end, end);
        } else if rest.starts_with(END)
            && let Some(end) = label_end(hay, dashes + END.len())
        {
            let start = while_start(hay, floor, dashes, usize::MAX, in_body);
            if hay[start..dashes].iter().any(|&b| is(b, ALNUM)) {
                out.push(start, end);
            }
            (from, floor) = (end, end);
        }
    }
}

/// Base64 and its line ends, as they are and escaped as in JSON.
fn in_body(byte: u8) -> bool {
    is(byte, ALNUM | PLUS_SLASH) || matches!(byte, b'=' | b'\r' | b'\n' | b'\\')
}

/// The end of the END line, or of the value.
fn key_end(hay: &[u8], body: usize) -> usize {
    let mut from = body;
    while let Some(line) = find_all(END, hay, from) {
        if let Some(end) = label_end(hay, line + END.len()) {
            return end;
        }
        from = line + END.len();
    }
    hay.len()
}

/// The end of `… PRIVATE KEY-----` or `PGP PRIVATE KEY BLOCK-----`, if that is what stands there.
fn label_end(hay: &[u8], from: usize) -> Option<usize> {
    let stop = hay.len().min(from + MAX_LABEL);
    let end = while_end(hay.get(..stop)?, from, |b| is(b, UPPER) || b == b' ');
    let label = hay.get(from..end)?;
    steps(label.len());
    let key = label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    (key && hay[end..].starts_with(b"-----")).then_some(end + 5)
}
