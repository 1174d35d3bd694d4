//! From protobuf to JSON: one walk over the bytes, driven by the table.
//!
//! JSON names each field once, while protobuf may bring the fields of a message in any order and
//! any of them again. Messages that come in the order that encoders write are copied as they lie;
//! the others are [gathered](super::gather) first, so that both give the same text.

use super::gather;
use super::number::{put_i64, put_u64};
use super::table::{self, Field, Message};
use super::{MAX_VALUE_DEPTH, cursor};
use crate::Signal;
use crate::check::{self, CheckError};
use crate::schema::{self, Kind, MessageId};
use crate::wire::{self, Fields, Raw};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Appends an export request to `out` as OTLP/JSON: one line, no end of line, the same for the same
/// bytes (SAME-BYTES).
///
/// Every request that [`check`](crate::check()) accepts can be written. The text can be some ten
/// times as long as the bytes where these hold little but empty messages.
///
/// # Errors
/// What [`check`](crate::check()) says of the bytes, where they are not well formed; `out` is then
/// as it was.
pub fn encode(signal: Signal, protobuf: &[u8], out: &mut Vec<u8>) -> Result<(), CheckError> {
    let before = out.len();
    out.reserve(protobuf.len() * 2);
    let request = table::message(schema::request(signal).id);
    match message(out, request, &[protobuf], 0) {
        Ok(()) => Ok(()),
        Err(Malformed) => {
            out.truncate(before);
            Err(check::explain(signal, protobuf))
        }
    }
}

/// The bytes are not what [`check`](crate::check()) accepts; it tells why.
pub(super) struct Malformed;

pub(super) type Written = Result<(), Malformed>;

/// Writes a message, which is the concatenation of `parts`. `depth` is that of the value it is in,
/// 0 outside of values; it bounds the recursion, since only values nest without end.
pub(super) fn message(
    out: &mut Vec<u8>,
    message: &'static Message,
    parts: &[&[u8]],
    depth: u32,
) -> Written {
    out.push(b'{');
    match parts {
        [only] if gather::in_order(message, only)? => straight(out, message, only, depth)?,
        _ => gather::message(out, message, parts, depth)?,
    }
    out.push(b'}');
    Ok(())
}

/// Writes the fields of a message that is in order: singular fields once, elements of a list one
/// after the other.
fn straight(out: &mut Vec<u8>, message: &'static Message, body: &[u8], depth: u32) -> Written {
    let mut object = Object::new();
    for field in Fields::new(body) {
        let Some(known) = gather::known(message, field.number) else {
            continue;
        };
        if known.repeated {
            object.element(out, known, field.value, depth)?;
        } else {
            object.field(out, known, field.value, depth)?;
        }
    }
    object.end(out);
    Ok(())
}

/// An object that is being written.
pub(super) struct Object {
    first: bool,
    /// The number of the field whose array is open; 0 if none is.
    list: u32,
}

impl Object {
    pub(super) fn new() -> Self {
        Object {
            first: true,
            list: 0,
        }
    }

    /// Writes a singular field; not at all where it has its default value and no presence.
    #[inline]
    pub(super) fn field(
        &mut self,
        out: &mut Vec<u8>,
        field: &'static Field,
        raw: Raw<'_>,
        depth: u32,
    ) -> Written {
        if !field.presence && !field.is_message() && is_default(raw) {
            return Ok(());
        }
        self.label(out, field);
        value(out, field, raw, depth)
    }

    /// Writes a singular field whose message is the concatenation of `parts`.
    pub(super) fn merged(
        &mut self,
        out: &mut Vec<u8>,
        field: &'static Field,
        parts: &[&[u8]],
        depth: u32,
    ) -> Written {
        self.label(out, field);
        nested(out, field, parts, depth)
    }

    /// Writes one value of a repeated field, or many of them where they are packed.
    #[inline]
    pub(super) fn element(
        &mut self,
        out: &mut Vec<u8>,
        field: &'static Field,
        raw: Raw<'_>,
        depth: u32,
    ) -> Written {
        match raw {
            Raw::Bytes(packed) if field.packed() => {
                let mut rest = packed;
                while !rest.is_empty() {
                    let (raw, after) = if field.kind.wire_type() == 0 {
                        let (value, after) = wire::varint(rest).ok_or(Malformed)?;
                        (Raw::Varint(value), after)
                    } else {
                        let (value, after) = wire::fixed64(rest).ok_or(Malformed)?;
                        (Raw::Fixed64(value), after)
                    };
                    self.next_element(out, field);
                    value(out, field, raw, depth)?;
                    rest = after;
                }
                Ok(())
            }
            _ => {
                self.next_element(out, field);
                value(out, field, raw, depth)
            }
        }
    }

    #[inline]
    fn next_element(&mut self, out: &mut Vec<u8>, field: &'static Field) {
        if self.list == field.number {
            out.push(b',');
        } else {
            self.label(out, field);
            out.push(b'[');
            self.list = field.number;
        }
    }

