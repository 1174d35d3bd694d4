//! The pass itself, driven by the tables of [`crate::schema`].

use super::trail::Trail;
use super::{ErrorKind, MAX_VALUE_DEPTH, Summary};
use crate::schema::{KEY_VALUE, Kind, Message, Op, Times};
use crate::wire;

pub(super) struct Pass<T> {
    items: u64,
    /// `u64::MAX` as long as no item has a time.
    min: u64,
    max: u64,
    pub(super) trail: T,
}

/// A value is read or the request is refused as cut off.
macro_rules! read {
    ($read:expr) => {
        match $read {
            Some(read) => read,
            None => return Err(ErrorKind::Truncated),
        }
    };
}

impl<T: Trail> Pass<T> {
    pub(super) fn new(trail: T) -> Self {
        Pass {
            items: 0,
            min: u64::MAX,
            max: 0,
            trail,
        }
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            items: self.items,
            min_time_unix_nano: if self.max == 0 { 0 } else { self.min },
            max_time_unix_nano: self.max,
        }
    }

    /// Proves one message. `depth` is that of the value it is in, 0 outside of values; it bounds
    /// the recursion, since only values nest without end.
    pub(super) fn message(
        &mut self,
        message: &'static Message,
        body: &[u8],
        depth: u32,
    ) -> Result<(), ErrorKind> {
        let mut rest = body;
        // The last one counts where a field comes more than once.
        let mut time = 0;
        let mut other_time = 0;
        let mut data = None;
        self.trail.enter();
        while !rest.is_empty() {
            self.trail.field(rest);
            let (tag, after) = match rest {
                [byte, after @ ..] if *byte < 0x80 => (u32::from(*byte), after),
                _ => match wire::tag(rest) {
                    Some(read) => read,
                    None => return Err(ErrorKind::BadTag),
                },
            };
            let entry = message.entry(tag);
            self.trail.named(message, entry.field);
            rest = match entry.op {
                Op::Attribute => {
                    let (pair, after) = read!(wire::delimited(after));
                    if !is_text_pair(pair) {
                        self.message(&KEY_VALUE, pair, depth)?;
                    }
                    after
                }
                Op::Value => {
                    let (value, after) = read!(wire::delimited(after));
                    if depth >= MAX_VALUE_DEPTH {
                        return Err(ErrorKind::TooDeep);
                    }
                    self.message(child(message, entry.field), value, depth + 1)?;
                    after
                }
                Op::Message | Op::Data => {
                    let (child_body, after) = read!(wire::delimited(after));
                    if entry.op == Op::Data && *data.get_or_insert(entry.field) != entry.field {
                        return Err(ErrorKind::TwoKindsOfData);
                    }
                    self.message(child(message, entry.field), child_body, depth)?;
                    after
                }
                Op::String => {
                    let (text, after) = read!(wire::delimited(after));
                    if !wire::is_utf8(text) {
                        return Err(ErrorKind::InvalidUtf8);
                    }
                    after
                }
                Op::Varint => read!(wire::varint(after)).1,
                Op::Fixed64 => read!(wire::fixed64(after)).1,
                Op::Fixed32 => read!(wire::fixed32(after)).1,
                Op::Time => {
                    let (value, after) = read!(wire::fixed64(after));
                    time = value;
                    after
                }
                Op::OtherTime => {
                    let (value, after) = read!(wire::fixed64(after));
                    other_time = value;
                    after
                }
                Op::TraceId => {
                    let (id, after) = read!(wire::delimited(after));
                    if id.len() != 16 && !id.is_empty() {
                        return Err(ErrorKind::TraceIdLength(id.len()));
                    }
                    after
                }
                Op::SpanId => {
                    let (id, after) = read!(wire::delimited(after));
                    if id.len() != 8 && !id.is_empty() {
                        return Err(ErrorKind::SpanIdLength(id.len()));
                    }
                    after
                }
                Op::Bytes => read!(wire::delimited(after)).1,
                Op::PackedFixed64 => {
                    let (packed, after) = read!(wire::delimited(after));
                    if packed.len() % 8 != 0 {
                        return Err(ErrorKind::Truncated);
                    }
                    after
                }
                Op::PackedVarint => {
                    let (mut packed, after) = read!(wire::delimited(after));
                    while !packed.is_empty() {
                        packed = read!(wire::varint(packed)).1;
                    }
                    after
                }
                Op::WrongWireType => return Err(ErrorKind::WrongWireType),
                Op::Group => return Err(ErrorKind::Group),
                Op::Invalid => return Err(ErrorKind::BadTag),
            };
            self.trail.done();
        }
        self.trail.leave();
        match message.times {
            Times::NotAnItem => {}
            Times::Both => {
                self.items += 1;
                self.time(time);
                self.time(other_time);
            }
            Times::FirstElseSecond => {
                self.items += 1;
                self.time(if time != 0 { time } else { other_time });
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn time(&mut self, nanos: u64) {
        if nanos != 0 {
            self.min = self.min.min(nanos);
            self.max = self.max.max(nanos);
        }
    }
}

#[inline(always)]
fn child(message: &'static Message, field: u8) -> &'static Message {
    match message.fields.get(usize::from(field)) {
        Some(field) => match field.kind {
            Kind::Message(child) => child,
            _ => message,
        },
        None => message,
    }
}

/// The common attribute, proven at a glance: a key, a string value, nothing else, all of it ASCII
/// and shorter than 128 bytes. Tags and lengths are then ASCII as well, so one look over the whole
/// pair answers for both strings and for the lengths being single bytes.
#[inline(always)]
fn is_text_pair(pair: &[u8]) -> bool {
    let [0x0a, key_len, rest @ ..] = pair else {
        return false;
    };
    let Some((_, value)) = rest.split_at_checked(usize::from(*key_len)) else {
        return false;
    };
    let [0x12, value_len, 0x0a, text_len, text @ ..] = value else {
        return false;
    };
    usize::from(*text_len) == text.len()
        && usize::from(*value_len) == text.len() + 2
        && wire::is_ascii(pair)
}
