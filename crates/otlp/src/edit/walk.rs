//! The walk of an edit, driven by the tables of [`crate::schema`].

use super::output::{AtEnd, End, Output, Row, put_value};
use super::pair::new_value;
use super::step::{over, tag};
use super::{AttributeChange, Sight, UnknownChange, ValueChange, Visit};
use super::{BytesChange, Edited, Editor, NumberChange, Place, Text, TextChange};
use crate::check::MAX_VALUE_DEPTH;
use crate::schema::{ANY_VALUE, Field, KEY_VALUE, Kind, Message, NONE, Op};
use crate::view::KeyValue;
use crate::wire::{self, Fields, put_varint};

/// `None` if the bytes are malformed where the walk went.
pub(super) fn walk<E: Editor>(
    request: &'static Message,
    bytes: &[u8],
    editor: &mut E,
    out: &mut Vec<u8>,
) -> Option<Edited> {
    let output = Output::new(bytes, out);
    let mut walk = Walk { editor, output };
    walk.message_fields(request, bytes)?;
    Some(if walk.output.finish() {
        Edited::Changed
    } else {
        Edited::Unchanged
    })
}

struct Walk<'s, 'o, 'e, E> {
    editor: &'e mut E,
    output: Output<'s, 'o>,
}

/// What a value belongs to.
#[derive(Clone, Copy)]
struct Owner {
    message: &'static Message,
    field: &'static Field,
    depth: u32,
}

/// One field of the source: where it begins, where its body does (after tag and length), where it
/// ends.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) tag: u32,
}

impl<'s, E: Editor> Walk<'s, '_, '_, E> {
    /// Walks the fields of a message that is in no value.
    fn message_fields(&mut self, message: &'static Message, body: &'s [u8]) -> Option<()> {
        let asked = self.editor.asks_about(message);
        let mut rest = body;
        while !rest.is_empty() {
            let (tag, after) = tag(rest)?;
            let is_asked = asked.checked_shr(tag >> 3).unwrap_or(1) & 1 != 0;
            if !is_asked && let Some(end) = over(message.leap(tag), after) {
                rest = end?;
                continue;
            }
            let entry = message.entry(tag);
            if !is_asked
                && matches!(entry.op, Op::Message | Op::Data)
                && let Some(inner) = message.child(entry.field)
            {
                let (body, end) = wire::delimited(after)?;
                if !body.is_empty() {
                    let (start, length) = (self.output.at(rest), self.output.at(after));
                    self.output.enter(start, length, self.output.at(body));
                    self.message_fields(inner, body)?;
                    self.output.leave(self.output.at(end));
                }
                rest = end;
                continue;
            }
            let Some(field) = message.fields.get(usize::from(entry.field)) else {
                debug_assert_eq!(entry.field, NONE);
                rest = self.unknown(message, rest)?;
                continue;
            };
            if entry.op == Op::Attribute {
                rest = self.attributes(message, field, tag, rest, after)?;
                continue;
            }
            let place = Place {
                owner: message,
                origin: field,
                message,
                field,
                depth: 0,
            };
            if entry.op == Op::String {
                let (text, end) = wire::delimited(after)?;
                let span = Span {
                    start: self.output.at(rest),
                    end: self.output.at(end),
                    tag,
                };
                self.text(place, text, span);
                rest = end;
                continue;
            }
            rest = self.field(place, entry.op, tag, rest, after)?;
        }
        Some(())
    }

    /// Walks the fields of a message that is a value or in one.
    fn value_fields(
        &mut self,
        message: &'static Message,
        body: &'s [u8],
        owner: Owner,
    ) -> Option<()> {
        let mut rest = body;
        while !rest.is_empty() {
            let (tag, after) = tag(rest)?;
            let entry = message.entry(tag);
            let Some(field) = message.fields.get(usize::from(entry.field)) else {
                rest = self.unknown(message, rest)?;
                continue;
            };
            let place = Place {
                owner: owner.message,
                origin: owner.field,
                message,
                field,
                depth: owner.depth,
            };
            rest = self.field(place, entry.op, tag, rest, after)?;
        }
        Some(())
    }

