//! A secret in every place of OTLP that can hold one. Upstream's descriptors say where, not ours.

use super::common::dynamic::pool;
use super::common::put_field;
use super::{compile, contains, redact};
use otlp::{Signal, schema};
use prost_reflect::{Kind, MessageDescriptor};

const CANARY: &[u8] = b"canary-7f3a9c";

/// Fields of bytes that carry no content, with the reason for each.
const STRUCTURAL: [(&str, &str); 3] = [
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

/// Detects the canary everywhere and in every way.
const DETECT: &str = "\
version: 1
patterns: [{ name: canary, regex: 'canary-[0-9a-f]{6}' }]
rules: [{ name: find, detect: [canary], action: mask }]
";

/// Lists no key and drops every text.
const ALLOW_NOTHING: &str = "\
version: 1
mode: allow
rules:
  - name: texts
    action: drop
    fields: [span.name, span.trace_state, span.status_message, event.name, link.trace_state,
      metric.name, metric.description, metric.unit, log.severity_text, log.event_name, log.body,
      scope.name, scope.version, scope.schema_url, resource.schema_url, entity.schema_url,
      entity.type, entity.id_keys, entity.description_keys]
";

struct Leaf {
    /// The numbers of the fields on the way.
    path: Vec<u32>,
    name: String,
    field: String,
}

/// All fields with strings or bytes that can be reached; messages that nest, twice.
fn leaves(
    message: &MessageDescriptor,
    way: &mut Vec<(String, u32, String)>,
    found: &mut Vec<Leaf>,
) {
    for field in message.fields() {
        way.push((
            message.full_name().to_owned(),
            field.number(),
            field.name().to_owned(),
        ));
        match field.kind() {
            Kind::String | Kind::Bytes => found.push(Leaf {
                path: way.iter().map(|(_, number, _)| *number).collect(),
                name: way
                    .iter()
                    .map(|(_, _, name)| name.as_str())
                    .collect::<Vec<_>>()
                    .join("."),
                field: field.name().to_owned(),
            }),
            Kind::Message(child) => {
                let times = way
                    .iter()
                    .filter(|(name, _, _)| name == child.full_name())
                    .count();
                if times < 2 {
                    leaves(&child, way, found);
                }
            }
            _ => {}
        }
        way.pop();
    }
}

fn all_leaves(signal: Signal) -> Vec<Leaf> {
    let name = schema::request(signal).name;
    let request = pool().get_message_by_name(name).expect(name);
    let mut found = Vec::new();
    leaves(&request, &mut Vec::new(), &mut found);
    found
}

/// A request with `leaf` at the end of a path, and nothing else.
fn plant(path: &[u32], leaf: &[u8]) -> Vec<u8> {
    let mut body = leaf.to_vec();
    for &number in path.iter().rev() {
        let mut outer = Vec::new();
        put_field(&mut outer, number, &body);
        body = outer;
    }
    body
}

/// Guarantees: REDACT-FIRST. There is no field of OTLP with strings or bytes from which a secret
/// gets through: by detectors, and by a policy that lists nothing.
#[test]
fn no_field_lets_a_secret_through() {
    let policies = [compile(DETECT), compile(ALLOW_NOTHING)];
    let mut structural = Vec::new();
    for signal in Signal::ALL {
        let leaves = all_leaves(signal);
        assert!(leaves.len() > 30, "{signal:?} has {} fields", leaves.len());
        for leaf in leaves {
            if let Some((name, _)) = STRUCTURAL.iter().find(|(name, _)| *name == leaf.field) {
                structural.push(*name);
                let wire = plant(&leaf.path, CANARY);
                assert!(otlp::check(signal, &wire).is_err(), "{}", leaf.name);
                continue;
            }
            let text = [b"before ", CANARY, b" after"].concat();
            for content in [CANARY, text.as_slice()] {
                let once = plant(&leaf.path, content);
                let (last, parents) = leaf.path.split_last().expect("a field");
                let mut twice = plant(&[*last], content);
                twice.extend(plant(&[*last], content));
                let twice = plant(parents, &twice);
                for wire in [once, twice] {
                    assert!(contains(&wire, CANARY));
                    for policy in &policies {
                        let (out, _) = redact(policy, signal, &wire);
                        assert!(!contains(&out, CANARY), "{}", leaf.name);
                    }
                }
            }
        }
    }
    for (name, reason) in STRUCTURAL {
        assert!(structural.contains(&name), "{name} ({reason}) is nowhere");
    }
}

/// Guarantees: an unknown field of any message goes with what it holds, unless the policy keeps it.
#[test]
fn no_unknown_field_lets_a_secret_through() {
    let policy = compile(DETECT);
    let keeping = compile(&DETECT.replace("rules", "unknown_fields: keep\nrules"));
    for signal in Signal::ALL {
        for leaf in all_leaves(signal) {
            for number in [30, 2047] {
                for depth in 0..leaf.path.len() {
                    let mut path = leaf.path[..depth].to_vec();
                    path.push(number);
                    let wire = plant(&path, CANARY);
                    let (out, counts) = redact(&policy, signal, &wire);
                    assert!(!contains(&out, CANARY), "{} at {depth}", leaf.name);
                    assert_eq!(counts.total(), 1);
                    let (out, _) = redact(&keeping, signal, &wire);
                    assert_eq!(out, wire);
                }
            }
        }
    }
}

/// Guarantees: a value with two members of its oneof has each redacted, in both orders.
#[test]
fn two_members_of_a_oneof_hide_nothing() {
    let policies = [compile(DETECT), compile(ALLOW_NOTHING)];
    let string = plant(&[1], CANARY);
    let bytes = plant(&[7], CANARY);
    let array = plant(&[5, 1, 1], CANARY);
    let map = plant(&[6, 1, 2, 1], CANARY);
    let number = vec![0x18, 0x07];
    let members = [string, bytes, array, map, number];
    for one in &members {
        for two in &members {
            let value = [one.as_slice(), two].concat();
            for path in [&[1, 2, 2, 9, 2][..], &[1, 1, 1, 2]] {
                let wire = plant(path, &value);
                for policy in &policies {
                    let (out, _) = redact(policy, Signal::Traces, &wire);
                    assert!(!contains(&out, CANARY));
                }
            }
            let wire = plant(&[1, 2, 2, 5], &value);
            for policy in &policies {
                let (out, _) = redact(policy, Signal::Logs, &wire);
                assert!(!contains(&out, CANARY));
            }
        }
    }
}