    #[inline]
    fn label(&mut self, out: &mut Vec<u8>, field: &Field) {
        self.end(out);
        if !std::mem::take(&mut self.first) {
            out.push(b',');
        }
        out.extend_from_slice(field.label.as_bytes());
    }

    /// Ends the array that is open, if one is.
    #[inline]
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.list) != 0 {
            out.push(b']');
        }
    }
}

fn is_default(raw: Raw<'_>) -> bool {
    match raw {
        Raw::Varint(value) | Raw::Fixed64(value) => value == 0,
        Raw::Fixed32(value) => value == 0,
        Raw::Bytes(bytes) => bytes.is_empty(),
    }
}

/// Writes the message of a field, one level deeper where it is a value.
fn nested(out: &mut Vec<u8>, field: &'static Field, parts: &[&[u8]], depth: u32) -> Written {
    let depth = if field.message == MessageId::AnyValue {
        if depth >= MAX_VALUE_DEPTH {
            return Err(Malformed);
        }
        depth + 1
    } else {
        depth
    };
    message(out, table::message(field.message), parts, depth)
}

/// Writes one value, without its name.
#[inline]
fn value(out: &mut Vec<u8>, field: &'static Field, raw: Raw<'_>, depth: u32) -> Written {
    match (field.kind, raw) {
        (Kind::Message(_), Raw::Bytes(body)) => return nested(out, field, &[body], depth),
        (Kind::String, Raw::Bytes(text)) => return string(out, text),
        (Kind::Fixed64 | Kind::Uint64, Raw::Fixed64(value) | Raw::Varint(value)) => {
            quoted(out, |out| put_u64(out, value));
        }
        (Kind::Sfixed64 | Kind::Int64, Raw::Fixed64(value) | Raw::Varint(value)) => {
            quoted(out, |out| put_i64(out, value as i64));
        }
        (Kind::Double, Raw::Fixed64(bits)) => double(out, f64::from_bits(bits)),
        (Kind::Bool, Raw::Varint(value)) => {
            out.extend_from_slice(if value == 0 { b"false" } else { b"true" });
        }
        // Numbers of 32 bits come in varints of 64; parsers keep the lower half.
        (Kind::Int32 | Kind::Enum, Raw::Varint(value)) => put_i64(out, i64::from(value as i32)),
        (Kind::Uint32, Raw::Varint(value)) => put_u64(out, u64::from(value as u32)),
        (Kind::Sint32, Raw::Varint(value)) => {
            let zigzag = value as u32;
            let value = (zigzag >> 1) as i32 ^ -((zigzag & 1) as i32);
            put_i64(out, i64::from(value));
        }
        (Kind::Fixed32, Raw::Fixed32(value)) => put_u64(out, u64::from(value)),
        (Kind::TraceId, Raw::Bytes(id)) if matches!(id.len(), 0 | 16) => hex(out, id),
        (Kind::SpanId, Raw::Bytes(id)) if matches!(id.len(), 0 | 8) => hex(out, id),
        (Kind::Bytes, Raw::Bytes(bytes)) => base64(out, bytes),
        _ => return Err(Malformed),
    }
    Ok(())
}

#[inline]
fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

/// Writes a double so that it reads as the same one; what is no number by its name.
fn double(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else if value == f64::INFINITY {
        out.extend_from_slice(b"\"Infinity\"");
    } else if value == f64::NEG_INFINITY {
        out.extend_from_slice(b"\"-Infinity\"");
    } else {
        // A vector takes all that is written to it.
        let _ = serde_json::to_writer(out, &value);
    }
}

fn hex(out: &mut Vec<u8>, id: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    quoted(out, |out| {
        for byte in id {
            out.push(DIGITS[usize::from(byte >> 4)]);
            out.push(DIGITS[usize::from(byte & 15)]);
        }
    });
}

fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    quoted(out, |out| {
        let start = out.len();
        out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
        // The room is exactly what standard base64 takes.
        let _ = STANDARD.encode_slice(bytes, &mut out[start..]);
    });
}

/// Writes a string, escaping what JSON does not allow as it is: quotes, backslashes and control
/// characters.
#[inline]
fn string(out: &mut Vec<u8>, text: &[u8]) -> Written {
    if !wire::is_utf8(text) {
        return Err(Malformed);
    }
    out.push(b'"');
    let mut from = 0;
    loop {
        let at = cursor::find_special(text, from);
        out.extend_from_slice(&text[from..at]);
        let Some(byte) = text.get(at) else {
            out.push(b'"');
            return Ok(());
        };
        escape(out, *byte);
        from = at + 1;
    }
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        8 => b'b',
        9 => b't',
        10 => b'n',
        12 => b'f',
        13 => b'r',
        _ => {
            out.extend_from_slice(b"\\u00");
            out.push(b'0' + (byte >> 4));
            out.push(b"0123456789abcdef"[usize::from(byte & 15)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
