//! OTLP/JSON against two implementations that are not ours: `opentelemetry-proto`'s serde types,
//! and prost-reflect's proto3 JSON over upstream's descriptors.
//!
//! Each knows a part of OTLP/JSON. What either gets wrong is worked around here, and said.

#![allow(clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use common::dynamic::{self, written_otherwise};
use common::{Logs, Metrics, Random, Request, Traces, examples};
use otlp::schema::{self, Kind, Message};
use otlp::wire::{Fields, Raw};
use otlp::{Signal, check, json};
use proptest::prelude::*;
use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::Value;

fn encode(signal: Signal, wire: &[u8]) -> Vec<u8> {
    let mut out = b"kept".to_vec();
    json::encode(signal, wire, &mut out).expect("encodes");
    assert!(out.starts_with(b"kept"));
    out.drain(..4);
    out
}

fn decode(signal: Signal, json: &[u8]) -> Vec<u8> {
    match json::decode(signal, json) {
        Ok(wire) => wire,
        Err(error) => panic!("{error}\n{}", String::from_utf8_lossy(json)),
    }
}

/// upstream's serde types write an infinity or NaN as `null`, and neither write nor read
/// `stringValueStrindex` as a field of a oneof should be.
fn without_what_serde_cannot(message: &Message, wire: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in Fields::new(wire) {
        let known = message.field(field.number).expect("a known field");
        match (known.kind, field.value) {
            (Kind::Message(child), Raw::Bytes(body)) => {
                let body = without_what_serde_cannot(child, body);
                common::put_field(&mut out, field.number, &body);
            }
            (Kind::Double, Raw::Fixed64(bits)) if !f64::from_bits(bits).is_finite() => {
                out.push((field.number << 3 | 1) as u8);
                out.extend_from_slice(&1.5f64.to_le_bytes());
            }
            (Kind::Double, Raw::Bytes(packed)) => {
                let finite: Vec<u8> = packed
                    .as_chunks::<8>()
                    .0
                    .iter()
                    .map(|bytes| f64::from_le_bytes(*bytes))
                    .flat_map(|value| if value.is_finite() { value } else { 1.5 }.to_le_bytes())
                    .collect();
                common::put_field(&mut out, field.number, &finite);
            }
            _ if known.name == "string_value_strindex" => {
                out.extend_from_slice(&[1 << 3 | 2, 1, b's']);
            }
            _ => out.extend_from_slice(field.bytes),
        }
    }
    out
}

fn to_serde(request: &Request) -> Vec<u8> {
    match request {
        Request::Traces(request) => serde_json::to_vec(request),
        Request::Metrics(request) => serde_json::to_vec(request),
        Request::Logs(request) => serde_json::to_vec(request),
    }
    .expect("upstream's types become JSON")
}

fn from_serde(signal: Signal, json: Value) -> Request {
    match signal {
        Signal::Traces => serde_json::from_value::<Traces>(json).map(Request::Traces),
        Signal::Metrics => serde_json::from_value::<Metrics>(json).map(Request::Metrics),
        Signal::Logs => serde_json::from_value::<Logs>(json).map(Request::Logs),
    }
    .expect("upstream's types read our JSON")
}

/// upstream's serde types want the key of an attribute, the list of an array or a map, and every
/// field of an entity reference even where they are empty; proto3 leaves them out.
fn with_what_serde_wants(json: &mut Value) {
    match json {
        Value::Array(elements) => elements.iter_mut().for_each(with_what_serde_wants),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                let attributes = match (name.as_str(), &mut *value) {
                    ("attributes" | "filteredAttributes" | "metadata", value) => Some(value),
                    ("kvlistValue" | "arrayValue", Value::Object(list)) => {
                        let values = list.entry("values").or_insert(Value::Array(Vec::new()));
                        (name == "kvlistValue").then_some(values)
                    }
                    ("entityRefs", Value::Array(references)) => {
                        for fields in references.iter_mut().filter_map(Value::as_object_mut) {
                            for text in ["schemaUrl", "type"] {
                                fields.entry(text).or_insert("".into());
                            }
                            for list in ["idKeys", "descriptionKeys"] {
                                fields.entry(list).or_insert(Value::Array(Vec::new()));
                            }
                        }
                        None
                    }
                    _ => None,
                };
                if let Some(Value::Array(attributes)) = attributes {
                    for attribute in attributes.iter_mut().filter_map(Value::as_object_mut) {
                        attribute.entry("key").or_insert("".into());
                    }
                }
                with_what_serde_wants(value);
            }
        }
        _ => {}
    }
}

