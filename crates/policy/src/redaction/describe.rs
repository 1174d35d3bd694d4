//! What a policy says once all that it extends is joined: for `redact show`.

use serde::Serialize;

use super::action::Action;
use super::compile::ALL_DEFAULT;
use super::document::{Mode, Part, Unseen};
use super::load::{Joined, Sourced};
use super::policy::{Policy, Rule};
use crate::detect::Builtin;

/// A policy in the order in which it is asked, in the words of its documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Description {
    /// The name it was compiled under.
    pub policy: String,
    /// The documents that it is made of, those that come first first.
    pub documents: Vec<String>,
    /// `allow` or `block`.
    pub mode: String,
    /// What becomes of fields that the schema does not name.
    pub unknown_fields: String,
    /// What becomes of bytes that are no text.
    pub binary: String,
    /// Whether items bear the number of changes.
    pub annotate: bool,
    /// What `detect: [default]` stands for, if a rule says so.
    pub default_detectors: Vec<String>,
    /// The site's own detectors.
    pub patterns: Vec<PatternDescription>,
    /// The rules.
    pub rules: Vec<RuleDescription>,
}

/// A detector of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PatternDescription {
    /// Its name.
    pub name: String,
    /// Its regular expression.
    pub regex: String,
    /// The document that it stands in.
    pub document: String,
}

/// A rule. Lists are empty where the document says nothing, which means all for signals and
/// places.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleDescription {
    /// Its name.
    pub name: String,
    /// The document that it stands in.
    pub document: String,
    /// Whether it is of a tenant's overlay, which is asked beside the policy.
    pub overlay: bool,
    /// The word for what it does.
    pub action: &'static str,
    /// What values become, if it masks.
    pub mask: Option<String>,
    /// How many characters stay, if it truncates.
    pub length: Option<usize>,
    /// `matched` or `whole`.
    pub part: String,
    /// The keys that it names.
    pub keys: Vec<String>,
    /// The texts that it names.
    pub fields: Vec<String>,
    /// The detectors that it asks.
    pub detect: Vec<String>,
    /// The signals that it holds for.
    pub signals: Vec<String>,
    /// The places that it holds for.
    pub places: Vec<String>,
}

impl Policy {
    /// The policy with all that it extends and its overlay, in the order of its rules.
    pub fn describe(&self) -> Description {
        let layers = || self.overlay.iter().chain([&self.base]);
        let texts = layers().flat_map(|joined| joined.rules.iter().map(move |text| (joined, text)));
        let rules = self.written().zip(texts);
        let rules: Vec<_> = rules
            .map(|((_, rule), (joined, text))| describe(rule, joined, text))
            .collect();
        let mode = if self.modes.contains(&Mode::Allow) {
            "allow"
        } else {
            "block"
        };
        let uses_default = rules
            .iter()
            .any(|rule| rule.detect.iter().any(|word| word == ALL_DEFAULT));
        let default = Builtin::ALL.iter().filter(|builtin| builtin.default_on());
        Description {
            policy: self.name().to_owned(),
            documents: layers()
                .flat_map(|joined| joined.sources.iter().map(|source| source.name.clone()))
                .collect(),
            mode: mode.to_owned(),
            unknown_fields: unseen(self.unknown_fields),
            binary: unseen(self.binary),
            annotate: self.annotate,
            default_detectors: default
                .filter(|_| uses_default)
                .map(|builtin| builtin.name().to_owned())
                .collect(),
            patterns: layers()
                .flat_map(|joined| {
                    joined.patterns.iter().map(|pattern| PatternDescription {
                        name: pattern.value.name.value.clone(),
                        regex: pattern.value.regex.value.clone(),
                        document: document(joined, pattern),
                    })
                })
                .collect(),
            rules,
        }
    }
}

fn describe(
    rule: &Rule,
    joined: &Joined,
    text: &Sourced<super::document::RuleText>,
) -> RuleDescription {
    let located = |values: &[document::Located<String>]| {
        values.iter().map(|value| value.value.clone()).collect()
    };
    RuleDescription {
        name: rule.name.to_string(),
        document: document(joined, text),
        overlay: rule.layer == 0,
        action: rule.action.as_str(),
        mask: match &rule.action {
            Action::Mask(mask) => Some(mask.to_string()),
            _ => None,
        },
        length: match rule.action {
            Action::Truncate(length) => Some(length),
            _ => None,
        },
        part: match rule.part {
            Part::Whole => "whole".to_owned(),
            Part::Matched => "matched".to_owned(),
        },
        keys: located(&text.value.keys),
        fields: words(&text.value.fields),
        detect: located(&text.value.detect),
        signals: words(&text.value.signals),
        places: words(&text.value.places),
    }
}

fn document<T>(joined: &Joined, of: &Sourced<T>) -> String {
    let source = joined.sources.get(of.source);
    source.map_or_else(String::new, |source| source.name.clone())
}

fn unseen(unseen: Unseen) -> String {
    match unseen {
        Unseen::Drop => "drop".to_owned(),
        Unseen::Keep => "keep".to_owned(),
    }
}

/// The words of a document: each is written as it is read.
fn words<T: Serialize>(values: &[T]) -> Vec<String> {
    let word = |value: &T| match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Some(word),
        _ => None,
    };
    values.iter().filter_map(word).collect()
}
