//! A new value in a pair.

use super::NewValue;
use super::output::{Output, field_len, put_value};
use super::walk::Span;
use crate::wire::{Fields, Raw, put_varint};

/// Puts a value in the place of those that a pair has; its other fields stay. `length` is what
/// comes after the pair's tag.
pub(super) fn new_value<'s>(
    output: &mut Output<'s, '_>,
    length: &'s [u8],
    pair: &'s [u8],
    span: Span,
    value: NewValue<'_>,
) -> Option<()> {
    if let Some(key) = key_of_usual(pair) {
        let out = output.replace(span.start, span.end);
        put_varint(out, u64::from(span.tag));
        put_varint(out, (key.len() + field_len(value)) as u64);
        out.extend_from_slice(key);
        put_value(out, 2, value);
        return Some(());
    }
    let (length, body) = (output.at(length), output.at(pair));
    output.enter(span.start, length, body);
    replace_values(output, pair, value)?;
    output.leave(span.end);
    Some(())
}

/// The field of the key, if the pair is that, one value, and nothing else, each in fewer than 128
/// bytes.
fn key_of_usual(pair: &[u8]) -> Option<&[u8]> {
    let [0x0a, key_len, ..] = pair else {
        return None;
    };
    let (key, value) = pair.split_at_checked(2 + usize::from(*key_len))?;
    match value {
        [0x12, len, value @ ..] if (*key_len | *len) < 0x80 => {
            (usize::from(*len) == value.len()).then_some(key)
        }
        _ => None,
    }
}

fn replace_values(output: &mut Output<'_, '_>, pair: &[u8], value: NewValue<'_>) -> Option<()> {
    let mut put = false;
    let mut fields = Fields::new(pair);
    for field in fields.by_ref() {
        if let (2, Raw::Bytes(_)) = (field.number, field.value) {
            let start = output.at(field.bytes);
            let out = output.replace(start, start + field.bytes.len());
            if !put {
                put_value(out, 2, value);
            }
            put = true;
        }
    }
    if !fields.rest().is_empty() {
        return None;
    }
    if !put {
        let end = output.at(pair) + pair.len();
        put_value(output.replace(end, end), 2, value);
    }
    Some(())
}
