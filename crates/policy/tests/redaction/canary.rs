//! A secret in every place of OTLP that can hold one. Upstream's descriptors say where, not ours.

use super::{compile, contains, redact};
use otlp::Signal;
use testkit::canary::{Leaf, STRUCTURAL, leaves, plant};

const CANARY: &[u8] = b"canary-7f3a9c";

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

fn all_leaves(signal: Signal) -> Vec<Leaf> {
    leaves(signal.as_str())
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

/// Guarantees: REDACT-FIRST. With each policy that ships, what the default detectors find gets
/// through from no field, whatever its other rules say about the field.
#[test]
fn no_shipped_policy_lets_through_what_is_found() {
    const ADDRESS: &[u8] = b"canary.person@mail.example-corp.com";
    for name in ["default", "forensic", "airgap"] {
        let policy = compile(super::shipped_text(name).expect("it ships"));
        for signal in Signal::ALL {
            for leaf in all_leaves(signal)
                .iter()
                .filter(|leaf| !leaf.is_structural())
            {
                let wire = plant(&leaf.path, &[b"write to ", ADDRESS, b" now"].concat());
                let (out, _) = redact(&policy, signal, &wire);
                assert!(!contains(&out, ADDRESS), "{name}: {}", leaf.name);
            }
        }
    }
}
