//! What JSON needs to know of a message beyond [`schema`](crate::schema): the names of its fields
//! as JSON writes them, which fields have presence, the names of enum values.
//!
//! Derived from the schema once a process; one engine serves every message from it.

use super::enums;
use crate::schema::{self, Kind, MESSAGES, MessageId};
use crate::wire;
use std::sync::LazyLock;

/// A field as JSON has it.
pub(super) struct Field {
    pub(super) number: u32,
    /// Its tag as it stands on the wire; for repeated numbers that of the packed form.
    tag: [u8; 2],
    tag_len: u8,
    /// `lowerCamelCase`: what is written, and read.
    pub(super) name: Box<str>,
    /// `snake_case`, the name in the `.proto` file: read as well.
    pub(super) original: &'static str,
    /// `"name":`.
    pub(super) label: Box<str>,
    pub(super) kind: Kind,
    pub(super) repeated: bool,
    pub(super) oneof: bool,
    /// Whether it is on the wire even where it has its default value: `optional`, or in a oneof.
    pub(super) presence: bool,
    /// The message of this field, where it is one.
    pub(super) message: MessageId,
    /// The enum of this field, where it is one.
    pub(super) enumeration: enums::Names,
}

impl Field {
    #[inline]
    pub(super) fn tag(&self) -> &[u8] {
        &self.tag[..usize::from(self.tag_len)]
    }

    #[inline]
    pub(super) fn is_message(&self) -> bool {
        matches!(self.kind, Kind::Message(_))
    }

    /// Whether many values stand in one length-delimited field.
    pub(super) fn packed(&self) -> bool {
        self.repeated && self.kind.wire_type() != wire::BYTES
    }
}

/// A message as JSON has it.
pub(super) struct Message {
    pub(super) id: MessageId,
    /// By number, as in the schema: the indices are the same.
    pub(super) fields: Box<[Field]>,
    pub(super) schema: &'static schema::Message,
}

impl Message {
    /// The field of this name and its index. `hint` is where to look first: fields mostly come in
    /// one order.
    #[inline]
    pub(super) fn find(&self, name: &[u8], hint: usize) -> Option<(usize, &Field)> {
        let (before, after) = self.fields.split_at_checked(hint)?;
        let in_turn = || (hint..).zip(after).chain((0..).zip(before));
        in_turn()
            .find(|(_, field)| field.name.as_bytes() == name)
            .or_else(|| in_turn().find(|(_, field)| field.original.as_bytes() == name))
    }
}

/// The message of this kind.
#[inline]
pub(super) fn message(id: MessageId) -> &'static Message {
    static TABLE: LazyLock<Box<[Message]>> = LazyLock::new(build);
    // MESSAGES holds every id once, and `build` sorts by it.
    &TABLE[id as usize]
}

fn build() -> Box<[Message]> {
    let mut table: Vec<Message> = MESSAGES
        .iter()
        .map(|message| Message {
            id: message.id,
            fields: message
                .fields
                .iter()
                .map(|f| field(message.id, f))
                .collect(),
            schema: message,
        })
        .collect();
    table.sort_by_key(|message| message.id);
    table.into()
}

fn field(of: MessageId, field: &schema::Field) -> Field {
    let name = camel_case(field.name);
    let packed = field.repeated && field.kind.wire_type() != wire::BYTES;
    let wire_type = if packed {
        wire::BYTES
    } else {
        field.kind.wire_type()
    };
    let mut tag = Vec::new();
    wire::put_varint(
        &mut tag,
        u64::from(field.number << 3 | u32::from(wire_type)),
    );
    Field {
        number: field.number,
        tag: [tag[0], tag.get(1).copied().unwrap_or(0)],
        tag_len: tag.len() as u8,
        label: format!("\"{name}\":").into(),
        name,
        original: field.name,
        kind: field.kind,
        repeated: field.repeated,
        oneof: field.oneof.is_some(),
        presence: field.oneof.is_some() || is_optional(of, field.name),
        message: match field.kind {
            Kind::Message(message) => message.id,
            _ => of,
        },
        enumeration: enums::names(of, field.name),
    }
}

/// The fields that are `optional` in the `.proto` files.
fn is_optional(of: MessageId, name: &str) -> bool {
    use MessageId::{ExponentialHistogramDataPoint, HistogramDataPoint};
    matches!(
        (of, name),
        (
            HistogramDataPoint | ExponentialHistogramDataPoint,
            "sum" | "min" | "max"
        )
    )
}

/// proto3's JSON name of a field: `start_time_unix_nano` is `startTimeUnixNano`.
fn camel_case(name: &str) -> Box<str> {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for character in name.chars() {
        if character == '_' {
            upper = true;
        } else if std::mem::take(&mut upper) {
            camel.push(character.to_ascii_uppercase());
        } else {
            camel.push(character);
        }
    }
    camel.into()
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
