//! From joined documents to a compiled policy.

mod rule;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ident::Signal;

use super::action::{Action, SiteKey};
use super::decide::Decision;
use super::document::{Mode, Part, Unseen};
use super::error::PolicyError;
use super::keys::KeyIndex;
use super::load::{Joined, Source};
use super::place::{Context, Place, TextField, signal_index};
use super::policy::{Implicit, Policy, Rule};
use super::texts::Texts;
use crate::detect::{Builtin, CompileError, Detectors, Spec};

const DEFAULT_MASK: &str = "[REDACTED]";

pub(super) fn compile(
    name: &str,
    base: Arc<Joined>,
    overlay: Option<Arc<Joined>>,
    key: Option<&SiteKey>,
) -> Result<Policy, PolicyError> {
    let layers = [overlay.as_deref(), Some(&*base)];
    let mut compiler = Compiler::new(&layers, key)?;
    for (layer, joined) in layers.iter().enumerate() {
        let Some(joined) = joined else { continue };
        let mask = joined.mask.as_deref().or(base.mask.as_deref());
        for rule in &joined.rules {
            compiler.rule(joined, layer as u8, rule, mask.unwrap_or(DEFAULT_MASK))?;
        }
    }
    Ok(compiler.finish(name, &base, overlay.clone()))
}

struct Compiler<'k> {
    rules: Vec<Rule>,
    names: BTreeSet<Box<str>>,
    detecting: Vec<u16>,
    detectors: Detectors,
    detector_names: Vec<Box<str>>,
    default_detectors: Vec<u16>,
    key_count: usize,
    key: Option<&'k SiteKey>,
}

impl<'k> Compiler<'k> {
    /// Compiles the detectors that rules name, each once.
    fn new(layers: &[Option<&Joined>], key: Option<&'k SiteKey>) -> Result<Self, PolicyError> {
        let mut specs: Vec<Spec> = Vec::new();
        let mut names: Vec<Box<str>> = Vec::new();
        let wanted: BTreeSet<&str> = layers
            .iter()
            .flatten()
            .flat_map(|joined| &joined.rules)
            .flat_map(|rule| rule.value.detect.iter().map(|word| word.value.as_str()))
            .collect();
        let mut default_detectors = Vec::new();
        for &builtin in Builtin::ALL {
            let by_default = builtin.default_on() && wanted.contains(ALL_DEFAULT);
            if by_default || wanted.contains(builtin.name()) {
                if builtin.default_on() {
                    default_detectors.push(names.len() as u16);
                }
                specs.push(Spec::Builtin(builtin));
                names.push(builtin.name().into());
            }
        }
        for joined in layers.iter().flatten() {
            for pattern in &joined.patterns {
                let source = &joined.sources[pattern.source];
                let (at, regex) = (&pattern.value.name, &pattern.value.regex);
                let name = at.value.as_str();
                check_name(source, at, "pattern")?;
                if Builtin::parse(name).is_some() || name == ALL_DEFAULT {
                    let message = format!("`{name}` is the name of a detector that is built in");
                    return Err(source.error(at, name.len(), message, "choose another name"));
                }
                if names.iter().any(|other| **other == *name) {
                    let message = format!("two patterns are named `{name}`");
                    return Err(source.error(at, name.len(), message, "choose another name"));
                }
                let spec = Spec::Pattern {
                    name: name.to_owned(),
                    regex: regex.value.clone(),
                };
                // Each by itself first, so that an error has its place.
                Detectors::compile(std::slice::from_ref(&spec)).map_err(|error| {
                    let (wrong, hint) = told(&error);
                    let message = format!("the regular expression of `{name}` is wrong: {wrong}");
                    source.error(regex, regex.value.len(), message, hint)
                })?;
                specs.push(spec);
                names.push(name.into());
            }
        }
        let detectors = Detectors::compile(&specs).map_err(|error| {
            let name = layers.iter().flatten().next().map(|j| &j.sources[0].name);
            PolicyError::from(document::Error::whole(
                name.map_or("policy", String::as_str),
                format!("the detectors together are refused: {}", told(&error).0),
                Some(told(&error).1),
            ))
        })?;
        Ok(Compiler {
            rules: Vec::new(),
            names: BTreeSet::new(),
            detecting: Vec::new(),
            detectors,
            detector_names: names,
            default_detectors,
            key_count: 0,
            key,
        })
    }