    /// Asks about one field, which begins with `rest`; `after` is what comes after its tag. Gives
    /// back what comes after the field.
    #[inline(never)]
    fn field(
        &mut self,
        place: Place,
        op: Op,
        tag: u32,
        rest: &'s [u8],
        after: &'s [u8],
    ) -> Option<&'s [u8]> {
        let start = self.output.at(rest);
        let (number, end) = match op {
            Op::Varint => wire::varint(after)?,
            Op::Fixed64 | Op::Time | Op::OtherTime => wire::fixed64(after)?,
            Op::Fixed32 => {
                let (number, end) = wire::fixed32(after)?;
                (u64::from(number), end)
            }
            Op::WrongWireType | Op::Group | Op::Invalid => return None,
            op => {
                let (inner, rest) = wire::delimited(after)?;
                let end = self.output.at(rest);
                let span = Span { start, end, tag };
                match op {
                    Op::String => self.text(place, inner, span),
                    Op::Bytes | Op::TraceId | Op::SpanId => {
                        let change = self.editor.bytes(place, inner);
                        bytes(&mut self.output, change, span);
                    }
                    Op::PackedFixed64 | Op::PackedVarint => {
                        let change = self.editor.packed(place, inner);
                        bytes(&mut self.output, change, span);
                    }
                    Op::Attribute => self.attribute(place, after, inner, span)?,
                    Op::Value => self.value(place, after, inner, span)?,
                    _ => self.message(place, after, inner, span)?,
                }
                return Some(rest);
            }
        };
        let span = Span {
            start,
            end: self.output.at(end),
            tag,
        };
        self.number(place, number, span);
        Some(end)
    }

    /// Attributes of a message, as long as they stand in a row: `rest` begins with the tag of one.
    /// Gives back what comes after them.
    #[inline(never)]
    fn attributes(
        &mut self,
        message: &'static Message,
        field: &'static Field,
        tag: u32,
        mut rest: &'s [u8],
        mut after: &'s [u8],
    ) -> Option<&'s [u8]> {
        loop {
            let mut row = Row {
                start: self.output.at(rest),
                output: &mut self.output,
            };
            let settled = self.editor.settled(message, tag as u8, rest, &mut row);
            if settled > 0 {
                rest = rest.get(settled..)?;
                match rest {
                    [next, behind @ ..] if u32::from(*next) == tag => after = behind,
                    _ => return Some(rest),
                }
            }
            let (pair, end) = wire::delimited(after)?;
            match self.editor.at_sight(message, pair) {
                Sight::Keep => {}
                Sight::Drop => {
                    let (start, end) = (self.output.at(rest), self.output.at(end));
                    self.output.replace(start, end);
                }
                Sight::Value(value) => {
                    let span = Span {
                        start: self.output.at(rest),
                        end: self.output.at(end),
                        tag,
                    };
                    new_value(&mut self.output, after, pair, span, value)?;
                }
                Sight::Ask => self.asked_attribute(message, field, tag, rest, after)?,
            }
            rest = end;
            match rest {
                [next, behind @ ..] if u32::from(*next) == tag => after = behind,
                _ => return Some(rest),
            }
        }
    }

    /// An attribute of which the editor did not say at sight what becomes of it.
    #[inline(never)]
    fn asked_attribute(
        &mut self,
        message: &'static Message,
        field: &'static Field,
        tag: u32,
        rest: &'s [u8],
        after: &'s [u8],
    ) -> Option<()> {
        let (pair, end) = wire::delimited(after)?;
        let place = Place {
            owner: message,
            origin: field,
            message,
            field,
            depth: 0,
        };
        let span = Span {
            start: self.output.at(rest),
            end: self.output.at(end),
            tag,
        };
        self.attribute(place, after, pair, span)
    }

    #[inline(always)]
    fn number(&mut self, place: Place, number: u64, span: Span) {
        match self.editor.number(place, number) {
            NumberChange::Keep => {}
            NumberChange::Drop => {
                self.output.replace(span.start, span.end);
            }
            NumberChange::Replace(number) => {
                let out = self.output.replace(span.start, span.end);
                put_varint(out, u64::from(span.tag));
                match span.tag & 7 {
                    0 => put_varint(out, number),
                    1 => out.extend_from_slice(&number.to_le_bytes()),
                    _ => out.extend_from_slice(&(number as u32).to_le_bytes()),
                }
            }
        }
    }

    #[inline(always)]
    fn text(&mut self, place: Place, text: &[u8], span: Span) {
        match self.editor.text(place, Text(text)) {
            TextChange::Keep => {}
            TextChange::Drop => {
                self.output.replace(span.start, span.end);
            }
            TextChange::Replace(text) => {
                let out = self.output.replace(span.start, span.end);
                wire::put_bytes(out, place.field.number, text.as_bytes());
            }
        }
    }

    #[inline(always)]
    fn attribute(
        &mut self,
        place: Place,
        length: &'s [u8],
        pair: &'s [u8],
        span: Span,
    ) -> Option<()> {
        match self.editor.attribute(place, KeyValue::new(pair)) {
            AttributeChange::Keep => {}
            AttributeChange::Drop => {
                self.output.replace(span.start, span.end);
            }
            AttributeChange::Replace(body) => {
                let out = self.output.replace(span.start, span.end);
                wire::put_bytes(out, place.field.number, body);
            }
            AttributeChange::Value(value) => {
                new_value(&mut self.output, length, pair, span, value)?;
            }
            AttributeChange::Walk => {
                let (length, body) = (self.output.at(length), self.output.at(pair));
                self.output.enter(span.start, length, body);
                let owner = Owner {
                    message: place.owner,
                    field: place.origin,
                    depth: place.depth,
                };
                self.value_fields(&KEY_VALUE, pair, owner)?;
                self.output.leave(span.end);
            }
        }
        Some(())
    }

    #[inline(always)]
    fn value(&mut self, place: Place, length: &'s [u8], body: &'s [u8], span: Span) -> Option<()> {
        match self.editor.value(place, body) {
            ValueChange::Keep => {}
            ValueChange::Drop => {
                self.output.replace(span.start, span.end);
            }
            ValueChange::Replace(value) => {
                let out = self.output.replace(span.start, span.end);
                put_value(out, place.field.number, value);
            }
            ValueChange::Walk => {
                let depth = place.depth + 1;
                if depth > MAX_VALUE_DEPTH {
                    return None;
                }
                let (length, at) = (self.output.at(length), self.output.at(body));
                self.output.enter(span.start, length, at);
                let owner = Owner {
                    message: place.owner,
                    field: place.origin,
                    depth,
                };
                self.value_fields(&ANY_VALUE, body, owner)?;
                self.output.leave(span.end);
            }
        }
        Some(())
    }

    fn message(
        &mut self,
        place: Place,
        length: &'s [u8],
        body: &'s [u8],
        span: Span,
    ) -> Option<()> {
        let Kind::Message(message) = place.field.kind else {
            return None;
        };
        if place.depth > 0 {
            // Arrays and maps are part of a value: they are walked and not asked about.
            let (length, at) = (self.output.at(length), self.output.at(body));
            self.output.enter(span.start, length, at);
            let owner = Owner {
                message: place.owner,
                field: place.origin,
                depth: place.depth,
            };
            self.value_fields(message, body, owner)?;
            self.output.leave(span.end);
            return Some(());
        }
        match self.editor.message(place, body) {
            Visit::Keep => {}
            Visit::Drop => {
                self.output.replace(span.start, span.end);
            }
            Visit::Replace(body) => {
                let out = self.output.replace(span.start, span.end);
                wire::put_bytes(out, place.field.number, body);
            }
            Visit::Walk => {
                let (length, at) = (self.output.at(length), self.output.at(body));
                self.output.enter(span.start, length, at);
                self.message_fields(message, body)?;
                if self.leave(place, message, span.end) {
                    self.output.forget(span.end);
                } else {
                    self.output.leave(span.end);
                }
            }
        }
        Some(())
    }

    /// Asks for additions; whether the message is to be forgotten.
    #[inline(always)]
    fn leave(&mut self, place: Place, message: &'static Message, at: usize) -> bool {
        let mut add = AtEnd {
            output: &mut self.output,
            end: at,
        };
        let mut end = End {
            message,
            add: &mut add,
            forget: false,
        };
        self.editor.leave(place, &mut end);
        end.forget
    }

    #[inline(never)]
    fn unknown(&mut self, inside: &'static Message, rest: &'s [u8]) -> Option<&'s [u8]> {
        let mut fields = Fields::new(rest);
        let field = fields.next()?;
        if self.editor.unknown(inside, field) == UnknownChange::Drop {
            let start = self.output.at(rest);
            self.output.replace(start, start + field.bytes.len());
        }
        Some(fields.rest())
    }
}

#[inline(always)]
fn bytes(output: &mut Output<'_, '_>, change: BytesChange<'_>, span: Span) {
    match change {
        BytesChange::Keep => {}
        BytesChange::Drop => {
            output.replace(span.start, span.end);
        }
        BytesChange::Replace(bytes) => {
            let out = output.replace(span.start, span.end);
            wire::put_bytes(out, span.tag >> 3, bytes);
        }
    }
}
