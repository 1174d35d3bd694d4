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
        if let NewValue::String(text) = value
            && short_text(output, pair, key, span, text)
        {
            return Some(());
        }
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

/// The same for a text and a pair of which all lengths take one byte before and after: the pair's
/// beginning is copied with what stands before it, and its length written over. False if they do
/// not.
#[inline(always)]
fn short_text(
    output: &mut Output<'_, '_>,
    pair: &[u8],
    key: &[u8],
    span: Span,
    text: &str,
) -> bool {
    let Some(len) = u8::try_from(key.len() + 4 + text.len())
        .ok()
        .filter(|len| *len < 0x80)
    else {
        return false;
    };
    let start = output.at(pair);
    // Behind a tag of one byte and a length of one.
    if start != span.start + 2 {
        return false;
    }
    let text_len = text.len() as u8;
    let out = output.replace(start + key.len(), span.end);
    let at = out.len() - key.len() - 1;
    if let Some(old) = out.get_mut(at) {
        *old = len;
    }
    out.extend_from_slice(&[0x12, text_len + 2, 0x0a, text_len]);
    out.extend_from_slice(text.as_bytes());
    true
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
