//! Values as people read them, with where in the request each part of the text comes from.

use std::fmt::Write;
use std::ops::Range;

use otlp::edit::NewValue;
use otlp::view::{KeyValue, Value};

use super::json_text::quote;
use super::locate::range_of;

/// A text that shows something of a request.
pub(super) struct Shown<'a> {
    request: &'a [u8],
    pub(super) text: String,
    /// Where in the request parts of the text stand as they are, and where in the text.
    same: Vec<(Range<usize>, usize)>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(request: &'a [u8]) -> Self {
        Shown {
            request,
            text: String::new(),
            same: Vec::new(),
        }
    }

    /// A text of the request.
    pub(super) fn text(mut self, text: &[u8]) -> Self {
        match std::str::from_utf8(text) {
            Ok(text) => self.same(text),
            Err(_) => hex(text, &mut self.text),
        }
        self
    }

    pub(super) fn value(mut self, value: Value<'_>) -> Self {
        match value {
            Value::Empty => {}
            Value::String(text) => self.same(text),
            Value::Bytes(bytes) => return self.text(bytes),
            other => put(other, &mut self.text),
        }
        self
    }

    /// Key and value.
    pub(super) fn pair(mut self, pair: KeyValue<'_>) -> Self {
        self.same(pair.key());
        self.text.push_str(": ");
        self.value(pair.value())
    }

    fn same(&mut self, text: &str) {
        if let Some(range) = range_of(self.request, text.as_bytes()) {
            self.same.push((range, self.text.len()));
        }
        self.text.push_str(text);
    }

    /// Where in the text some bytes of the request are; all of it if that cannot be told.
    pub(super) fn part(&self, range: &Range<usize>) -> Range<usize> {
        let holds =
            |same: &&(Range<usize>, usize)| same.0.start <= range.start && range.end <= same.0.end;
        let part = self.same.iter().find(holds).map(|(same, at)| {
            let start = at + (range.start - same.start);
            start..start + range.len()
        });
        part.filter(|part| self.text.get(part.clone()).is_some())
            .unwrap_or(0..self.text.len())
    }
}

/// A value that takes another's place.
pub(super) fn new_value(value: &NewValue<'_>) -> String {
    match *value {
        NewValue::String(text) => text.to_owned(),
        NewValue::Bool(truth) => truth.to_string(),
        NewValue::Int(number) => number.to_string(),
        NewValue::Double(number) => number.to_string(),
        NewValue::Bytes(bytes) => bytes_text(bytes),
        NewValue::Encoded(body) => Shown::new(&[]).value(Value::new(body)).text,
    }
}

/// Text as it is, other bytes in hexadecimal digits.
pub(super) fn bytes_text(bytes: &[u8]) -> String {
    Shown::new(&[]).text(bytes).text
}

/// Writes a value like JSON. Values nest at most [`otlp::MAX_VALUE_DEPTH`] deep in what was
/// checked.
fn put(value: Value<'_>, out: &mut String) {
    match value {
        Value::Empty => out.push_str("null"),
        Value::String(text) => quote(text, out),
        // Writing to a string does not fail.
        Value::Bool(truth) => drop(write!(out, "{truth}")),
        Value::Int(number) => drop(write!(out, "{number}")),
        Value::Double(number) => drop(write!(out, "{number}")),
        Value::StringIndex(index) => drop(write!(out, "(string {index})")),
        Value::Bytes(bytes) => quote(&bytes_text(bytes), out),
        Value::Array(values) => {
            out.push('[');
            for (at, value) in values.enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                put(value, out);
            }
            out.push(']');
        }
        Value::Map(pairs) => {
            out.push('{');
            for (at, pair) in pairs.enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                quote(pair.key(), out);
                out.push_str(": ");
                put(pair.value(), out);
            }
            out.push('}');
        }
    }
}

fn hex(bytes: &[u8], out: &mut String) {
    out.push_str("0x");
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}
