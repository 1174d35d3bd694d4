//! From JSON to protobuf: one walk over the document, driven by the table.

use super::cursor::{Cursor, Text, unescape};
use super::error::{Fault, JsonError, JsonErrorKind, Outcome, fault};
use super::length::Output;
use super::number::{self, Integer};
use super::table::{self, Field, Message};
use super::{MAX_JSON_BYTES, MAX_VALUE_DEPTH};
use crate::schema::{self, Kind, MessageId};
use crate::{Signal, wire};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The protobuf form of an export request in OTLP/JSON. The module says what is read and what is
/// refused; what comes out passes [`check`](crate::check()).
///
/// Defaults without presence are left out, and lengths are of their least size, so that a document
/// whose fields are in the order of their numbers gives the bytes that prost would.
///
/// # Errors
/// The first fault, with its place. No text of the error repeats content of the document.
pub fn decode(signal: Signal, json: &[u8]) -> Result<Vec<u8>, JsonError> {
    if json.len() > MAX_JSON_BYTES {
        return match fault::<()>(0, JsonErrorKind::TooLarge) {
            Ok(()) => Ok(Vec::new()),
            Err(fault) => Err(fault.explain(&[])),
        };
    }
    let valid = match simdutf8::compat::from_utf8(json) {
        Ok(_) => json.len(),
        Err(error) => error.valid_up_to(),
    };
    let mut decoder = Decoder {
        cursor: Cursor::new(&json[..valid]),
        output: Output::for_json(json.len()),
        scratch: Vec::new(),
    };
    let outcome = decoder.document(table::message(schema::request(signal).id));
    let outcome = match outcome {
        // The walk ended where the UTF-8 does, so that is the fault, and the path leads to it.
        Err(fault) if valid < json.len() && fault.kind == JsonErrorKind::UnexpectedEnd => {
            Err(Box::new(Fault {
                offset: valid,
                kind: JsonErrorKind::InvalidUtf8,
                ..*fault
            }))
        }
        Ok(()) if valid < json.len() => fault(valid, JsonErrorKind::InvalidUtf8),
        outcome => outcome,
    };
    match outcome {
        Ok(()) => Ok(decoder.output.finish()),
        Err(fault) => Err(fault.explain(json)),
    }
}

struct Decoder<'a> {
    cursor: Cursor<'a>,
    output: Output,
    /// Where strings with escapes are made plain.
    scratch: Vec<u8>,
}

impl<'a> Decoder<'a> {
    fn document(&mut self, request: &'static Message) -> Outcome<()> {
        self.object(request, 0)?;
        self.cursor.end()
    }

    /// Reads one object as `message`. `depth` is that of the value it is in, 0 outside of values;
    /// it bounds the recursion, since only values nest without end.
    fn object(&mut self, message: &'static Message, depth: u32) -> Outcome<()> {
        if self.cursor.peek()? != b'{' {
            return self.wrong_type("an object");
        }
        if self.cursor.open(b'}')? {
            return Ok(());
        }
        let mut seen = 0u32;
        let mut chosen: Option<&'static Field> = None;
        let mut next = 0;
        loop {
            self.cursor.peek()?;
            let at = self.cursor.offset();
            let key = self.cursor.key()?;
            let name = if key.escaped {
                self.scratch.clear();
                unescape(key.raw, &mut self.scratch);
                &self.scratch
            } else {
                key.raw
            };
            match message.find(name, next) {
                Some((index, field)) => {
                    next = index + 1;
                    let first = seen >> index & 1 == 0;
                    seen |= 1 << index;
                    self.known(field, depth, at, first, &mut chosen)?;
                }
                None => self.cursor.skip()?,
            }
            if !self.cursor.more(b'}')? {
                return Ok(());
            }
        }
    }

