//! What the table adds to the schema, against the descriptors that opentelemetry-proto publishes.

use super::*;
use opentelemetry_proto::DESCRIPTORS;
use prost_reflect::{DescriptorPool, Kind as Theirs};

/// Guarantees: JSON names, presence and enum names are those of upstream's descriptors.
#[test]
fn is_what_upstream_publishes() {
    let pool = DescriptorPool::decode(DESCRIPTORS).expect("upstream's descriptors");
    for id in MESSAGES.iter().map(|message| message.id) {
        let ours = message(id);
        assert_eq!(ours.id, id);
        let theirs = pool
            .get_message_by_name(ours.schema.name)
            .expect(ours.schema.name);
        for field in &ours.fields {
            let their = theirs.get_field(field.number).expect(&field.name);
            let place = their.full_name();
            assert_eq!(&*field.name, their.json_name(), "{place}");
            assert_eq!(field.label.as_ref(), format!("\"{}\":", their.json_name()));
            assert_eq!(field.original, their.name(), "{place}");
            assert_eq!(field.packed(), their.is_packed(), "{place}");
            if !matches!(their.kind(), Theirs::Message(_)) {
                assert_eq!(field.presence, their.supports_presence(), "{place}");
            }
            match their.kind() {
                Theirs::Enum(names) => {
                    let names: Vec<_> = names
                        .values()
                        .map(|value| (value.name().to_owned(), value.number()))
                        .collect();
                    let ours: Vec<_> = field
                        .enumeration
                        .iter()
                        .map(|(name, number)| ((*name).to_owned(), *number))
                        .collect();
                    assert_eq!(ours, names, "{place}");
                }
                _ => assert!(field.enumeration.is_empty(), "{place}"),
            }
        }
    }
}

/// Guarantees: what the engines rely on: at most one oneof a message, at most 32 fields, and no
/// name of one field is a name of another.
#[test]
fn has_the_shape_that_the_engines_rely_on() {
    for ours in MESSAGES.iter().map(|m| message(m.id)) {
        let oneofs: std::collections::BTreeSet<_> =
            ours.schema.fields.iter().filter_map(|f| f.oneof).collect();
        assert!(oneofs.len() <= 1, "{}", ours.schema.name);
        assert!(ours.fields.len() <= 32);
        for (index, field) in ours.fields.iter().enumerate() {
            assert!(!(field.repeated && field.presence));
            for hint in 0..=ours.fields.len() {
                let found = |name: &str| ours.find(name.as_bytes(), hint).map(|(i, _)| i);
                assert_eq!(found(&field.name), Some(index));
                assert_eq!(found(field.original), Some(index));
            }
        }
        assert!(ours.find(b"", 0).is_none());
        assert!(ours.find(b"nobody", ours.fields.len()).is_none());
    }
}