/// proto3 writes ids in base64, OTLP/JSON in hex: the one from the other.
fn ids(json: &mut Value, from: fn(&str) -> Vec<u8>, to: fn(&[u8]) -> String) {
    match json {
        Value::Array(elements) => elements.iter_mut().for_each(|value| ids(value, from, to)),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match (name.as_str(), &mut *value) {
                    (
                        "traceId" | "spanId" | "parentSpanId" | "trace_id" | "span_id"
                        | "parent_span_id",
                        Value::String(id),
                    ) => *id = to(&from(id)),
                    _ => ids(value, from, to),
                }
            }
        }
        _ => {}
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).expect("hex") as u8;
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| digit(&pair[0]) << 4 | digit(&pair[1]))
        .collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn from_base64(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD
        .decode(text)
        .expect("base64")
}

fn to_base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(bytes)
}

/// OTLP/JSON made by prost-reflect, with the names, enums and defaults that the options say.
fn to_reflect(signal: Signal, wire: &[u8], options: &SerializeOptions) -> Vec<u8> {
    let message = dynamic::decode_request(signal, wire);
    let mut json = message
        .serialize_with_options(serde_json::value::Serializer, options)
        .expect("prost-reflect writes JSON");
    ids(&mut json, from_base64, to_hex);
    serde_json::to_vec(&json).expect("JSON")
}

fn from_reflect(signal: Signal, json: &[u8]) -> Request {
    let mut json: Value = serde_json::from_slice(json).expect("JSON");
    ids(&mut json, from_hex, to_base64);
    let descriptor = dynamic::pool()
        .get_message_by_name(schema::request(signal).name)
        .expect("a request");
    let message = DynamicMessage::deserialize(descriptor, json).expect("prost-reflect reads ours");
    Request::decode(signal, &prost::Message::encode_to_vec(&message)).expect("prost")
}

fn agrees_with_upstreams_serde(request: &Request) {
    let signal = request.signal();
    let wire = without_what_serde_cannot(schema::request(signal), &request.encode());
    let request = Request::decode(signal, &wire).expect("still a request");

    let decoded = decode(signal, &to_serde(&request));
    assert_eq!(Request::decode(signal, &decoded).as_ref(), Ok(&request));

    let mut json = serde_json::from_slice(&encode(signal, &wire)).expect("JSON");
    with_what_serde_wants(&mut json);
    assert_eq!(from_serde(signal, json), request);
}

fn agrees_with_prost_reflect(request: &Request) {
    let signal = request.signal();
    let wire = request.encode();
    for options in [
        SerializeOptions::new(),
        SerializeOptions::new()
            .use_proto_field_name(true)
            .use_enum_numbers(true)
            .stringify_64_bit_integers(false)
            .skip_default_fields(false),
    ] {
        let decoded = decode(signal, &to_reflect(signal, &wire, &options));
        assert_eq!(Request::decode(signal, &decoded).as_ref(), Ok(request));
    }
    assert_eq!(&from_reflect(signal, &encode(signal, &wire)), request);
}

fn round_trips(request: &Request) {
    let signal = request.signal();
    let wire = request.encode();
    let json = encode(signal, &wire);
    assert!(!json.contains(&b'\n'));
    let again = decode(signal, &json);
    assert_eq!(Request::decode(signal, &again).as_ref(), Ok(request));
    assert_eq!(check(signal, &again), check(signal, &wire));
    assert_eq!(encode(signal, &again), json);
}

