//! `explain` and `lint`.

use super::common::examples;
use super::common::put_field;
use super::{compile, redact};
use otlp::Signal;
use policy::redaction::{FindingKind, explain, lint};

fn field(number: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_field(&mut out, number, body);
    out
}

/// Guarantees: each change is told with its path, its rule and the bytes it is about.
#[test]
fn explain_tells_each_change() {
    let policy = compile(
        "\
version: 1
patterns: [{ name: digits, regex: '[0-9]{4}' }]
rules:
  - { name: gone, keys: [b], action: drop }
  - { name: found, detect: [digits], action: mask }
",
    );
    let pair = |key: &str, value: &str| {
        let value = field(1, value.as_bytes());
        field(9, &[field(1, key.as_bytes()), field(2, &value)].concat())
    };
    let span =
        |attributes: &[Vec<u8>]| field(2, &[attributes.concat(), field(5, b"name 5678")].concat());
    let spans = [span(&[]), span(&[pair("a", "x 1234"), pair("b", "y")])].concat();
    let wire = field(1, &field(2, &spans));
    let told: Vec<_> = explain(&policy, Signal::Traces, &wire)
        .expect("a good request")
        .into_iter()
        .map(|change| {
            let rule = policy.rules()[change.rule].to_string();
            (
                change.path,
                rule,
                change.action,
                wire[change.range].to_vec(),
            )
        })
        .collect();
    let at = |rest: &str| format!("resource_spans[0].scope_spans[0].spans{rest}");
    let b = [field(1, b"b"), field(2, &field(1, b"y"))].concat();
    let expect = vec![
        (at("[0].name"), "found".to_owned(), "mask", b"5678".to_vec()),
        (
            at("[1].attributes[\"a\"].value.string_value"),
            "found".to_owned(),
            "mask",
            b"1234".to_vec(),
        ),
        (at("[1].attributes[\"b\"]"), "gone".to_owned(), "drop", b),
        (at("[1].name"), "found".to_owned(), "mask", b"5678".to_vec()),
    ];
    assert_eq!(told, expect);
}

/// Guarantees: `explain` tells as many changes as are counted.
#[test]
fn explain_agrees_with_the_counts() {
    let policy =
        compile("version: 1\nmode: allow\nrules: [{ name: r, detect: [default], action: mask }]\n");
    for (name, request) in examples() {
        let wire = request.encode();
        let (_, counts) = redact(&policy, request.signal(), &wire);
        let changes = explain(&policy, request.signal(), &wire).expect("a good request");
        assert_eq!(changes.len() as u64, counts.total(), "{name}");
        for change in changes {
            assert!(!change.path.is_empty() && change.range.end <= wire.len());
        }
    }
}

fn findings(text: &str) -> Vec<(FindingKind, String)> {
    lint(&compile(text))
        .into_iter()
        .map(|finding| (finding.kind, finding.subject))
        .collect()
}

/// Guarantees: each kind of likely mistake is found, and a policy without one is not blamed.
#[test]
fn lint_finds_likely_mistakes() {
    let clean = "version: 1\nrules: [{ name: all, detect: [default], action: mask }]\n";
    assert_eq!(findings(clean), []);
    let found = findings(
        "\
version: 1
mode: allow
rules:
  - { name: wide, keys: ['http.*'], action: keep }
  - { name: dead, keys: [http.route, 'http.request.*'], action: drop }
  - { name: half, keys: [http.route, other], action: drop }
  - { name: all, keys: ['*'], action: keep }
  - { name: narrow, keys: [http.route], action: drop, places: [event] }
",
    );
    let has = |kind, subject: &str| found.contains(&(kind, subject.to_owned()));
    assert!(has(FindingKind::Unreachable, "dead"));
    assert!(has(FindingKind::Unreachable, "half"));
    assert!(has(FindingKind::TooBroad, "all"));
    assert!(!has(FindingKind::TooBroad, "wide"));
    assert!(
        has(FindingKind::PersonalData, "wide"),
        "http.request.header.cookie"
    );
    assert!(has(FindingKind::PersonalData, "all"), "url.full");
    let open = findings("version: 1\nrules: [{ name: r, keys: [user.id], action: drop }]\n");
    assert!(open.contains(&(FindingKind::PersonalData, "p.yaml".to_owned())));
}
