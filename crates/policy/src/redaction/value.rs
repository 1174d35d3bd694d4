//! Reading pairs and values without building them.

use otlp::wire::{Fields, Raw};

/// A value that is one thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Empty,
    Text(&'a [u8]),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
}

/// The value in the body of an `AnyValue` that has one member, which is no array or map; `None`
/// for any other, such as one with two members of its oneof.
#[inline(always)]
pub(super) fn scalar(body: &[u8]) -> Option<Scalar<'_>> {
    if let [0x0a, len, text @ ..] = body
        && usize::from(*len) == text.len()
        && *len < 0x80
    {
        return Some(Scalar::Text(text));
    }
    other_scalar(body)
}

fn other_scalar(body: &[u8]) -> Option<Scalar<'_>> {
    let mut fields = Fields::new(body);
    let Some(field) = fields.next() else {
        return body.is_empty().then_some(Scalar::Empty);
    };
    if !fields.rest().is_empty() {
        return None;
    }
    Some(match (field.number, field.value) {
        (1, Raw::Bytes(text)) => Scalar::Text(text),
        (2, Raw::Varint(bits)) => Scalar::Bool(bits != 0),
        (3, Raw::Varint(bits)) => Scalar::Int(bits as i64),
        (4, Raw::Fixed64(bits)) => Scalar::Double(f64::from_bits(bits)),
        (7, Raw::Bytes(bytes)) => Scalar::Bytes(bytes),
        _ => return None,
    })
}

/// The keys of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys<'a> {
    /// One, or the same one again; none is the empty key.
    One(&'a [u8]),
    /// Two that differ: parsers may disagree about which it is.
    Several,
}

/// The keys in the body of a `KeyValue`.
pub(super) fn keys(pair: &[u8]) -> Keys<'_> {
    let mut found = None;
    for field in Fields::new(pair) {
        if let (1, Raw::Bytes(key)) = (field.number, field.value)
            && *found.get_or_insert(key) != key
        {
            return Keys::Several;
        }
    }
    Keys::One(found.unwrap_or_default())
}

/// The text, if what comes after the key of a pair is that in fewer than 128 bytes and nothing
/// else: the usual case at a glance.
#[inline(always)]
pub(super) fn usual_text(pair: &[u8], key_end: usize) -> Option<&[u8]> {
    let (head, text) = pair.get(key_end..)?.split_first_chunk::<4>()?;
    let len = text.len() as u32;
    let usual = u32::from_le_bytes([0x12, 2, 0x0a, 0]) + (len << 8) + (len << 24);
    (u32::from_le_bytes(*head) == usual && len < 0x7e).then_some(text)
}

/// Whether what comes after the key of a pair is one value and nothing else, a text or a whole
/// number in fewer than 128 bytes: the usual cases at a glance.
#[inline(always)]
pub(super) fn is_usual_scalar(pair: &[u8], key_end: usize) -> bool {
    if usual_text(pair, key_end).is_some() {
        return true;
    }
    let Some([0x12, len, value @ ..]) = pair.get(key_end..) else {
        return false;
    };
    match value {
        [0x18, digits @ .., last] => {
            usize::from(*len) == value.len()
                && value.len() < 0x80
                && *last < 0x80
                && digits.iter().all(|byte| *byte >= 0x80)
        }
        _ => false,
    }
}

/// Whether what comes after the key of a pair is one value in fewer than 128 bytes and nothing else.
#[inline(always)]
pub(super) fn is_usual_value(pair: &[u8], key_end: usize) -> bool {
    matches!(
        pair.get(key_end..),
        Some([0x12, len, value @ ..]) if usize::from(*len) == value.len() && *len < 0x80
    )
}

/// The body of the value, if what comes after the key of a pair is one value or nothing.
#[inline(always)]
pub(super) fn only_value(after_key: &[u8]) -> Option<&[u8]> {
    match after_key {
        [] => Some(&[]),
        [0x12, len, value @ ..] if *len < 0x80 => {
            (usize::from(*len) == value.len()).then_some(value)
        }
        [0x12, ..] => {
            let mut fields = Fields::new(after_key);
            match fields.next()?.value {
                Raw::Bytes(value) if fields.rest().is_empty() => Some(value),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The key of a pair that begins with one, and where its field ends. An empty key is not written;
/// then a pair of one value and nothing else begins with that.
#[inline]
pub(super) fn leading_key(pair: &[u8]) -> Option<(&[u8], usize)> {
    let Some(field) = Fields::new(pair).next() else {
        return pair.is_empty().then_some((&[], 0));
    };
    match (field.number, field.value) {
        (1, Raw::Bytes(key)) => Some((key, field.bytes.len())),
        (2, Raw::Bytes(_)) if field.bytes.len() == pair.len() => Some((&[], 0)),
        _ => None,
    }
}
