//! A secret in every place of OTLP that can hold one. Upstream's descriptors say where those are,
//! not our tables.

use prost_reflect::{Kind, MessageDescriptor};

use crate::messages::descriptor;

/// Fields of bytes that carry no content, with the reason for each.
pub const STRUCTURAL: [(&str, &str); 3] = [
    (
        "trace_id",
        "16 bytes that tie spans together; check refuses another length",
    ),
    (
        "span_id",
        "8 bytes that tie spans together; check refuses another length",
    ),
    (
        "parent_span_id",
        "8 bytes that tie spans together; check refuses another length",
    ),
];

/// A field that holds a string or bytes, and the way to it.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The numbers of the fields on the way.
    pub path: Vec<u32>,
    /// The names of the fields on the way, with points between them.
    pub name: String,
    /// The field's own name.
    pub field: String,
}

impl Leaf {
    /// Whether the field is one of [`STRUCTURAL`].
    pub fn is_structural(&self) -> bool {
        STRUCTURAL.iter().any(|(name, _)| *name == self.field)
    }
}

/// All fields with strings or bytes that can be reached from a request; messages that nest, twice.
pub fn leaves(signal: &str) -> Vec<Leaf> {
    let mut found = Vec::new();
    walk(&descriptor(signal), &mut Vec::new(), &mut found);
    found
}

/// A request with `leaf` at the end of a path, and nothing else.
pub fn plant(path: &[u32], leaf: &[u8]) -> Vec<u8> {
    let mut body = leaf.to_vec();
    for number in path.iter().rev() {
        body = field(*number, &body);
    }
    body
}

/// One request with `secret` in each field that can hold one, structural ones left out; and how
/// many there are.
pub fn everywhere(signal: &str, secret: &[u8]) -> (Vec<u8>, usize) {
    let leaves = leaves(signal);
    let planted = leaves
        .iter()
        .filter(|leaf| !leaf.is_structural())
        .map(|leaf| plant(&leaf.path, secret));
    let planted: Vec<_> = planted.collect();
    // Serialized messages of one type, one after the other, are their lists joined.
    (planted.concat(), planted.len())
}

/// One request with an attribute (or entry of a map) `key` that is `secret`, wherever there can be
/// one; and how many there are.
pub fn under_key(signal: &str, key: &str, secret: &[u8]) -> (Vec<u8>, usize) {
    let leaves = leaves(signal);
    let planted = leaves
        .iter()
        .filter_map(|leaf| {
            let (pair, value) = leaf
                .path
                .split_at_checked(leaf.path.len().checked_sub(2)?)?;
            let is_pair = leaf.name.ends_with(".value.string_value") && value == [2, 1];
            let attribute = [field(1, key.as_bytes()), plant(value, secret)].concat();
            is_pair.then(|| plant(pair, &attribute))
        })
        .collect::<Vec<_>>();
    (planted.concat(), planted.len())
}

fn walk(message: &MessageDescriptor, way: &mut Vec<(String, u32, String)>, found: &mut Vec<Leaf>) {
    for field in message.fields() {
        way.push((
            message.full_name().to_owned(),
            field.number(),
            field.name().to_owned(),
        ));
        match field.kind() {
            Kind::String | Kind::Bytes => {
                let names: Vec<_> = way.iter().map(|(_, _, name)| name.as_str()).collect();
                found.push(Leaf {
                    path: way.iter().map(|(_, number, _)| *number).collect(),
                    name: names.join("."),
                    field: field.name().to_owned(),
                });
            }
            Kind::Message(child) => {
                let times = way
                    .iter()
                    .filter(|(name, _, _)| name == child.full_name())
                    .count();
                if times < 2 {
                    walk(&child, way, found);
                }
            }
            _ => {}
        }
        way.pop();
    }
}

fn field(number: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 8);
    varint(&mut out, u64::from(number << 3 | 2));
    varint(&mut out, body.len() as u64);
    out.extend_from_slice(body);
    out
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
