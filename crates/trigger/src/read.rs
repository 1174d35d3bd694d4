//! What is read of spans and log records, on their wire bytes (NO-TREE).

use otlp::view::{KeyValue, Value, resource_attributes};
use otlp::wire::{Fields, Raw, bodies};

/// How much of a text is looked at.
const TEXT_BYTES: usize = 64 << 10;
/// How deep a body's lists and maps are followed, as deep as the check lets them be.
const DEPTH: usize = otlp::MAX_VALUE_DEPTH as usize;

/// What one span says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SpanFacts {
    pub failed: bool,
    pub root: bool,
    pub nanos: u64,
}

/// The `service.name` of a `ResourceSpans` or `ResourceLogs`, if incidents can be about it.
pub(crate) fn service(group: &[u8]) -> Option<&str> {
    let found = resource_attributes(group).find(|pair| pair.key_bytes() == b"service.name")?;
    match found.value() {
        Value::String(name) => {
            let name = name.trim();
            let good = (1..=256).contains(&name.len()) && !name.chars().any(char::is_control);
            good.then_some(name)
        }
        _ => None,
    }
}

/// Reads a span's facts in one pass.
pub(crate) fn span(span: &[u8]) -> SpanFacts {
    let (mut root, mut failed) = (true, false);
    let (mut start, mut end, mut status) = (0, 0, 0);
    for field in Fields::new(span) {
        match (field.number, field.value) {
            (4, Raw::Bytes(parent)) => root = parent.is_empty(),
            (7, Raw::Fixed64(nanos)) => start = nanos,
            (8, Raw::Fixed64(nanos)) => end = nanos,
            (9, Raw::Bytes(pair)) => failed |= is_error_type(pair),
            (15, Raw::Bytes(body)) => {
                // Occurrences of a message merge.
                for field in Fields::new(body) {
                    if let (3, Raw::Varint(code)) = (field.number, field.value) {
                        status = code;
                    }
                }
            }
            _ => {}
        }
    }
    SpanFacts {
        failed: failed || status == 2,
        root,
        nanos: if start == 0 {
            0
        } else {
            end.saturating_sub(start)
        },
    }
}

fn is_error_type(pair: &[u8]) -> bool {
    let pair = KeyValue::new(pair);
    pair.key_bytes() == b"error.type"
        && match pair.value() {
            Value::String(kind) => !kind.is_empty(),
            Value::Empty => false,
            _ => true,
        }
}

/// Whether a text of a log record's body is one.
pub(crate) fn body_has(record: &[u8], mut is: impl FnMut(&[u8]) -> bool) -> bool {
    // The last one counts, as for `view::LogRecord::body`, but for lists in several parts.
    let body = bodies(record, 5).last();
    body.is_some_and(|body| has(Value::new(body), &mut is, DEPTH))
}

fn has(value: Value<'_>, is: &mut impl FnMut(&[u8]) -> bool, depth: usize) -> bool {
    match value {
        Value::String(text) => is(&text.as_bytes()[..text.len().min(TEXT_BYTES)]),
        Value::Array(_) | Value::Map(_) if depth == 0 => false,
        Value::Array(mut values) => values.any(|value| has(value, is, depth - 1)),
        Value::Map(mut pairs) => pairs.any(|pair| has(pair.value(), is, depth - 1)),
        _ => false,
    }
}
