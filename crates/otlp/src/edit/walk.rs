//! The walk of an edit, driven by the tables of [`crate::schema`].

use super::output::{AtEnd, End, Output, put_value};
use super::{AttributeChange, UnknownChange, ValueChange, Visit};
use super::{BytesChange, Edited, Editor, NewValue, NumberChange, Place, Text, TextChange};
use crate::check::MAX_VALUE_DEPTH;
use crate::schema::{ANY_VALUE, Field, KEY_VALUE, Kind, Message, NONE, Op};
use crate::view::KeyValue;
use crate::wire::{self, Fields, Raw, put_varint};

/// `None` if the bytes are malformed where the walk went.
pub(super) fn walk<E: Editor>(
    request: &'static Message,
    bytes: &[u8],
    editor: &mut E,
    out: &mut Vec<u8>,
) -> Option<Edited> {
    let output = Output::new(bytes, out);
    let mut walk = Walk { editor, output };
    walk.fields(request, bytes, None)?;
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
struct Span {
    start: usize,
    end: usize,
    tag: u32,
}

impl<'s, E: Editor> Walk<'s, '_, '_, E> {
    /// Walks the fields of a message. `owner` is given inside of values.
    fn fields(
        &mut self,
        message: &'static Message,
        body: &'s [u8],
        owner: Option<Owner>,
    ) -> Option<()> {
        let mut rest = body;
        while !rest.is_empty() {
            let (tag, after) = wire::tag(rest)?;
            let entry = message.entry(tag);
            let Some(field) = message.fields.get(usize::from(entry.field)) else {
                debug_assert_eq!(entry.field, NONE);
                rest = self.unknown(message, rest)?;
                continue;
            };
            if entry.op == Op::Attribute && owner.is_none() {
                rest = self.attributes(message, field, tag, rest, after)?;
                continue;
            }
            if !E::ASKS_ABOUT_NUMBERS
                && owner.is_none()
                && let Some(end) = over_number(entry.op, after)
            {
                rest = end?;
                continue;
            }
            let place = match owner {
                None => Place {
                    owner: message,
                    origin: field,
                    message,
                    field,
                    depth: 0,
                },
                Some(owner) => Place {
                    owner: owner.message,
                    origin: owner.field,
                    message,
                    field,
                    depth: owner.depth,
                },
            };
            let start = self.output.at(rest);
            rest = match entry.op {
                Op::Varint => {
                    let (number, end) = wire::varint(after)?;
                    self.number(
                        place,
                        number,
                        Span {
                            start,
                            end: self.output.at(end),
                            tag,
                        },
                    );
                    end
                }
                Op::Fixed64 | Op::Time | Op::OtherTime => {
                    let (number, end) = wire::fixed64(after)?;
                    self.number(
                        place,
                        number,
                        Span {
                            start,
                            end: self.output.at(end),
                            tag,
                        },
                    );
                    end
                }
                Op::Fixed32 => {
                    let (number, end) = wire::fixed32(after)?;
                    let span = Span {
                        start,
                        end: self.output.at(end),
                        tag,
                    };
                    self.number(place, u64::from(number), span);
                    end
                }
                Op::WrongWireType | Op::Group | Op::Invalid => return None,
                op => {
                    let (inner, end) = wire::delimited(after)?;
                    let span = Span {
                        start,
                        end: self.output.at(end),
                        tag,
                    };
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
                    end
                }
            };
        }
        Some(())
    }

    /// Attributes of a message, as long as they stand in a row: `rest` begins with the tag of one,
    /// `after` what comes after the tag.
    #[inline(always)]
    fn attributes(
        &mut self,
        message: &'static Message,
        field: &'static Field,
        tag: u32,
        mut rest: &'s [u8],
        mut after: &'s [u8],
    ) -> Option<&'s [u8]> {
        loop {
            let (pair, end) = wire::delimited(after)?;
            if !self.editor.keeps(message, pair) {
                self.seen_attribute(message, field, tag, rest, after)?;
            }
            rest = end;
            match rest {
                [next, behind @ ..] if u32::from(*next) == tag => after = behind,
                _ => return Some(rest),
            }
        }
    }

    /// An attribute that the editor did not keep at first sight.
    #[inline(never)]
    fn seen_attribute(
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
                let (length, body) = (self.output.at(length), self.output.at(pair));
                self.output.enter(span.start, length, body);
                new_value(&mut self.output, pair, value)?;
                self.output.leave(span.end);
            }
            AttributeChange::Walk => {
                let (length, body) = (self.output.at(length), self.output.at(pair));
                self.output.enter(span.start, length, body);
                let owner = Owner {
                    message: place.owner,
                    field: place.origin,
                    depth: place.depth,
                };
                self.fields(&KEY_VALUE, pair, Some(owner))?;
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
                self.fields(&ANY_VALUE, body, Some(owner))?;
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
        // Arrays and maps are part of a value: they are walked and not asked about.
        let owner = (place.depth > 0).then_some(Owner {
            message: place.owner,
            field: place.origin,
            depth: place.depth,
        });
        let visit = if owner.is_some() {
            Visit::Walk
        } else {
            self.editor.message(place, body)
        };
        match visit {
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
                self.fields(message, body, owner)?;
                if owner.is_none() && self.leave(place, message, span.end) {
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

/// Steps over a number, an id or bytes; `None` for a field that is none of them.
#[inline(always)]
fn over_number(op: Op, after: &[u8]) -> Option<Option<&[u8]>> {
    Some(match op {
        Op::Varint => wire::varint(after).map(|(_, end)| end),
        Op::Fixed64 | Op::Time | Op::OtherTime => wire::fixed64(after).map(|(_, end)| end),
        Op::Fixed32 => wire::fixed32(after).map(|(_, end)| end),
        Op::Bytes | Op::TraceId | Op::SpanId | Op::PackedFixed64 | Op::PackedVarint => {
            wire::delimited(after).map(|(_, end)| end)
        }
        _ => return None,
    })
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

/// Puts a value in the place of those that the pair has; its other fields stay.
fn new_value(output: &mut Output<'_, '_>, pair: &[u8], value: NewValue<'_>) -> Option<()> {
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
