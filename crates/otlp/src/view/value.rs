//! Attributes and their values.

use super::nested::{Body, Nested};
use crate::wire::{Fields, Raw};

/// A list of key-value pairs: attributes, or the entries of a map.
#[derive(Clone, Copy)]
pub struct Attributes<'a>(Nested<'a>);

impl<'a> Attributes<'a> {
    pub(super) fn new(pairs: Nested<'a>) -> Self {
        Attributes(pairs)
    }

    /// The value of the first pair with this key.
    pub fn get(mut self, key: &str) -> Option<Value<'a>> {
        self.find(|pair| pair.key_bytes() == key.as_bytes())
            .map(|pair| pair.value())
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = KeyValue<'a>;

    fn next(&mut self) -> Option<KeyValue<'a>> {
        self.0.next().map(|body| KeyValue(Body(body)))
    }
}

impl std::fmt::Debug for Attributes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} attributes", (*self).count())
    }
}

/// One attribute.
#[derive(Clone, Copy, Debug)]
pub struct KeyValue<'a>(Body<'a>);

impl<'a> KeyValue<'a> {
    /// A view of the body of a `KeyValue` message.
    pub fn new(body: &'a [u8]) -> Self {
        KeyValue(Body(body))
    }

    /// The body that this is a view of.
    pub fn body(&self) -> &'a [u8] {
        self.0.0
    }

    /// The key.
    pub fn key(&self) -> &'a str {
        std::str::from_utf8(self.key_bytes()).unwrap_or_default()
    }

    /// The key, not yet known to be UTF-8: cheap to compare.
    #[inline]
    pub fn key_bytes(&self) -> &'a [u8] {
        // A key, a value, and nothing after it.
        if let [0x0a, key_len, rest @ ..] = self.0.0
            && *key_len < 0x80
            && let Some((key, [0x12, value_len, value @ ..])) =
                rest.split_at_checked(usize::from(*key_len))
            && *value_len < 0x80
            && usize::from(*value_len) == value.len()
        {
            return key;
        }
        self.0.bytes(1)
    }

    /// The value; [`Value::Empty`] where there is none.
    pub fn value(&self) -> Value<'a> {
        Value::in_field(self.0.0, 2)
    }
}

/// A value of any kind.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// None.
    Empty,
    /// Text.
    String(&'a str),
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// A list of values.
    Array(Values<'a>),
    /// A list of pairs.
    Map(Attributes<'a>),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A reference into the string table of profiles; means nothing here.
    StringIndex(i32),
}

impl<'a> Value<'a> {
    /// The value of the body of an `AnyValue` message.
    pub fn new(body: &'a [u8]) -> Self {
        Value::merge(&[], 0, body, Value::Empty, &mut 0)
    }

    /// The value in field `number` of a message; where the field comes more than once, merged.
    pub(super) fn in_field(message: &'a [u8], number: u32) -> Self {
        let mut value = Value::Empty;
        let mut member = 0;
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next() {
            if let (true, Raw::Bytes(body)) = (field.number == number, field.value) {
                value = Value::merge(fields.rest(), number, body, value, &mut member);
            }
        }
        value
    }

    /// Reads one more `AnyValue`. The last member of the oneof counts; a list goes on as long as
    /// no other member comes between, which may be in the rest of the message around it.
    fn merge(
        outer: &'a [u8],
        number: u32,
        body: &'a [u8],
        mut value: Value<'a>,
        member: &mut u32,
    ) -> Value<'a> {
        let mut fields = Fields::new(body);
        loop {
            let from = fields.rest();
            let Some(field) = fields.next() else {
                return value;
            };
            let list = |field| Nested::resume(outer, from, [number, field, 1]);
            let read = match (field.number, field.value) {
                (5 | 6, Raw::Bytes(_)) if *member == field.number => value,
                (1, Raw::Bytes(text)) => {
                    Value::String(std::str::from_utf8(text).unwrap_or_default())
                }
                (2, Raw::Varint(bits)) => Value::Bool(bits != 0),
                (3, Raw::Varint(bits)) => Value::Int(bits as i64),
                (4, Raw::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
                (5, Raw::Bytes(_)) => Value::Array(Values(list(5))),
                (6, Raw::Bytes(_)) => Value::Map(Attributes(list(6))),
                (7, Raw::Bytes(bytes)) => Value::Bytes(bytes),
                (8, Raw::Varint(bits)) => Value::StringIndex(bits as i32),
                _ => continue,
            };
            value = read;
            *member = field.number;
        }
    }
}

/// The elements of an array.
#[derive(Clone, Copy)]
pub struct Values<'a>(Nested<'a>);

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.0.next().map(Value::new)
    }
}

impl std::fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} values", (*self).count())
    }
}
