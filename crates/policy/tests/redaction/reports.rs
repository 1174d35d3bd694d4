//! What is told about a policy and about what it does: `explain`, `search`, `describe`, `lint`.

use super::common::examples;
use super::common::put_field;
use super::{compile, redact};
use otlp::Signal;
use otlp::edit::Edited;
use policy::redaction::{
    Change, Counts, FindingKind, MAX_PATTERNS, Patterns, PatternsError, Policy, Survivor, explain,
    lint,
};

fn field(number: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_field(&mut out, number, body);
    out
}

/// An attribute of a span.
fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
    field(9, &[field(1, key.as_bytes()), field(2, value)].concat())
}

fn text(text: &str) -> Vec<u8> {
    field(1, text.as_bytes())
}

/// A request with one resource and one scope.
fn spans(spans: &[Vec<u8>]) -> Vec<u8> {
    let spans: Vec<_> = spans.iter().map(|span| field(2, span)).collect();
    field(1, &field(2, &spans.concat()))
}

/// What is told: path, before with `[rule action …]` around each part, and after. What is
/// redacted on the way is what redacting alone gives.
fn told(policy: &Policy, signal: Signal, wire: &[u8]) -> Vec<(String, String, Option<String>)> {
    let (mut out, mut counts, mut told) = (Vec::new(), Counts::new(policy), Vec::new());
    let mut parts = 0;
    let mut each = |change: Change| {
        let mut marked = change.before.clone();
        for part in change.parts.iter().rev() {
            marked.insert(part.range.end, ']');
            let rule = &policy.rules()[part.rule];
            marked.insert_str(part.range.start, &format!("[{rule} {} ", part.action));
        }
        parts += change.parts.len() as u64;
        told.push((change.path, marked, change.after));
    };
    let edited = explain(policy, signal, wire, &mut out, &mut counts, &mut each);
    if edited.expect("a good request") == Edited::Unchanged {
        out = wire.to_vec();
    }
    assert_eq!((out, counts.clone()), redact(policy, signal, wire));
    assert_eq!(parts, counts.total());
    told
}

/// Guarantees: each change is told with its path, what stood there, which part of it went by which
/// rule, and what it became; and it is the change that redacting makes.
#[test]
fn explain_tells_each_change() {
    let policy = compile(
        "\
version: 1
patterns: [{ name: digits, regex: '[0-9]{4}' }]
rules:
  - { name: gone, keys: [b], action: drop }
  - { name: short, keys: [long], action: truncate, length: 3 }
  - { name: all, keys: [list], action: mask, mask: '#' }
  - { name: inner, keys: [secret], action: drop }
  - { name: found, detect: [digits], action: mask, mask: '#' }
",
    );
    let element = |value: &[u8]| field(1, value);
    let list = field(5, &[element(&text("q")), element(&[0x18, 7])].concat());
    let entry = |key: &str, value: &[u8]| field(1, &[text(key), field(2, value)].concat());
    let map = field(
        6,
        &[entry("kept", &text("1111")), entry("secret", &text("s"))].concat(),
    );
    let wire = spans(&[
        field(5, b"name 5678"),
        [
            attribute("a", &text("x 1234 y 5678")),
            attribute("a", &text("clean")),
            attribute("b", &text("y")),
            attribute("long", &text("abcdef")),
            attribute("list", &list),
            attribute("key 1234", &text("v 5678")),
            attribute("number", &[0x18, 0x8e, 0xd2, 0x04]),
            attribute("map", &map),
            field(5, b"plain"),
        ]
        .concat(),
    ]);
    let at = |rest: &str| format!("resource_spans[0].scope_spans[0].spans{rest}");
    let is = |rest: &str, before: &str, after: Option<&str>| {
        (at(rest), before.to_owned(), after.map(str::to_owned))
    };
    let expect = vec![
        is("[0].name", "name [found mask 5678]", Some("name #")),
        is(
            "[1].attributes[\"a\"]",
            "x [found mask 1234] y [found mask 5678]",
            Some("x # y #"),
        ),
        is("[1].attributes[\"b\"]", "[gone drop y]", None),
        is(
            "[1].attributes[\"long\"]",
            "abc[short truncate def]",
            Some("abc"),
        ),
        is(
            "[1].attributes[\"list\"].value",
            "[all mask [\"q\", 7]]",
            Some("#"),
        ),
        is(
            "[1].attributes[\"key 1234\"]",
            "key [found mask 1234]: v [found mask 5678]",
            Some("key #: v #"),
        ),
        is(
            "[1].attributes[\"number\"]",
            "[found mask 76046]",
            Some("#6"),
        ),
        is(
            "[1].attributes[\"map\"].value.kvlist_value.values[\"kept\"]",
            "[found mask 1111]",
            Some("#"),
        ),
        is(
            "[1].attributes[\"map\"].value.kvlist_value.values[\"secret\"]",
            "[inner drop s]",
            None,
        ),
    ];
    assert_eq!(told(&policy, Signal::Traces, &wire), expect);
}