    /// Reads what follows the name of a known field; the name stood at `at`.
    #[inline]
    fn known(
        &mut self,
        field: &'static Field,
        depth: u32,
        at: usize,
        first: bool,
        chosen: &mut Option<&'static Field>,
    ) -> Outcome<()> {
        let here = |fault: Box<Fault>| fault.within(&field.name, None);
        if !first {
            return fault(at, JsonErrorKind::Duplicate).map_err(here);
        }
        if self.cursor.peek().map_err(here)? == b'n' {
            return self.cursor.word("null").map_err(here);
        }
        if field.oneof
            && let Some(other) = chosen.replace(field)
        {
            return fault(at, JsonErrorKind::OneofTwice(&other.name)).map_err(here);
        }
        if field.repeated {
            let mut index = None;
            self.list(field, depth, &mut index)
                .map_err(|fault| fault.within(&field.name, index))
        } else {
            self.value(field, depth).map_err(here)
        }
    }

    /// Reads an array. `index` tells which element is being read.
    fn list(
        &mut self,
        field: &'static Field,
        depth: u32,
        index: &mut Option<usize>,
    ) -> Outcome<()> {
        if self.cursor.peek()? != b'[' {
            return self.wrong_type("an array");
        }
        if self.cursor.open(b']')? {
            return Ok(());
        }
        let packed = field.packed().then(|| {
            self.output.bytes.extend_from_slice(field.tag());
            self.output.open()
        });
        for i in 0.. {
            *index = Some(i);
            if self.cursor.peek()? == b'n' && field.message == MessageId::AnyValue {
                // An array may hold nothing in some of its places.
                self.cursor.word("null")?;
                self.output.bytes.extend_from_slice(field.tag());
                self.output.bytes.push(0);
            } else {
                self.value(field, depth)?;
            }
            *index = None;
            if !self.cursor.more(b']')? {
                break;
            }
        }
        if let Some(open) = packed {
            self.output.close(open);
        }
        Ok(())
    }

    /// Reads one value and writes it: with its tag, but in packed numbers; not at all where it is
    /// the default of a field without presence.
    fn value(&mut self, field: &'static Field, depth: u32) -> Outcome<()> {
        const I32: (i128, i128) = (i32::MIN as i128, i32::MAX as i128);
        const I64: (i128, i128) = (i64::MIN as i128, i64::MAX as i128);
        const U32: (i128, i128) = (0, u32::MAX as i128);
        const U64: (i128, i128) = (0, u64::MAX as i128);
        match field.kind {
            Kind::Message(_) => self.message(field, depth)?,
            Kind::String => {
                let text = self.string("a string")?;
                self.put_text(field, text);
            }
            Kind::Fixed64 => {
                let value = self.integer("uint64", U64)?;
                self.put_fixed64(field, value as u64);
            }
            Kind::Sfixed64 => {
                let value = self.integer("int64", I64)?;
                self.put_fixed64(field, value as u64);
            }
            Kind::Double => {
                let value = self.double()?;
                self.put_fixed64(field, value.to_bits());
            }
            Kind::Int64 => {
                let value = self.integer("int64", I64)?;
                self.put_varint(field, value as u64);
            }
            Kind::Uint64 => {
                let value = self.integer("uint64", U64)?;
                self.put_varint(field, value as u64);
            }
            Kind::Int32 => {
                let value = self.integer("int32", I32)?;
                self.put_varint(field, value as u64);
            }
            Kind::Uint32 => {
                let value = self.integer("uint32", U32)?;
                self.put_varint(field, value as u64);
            }
            Kind::Sint32 => {
                let value = self.integer("int32", I32)? as i32;
                // ZigZag: the sign goes to the lowest bit.
                self.put_varint(field, u64::from((value << 1 ^ value >> 31) as u32));
            }
            Kind::Fixed32 => {
                let value = self.integer("uint32", U32)? as u32;
                if value != 0 || field.presence {
                    self.output.bytes.extend_from_slice(field.tag());
                    self.output.bytes.extend_from_slice(&value.to_le_bytes());
                }
            }
            Kind::Enum => {
                let value = if self.cursor.peek()? == b'"' {
                    self.enum_name(field)?
                } else {
                    self.integer("an enum's number", I32)? as i32
                };
                self.put_varint(field, i64::from(value) as u64);
            }
            Kind::Bool => {
                let value = match self.cursor.peek()? {
                    b't' => self.cursor.word("true").map(|()| true)?,
                    b'f' => self.cursor.word("false").map(|()| false)?,
                    _ => return self.wrong_type("true or false"),
                };
                self.put_varint(field, u64::from(value));
            }
            Kind::TraceId => self.id::<16>(field)?,
            Kind::SpanId => self.id::<8>(field)?,
            Kind::Bytes => self.base64(field)?,
        }
        Ok(())
    }

