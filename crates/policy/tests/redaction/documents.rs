//! Policy documents: what is wrong with one, where, and what would be right.

use super::{compile, try_compile};
use policy::redaction::Policy;

/// Guarantees: a bad policy is answered with the place, what is wrong and a hint.
#[test]
fn errors_say_where_and_what() {
    let rule = |rest: &str| format!("version: 1\nrules:\n  - {{ name: r, {rest} }}\n");
    let cases = [
        ("rules: []\n".to_owned(), "the key `version` is missing", "add `version:`"),
        ("version: 2\n".to_owned(), "p.yaml:1:10: policies of version 2", "version: 1"),
        ("version: 1\nrulez: []\n".to_owned(), "p.yaml:2:1: unknown key `rulez`", "`rules`"),
        ("version: 1\nmode: alow\n".to_owned(), "p.yaml:2:7: unknown value `alow`", "`allow`"),
        (rule("keyz: [a], action: drop"), "p.yaml:3:16: unknown key `keyz`", "`keys`"),
        (rule("keys: [a], action: dorp"), "unknown value `dorp`", "did you mean `drop`?"),
        (rule("keys: [a]"), "the key `action` is missing", "add `action:`"),
        (rule("action: drop"), "p.yaml:3:13: the rule `r` says nothing", "`detect:`"),
        (rule("keys: [''], action: drop"), "p.yaml:3:23: a key is empty", "prefix"),
        (rule("keys: [a], fields: [span.nam], action: drop"), "`span.nam`", "`span.name`"),
        (rule("keys: [a], places: [span], action: drop"), "unknown value `span`", "`scope`"),
        (rule("detect: [emial], action: mask"), "p.yaml:3:25: there is no detector `emial`", "`email`"),
        (rule("keys: [a], action: truncate"), "`truncate` without a length", "go together"),
        (rule("keys: [a], action: drop, length: 3"), "a length without", "go together"),
        (rule("keys: [a], action: drop, mask: x"), "has a mask", "`action: mask`"),
        (rule("keys: [a], action: mask, part: matched"), "detects nothing", "`detect:`"),
        (rule("detect: [email], action: drop, part: matched"), "drops or truncates a part", "`mask`"),
        (rule("detect: [email], action: truncate, length: 2"), "truncates what", "`mask`"),
        (
            "version: 1\nrules:\n  - { name: r, keys: [a], action: drop }\n  - { name: r, keys: [b], action: drop }\n".to_owned(),
            "p.yaml:4:13: two rules are named `r`",
            "name of its own",
        ),
        (
            "version: 1\nrules: [{ name: 'a b', keys: [a], action: drop }]\n".to_owned(),
            "`a b` is no name for a rule",
            "letters",
        ),
        (
            "version: 1\npatterns: [{ name: p, regex: '(' }]\n".to_owned(),
            "p.yaml:2:30: the regular expression of `p` is wrong",
            "regex",
        ),
        (
            "version: 1\npatterns: [{ name: p, regex: 'x*' }]\n".to_owned(),
            "p.yaml:2:30: the regular expression of `p` is wrong",
            "",
        ),
        (
            "version: 1\npatterns: [{ name: email, regex: 'x' }]\n".to_owned(),
            "built in",
            "another name",
        ),
        (
            "version: 1\nextends: nowhere\n".to_owned(),
            "p.yaml:2:10: there is no policy `nowhere`",
            "`default`, `forensic`, `airgap`",
        ),
        ("version: [\n".to_owned(), "p.yaml:", ""),
    ];
    for (text, message, hint) in cases {
        let error = try_compile(&text).expect_err(&text);
        assert!(error.to_string().contains(message), "{text}gave {error}");
        let given = error.hint().unwrap_or("");
        assert!(given.contains(hint), "{text}hinted {given}");
        assert!(
            hint.is_empty() || error.line_and_column().is_some(),
            "{text}"
        );
    }
}

/// Guarantees: without a site key nothing can be hashed, and the policy says so.
#[test]
fn hashing_needs_a_key() {
    for action in ["hash", "tokenize"] {
        let text = format!("version: 1\nrules: [{{ name: r, keys: [a], action: {action} }}]\n");
        let error = Policy::compile("p", &text, &|_| None, None).expect_err("no key");
        assert!(error.to_string().contains("no key"), "{error}");
        assert!(
            error
                .hint()
                .is_some_and(|hint| hint.contains("16 random bytes"))
        );
    }
}

fn resolve(name: &str) -> Option<String> {
    let extends = match name {
        "a" => "b",
        "b" => "c",
        "c" => "a",
        "self" => "self",
        "endless" => return None,
        "parent" => {
            return Some(
                "version: 1\nmode: allow\nmask: M\nunknown_fields: keep\n\
                 rules:\n  - { name: keep, keys: [x, y], action: keep }\n"
                    .to_owned(),
            );
        }
        name => {
            let n: u32 = name.parse().ok()?;
            return Some(format!("version: 1\nextends: '{}'\n", n + 1));
        }
    };
    Some(format!("version: 1\nextends: {extends}\n"))
}

/// Guarantees: policies that extend each other in a circle, or without end, are refused.
#[test]
fn circles_are_refused() {
    for (name, message) in [
        ("a", "p.yaml -> a -> b -> c -> a"),
        ("self", "p.yaml -> self -> self"),
        ("0", "more than 16 policies"),
    ] {
        let text = format!("version: 1\nextends: '{name}'\n");
        let error = Policy::compile("p.yaml", &text, &resolve, None).expect_err(name);
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.hint().is_some());
    }
}

/// Guarantees: a policy's own rules come before those it extends, and its settings win.
#[test]
fn what_is_extended_comes_after() {
    let text =
        "version: 1\nextends: parent\nmask: N\nrules: [{ name: mine, keys: [x], action: mask }]\n";
    let policy = Policy::compile("p.yaml", text, &resolve, None).expect("a good policy");
    let names: Vec<&str> = policy.rules().iter().map(|name| &**name).take(3).collect();
    assert_eq!(names, ["mine", "keep", "(not listed)"]);
    assert_eq!(policy.name(), "p.yaml");
}

/// Guarantees: BOUNDED. A policy has limits too.
#[test]
fn policies_have_limits() {
    let many = |n: usize, rest: &str| -> String {
        let rules = (0..n).map(|i| format!("  - {{ name: r{i}, {rest} }}\n"));
        format!("version: 1\nrules:\n{}", rules.collect::<String>())
    };
    compile(&many(64, "detect: [email], action: mask"));
    for (text, message) in [
        (
            many(65, "detect: [email], action: mask"),
            "at most 64 rules with `detect`",
        ),
        (many(4097, "keys: [a], action: drop"), "at most 4096 rules"),
        (
            format!(
                "version: 1\nrules: [{{ name: r, keys: [{}], action: drop }}]\n",
                "k".repeat(257)
            ),
            "at most 256 bytes",
        ),
        (
            format!("version: 1\n#{}", " ".repeat(1 << 20)),
            "larger than",
        ),
    ] {
        let error = try_compile(&text).expect_err(message);
        assert!(error.to_string().contains(message), "{error}");
    }
}