/// Guarantees: in JSON in a log body, what goes is marked and nothing after it.
#[test]
fn explain_marks_members_of_json() {
    let policy = compile(
        "\
version: 1
rules:
  - { name: gone, keys: [b], action: drop }
",
    );
    let body = r#"{"a":1,"b":{"c":[2]},"d":3}"#;
    let wire = field(1, &field(2, &field(2, &field(5, &text(body)))));
    let expect = vec![(
        "resource_logs[0].scope_logs[0].log_records[0].body".to_owned(),
        r#"{"a":1,[gone drop "b":{"c":[2]}],"d":3}"#.to_owned(),
        Some(r#"{"a":1,"d":3}"#.to_owned()),
    )];
    assert_eq!(told(&policy, Signal::Logs, &wire), expect);
}

/// Guarantees: what is odd on the wire is told as well: unknown fields, and the members of a value
/// that is two things.
#[test]
fn explain_tells_what_is_odd() {
    let policy = compile("version: 1\nrules: [{ name: r, keys: [k], action: hash }]\n");
    let two = [text("t"), vec![0x18, 9]].concat();
    let unknown = [0xfa, 0x06, 0x02, b'u', b'v'];
    let wire = spans(&[[attribute("k", &two), unknown.to_vec()].concat()]);
    let told = told(&policy, Signal::Traces, &wire);
    let seen: Vec<_> = told.iter().map(|t| (t.0.as_str(), t.1.as_str())).collect();
    let at = "resource_spans[0].scope_spans[0].spans[0]";
    let member = |name: &str| format!("{at}.attributes[\"k\"].value.{name}");
    let expect = [
        (&*member("string_value"), "[r hash t]"),
        (&*member("int_value"), "[r hash 9]"),
        (&*format!("{at}.(field 111)"), "[(unknown field) drop uv]"),
    ];
    assert_eq!(seen, expect);
    assert!(
        told[0]
            .2
            .as_deref()
            .is_some_and(|t| t.starts_with("hmac:k1:"))
    );
    assert_eq!((&told[1].2, &told[2].2), (&None, &None));
}

/// Guarantees: explaining each of the examples gives what redacting gives, with a path to each
/// change that leads somewhere.
#[test]
fn explain_agrees_with_redacting() {
    let policy =
        compile("version: 1\nmode: allow\nrules: [{ name: r, detect: [default], action: mask }]\n");
    for (name, request) in examples() {
        for (path, ..) in told(&policy, request.signal(), &request.encode()) {
            assert!(path.starts_with("resource_"), "{name}: {path}");
        }
    }
}

/// Guarantees: neither changes nor survivors show values where they are printed for debugging.
#[test]
fn what_is_told_is_not_in_debug() {
    let policy = compile("version: 1\nrules: [{ name: r, keys: [k], action: drop }]\n");
    let wire = spans(&[attribute("k", &text("hunter2"))]);
    let mut debug = String::new();
    let patterns = Patterns::compile(&["hunter.".to_owned()]).expect("a good pattern");
    patterns
        .search(Signal::Traces, &wire, &mut |found| {
            debug += &format!("{found:?}")
        })
        .expect("a good request");
    let (mut out, mut counts) = (Vec::new(), Counts::new(&policy));
    let mut each = |change: Change| debug += &format!("{change:?}");
    let edited = explain(
        &policy,
        Signal::Traces,
        &wire,
        &mut out,
        &mut counts,
        &mut each,
    )
    .expect("a good request");
    assert_eq!(edited, Edited::Changed);
    assert!(debug.contains("Survivor") && debug.contains("Change"));
    assert!(!debug.contains("hunter2"), "{debug}");
}

/// What is found of patterns: path, pattern, text.
fn search(patterns: &[&str], signal: Signal, wire: &[u8]) -> Vec<(String, String, String)> {
    let texts: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
    let patterns = Patterns::compile(&texts).expect("good patterns");
    let mut found = Vec::new();
    let mut each = |survivor: Survivor| {
        let pattern = patterns.get(survivor.pattern).to_owned();
        found.push((survivor.path, pattern, survivor.text));
    };
    patterns
        .search(signal, wire, &mut each)
        .expect("a good request");
    found
}

/// Guarantees: a pattern is found in values of every kind, in keys, names and unknown fields, and
/// behind the escapes of JSON; and not in ids and times.
#[test]
fn patterns_are_found_wherever_they_stand() {
    let wire = spans(&[[
        field(1, b"aaaaaaaaaaaaaaaa"),
        attribute("aaa.key", &text("v")),
        attribute("k", &text("xaaax")),
        attribute("n", &[0x18, 0x80, 0x90, 0x4e]),
        attribute("b", &field(7, b"\xffaaa")),
        attribute("j", &text(r#"{"x":"\u0061aa"}"#)),
        attribute("l", &field(5, &field(1, &text("aaaa")))),
        field(5, b"aaa"),
        vec![0xfa, 0x06, 0x03, b'a', b'a', b'a'],
    ]
    .concat()]);
    let at = "resource_spans[0].scope_spans[0].spans[0]";
    let is = |rest: &str, pattern: &str, text: &str| {
        (format!("{at}.{rest}"), pattern.to_owned(), text.to_owned())
    };
    let value = "value.string_value";
    let expect = vec![
        is("attributes[\"aaa.key\"].key", "a{3}", "aaa"),
        is(&format!("attributes[\"k\"].{value}"), "a{3}", "aaa"),
        is("attributes[\"n\"].value", "^128[0-9]*$", "1280000"),
        is("attributes[\"b\"].value.bytes_value", "a{3}", "aaa"),
        is(&format!("attributes[\"j\"].{value}"), "a{3}", "aaa"),
        is(
            "attributes[\"l\"].value.array_value.values[0].string_value",
            "a{3}",
            "aaa",
        ),
        is("name", "a{3}", "aaa"),
        is("(field 111)", "a{3}", "aaa"),
    ];
    assert_eq!(
        search(&["a{3}", "^128[0-9]*$"], Signal::Traces, &wire),
        expect
    );
}

/// Guarantees: patterns that do not compile, match everything or are too many are refused.
#[test]
fn bad_patterns_are_refused() {
    let refused = |patterns: &[&str]| {
        let patterns: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
        let error = Patterns::compile(&patterns).expect_err("refused");
        assert!(error.to_string().contains("hint: "), "{error}");
        error
    };
    assert!(matches!(refused(&["a", "("]), PatternsError::Syntax(_)));
    assert!(matches!(
        refused(&["(a{1000}){1000}"]),
        PatternsError::Syntax(_)
    ));
    assert!(matches!(refused(&["a*"]), PatternsError::Empty(_)));
    assert_eq!(
        refused(&vec!["a"; MAX_PATTERNS + 1]),
        PatternsError::TooMany
    );
}

/// Guarantees: what a policy is made of is told in its own words and in the order in which it is
/// asked.
#[test]
fn a_policy_is_described() {
    let policy = compile(
        "\
version: 1
extends: forensic
patterns: [{ name: staff, regex: 'E[0-9]{6}' }]
rules:
  - { name: short, keys: [Note, 'x.*'], action: truncate, length: 9, signals: [logs], places: [item] }
  - { name: staff, detect: [staff, default], action: mask, mask: '#' }
  - { name: names, fields: [span.name], action: keep }
",
    );
    let overlay = "version: 1\nrules: [{ name: tighter, keys: [http.route], action: drop }]\n";
    let tight = policy.tightened("acme.yaml", overlay).expect("tightens");
    let told = tight.describe();
    assert_eq!(told.documents, ["acme.yaml", "p.yaml", "forensic"]);
    assert_eq!((told.mode.as_str(), told.annotate), ("allow", true));
    assert_eq!(
        (told.unknown_fields.as_str(), told.binary.as_str()),
        ("drop", "drop")
    );
    let names: Vec<&str> = told.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names[..4], ["tighter", "short", "staff", "names"]);
    let written = tight.rules().iter().filter(|name| !name.starts_with('('));
    assert!(names.iter().copied().eq(written.map(|name| &**name)));
    let [tighter, short, staff, fields] = &told.rules[..4] else {
        panic!("{told:?}")
    };
    assert!(tighter.overlay && !short.overlay);
    assert_eq!(short.keys, ["Note", "x.*"]);
    assert_eq!((short.action, short.length), ("truncate", Some(9)));
    assert_eq!(
        (&*short.signals, &*short.places),
        (&["logs".to_owned()][..], &["item".to_owned()][..])
    );
    assert_eq!(staff.detect, ["staff", "default"]);
    assert_eq!(
        (staff.mask.as_deref(), staff.part.as_str()),
        (Some("#"), "matched")
    );
    assert_eq!(fields.fields, ["span.name"]);
    assert_eq!(told.rules[4].document, "forensic");
    assert_eq!(told.patterns[0].regex, "E[0-9]{6}");
    assert!(
        told.default_detectors.iter().any(|name| name == "email"),
        "{told:?}"
    );
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
    for (rules, blamed) in [
        (
            "{ name: r, keys: [note], action: keep }, { name: d, detect: [email], action: mask }",
            true,
        ),
        (
            "{ name: r, keys: [note], action: truncate, length: 9 }, { name: d, detect: [email], action: mask }",
            true,
        ),
        (
            "{ name: r, keys: [note], action: keep }, { name: d, keys: ['no*'], detect: [email], action: mask }",
            true,
        ),
        (
            "{ name: r, fields: [span.name], action: keep }, { name: d, detect: [email], action: mask }",
            true,
        ),
        (
            "{ name: d, detect: [email], action: mask }, { name: r, keys: [note], action: keep }",
            false,
        ),
        (
            "{ name: r, keys: [note], action: mask }, { name: d, detect: [email], action: mask }",
            false,
        ),
        (
            "{ name: r, keys: [note], action: keep }, { name: d, keys: [other], detect: [email], action: mask }",
            false,
        ),
        (
            "{ name: r, keys: [note], signals: [logs], action: keep }, { name: d, signals: [traces], detect: [email], action: mask }",
            false,
        ),
    ] {
        let found = findings(&format!("version: 1\nrules: [{rules}]\n"));
        let found = found.contains(&(FindingKind::Undetected, "r".to_owned()));
        assert_eq!(found, blamed, "{rules}");
    }
    let open = findings("version: 1\nrules: [{ name: r, keys: [user.id], action: drop }]\n");
    assert!(open.contains(&(FindingKind::PersonalData, "p.yaml".to_owned())));
}