    fn message(&mut self, field: &'static Field, depth: u32) -> Outcome<()> {
        let depth = if field.message == MessageId::AnyValue {
            if depth >= MAX_VALUE_DEPTH {
                return fault(self.cursor.offset(), JsonErrorKind::ValueTooDeep);
            }
            depth + 1
        } else {
            depth
        };
        self.output.bytes.extend_from_slice(field.tag());
        let open = self.output.open();
        self.object(table::message(field.message), depth)?;
        self.output.close(open);
        Ok(())
    }

    fn string(&mut self, expected: &'static str) -> Outcome<Text<'a>> {
        if self.cursor.peek()? == b'"' {
            self.cursor.string()
        } else {
            self.wrong_type(expected)
        }
    }

    /// The string itself, without escapes.
    #[inline]
    fn plain<'s>(&'s mut self, text: Text<'s>) -> &'s [u8] {
        if !text.escaped {
            return text.raw;
        }
        self.scratch.clear();
        unescape(text.raw, &mut self.scratch);
        &self.scratch
    }

    /// An integer as a number or a string that holds one.
    #[inline]
    fn integer(&mut self, expected: &'static str, (min, max): (i128, i128)) -> Outcome<i128> {
        let first = self.cursor.peek()?;
        let at = self.cursor.offset();
        let value = match first {
            b'"' => {
                let text = self.cursor.string()?;
                let plain = self.plain(text);
                if number::grammar(plain) != Some(plain.len()) {
                    return fault(at, JsonErrorKind::NotANumber(expected));
                }
                number::integer(plain)
            }
            b'-' | b'0'..=b'9' => number::integer(self.cursor.number()?),
            _ => return self.wrong_type(expected),
        };
        match value {
            Integer::Exact(value) if min <= value && value <= max => Ok(value),
            Integer::Fraction => fault(at, JsonErrorKind::NotIntegral(expected)),
            _ => fault(at, JsonErrorKind::OutOfRange(expected)),
        }
    }

    /// A double as a number, a string that holds one, or the name of what is no number.
    fn double(&mut self) -> Outcome<f64> {
        const EXPECTED: &str = "double";
        let first = self.cursor.peek()?;
        let at = self.cursor.offset();
        let value = match first {
            b'"' => {
                let text = self.cursor.string()?;
                match self.plain(text) {
                    b"NaN" => return Ok(f64::NAN),
                    b"Infinity" => return Ok(f64::INFINITY),
                    b"-Infinity" => return Ok(f64::NEG_INFINITY),
                    plain if number::grammar(plain) == Some(plain.len()) => number::double(plain),
                    _ => return fault(at, JsonErrorKind::NotANumber(EXPECTED)),
                }
            }
            b'-' | b'0'..=b'9' => number::double(self.cursor.number()?),
            _ => return self.wrong_type(EXPECTED),
        };
        match value {
            Some(value) => Ok(value),
            None => fault(at, JsonErrorKind::OutOfRange(EXPECTED)),
        }
    }

    fn enum_name(&mut self, field: &Field) -> Outcome<i32> {
        let at = self.cursor.offset();
        let text = self.cursor.string()?;
        let plain = self.plain(text);
        let named = |(name, _): &&(&str, i32)| name.as_bytes() == plain;
        match field.enumeration.iter().find(named) {
            Some((_, value)) => Ok(*value),
            None => fault(at, JsonErrorKind::UnknownEnumName),
        }
    }

    fn id<const LEN: usize>(&mut self, field: &Field) -> Outcome<()> {
        let text = self.string("a string of hex digits")?;
        let plain = self.plain(text);
        if plain.is_empty() {
            return Ok(());
        }
        if plain.len() != 2 * LEN {
            let kind = JsonErrorKind::IdLength {
                expected: 2 * LEN,
                found: plain.iter().filter(|byte| **byte & 0xc0 != 0x80).count(),
            };
            return fault(text.offset, kind);
        }
        let mut id = [0; LEN];
        for (byte, digits) in id.iter_mut().zip(plain.as_chunks::<2>().0) {
            match (hex_digit(digits[0]), hex_digit(digits[1])) {
                (Some(high), Some(low)) => *byte = high << 4 | low,
                _ => return fault(text.offset, JsonErrorKind::InvalidHex),
            }
        }
        self.output.bytes.extend_from_slice(field.tag());
        self.output.bytes.push(LEN as u8);
        self.output.bytes.extend_from_slice(&id);
        Ok(())
    }

    fn base64(&mut self, field: &Field) -> Outcome<()> {
        let text = self.string("a string of base64")?;
        self.scratch.clear();
        if text.escaped {
            unescape(text.raw, &mut self.scratch);
        } else {
            self.scratch.extend_from_slice(text.raw);
        }
        if self.scratch.is_empty() && !field.presence {
            return Ok(());
        }
        // The URL-safe alphabet differs in two characters.
        for byte in &mut self.scratch {
            match byte {
                b'-' => *byte = b'+',
                b'_' => *byte = b'/',
                _ => {}
            }
        }
        self.output.bytes.extend_from_slice(field.tag());
        let open = self.output.open();
        let decoded = BASE64.decode_vec(&self.scratch, &mut self.output.bytes);
        self.output.close(open);
        match decoded {
            Ok(()) => Ok(()),
            Err(_) => fault(text.offset, JsonErrorKind::InvalidBase64),
        }
    }

    #[inline]
    fn put_text(&mut self, field: &Field, text: Text<'_>) {
        let plain = if text.escaped {
            self.scratch.clear();
            unescape(text.raw, &mut self.scratch);
            &self.scratch
        } else {
            text.raw
        };
        if !plain.is_empty() || field.presence || field.repeated {
            self.output.bytes.extend_from_slice(field.tag());
            wire::put_varint(&mut self.output.bytes, plain.len() as u64);
            self.output.bytes.extend_from_slice(plain);
        }
    }

    #[inline]
    fn put_varint(&mut self, field: &Field, value: u64) {
        if !field.repeated {
            if value == 0 && !field.presence {
                return;
            }
            self.output.bytes.extend_from_slice(field.tag());
        }
        wire::put_varint(&mut self.output.bytes, value);
    }

    #[inline]
    fn put_fixed64(&mut self, field: &Field, value: u64) {
        if !field.repeated {
            if value == 0 && !field.presence {
                return;
            }
            self.output.bytes.extend_from_slice(field.tag());
        }
        self.output.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Refuses the value that is next, for a field that takes something else.
    #[cold]
    fn wrong_type<T>(&mut self, expected: &'static str) -> Outcome<T> {
        let found = match self.cursor.peek()? {
            b'{' => "an object",
            b'[' => "an array",
            b'"' => "a string",
            b'-' | b'0'..=b'9' => "a number",
            b't' | b'f' => "a boolean",
            b'n' => "null",
            _ => {
                return fault(
                    self.cursor.offset(),
                    JsonErrorKind::Expected("a JSON value"),
                );
            }
        };
        fault(
            self.cursor.offset(),
            JsonErrorKind::WrongType { expected, found },
        )
    }
}

/// Standard base64, padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[inline]
fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
