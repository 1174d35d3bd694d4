//! What a policy would do to a request, change by change: for `redact test`.

use std::fmt::Write;
use std::ops::Range;

use ident::Signal;
use otlp::CheckError;
use otlp::schema::{self, Kind, Message, MessageId};
use otlp::view::KeyValue;
use otlp::wire::{Fields, Raw};

use super::counts::Counts;
use super::engine::Observer;
use super::policy::Policy;
use super::redactor::Redactor;

/// One change that a policy would make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The fields on the way to it, such as
    /// `resource_spans[0].scope_spans[0].spans[2].attributes["url.full"].value.string_value`.
    pub path: String,
    /// The index of the rule in [`Policy::rules`].
    pub rule: usize,
    /// The word for what it does.
    pub action: &'static str,
    /// The bytes of the request that it is about, before the change.
    pub range: Range<usize>,
}

struct Recorder {
    base: usize,
    len: usize,
    changes: Vec<(u16, &'static str, Range<usize>)>,
}

impl Observer for Recorder {
    fn changed(&mut self, rule: u16, action: &'static str, at: &[u8]) {
        let start = (at.as_ptr() as usize).wrapping_sub(self.base);
        // What was not a part of the request stands nowhere.
        let range = if start.saturating_add(at.len()) <= self.len {
            start..start + at.len()
        } else {
            0..0
        };
        self.changes.push((rule, action, range));
    }
}

/// What `policy` would do to a checked request, in the order of the request.
///
/// # Errors
/// As [`Redactor::redact`].
pub fn explain(policy: &Policy, signal: Signal, bytes: &[u8]) -> Result<Vec<Change>, CheckError> {
    let recorder = Recorder {
        base: bytes.as_ptr() as usize,
        len: bytes.len(),
        changes: Vec::new(),
    };
    let (mut out, mut counts) = (Vec::new(), Counts::new(policy));
    let (_, recorder) =
        Redactor::new().run(policy, signal, bytes, &mut out, &mut counts, recorder)?;
    let changes = recorder
        .changes
        .into_iter()
        .map(|(rule, action, range)| Change {
            path: path(signal, bytes, &range),
            rule: usize::from(rule),
            action,
            range,
        });
    Ok(changes.collect())
}

/// The fields around a range of a request, from the outermost to the last that holds all of it.
fn path(signal: Signal, bytes: &[u8], range: &Range<usize>) -> String {
    let mut path = String::new();
    let mut message = schema::request(signal);
    let mut body = 0..bytes.len();
    while let Some((step, next, inner)) = step(message, bytes, &body, range) {
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&step);
        let Some(next) = next else { break };
        if inner == *range && next.id == MessageId::KeyValue {
            break;
        }
        (message, body) = (next, inner);
    }
    path
}

/// The field of a message that holds the range: its name, the message it is, and its body.
fn step(
    message: &Message,
    bytes: &[u8],
    body: &Range<usize>,
    range: &Range<usize>,
) -> Option<(String, Option<&'static Message>, Range<usize>)> {
    let mut indices = [0u32; 32];
    let mut at = body.start;
    for field in Fields::new(bytes.get(body.clone())?) {
        let end = at + field.bytes.len();
        let index = indices.get_mut(field.number as usize).map(|index| {
            *index += 1;
            *index - 1
        });
        if !(at <= range.start && range.end <= end) {
            at = end;
            continue;
        }
        let Some(known) = message.field(field.number) else {
            return Some((format!("(field {})", field.number), None, at..end));
        };
        let Raw::Bytes(inner) = field.value else {
            return Some((known.name.to_owned(), None, at..end));
        };
        let next = match known.kind {
            Kind::Message(next) => Some(next),
            _ => None,
        };
        let mut name = known.name.to_owned();
        if next.is_some_and(|next| next.id == MessageId::KeyValue) {
            let key = KeyValue::new(inner).key();
            let _ = write!(name, "[{key:?}]");
        } else if known.repeated {
            let _ = write!(name, "[{}]", index.unwrap_or(0));
        }
        return Some((name, next, end - inner.len()..end));
    }
    None
}
