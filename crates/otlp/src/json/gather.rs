//! Messages whose fields come out of order or more than once.
//!
//! Protobuf says what such a message means: of a singular field the last one counts, singular
//! messages merge (which is the concatenation of their bytes), of a oneof the last member stays.
//! No encoder writes such messages, but they are well formed, and merging is how two requests are
//! joined. Nothing is copied to merge: a message is the list of its parts. A part that is
//! not empty has at least four bytes of its own on the wire, so the lists take a few times the size
//! of the request at most.

use super::encode::{Malformed, Object, Written};
use super::table::{Field, Message};
use crate::wire::{Fields, Raw};

/// The field of this number.
#[inline]
pub(super) fn known(message: &'static Message, number: u32) -> Option<&'static Field> {
    // The row for wire type 0 tells the field, whatever its own wire type is.
    let index = message.schema.entry(number << 3).field;
    message.fields.get(usize::from(index))
}

/// Whether the known fields of a message come by number, singular ones once, and one member of a
/// oneof at most. Fails where the bytes are no fields.
#[inline]
pub(super) fn in_order(message: &'static Message, body: &[u8]) -> Result<bool, Malformed> {
    let mut fields = Fields::new(body);
    let mut last = 0;
    let mut in_oneof = false;
    let mut ordered = true;
    for field in &mut fields {
        let Some(known) = known(message, field.number) else {
            continue;
        };
        ordered &= last < known.number || (last == known.number && known.repeated);
        ordered &= !(known.oneof && std::mem::replace(&mut in_oneof, true));
        last = known.number;
    }
    if fields.rest().is_empty() {
        Ok(ordered)
    } else {
        Err(Malformed)
    }
}

/// Writes the fields of a message, which is the concatenation of `parts`, by number.
pub(super) fn message(
    out: &mut Vec<u8>,
    message: &'static Message,
    parts: &[&[u8]],
    depth: u32,
) -> Written {
    for part in parts {
        in_order(message, part)?;
    }
    let all = || parts.iter().flat_map(|part| Fields::new(part));
    let mut object = Object::new();
    for field in &message.fields {
        if field.repeated {
            for found in all().filter(|found| found.number == field.number) {
                object.element(out, field, found.value, depth)?;
            }
            continue;
        }
        // What counts of a singular field: its last value, the bodies of its message.
        let mut last = None;
        let mut bodies = Vec::new();
        for found in all() {
            if found.number == field.number {
                last = Some(found.value);
                match found.value {
                    Raw::Bytes(body) if field.is_message() && !body.is_empty() => bodies.push(body),
                    Raw::Bytes(_) => {}
                    _ if field.is_message() => return Err(Malformed),
                    _ => {}
                }
            } else if field.oneof && known(message, found.number).is_some_and(|known| known.oneof) {
                last = None;
                bodies.clear();
            }
        }
        match last {
            Some(_) if field.is_message() => object.merged(out, field, &bodies, depth)?,
            Some(raw) => object.field(out, field, raw, depth)?,
            None => {}
        }
    }
    object.end(out);
    Ok(())
}
