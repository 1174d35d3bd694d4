//! The output of an edit: copies what is kept in runs, and encodes lengths anew where they change.
//!
//! Messages that are open are only noted. With the first change inside them, their beginnings are
//! copied with the old length in its place; when they close, the new length is put there. So a
//! message without a change costs nothing, and one with changes costs moving its bytes only if
//! its length gets shorter or longer as a varint. What stands between two changes is copied at
//! once, with the ends and beginnings of messages that are in it.

use super::NewValue;
use crate::schema::Message;
use crate::wire::{self, put_bytes, put_varint, varint_len};

/// A message that is being walked.
struct Open {
    /// Where its field begins in the source, where its length, where its body.
    field: usize,
    length: usize,
    body: usize,
    /// Where its body begins in the output; known once it is changed.
    out_body: usize,
}

pub(super) struct Output<'s, 'o> {
    source: &'s [u8],
    out: &'o mut Vec<u8>,
    /// All of the source before this is dealt with.
    copied: usize,
    open: Vec<Open>,
    /// How many of the open messages are changed: always the outer ones.
    changed: usize,
    any_change: bool,
}

impl<'s, 'o> Output<'s, 'o> {
    pub(super) fn new(source: &'s [u8], out: &'o mut Vec<u8>) -> Self {
        let open = Vec::with_capacity(16);
        Output {
            source,
            out,
            copied: 0,
            open,
            changed: 0,
            any_change: false,
        }
    }

    /// Where a slice of the source begins.
    #[inline(always)]
    pub(super) fn at(&self, slice: &[u8]) -> usize {
        (slice.as_ptr() as usize).wrapping_sub(self.source.as_ptr() as usize)
    }

    /// A message begins: its field, its length and its body are at these places.
    #[inline(always)]
    pub(super) fn enter(&mut self, field: usize, length: usize, body: usize) {
        self.open.push(Open {
            field,
            length,
            body,
            out_body: 0,
        });
    }

    /// The innermost message ends at this place of the source.
    #[inline(always)]
    pub(super) fn leave(&mut self, end: usize) {
        let is_changed = self.changed == self.open.len();
        if let Some(open) = self.open.pop()
            && is_changed
        {
            self.close(&open, end);
        }
    }

    /// Puts the new length of a message where the old one was copied to.
    #[inline]
    fn close(&mut self, open: &Open, end: usize) {
        self.changed = self.open.len();
        let body = open.out_body;
        // What is not yet copied of it is copied together with what comes behind it.
        let len = self.out.len() + (end - self.copied) - body;
        let old_width = open.body - open.length;
        let width = varint_len(len as u64);
        let start = body - old_width;
        match self.out.get_mut(start..body) {
            Some([one]) if width == 1 => *one = len as u8,
            Some([low, high]) if width == 2 => {
                *low = len as u8 | 0x80;
                *high = (len >> 7) as u8;
            }
            _ => self.close_at(start, body, len, end),
        }
    }

    /// The same for a length that is longer, or of another width than before.
    #[inline(never)]
    fn close_at(&mut self, start: usize, body: usize, len: usize, end: usize) {
        let old_width = body - start;
        let width = varint_len(len as u64);
        if width != old_width {
            self.copy_to(end);
        }
        match width.cmp(&old_width) {
            std::cmp::Ordering::Less => {
                self.out.copy_within(body.., start + width);
                self.out.truncate(start + width + len);
            }
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => {
                self.out.resize(start + width + len, 0);
                self.out.copy_within(body..body + len, start + width);
            }
        }
        let mut rest = len;
        for (i, byte) in self.out[start..start + width].iter_mut().enumerate() {
            *byte = rest as u8 & 0x7f | if i + 1 < width { 0x80 } else { 0 };
            rest >>= 7;
        }
    }

    /// What stands from `start` to `end` in the innermost message goes; what the caller appends
    /// to the output given back stands there instead.
    #[inline(always)]
    pub(super) fn replace(&mut self, start: usize, end: usize) -> &mut Vec<u8> {
        if !self.any_change {
            self.any_change = true;
            self.out.reserve(self.source.len());
        }
        if self.changed < self.open.len() {
            self.change();
        }
        self.copy_to(start);
        self.copied = end;
        self.out
    }

    /// Notes where the beginnings of all open messages are copied to: they stand in the run that is
    /// copied next.
    fn change(&mut self) {
        for open in self.open.iter_mut().skip(self.changed) {
            open.out_body = self.out.len() + (open.body - self.copied);
        }
        self.changed = self.open.len();
    }

