//! Requests as prost-reflect's dynamic messages: upstream's descriptors say what the fields are,
//! not our tables, and unknown fields are kept.

use super::Random;
use opentelemetry_proto::DESCRIPTORS;
use otlp::Signal;
use otlp::schema::{self, Kind, Message};
use otlp::wire::{Fields, Raw};
use prost_reflect::{DescriptorPool, DynamicMessage};
use std::sync::OnceLock;

pub fn pool() -> &'static DescriptorPool {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(|| DescriptorPool::decode(DESCRIPTORS).expect("upstream's descriptors"))
}

/// Decodes a message of this full name.
pub fn decode(name: &str, wire: &[u8]) -> DynamicMessage {
    let descriptor = pool().get_message_by_name(name).expect(name);
    DynamicMessage::decode(descriptor, wire).expect("decodes")
}

pub fn decode_request(signal: Signal, wire: &[u8]) -> DynamicMessage {
    decode(schema::request(signal).name, wire)
}

/// Puts unknown fields between the fields of a message and of all messages in it, at random.
pub fn with_unknown_fields(message: &Message, wire: &[u8], random: &mut Random<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for field in Fields::new(wire) {
        unknown_field(random, &mut out);
        let kind = message.field(field.number).map(|field| field.kind);
        match (kind, field.value) {
            (Some(Kind::Message(child)), Raw::Bytes(body)) => {
                let body = with_unknown_fields(child, body, random);
                super::put_field(&mut out, field.number, &body);
            }
            _ => out.extend_from_slice(field.bytes),
        }
    }
    unknown_field(random, &mut out);
    out
}

/// Writes a message in another way that means the same: singular messages divided in two fields,
/// which merge, and packed numbers one by one.
pub fn written_otherwise(message: &Message, wire: &[u8], random: &mut Random<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for field in Fields::new(wire) {
        let known = message.field(field.number);
        let (Some(known), Raw::Bytes(body)) = (known, field.value) else {
            out.extend_from_slice(field.bytes);
            continue;
        };
        match known.kind {
            Kind::Message(child) => {
                let body = written_otherwise(child, body, random);
                let fields: Vec<_> = Fields::new(&body).map(|field| field.bytes.len()).collect();
                if !known.repeated && random.below(4) == 3 {
                    let some = usize::from(random.byte()) % (fields.len() + 1);
                    let (one, two) = body.split_at(fields[..some].iter().sum());
                    super::put_field(&mut out, field.number, one);
                    super::put_field(&mut out, field.number, two);
                } else {
                    super::put_field(&mut out, field.number, &body);
                }
            }
            Kind::Fixed64 | Kind::Double if random.below(2) == 1 => {
                for number in body.chunks(8) {
                    out.push((known.number << 3 | 1) as u8);
                    out.extend_from_slice(number);
                }
            }
            _ => out.extend_from_slice(field.bytes),
        }
    }
    out
}

fn unknown_field(random: &mut Random<'_>, out: &mut Vec<u8>) {
    match random.below(24) {
        20 => out.extend_from_slice(&[0xf8, 0x07, random.byte() & 0x7f]),
        21 => super::put_field(out, 30, b"nobody knows me"),
        22 => out.extend_from_slice(&[0x85, 0xfa, 0x01, 1, 2, 3, random.byte()]),
        23 => out.extend_from_slice(&[0xf1, 0x01, 1, 2, 3, 4, 5, 6, 7, random.byte()]),
        _ => {}
    }
}
