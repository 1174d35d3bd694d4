//! What is assigned to a telling name: `name=value`, `"name": "value"`, `?name=value`, also
//! escaped as JSON within a string, and `name => value`. Anchored at `=` and `:`.
//!
//! Linear: from each sign at most [`MAX_KEY`] bytes back. A value is looked at only behind a
//! telling name, and the search goes on behind it if it is taken. One that is not taken is short,
//! or is bounded by its detector, or ends at white space within which no other such value begins.

use super::Out;
use super::bytes::{
    ALNUM, BASE64URL, DASH, DIGIT, DOT, HEX, LOWER, PLUS_SLASH, WORD, at, before, find_all, find2,
    is, run_end_within, while_end, while_start,
};
use super::names::{self, Strength};

/// The longest name that is looked at.
const MAX_KEY: usize = 64;
/// The white space allowed around the sign.
const MAX_SPACE: usize = 4;

/// A name with a sign of assignment behind it.
struct Assignment<'a> {
    name: &'a [u8],
    /// The byte before the name.
    lead: u8,
    /// Nothing stands between the name and the sign.
    tight: bool,
    /// `name: value` without quotes, as prose has it too.
    prose: bool,
    /// Where the value begins, its opening quote included.
    value: usize,
}

/// What is assigned to a name that says it is secret.
pub(super) fn generic_secret(hay: &[u8], out: &mut Out<'_>) {
    assignments(hay, out, b"destnyl", |hay, found| {
        let strength = names::strength(found.name)?;
        let (start, end) = value(hay, found.value)?;
        is_secret(&hay[start..end], strength, found).then_some((start, end))
    });
}

/// 40 characters of base64 that are assigned to a secret access key.
pub(super) fn aws_secret_key(hay: &[u8], out: &mut Out<'_>) {
    assignments(hay, out, b"yt", |hay, found| {
        names::ends_with(found.name, names::AWS_SECRETS).then_some(())?;
        let start = unquoted(hay, found.value);
        let end = while_end_within(hay, start, 41, |b| is(b, ALNUM | PLUS_SLASH));
        (end - start == 40).then_some((start, end))
    });
}

/// The private key id in a service account's file: 40 hexadecimal digits.
pub(super) fn gcp_service_account(hay: &[u8], out: &mut Out<'_>) {
    assignments(hay, out, b"d", |hay, found| {
        names::ends_with(found.name, &[b"privatekeyid"]).then_some(())?;
        let start = unquoted(hay, found.value);
        let end = run_end_within(hay, start, HEX, 41);
        (end - start == 40).then_some((start, end))
    });
}

/// `AccountKey=…`, `SharedAccessKey=…`, `sig=…` with at least 20 characters of base64, percent
/// encoded or not.
pub(super) fn azure_key(hay: &[u8], out: &mut Out<'_>) {
    assignments(hay, out, b"yg", |hay, found| {
        let named =
            names::ends_with(found.name, names::AZURE) || names::is_one_of(found.name, &[b"sig"]);
        named.then_some(())?;
        let start = unquoted(hay, found.value);
        let end = while_end(hay, start, |b| {
            is(b, BASE64URL | PLUS_SLASH) || matches!(b, b'=' | b'%')
        });
        (end - start >= 20).then_some((start, end))
    });
}

/// `?token=…`, `&X-Amz-Signature=…`: any value of a name that carries a secret in URLs.
pub(super) fn url_query_secret(hay: &[u8], out: &mut Out<'_>) {
    assignments(hay, out, b"ndgelyhst", |hay, found| {
        let query =
            found.tight && matches!(found.lead, b'?' | b'&') && before(hay, found.value) == b'=';
        (query && names::is_one_of(found.name, names::QUERY)).then_some(())?;
        let bare = &hay[found.value..bare_end(hay, found.value)];
        let end = found.value + memchr::memchr(b'#', bare).unwrap_or(bare.len());
        (end > found.value).then_some((found.value, end))
    });
}

