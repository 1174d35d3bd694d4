//! The tables against the descriptors that opentelemetry-proto publishes.
#![allow(clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use common::dynamic::pool;
use otlp::Signal;
use otlp::schema::{self, Kind, MESSAGES, Message};
use prost_reflect::{Cardinality, Kind as Theirs};

fn is_same_kind(ours: Kind, theirs: &Theirs) -> bool {
    match (ours, theirs) {
        (Kind::Bool, Theirs::Bool)
        | (Kind::Int32, Theirs::Int32)
        | (Kind::Int64, Theirs::Int64)
        | (Kind::Uint32, Theirs::Uint32)
        | (Kind::Uint64, Theirs::Uint64)
        | (Kind::Sint32, Theirs::Sint32)
        | (Kind::Enum, Theirs::Enum(_))
        | (Kind::Fixed32, Theirs::Fixed32)
        | (Kind::Fixed64, Theirs::Fixed64)
        | (Kind::Sfixed64, Theirs::Sfixed64)
        | (Kind::Double, Theirs::Double)
        | (Kind::String, Theirs::String)
        | (Kind::Bytes | Kind::TraceId | Kind::SpanId, Theirs::Bytes) => true,
        (Kind::Message(message), Theirs::Message(descriptor)) => {
            message.name == descriptor.full_name()
        }
        _ => false,
    }
}

/// Guarantees: every message has exactly the fields that upstream's descriptor has, with the same
/// numbers, names, types, repetition and oneofs.
#[test]
fn is_what_upstream_publishes() {
    let pool = pool();
    for message in MESSAGES {
        let theirs = pool.get_message_by_name(message.name).expect(message.name);
        assert_eq!(
            message.fields.len(),
            theirs.fields().len(),
            "{}",
            message.name
        );
        for field in message.fields {
            let name = format!("{}.{}", message.name, field.name);
            let their = theirs.get_field(field.number).expect(&name);
            assert_eq!(field.name, their.name(), "{name}");
            assert!(
                is_same_kind(field.kind, &their.kind()),
                "{name}: {:?}",
                their.kind()
            );
            assert_eq!(
                field.repeated,
                their.cardinality() == Cardinality::Repeated,
                "{name}"
            );
            let oneof = their
                .containing_oneof()
                .filter(|oneof| !oneof.is_synthetic());
            assert_eq!(
                field.oneof,
                oneof.as_ref().map(|oneof| oneof.name()),
                "{name}"
            );
        }
    }
}

/// Guarantees: every field that upstream calls a trace id or span id is checked as one, and no
/// other.
#[test]
fn knows_all_ids() {
    for field in MESSAGES.iter().flat_map(|message| message.fields) {
        match field.kind {
            Kind::TraceId => assert_eq!(field.name, "trace_id"),
            Kind::SpanId => assert!(field.name.ends_with("span_id")),
            Kind::Bytes => assert!(!field.name.ends_with("_id")),
            _ => {}
        }
    }
}

/// Guarantees: every message that a request can hold is in the list of messages, once.
#[test]
fn lists_every_message() {
    fn reach(message: &'static Message, found: &mut Vec<&'static str>) {
        if found.contains(&message.name) {
            return;
        }
        found.push(message.name);
        for field in message.fields {
            if let Kind::Message(child) = field.kind {
                reach(child, found);
            }
        }
    }
    let mut found = Vec::new();
    for signal in Signal::ALL {
        reach(schema::request(signal), &mut found);
    }
    let mut listed: Vec<_> = MESSAGES.iter().map(|message| message.name).collect();
    found.sort_unstable();
    listed.sort_unstable();
    assert_eq!(found, listed);
    let mut ids: Vec<_> = MESSAGES.iter().map(|message| message.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), MESSAGES.len());
}
