//! What a policy would do to a request, value by value: for `redact test`.
//!
//! The engine that redacts is asked, by an editor around it that passes its answers on and tells
//! about those that change something. So what is told is what would happen.

use std::cell::RefCell;
use std::ops::Range;

use ident::Signal;
use otlp::CheckError;
use otlp::edit::{
    AttributeChange, BytesChange, Edited, Editor, End, NumberChange, Place, Text, TextChange,
    UnknownChange, ValueChange, Visit, edit,
};
use otlp::schema::Message;
use otlp::view::{KeyValue, Value};
use otlp::wire::{self, Raw};

use super::counts::Counts;
use super::engine::{Engine, LEVELS, Observer};
use super::locate::{Locator, range_of};
use super::policy::Policy;
use super::redactor::Redactor;
use super::shown::{Shown, bytes_text, new_value};

/// A value that a policy would change.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// The fields on the way to it, such as
    /// `resource_spans[0].scope_spans[0].spans[2].attributes["url.full"]`.
    pub path: String,
    /// What stands there: text as it is, lists and maps like JSON, other bytes in hexadecimal.
    pub before: String,
    /// What it becomes; `None` if it goes.
    pub after: Option<String>,
    /// What is done to it, in order.
    pub parts: Vec<Part>,
}

/// What one rule does to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The index of the rule in [`Policy::rules`].
    pub rule: usize,
    /// The word for what it does.
    pub action: &'static str,
    /// The bytes of [`Change::before`] that it is about, on character boundaries.
    pub range: Range<usize>,
}

impl std::fmt::Debug for Change {
    // Its values are what must not be seen.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Change");
        shown.field("parts", &self.parts).finish_non_exhaustive()
    }
}

/// Redacts a checked request as [`Redactor::redact`] does, and tells each value that changes, in
/// the order of the request.
///
/// # Errors
/// As [`Redactor::redact`].
pub fn explain(
    policy: &Policy,
    signal: Signal,
    request: &[u8],
    out: &mut Vec<u8>,
    counts: &mut Counts,
    each: &mut dyn FnMut(Change),
) -> Result<Edited, CheckError> {
    let done = RefCell::new(Vec::new());
    let recorder = Recorder {
        request,
        done: &done,
    };
    let mut redactor = Redactor::new();
    let mut explainer = Explainer {
        engine: redactor.engine(policy, signal, counts, recorder),
        teller: Teller {
            request,
            locator: Locator::new(signal, request),
            done: &done,
            around: std::array::from_fn(|_| 0..0),
            each,
        },
    };
    edit(signal, request, &mut explainer, out)
}

/// What a rule did, and to which bytes of the request.
type Done = (u16, &'static str, Option<Range<usize>>);

/// Notes what the engine does.
struct Recorder<'a> {
    request: &'a [u8],
    done: &'a RefCell<Vec<Done>>,
}

impl Observer for Recorder<'_> {
    fn changed(&mut self, rule: u16, action: &'static str, at: &[u8]) {
        let range = range_of(self.request, at);
        self.done.borrow_mut().push((rule, action, range));
    }
}

/// The engine, with its answers told.
struct Explainer<'a> {
    engine: Engine<'a, Recorder<'a>>,
    teller: Teller<'a>,
}

struct Teller<'a> {
    request: &'a [u8],
    locator: Locator<'a>,
    /// What the engine did since the last value that was told.
    done: &'a RefCell<Vec<Done>>,
    /// The bodies of the values that are walked, by depth: where numbers in them stand.
    around: [Range<usize>; LEVELS],
    each: &'a mut dyn FnMut(Change),
}

impl<'a> Teller<'a> {
    fn show(&self) -> Shown<'a> {
        Shown::new(self.request)
    }

    /// Tells about the message or text that `body` is.
    fn tell(&mut self, body: &[u8], before: Shown<'_>, after: Option<String>) {
        let range = range_of(self.request, body).unwrap_or(0..0);
        let path = self.locator.of_body(&range);
        self.tell_at(path, before, after);
    }

    fn tell_at(&mut self, path: String, before: Shown<'_>, after: Option<String>) {
        let done = std::mem::take(&mut *self.done.borrow_mut());
        let parts = done.into_iter().map(|(rule, action, range)| Part {
            rule: usize::from(rule),
            action,
            range: before.part(&range.unwrap_or(0..usize::MAX)),
        });
        let parts = parts.collect();
        (self.each)(Change {
            path,
            before: before.text,
            after,
            parts,
        });
    }
}

