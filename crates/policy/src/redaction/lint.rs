//! What is likely a mistake in a policy that compiles. A site's regular expression that matches
//! the empty text does not compile.

use super::action::Action;
use super::pattern::Pattern;
use super::place::{Context, Place};
use super::policy::{Policy, Rule};

use ident::Signal;

/// Something about a policy that its author should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// The rule or pattern that it is about; the policy's name where it is about all of it.
    pub subject: String,
    /// What was found, in a sentence.
    pub message: String,
    /// What could be done.
    pub hint: &'static str,
}

/// The kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// A rule, or a key of it, that earlier rules leave nothing to.
    Unreachable,
    /// A rule that lets everything, or nearly everything, pass.
    TooBroad,
    /// A key of the semantic conventions that commonly carries personal data passes unseen.
    PersonalData,
    /// A rule that keeps or truncates what a later rule would have looked into.
    Undetected,
}

impl FindingKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            FindingKind::Unreachable => "unreachable",
            FindingKind::TooBroad => "too_broad",
            FindingKind::PersonalData => "personal_data",
            FindingKind::Undetected => "undetected",
        }
    }
}

/// Keys of the OpenTelemetry semantic conventions that commonly carry personal data or secrets.
pub const PERSONAL_KEYS: [&str; 22] = [
    "client.address",
    "db.query.text",
    "db.statement",
    "device.id",
    "enduser.id",
    "enduser.pseudo.id",
    "exception.message",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "http.request.header.authorization",
    "http.request.header.cookie",
    "http.response.header.set-cookie",
    "network.peer.address",
    "process.command_line",
    "session.id",
    "source.address",
    "url.full",
    "url.query",
    "user.email",
    "user.full_name",
    "user.id",
];

/// Looks for likely mistakes.
pub fn lint(policy: &Policy) -> Vec<Finding> {
    let mut findings = Vec::new();
    unreachable(policy, &mut findings);
    too_broad(policy, &mut findings);
    personal_data(policy, &mut findings);
    undetected(policy, &mut findings);
    findings
}

/// A rule that decides ends the asking, so detecting rules after it see nothing of its values.
fn undetected(policy: &Policy, findings: &mut Vec<Finding>) {
    for (index, rule) in policy.written() {
        let shows = matches!(rule.action, Action::Keep | Action::Truncate(_));
        if !shows || rule.detect_bit.is_some() {
            continue;
        }
        let later = policy.written().filter(|(other, _)| *other > index);
        let blinded = later.map(|(_, other)| other).find(|other| {
            // To decide before what it extends is what a policy is for.
            (other.layer, other.source) == (rule.layer, rule.source)
                && other.detect_bit.is_some()
                && other.action != Action::Keep
                && (share_keys(rule, other) || share_fields(rule, other))
        });
        if let Some(blinded) = blinded {
            findings.push(Finding {
                kind: FindingKind::Undetected,
                subject: rule.name.to_string(),
                message: format!(
                    "what it {}s is not looked into by `{}`, which comes later",
                    rule.action.as_str(),
                    blinded.name
                ),
                hint: "put the rule with `detect:` first: it stays in effect for what comes after",
            });
        }
    }
}

fn share_keys(rule: &Rule, other: &Rule) -> bool {
    let meet = |a: &Pattern, b: &Pattern| a.covers(b) || b.covers(a);
    rule.contexts & other.contexts != 0
        && !rule.keys.is_empty()
        && (other.keys.is_empty()
            || rule
                .keys
                .iter()
                .any(|key| other.keys.iter().any(|own| meet(key, own))))
}

fn share_fields(rule: &Rule, other: &Rule) -> bool {
    rule.signals & other.signals != 0 && rule.fields.iter().any(|f| other.fields.contains(f))
}

fn unreachable(policy: &Policy, findings: &mut Vec<Finding>) {
    for (index, rule) in policy.written() {
        let earlier = || {
            policy
                .written()
                .take_while(move |(other, _)| *other < index)
                .map(|(_, other)| other)
                // To decide before what it extends is what a policy is for.
                .filter(|other| (other.layer, other.source) == (rule.layer, rule.source))
                .filter(|other| other.detect_bit.is_none())
        };
        let covered = |pattern: &Pattern| {
            earlier().find(|other| {
                other.contexts & rule.contexts == rule.contexts
                    && other.keys.iter().any(|key| key.covers(pattern))
            })
        };
        let mut dead = Vec::new();
        for pattern in &rule.keys {
            if let Some(by) = covered(pattern) {
                dead.push((pattern.to_string(), &by.name));
            }
        }
        for field in &rule.fields {
            let by = earlier().find(|other| {
                other.signals & rule.signals == rule.signals && other.fields.contains(field)
            });
            if let Some(by) = by.filter(|_| rule.keys.is_empty()) {
                dead.push((format!("{field:?}"), &by.name));
            }
        }
        let all = dead.len() == rule.keys.len() + rule.fields.len() && !dead.is_empty();
        for (what, by) in &dead {
            let message = if all {
                format!("it never decides: `{what}` is decided by the earlier rule `{by}`")
            } else {
                format!("its `{what}` is decided by the earlier rule `{by}`")
            };
            findings.push(Finding {
                kind: FindingKind::Unreachable,
                subject: rule.name.to_string(),
                message,
                hint: "the first rule that matches decides: put the narrower one first",
            });
        }
    }
}

fn too_broad(policy: &Policy, findings: &mut Vec<Finding>) {
    for (_, rule) in policy.written() {
        if rule.action != Action::Keep || rule.detect_bit.is_some() {
            continue;
        }
        for pattern in &rule.keys {
            if is_broad(pattern) {
                findings.push(Finding {
                    kind: FindingKind::TooBroad,
                    subject: rule.name.to_string(),
                    message: format!("`{pattern}` keeps nearly every key"),
                    hint: "list namespaces, such as `http.*`, or use `mode: block`",
                });
            }
        }
    }
}

/// Whether a pattern says next to nothing: at most one character besides wildcards.
fn is_broad(pattern: &Pattern) -> bool {
    let text = pattern.to_string();
    let literal = text.chars().filter(|c| !matches!(c, '*' | '?')).count();
    text.contains('*') && literal <= 1 || pattern.matches_all()
}

fn personal_data(policy: &Policy, findings: &mut Vec<Finding>) {
    let mut rules = Vec::new();
    for key in PERSONAL_KEYS {
        let item = Context::new(Signal::Traces, Place::Item);
        let decision = policy.about_key(item, key.as_bytes(), key.as_bytes(), &mut rules);
        if decision.kind != super::decide::Kind::Pass {
            continue;
        }
        let by = policy.rule(decision.rule).map(|rule: &Rule| &rule.name);
        let message = match by {
            Some(rule) => format!("`{key}` commonly carries personal data; `{rule}` keeps it"),
            None => format!("`{key}` commonly carries personal data and no rule names it"),
        };
        findings.push(Finding {
            kind: FindingKind::PersonalData,
            subject: by.map_or_else(|| policy.name().to_owned(), ToString::to_string),
            message,
            hint: "hash, mask or drop it, or put a rule with `detect: [default]` first",
        });
    }
}
