//! Rewriting a request while dropping, replacing or adding fields.
//!
//! [`edit`] walks a request and asks an [`Editor`] about each field. What the editor keeps is
//! copied in runs as large as possible, byte for byte and in its order, unknown fields included;
//! lengths around a change are encoded anew. Nothing is decoded into trees, nothing is allocated
//! for an item, and a request in which nothing changes is not even copied.
//!
//! The walk is driven by [`crate::schema`]: every field that it names reaches exactly one of the
//! editor's questions, every time that it occurs, however deep in values (REDACT-FIRST rests on
//! this), but for those of which [`Editor::asks_about`] says that they stay:
//!
//! | field | question |
//! |---|---|
//! | `KeyValue` | [`Editor::settled`] and [`Editor::at_sight`] unless it is in a value, [`Editor::attribute`], then its fields |
//! | `AnyValue` | [`Editor::value`], then its fields |
//! | another message | [`Editor::message`], then its fields, then [`Editor::leave`] |
//! | `string` | [`Editor::text`] |
//! | `bytes`, ids among them | [`Editor::bytes`] |
//! | a number, truth value or enum | [`Editor::number`] |
//! | packed numbers | [`Editor::packed`] |
//! | an `ArrayValue` or `KeyValueList` | none of its own: its elements are asked about |
//! | what the schema does not name | [`Editor::unknown`] |
//!
//! ```
//! use otlp::edit::{AttributeChange, Editor, Place, edit};
//! use otlp::{Signal, view::KeyValue};
//!
//! /// Drops every attribute `enduser.id`, wherever it stands.
//! struct Forget;
//!
//! impl Editor for Forget {
//!     fn attribute(&mut self, _: Place, attribute: KeyValue<'_>) -> AttributeChange<'_> {
//!         match attribute.key_bytes() {
//!             b"enduser.id" => AttributeChange::Drop,
//!             _ => AttributeChange::Walk,
//!         }
//!     }
//! }
//!
//! # fn run(request: &[u8]) -> Result<(), otlp::CheckError> {
//! let mut out = Vec::new();
//! let edited = edit(Signal::Traces, request, &mut Forget, &mut out)?;
//! # let _ = edited; Ok(()) }
//! # run(&[]).unwrap();
//! ```
//!
//! What an editor writes is its own responsibility: the result is well formed again if the
//! replacements are (text is by its type; an id must have its length).

mod output;
mod pair;
mod retain;
mod step;
mod walk;

use crate::check::{self, CheckError};
use crate::schema::{self, Field, Message};
use crate::view::KeyValue;
use crate::{Signal, wire};
pub use output::{End, Row};
pub use retain::{KeepItems, retain, retain_in};

/// Where in OTLP a field stands.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The nearest message around the field that is not part of a value: a span, a resource, a
    /// data point… For a field of such a message, the message itself.
    pub owner: &'static Message,
    /// The field of the owner in which it is: `attributes`, `body`… For a field of the owner,
    /// that field.
    pub origin: &'static Field,
    /// The message that the field belongs to.
    pub message: &'static Message,
    /// The field.
    pub field: &'static Field,
    /// How many values it is in: 0 outside, 1 in an attribute's value, 2 in an element of that…
    pub depth: u32,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Visit<'e> {
    /// It stays, and its fields are asked about.
    Walk,
    /// It stays as it is, unseen.
    Keep,
    /// It goes.
    Drop,
    /// Its body becomes these bytes.
    Replace(&'e [u8]),
}

/// What becomes of an attribute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AttributeChange<'e> {
    /// It stays, and its fields are asked about.
    Walk,
    /// It stays as it is, unseen.
    Keep,
    /// It goes.
    Drop,
    /// Its value becomes this one; its key and what else it has stay.
    Value(NewValue<'e>),
    /// Its body, a `KeyValue` message, becomes these bytes.
    Replace(&'e [u8]),
}

/// What becomes of an attribute by its bytes alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sight<'e> {
    /// That is not known yet.
    Ask,
    /// It stays as it is, unseen.
    Keep,
    /// It goes.
    Drop,
    /// Its value becomes this one; its key and what else it has stay.
    Value(NewValue<'e>),
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueChange<'e> {
    /// It stays, and what is in it is asked about.
    Walk,
    /// It stays as it is, unseen.
    Keep,
    /// It goes.
    Drop,
    /// It becomes this one.
    Replace(NewValue<'e>),
}

/// What becomes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextChange<'e> {
    /// It stays.
    Keep,
    /// The field goes.
    Drop,
    /// It becomes this one.
    Replace(&'e str),
}

/// What becomes of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BytesChange<'e> {
    /// They stay.
    Keep,
    /// The field goes.
    Drop,
    /// They become these.
    Replace(&'e [u8]),
}

/// What becomes of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberChange {
    /// It stays.
    Keep,
    /// The field goes.
    Drop,
    /// It becomes this one, in the form of [`Editor::number`].
    Replace(u64),
}

/// What becomes of an unknown field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownChange {
    /// It stays, byte for byte.
    Keep,
    /// It goes.
    Drop,
}