impl Editor for Explainer<'_> {
    /// At sight nothing is said, so that each attribute is shown.
    fn asks_about(&self, message: &'static Message) -> u32 {
        self.engine.asks_about(message)
    }

    fn message(&mut self, place: Place, body: &[u8]) -> Visit<'_> {
        self.engine.message(place, body)
    }

    fn leave(&mut self, place: Place, end: &mut End<'_>) {
        self.engine.leave(place, end);
    }

    fn attribute(&mut self, place: Place, attribute: KeyValue<'_>) -> AttributeChange<'_> {
        let answer = self.engine.attribute(place, attribute);
        let before = self.teller.show();
        let (before, after) = match &answer {
            AttributeChange::Keep | AttributeChange::Walk => return answer,
            AttributeChange::Drop => (before.value(attribute.value()), None),
            AttributeChange::Value(value) => {
                (before.value(attribute.value()), Some(new_value(value)))
            }
            AttributeChange::Replace(pair) => {
                let after = Shown::new(&[]).pair(KeyValue::new(pair));
                (before.pair(attribute), Some(after.text))
            }
        };
        self.teller.tell(attribute.body(), before, after);
        answer
    }

    fn value(&mut self, place: Place, body: &[u8]) -> ValueChange<'_> {
        let answer = self.engine.value(place, body);
        let after = match &answer {
            ValueChange::Keep => return answer,
            ValueChange::Walk => {
                let around = self.teller.around.get_mut(place.depth as usize + 1);
                if let (Some(around), Some(range)) = (around, range_of(self.teller.request, body)) {
                    *around = range;
                }
                return answer;
            }
            ValueChange::Drop => None,
            ValueChange::Replace(value) => Some(new_value(value)),
        };
        let before = self.teller.show().value(Value::new(body));
        self.teller.tell(body, before, after);
        answer
    }

    fn text(&mut self, place: Place, text: Text<'_>) -> TextChange<'_> {
        let answer = Editor::text(&mut self.engine, place, text);
        let after = match &answer {
            TextChange::Keep => return answer,
            TextChange::Drop => None,
            TextChange::Replace(text) => Some((*text).to_owned()),
        };
        let before = self.teller.show().text(text.as_bytes());
        self.teller.tell(text.as_bytes(), before, after);
        answer
    }

    fn bytes(&mut self, place: Place, bytes: &[u8]) -> BytesChange<'_> {
        let answer = self.engine.bytes(place, bytes);
        let after = match &answer {
            BytesChange::Keep => return answer,
            BytesChange::Drop => None,
            BytesChange::Replace(bytes) => Some(bytes_text(bytes)),
        };
        let before = self.teller.show().text(bytes);
        self.teller.tell(bytes, before, after);
        answer
    }

    fn number(&mut self, place: Place, number: u64) -> NumberChange {
        let answer = self.engine.number(place, number);
        if answer == NumberChange::Keep {
            return answer;
        }
        let value = match place.field.number {
            2 => Value::Bool(number != 0),
            4 => Value::Double(f64::from_bits(number)),
            _ => Value::Int(number as i64),
        };
        // The engine only ever drops one: its field cannot hold what would take its place.
        let around = self.teller.around.get(place.depth as usize).cloned();
        let path = self.teller.locator.of_body(&around.unwrap_or(0..0));
        let path = format!("{path}.{}", place.field.name);
        let before = self.teller.show().value(value);
        self.teller.tell_at(path, before, None);
        answer
    }

    fn unknown(&mut self, inside: &'static Message, field: wire::Field<'_>) -> UnknownChange {
        let answer = self.engine.unknown(inside, field);
        if answer == UnknownChange::Keep {
            return answer;
        }
        let text = match field.value {
            Raw::Bytes(body) if std::str::from_utf8(body).is_ok() => body,
            _ => field.bytes,
        };
        let before = self.teller.show().text(text);
        let range = range_of(self.teller.request, field.bytes).unwrap_or(0..0);
        let path = self.teller.locator.of_field(&range);
        self.teller.tell_at(path, before, None);
        answer
    }
}