    fn finish(self, name: &str, base: &Arc<Joined>, overlay: Option<Arc<Joined>>) -> Policy {
        static NEXT_ID: AtomicU32 = AtomicU32::new(1);
        let mut rules = self.rules;
        let implicit = Implicit::after(rules.len() as u16);
        rules.extend(Implicit::NAMES.map(|name| Rule {
            name: name.into(),
            action: Action::Drop,
            part: Part::Whole,
            contexts: 0,
            signals: 0,
            layer: 1,
            source: 0,
            detect_bit: None,
            detectors: Vec::new(),
            keys: Vec::new(),
            fields: Vec::new(),
        }));
        let mut keys = KeyIndex::default();
        let mut everywhere = Vec::new();
        let mut detector_bits = vec![0; self.detector_names.len()];
        let (mut layer_bits, mut whole_bits) = ([0; 2], 0);
        for (index, rule) in (0..implicit.not_listed).zip(&rules) {
            for pattern in &rule.keys {
                keys.add(pattern, index);
            }
            if rule.keys.is_empty() && rule.contexts != 0 {
                everywhere.push(index);
            }
            if let Some(bit) = rule.detect_bit {
                layer_bits[usize::from(rule.layer)] |= 1 << bit;
                if rule.is_whole() {
                    whole_bits |= 1 << bit;
                }
                for detector in &rule.detectors {
                    detector_bits[usize::from(*detector)] |= 1 << bit;
                }
            }
        }
        let setting = |of: fn(&Joined) -> Option<Unseen>| {
            overlay
                .as_deref()
                .and_then(of)
                .or(of(base))
                .unwrap_or(Unseen::Drop)
        };
        let mode = |joined: &Joined| joined.mode.as_ref().map(|mode| mode.value.value);
        let mut policy = Policy {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            name: name.into(),
            names: rules.iter().map(|rule| rule.name.clone()).collect(),
            rules,
            implicit,
            keys,
            everywhere,
            detecting: self.detecting,
            detectors: self.detectors,
            detector_bits,
            layer_bits,
            whole_bits,
            modes: [
                overlay.as_deref().and_then(mode).unwrap_or(Mode::Block),
                mode(base).unwrap_or(Mode::Block),
            ],
            unknown_fields: setting(|j| j.unknown_fields.as_ref().map(|s| s.value.value)),
            binary: setting(|j| j.binary.as_ref().map(|s| s.value.value)),
            annotate: overlay.as_deref().and_then(|j| j.annotate) == Some(true)
                || base.annotate == Some(true),
            key: self.key.cloned(),
            fields: [[Decision::PASS; TextField::COUNT]; 3],
            texts: Texts::new(&[[Decision::PASS; TextField::COUNT]; 3]),
            looks_into_bodies: false,
            base: Arc::clone(base),
            overlay,
        };
        policy.looks_into_bodies = looks_into_bodies(&policy);
        for signal in Signal::ALL {
            for field in 0..TextField::COUNT {
                let rules = policy.written().filter_map(|(index, rule)| {
                    let named = rule.fields.iter().any(|f| *f as usize == field);
                    (named && rule.signals & 1 << signal_index(signal) != 0).then_some(index)
                });
                let decision = policy.about_field(rules);
                policy.fields[signal_index(signal)][field] = decision;
            }
        }
        policy.texts = Texts::new(&policy.fields);
        policy
    }
}

/// The word for all detectors that are on by default.
pub(super) const ALL_DEFAULT: &str = "default";

fn looks_into_bodies(policy: &Policy) -> bool {
    let bodies = Context::new(Signal::Logs, Place::Body).bit();
    policy.modes.contains(&Mode::Allow)
        || policy
            .written()
            .any(|(_, rule)| rule.contexts & bodies != 0)
}

/// What is wrong, and the hint that the error carries on a line of its own.
fn told(error: &CompileError) -> (String, String) {
    let text = error.to_string();
    let (wrong, hint) = text
        .split_once("\nhint: ")
        .unwrap_or((&text, "use fewer or simpler patterns"));
    (wrong.to_owned(), hint.to_owned())
}

fn check_name(
    source: &Source,
    at: &document::Located<String>,
    what: &str,
) -> Result<(), PolicyError> {
    let name = at.value.as_str();
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(good) {
        return Ok(());
    }
    let message = format!("`{}` is no name for a {what}", name.escape_debug());
    let hint = "a name is 1 to 64 of letters, digits, `-`, `_` and `.`";
    Err(source.error(at, name.len(), message, hint))
}