/// `ends` are the letters with which the detector's names end, for a quick look.
fn assignments(
    hay: &[u8],
    out: &mut Out<'_>,
    ends: &[u8],
    take: impl Fn(&[u8], &Assignment<'_>) -> Option<(usize, usize)>,
) {
    let (mut floor, mut from) = (0, 0);
    while let Some(sign) = find2(b'=', b':', hay, from) {
        from = sign + 1;
        let last = before(hay, sign);
        if is(last, ALNUM) && !ends.contains(&last.to_ascii_lowercase()) {
            continue;
        }
        let Some(found) = assignment(hay, floor, sign) else {
            continue;
        };
        if let Some((start, end)) = take(hay, &found) {
            out.push(start, end);
            (floor, from) = (end, end);
        }
    }
}

fn assignment(hay: &[u8], floor: usize, sign: usize) -> Option<Assignment<'_>> {
    // `Token::Ident`, `token == x`
    if at(hay, sign + 1) == hay[sign] || before(hay, sign) == hay[sign] {
        return None;
    }
    let spaced = while_start(hay, floor, sign, MAX_SPACE, is_space);
    let mut end = spaced;
    if end > floor && matches!(hay[end - 1], b'"' | b'\'') {
        end -= 1;
        if end > floor && hay[end - 1] == b'\\' {
            end -= 1;
        }
    }
    let start = while_start(hay, floor, end, MAX_KEY, |b| is(b, WORD | DASH | DOT));
    if start == end {
        return None;
    }
    let arrow = hay[sign] == b'=' && at(hay, sign + 1) == b'>';
    let after = sign + 1 + usize::from(arrow);
    let value = while_end_within(hay, after, MAX_SPACE, is_space);
    Some(Assignment {
        name: &hay[start..end],
        lead: before(hay, start),
        tight: end == sign,
        prose: hay[sign] == b':' && end == spaced && value > after,
        value,
    })
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn while_end_within(hay: &[u8], from: usize, max: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let stop = hay.len().min(from.saturating_add(max));
    while_end(hay.get(..stop).unwrap_or(hay), from.min(stop), wanted)
}

/// Behind an opening quote, if there is one.
fn unquoted(hay: &[u8], value: usize) -> usize {
    let quote = value + usize::from(at(hay, value) == b'\\');
    if is_quote(at(hay, quote)) {
        quote + 1
    } else {
        value
    }
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// A value's range: what stands within its quotes (to the end, if they are not closed), or up to
/// what ends a bare word.
fn value(hay: &[u8], from: usize) -> Option<(usize, usize)> {
    let start = unquoted(hay, from);
    let quote = before(hay, start);
    let end = match start - from {
        0 => bare_end(hay, start),
        1 => quoted_end(hay, start, quote),
        _ => find_all(&[b'\\', quote], hay, start).unwrap_or(hay.len()),
    };
    (end > start).then_some((start, end))
}

fn bare_end(hay: &[u8], start: usize) -> usize {
    let end = while_end(hay, start, |b| {
        b > b' ' && !is_quote(b) && !b",;&<>()[]{}|".contains(&b)
    });
    // Escaped as JSON, the quote behind the value has a backslash before it.
    if end > start && is_quote(at(hay, end)) && hay[end - 1] == b'\\' {
        end - 1
    } else {
        end
    }
}

fn quoted_end(hay: &[u8], start: usize, quote: u8) -> usize {
    let mut from = start;
    while let Some(i) = find2(quote, b'\\', hay, from) {
        if hay[i] == quote {
            return i;
        }
        from = (i + 2).min(hay.len());
    }
    hay.len()
}

/// Whether a value is a secret and not a placeholder, a count or the next word of a sentence.
fn is_secret(value: &[u8], strength: Strength, found: &Assignment<'_>) -> bool {
    let least = match strength {
        Strength::Password | Strength::Component => 3,
        Strength::Secret => 6,
    };
    if value.len() < least || names::is_placeholder(value) {
        return false;
    }
    let has_digit = || value.iter().any(|&b| is(b, DIGIT));
    if found.prose && !(value.len() >= 6 && has_digit()) {
        return false;
    }
    match strength {
        // `pass=3` counts tests.
        Strength::Component => !value.iter().all(|&b| is(b, DIGIT)),
        // `secret="kube-system/registry"` names an object.
        Strength::Secret => !is_object_name(value),
        Strength::Password => true,
    }
}

/// `namespace/name` in small letters.
fn is_object_name(value: &[u8]) -> bool {
    let mut slashes = 0;
    let plain = value.iter().all(|&b| {
        slashes += usize::from(b == b'/');
        is(b, LOWER | DASH | DOT) || b == b'/'
    });
    plain && slashes == 1
}