#[test]
fn the_examples_agree_with_both() {
    for (name, request) in examples() {
        let path = format!("../testkit/data/otlp/{name}");
        let json = std::fs::read(path).expect("the example");
        let decoded = decode(request.signal(), &json);
        assert_eq!(
            Request::decode(request.signal(), &decoded).as_ref(),
            Ok(&request),
            "{name}"
        );
        agrees_with_upstreams_serde(&request);
        agrees_with_prost_reflect(&request);
        round_trips(&request);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Guarantees: JSON that upstream's types write is read as the request it was, and JSON that
    /// we write is read by them as the request it was.
    #[test]
    fn agrees_with_upstreams_serde_types(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        for signal in Signal::ALL {
            agrees_with_upstreams_serde(&Request::random(signal, &bytes));
        }
    }

    /// Guarantees: the same of proto3 JSON as prost-reflect has it, with either kind of names, of
    /// enums, of 64-bit integers, with defaults and without.
    #[test]
    fn agrees_with_proto3_json(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        for signal in Signal::ALL {
            agrees_with_prost_reflect(&Request::random(signal, &bytes));
        }
    }

    /// Guarantees: a request written as JSON and read again is the same request, and written once
    /// more it is the same text.
    #[test]
    fn a_request_survives_the_way_there_and_back(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        for signal in Signal::ALL {
            round_trips(&Request::random(signal, &bytes));
        }
    }

    /// Guarantees: fields in the order of their numbers, as we write them, come out as the very
    /// bytes that prost makes of the same request. (But for a negative zero without presence,
    /// which prost leaves out and protobuf does not.)
    #[test]
    fn gives_the_bytes_that_prost_would(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        for signal in Signal::ALL {
            let request = Request::random(signal, &bytes);
            let wire = decode(signal, &encode(signal, &request.encode()));
            let prost = Request::decode(signal, &wire).expect("a request").encode();
            prop_assert_eq!(wire.len(), prost.len());
            prop_assert_eq!(
                dynamic::decode_request(signal, &wire),
                dynamic::decode_request(signal, &prost)
            );
        }
    }

    /// Guarantees: SAME-BYTES. Requests that mean the same by protobuf's rules give the same text,
    /// however their fields are ordered, divided or packed.
    #[test]
    fn what_means_the_same_is_written_the_same(
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
        more in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        for signal in Signal::ALL {
            let wire = Request::random(signal, &bytes).encode();
            let request = schema::request(signal);
            let mut random = Random(&more);
            let otherwise = written_otherwise(request, &wire, &mut random);
            let otherwise = shuffled(request, &otherwise, &mut random);
            let otherwise = dynamic::with_unknown_fields(request, &otherwise, &mut random);
            let text = |wire| String::from_utf8(encode(signal, wire)).expect("UTF-8");
            prop_assert_eq!(text(&otherwise), text(&wire));
        }
    }
}

/// Puts the fields of all messages in another order, fields of the same number in their own.
fn shuffled(message: &Message, wire: &[u8], random: &mut Random<'_>) -> Vec<u8> {
    let mut fields: Vec<(u8, u32, Vec<u8>)> = Vec::new();
    for field in Fields::new(wire) {
        let mut bytes = field.bytes.to_vec();
        if let (Some(Kind::Message(child)), Raw::Bytes(body)) = (
            message.field(field.number).map(|known| known.kind),
            field.value,
        ) {
            bytes.clear();
            common::put_field(&mut bytes, field.number, &shuffled(child, body, random));
        }
        let rank = match fields.iter().find(|(_, number, _)| *number == field.number) {
            Some((rank, ..)) => *rank,
            None => random.byte(),
        };
        fields.push((rank, field.number, bytes));
    }
    fields.sort_by_key(|(rank, ..)| *rank);
    fields.into_iter().flat_map(|(.., bytes)| bytes).collect()
}