/// A value to write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NewValue<'e> {
    /// Text.
    String(&'e str),
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Bytes.
    Bytes(&'e [u8]),
    /// The body of an `AnyValue` message.
    Encoded(&'e [u8]),
}

/// A text of a request, not yet known to be UTF-8 by its type.
#[derive(Clone, Copy)]
pub struct Text<'a>(pub(crate) &'a [u8]);

impl<'a> Text<'a> {
    /// Its bytes, at no cost.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The text; `None` only in a request that was not checked.
    pub fn as_str(self) -> Option<&'a str> {
        std::str::from_utf8(self.0).ok()
    }
}

impl std::fmt::Debug for Text<'_> {
    // Telemetry is not for log lines.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes of text", self.0.len())
    }
}

/// Decides about each field of a request. Each question has the answer that changes nothing.
pub trait Editor {
    /// Which fields of a message are asked about, when they are in no value: a bit for each field's
    /// number. The others stay: strings, bytes and numbers cost a step over them each; messages are
    /// walked without [`Editor::message`] and [`Editor::leave`]. Attributes, values and unknown
    /// fields are always asked about.
    #[inline(always)]
    fn asks_about(&self, message: &'static Message) -> u32 {
        let _ = message;
        u32::MAX
    }

    /// A message that is no attribute and no value: resource, scope, span, event, link, status,
    /// metric, data point, exemplar, log record, entity reference, and the groups around them.
    fn message(&mut self, place: Place, body: &[u8]) -> Visit<'_> {
        let _ = (place, body);
        Visit::Walk
    }

    /// The end of a message that was walked. Here fields can be added to it, or it can go after
    /// all.
    fn leave(&mut self, place: Place, end: &mut End<'_>) {
        let _ = (place, end);
    }

    /// How many bytes of `rest` are attributes of which it is known what becomes: they stay, but for
    /// those that are taken out of the `row`, which begins as `rest` does. `rest` begins with an
    /// attribute of the message, with its `tag`, and goes on to the end of the message. The
    /// attribute behind them, if there is one, is the next that is asked about.
    #[inline(always)]
    fn settled(
        &mut self,
        owner: &'static Message,
        tag: u8,
        rest: &[u8],
        row: &mut Row<'_, '_, '_>,
    ) -> usize {
        let _ = (owner, tag, rest, row);
        0
    }

    /// A first look at an attribute of a message, before all questions. Where this asks,
    /// [`Editor::attribute`] is asked next, about the same one. Attributes are most of a request;
    /// an editor that knows most of them says so here at the least cost.
    #[inline(always)]
    fn at_sight(&mut self, owner: &'static Message, pair: &[u8]) -> Sight<'_> {
        let _ = (owner, pair);
        Sight::Ask
    }

    /// An attribute, or an entry of a map in a value.
    fn attribute(&mut self, place: Place, attribute: KeyValue<'_>) -> AttributeChange<'_> {
        let _ = (place, attribute);
        AttributeChange::Walk
    }

    /// A value: of an attribute that is walked, of a log record's body, of an array's element.
    /// [`crate::view::Value::new`] reads the body.
    fn value(&mut self, place: Place, body: &[u8]) -> ValueChange<'_> {
        let _ = (place, body);
        ValueChange::Walk
    }

    /// A text: a name, a key, a status message, a trace state, a schema URL, a value…
    fn text(&mut self, place: Place, text: Text<'_>) -> TextChange<'_> {
        let _ = (place, text);
        TextChange::Keep
    }

    /// Bytes: a value, a trace id, a span id.
    fn bytes(&mut self, place: Place, bytes: &[u8]) -> BytesChange<'_> {
        let _ = (place, bytes);
        BytesChange::Keep
    }

    /// A number, truth value or enum, as it stands on the wire: floating-point numbers as their
    /// bits, `sint32` in zigzag. Repeated numbers that are not packed come one by one.
    fn number(&mut self, place: Place, number: u64) -> NumberChange {
        let _ = (place, number);
        NumberChange::Keep
    }

    /// Repeated numbers, packed.
    fn packed(&mut self, place: Place, packed: &[u8]) -> BytesChange<'_> {
        let _ = (place, packed);
        BytesChange::Keep
    }

    /// A field that the schema does not name, in the message `inside`.
    fn unknown(&mut self, inside: &'static Message, field: wire::Field<'_>) -> UnknownChange {
        let _ = (inside, field);
        UnknownChange::Keep
    }
}

/// What an edit came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Edited {
    /// Nothing changed: the request is the result, and the output is empty.
    Unchanged,
    /// The output holds the result.
    Changed,
}

/// Rewrites a checked request of `signal` into `out`, which is cleared first and best reused.
///
/// # Errors
/// If the bytes are malformed where the walk went; the content of `out` is then of no use.
pub fn edit<E: Editor>(
    signal: Signal,
    bytes: &[u8],
    editor: &mut E,
    out: &mut Vec<u8>,
) -> Result<Edited, CheckError> {
    out.clear();
    walk::walk(schema::request(signal), bytes, editor, out)
        .ok_or_else(|| check::explain(signal, bytes))
}
