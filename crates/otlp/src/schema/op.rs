//! From a field's description to what a walker does when it meets the field's tag.
//!
//! All field numbers of OTLP are below 32, so the tag (number and wire type) is below 256 and one
//! small table a message answers everything: the field, whether the wire type is right, and the
//! step to take. The tables are made by the compiler.

use super::{Field, Kind, MessageId};

/// No field of ours: the index in an [`Entry`] for an unknown field.
pub(crate) const NONE: u8 = u8::MAX;

/// What to do with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Op {
    /// A varint, known or not.
    Varint,
    /// Eight bytes.
    Fixed64,
    /// Four bytes.
    Fixed32,
    /// A length and any bytes.
    Bytes,
    /// A length and UTF-8.
    String,
    /// A length of 0 or 16.
    TraceId,
    /// A length of 0 or 8.
    SpanId,
    /// The item's first time: `start_time_unix_nano` of a span, else `time_unix_nano`.
    Time,
    /// The item's other time: `end_time_unix_nano`, `observed_time_unix_nano`.
    OtherTime,
    /// A message.
    Message,
    /// A `KeyValue`.
    Attribute,
    /// An `AnyValue`: one level deeper.
    Value,
    /// A member of `Metric.data`.
    Data,
    /// Packed numbers of eight bytes.
    PackedFixed64,
    /// Packed varints.
    PackedVarint,
    /// A field of ours in a wire type that is not its own.
    WrongWireType,
    /// A group (wire types 3 and 4), which proto3 does not have.
    Group,
    /// Wire type 6 or 7, or field number 0.
    Invalid,
}

/// One row of a message's table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) op: Op,
    /// The index in [`super::Message::fields`], or [`NONE`].
    pub(crate) field: u8,
}

/// How to step over a field without looking at it. Not an enum: a few comparisons are quicker than
/// the jump by a table that a `match` over all cases becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leap(u8);

impl Leap {
    /// A message, an attribute, an unknown field, a fault: it has to be looked at.
    pub(crate) const NONE: Leap = Leap(0);
    /// A length and as many bytes.
    pub(crate) const DELIMITED: Leap = Leap(0x80);
    /// A varint.
    pub(crate) const VARINT: Leap = Leap(0x40);

    /// As many bytes, at most 8.
    const fn fixed(bytes: u8) -> Leap {
        Leap(bytes)
    }

    /// How many bytes, where it is none of the others.
    #[inline(always)]
    pub(crate) fn bytes(self) -> usize {
        usize::from(self.0)
    }
}

/// The steps over the fields of a message, by the value of the tag.
pub(super) const fn leaps(entries: &[Entry; 256]) -> [Leap; 256] {
    let mut leaps = [Leap::NONE; 256];
    let mut tag = 0;
    while tag < 256 {
        let entry = entries[tag];
        if entry.field != NONE {
            leaps[tag] = match entry.op {
                Op::Varint => Leap::VARINT,
                Op::Fixed64 | Op::Time | Op::OtherTime => Leap::fixed(8),
                Op::Fixed32 => Leap::fixed(4),
                Op::Bytes | Op::String | Op::TraceId | Op::SpanId => Leap::DELIMITED,
                Op::PackedFixed64 | Op::PackedVarint => Leap::DELIMITED,
                Op::Message | Op::Attribute | Op::Value | Op::Data => Leap::NONE,
                Op::WrongWireType | Op::Group | Op::Invalid => Leap::NONE,
            };
        }
        tag += 1;
    }
    leaps
}

/// Which of the two times of an item count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// Not an item.
    NotAnItem,
    /// Each that is not 0: a span's start and end.
    Both,
    /// The second where the first is 0: a log record's observed time.
    FirstElseSecond,
}

pub(super) const fn times(id: MessageId) -> Times {
    match id {
        MessageId::Span => Times::Both,
        MessageId::LogRecord
        | MessageId::NumberDataPoint
        | MessageId::HistogramDataPoint
        | MessageId::ExponentialHistogramDataPoint
        | MessageId::SummaryDataPoint => Times::FirstElseSecond,
        _ => Times::NotAnItem,
    }
}

/// The step for a tag whose field number OTLP does not use.
pub(super) const fn unknown(tag: u32) -> Entry {
    let op = match tag & 7 {
        _ if tag < 8 => Op::Invalid,
        0 => Op::Varint,
        1 => Op::Fixed64,
        2 => Op::Bytes,
        3 | 4 => Op::Group,
        5 => Op::Fixed32,
        _ => Op::Invalid,
    };
    Entry { op, field: NONE }
}

pub(super) const fn entries(id: MessageId, fields: &[Field]) -> [Entry; 256] {
    let mut table = [Entry {
        op: Op::Invalid,
        field: NONE,
    }; 256];
    let mut tag = 0;
    while tag < 256 {
        table[tag] = unknown(tag as u32);
        tag += 1;
    }
    let mut i = 0;
    while i < fields.len() {
        let field = &fields[i];
        assert!(
            field.number >= 1 && field.number < 32,
            "the table holds 31 fields"
        );
        let mut wire_type = 0;
        while wire_type < 8 {
            let tag = (field.number << 3 | wire_type) as usize;
            table[tag].field = i as u8;
            if !matches!(table[tag].op, Op::Group | Op::Invalid) {
                table[tag].op = Op::WrongWireType;
            }
            wire_type += 1;
        }
        let own = (field.number << 3 | field.kind.wire_type() as u32) as usize;
        table[own].op = single(id, field);
        if field.repeated && field.kind.wire_type() != 2 {
            let packed = (field.number << 3 | 2) as usize;
            // OTLP has no repeated numbers of four bytes; the compiler would say so here.
            assert!(field.kind.wire_type() < 2);
            table[packed].op = if field.kind.wire_type() == 0 {
                Op::PackedVarint
            } else {
                Op::PackedFixed64
            };
        }
        i += 1;
    }
    table
}

const fn single(id: MessageId, field: &Field) -> Op {
    match (id, field.number) {
        (MessageId::Span, 7) => return Op::Time,
        (MessageId::Span, 8) => return Op::OtherTime,
        (MessageId::LogRecord, 1) => return Op::Time,
        (MessageId::LogRecord, 11) => return Op::OtherTime,
        (
            MessageId::NumberDataPoint
            | MessageId::HistogramDataPoint
            | MessageId::ExponentialHistogramDataPoint
            | MessageId::SummaryDataPoint,
            3,
        ) => return Op::Time,
        (MessageId::Metric, 5 | 7 | 9 | 10 | 11) => return Op::Data,
        _ => {}
    }
    match field.kind {
        Kind::String => Op::String,
        Kind::Bytes => Op::Bytes,
        Kind::TraceId => Op::TraceId,
        Kind::SpanId => Op::SpanId,
        // Not read from the message itself: its table may need this one's.
        Kind::Message(_) => field.step,
        kind => match kind.wire_type() {
            0 => Op::Varint,
            1 => Op::Fixed64,
            _ => Op::Fixed32,
        },
    }
}