    /// The innermost message goes as a whole, whatever was written of it. It ends at this place.
    pub(super) fn forget(&mut self, end: usize) {
        let Some(open) = self.open.pop() else {
            return;
        };
        if self.changed > self.open.len() {
            self.changed = self.open.len();
            self.out.truncate(open.out_body - (open.body - open.field));
            self.copied = end;
        } else {
            self.replace(open.field, end);
        }
    }

    #[inline(always)]
    fn copy_to(&mut self, end: usize) {
        if let Some(run) = self.source.get(self.copied..end) {
            self.out.extend_from_slice(run);
            self.copied = end;
        }
    }

    /// Ends the output; whether anything changed.
    pub(super) fn finish(mut self) -> bool {
        if self.any_change {
            self.copy_to(self.source.len());
        }
        self.any_change
    }
}

/// Takes attributes out of a row.
pub struct Row<'w, 's, 'o> {
    pub(super) output: &'w mut Output<'s, 'o>,
    /// Where the row begins.
    pub(super) start: usize,
}

impl Row<'_, '_, '_> {
    /// The field from `start` to `end` in the row goes. Fields are to be dropped in their order.
    #[inline(always)]
    pub fn drop_field(&mut self, start: usize, end: usize) {
        debug_assert!(start < end && self.output.copied <= self.start + start);
        self.output.replace(self.start + start, self.start + end);
    }
}

/// The place before the end of a message, hiding the lifetimes of the output.
pub(super) trait Addition {
    /// What is appended to this stands there.
    fn out(&mut self) -> &mut Vec<u8>;
}

pub(super) struct AtEnd<'w, 's, 'o> {
    pub(super) output: &'w mut Output<'s, 'o>,
    pub(super) end: usize,
}

impl Addition for AtEnd<'_, '_, '_> {
    fn out(&mut self) -> &mut Vec<u8> {
        self.output.replace(self.end, self.end)
    }
}

/// The end of a message that was walked: the place to add fields to it.
pub struct End<'w> {
    pub(super) message: &'static Message,
    pub(super) add: &'w mut dyn Addition,
    pub(super) forget: bool,
}

impl End<'_> {
    /// Which message ends.
    pub fn message(&self) -> &'static Message {
        self.message
    }

    /// Adds an attribute, after those that the message has. False for a message that bears none.
    pub fn add_attribute(&mut self, key: &str, value: NewValue<'_>) -> bool {
        let Some(field) = self.message.attributes_field() else {
            return false;
        };
        let out = self.add.out();
        let key_len = 1 + varint_len(key.len() as u64) + key.len();
        let pair_len = key_len + field_len(value);
        put_varint(out, u64::from(field.number) << 3 | u64::from(wire::BYTES));
        put_varint(out, pair_len as u64);
        put_bytes(out, 1, key.as_bytes());
        put_value(out, 2, value);
        true
    }

    /// Adds a length-delimited field: a text, bytes, or the body of a message.
    pub fn add_field(&mut self, number: u32, body: &[u8]) {
        put_bytes(self.add.out(), number, body);
    }

    /// Lets the message go after all, with everything that was written of it.
    pub fn drop_message(&mut self) {
        self.forget = true;
    }
}

/// How many bytes a field of a number below 16 takes that holds this `AnyValue`.
pub(super) fn field_len(value: NewValue<'_>) -> usize {
    let value_len = value.encoded_len();
    1 + varint_len(value_len as u64) + value_len
}

/// Appends a field that holds an `AnyValue`.
pub(super) fn put_value(out: &mut Vec<u8>, number: u32, value: NewValue<'_>) {
    put_varint(out, u64::from(number) << 3 | u64::from(wire::BYTES));
    put_varint(out, value.encoded_len() as u64);
    match value {
        NewValue::String(text) => put_bytes(out, 1, text.as_bytes()),
        NewValue::Bool(truth) => out.extend_from_slice(&[2 << 3, u8::from(truth)]),
        NewValue::Int(number) => {
            out.push(3 << 3);
            put_varint(out, number as u64);
        }
        NewValue::Double(number) => {
            out.push(4 << 3 | 1);
            out.extend_from_slice(&number.to_le_bytes());
        }
        NewValue::Bytes(bytes) => put_bytes(out, 7, bytes),
        NewValue::Encoded(body) => out.extend_from_slice(body),
    }
}

impl NewValue<'_> {
    fn encoded_len(&self) -> usize {
        match self {
            NewValue::String(text) => 1 + varint_len(text.len() as u64) + text.len(),
            NewValue::Bool(_) => 2,
            NewValue::Int(number) => 1 + varint_len(*number as u64),
            NewValue::Double(_) => 9,
            NewValue::Bytes(bytes) => 1 + varint_len(bytes.len() as u64) + bytes.len(),
            NewValue::Encoded(body) => body.len(),
        }
    }
}
