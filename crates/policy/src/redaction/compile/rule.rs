//! One rule: from what is written to what is compiled.

use ident::Signal;

use super::super::action::Action;
use super::super::document::{ActionWord, Part, RuleText};
use super::super::error::PolicyError;
use super::super::load::{Joined, Source, Sourced};
use super::super::pattern::Pattern;
use super::super::place::{Context, Place, TextField, signal_index};
use super::super::policy::Rule;
use super::{ALL_DEFAULT, Compiler, check_name};
use crate::detect::Builtin;

/// The most rules of a policy with what it extends and its overlay.
const MAX_RULES: usize = 4096;
/// The most rules with `detect`: each has a bit.
const MAX_DETECTING: usize = 64;
/// The most keys of all rules together.
const MAX_KEYS: usize = 1 << 15;
/// The most bytes of a mask.
const MAX_MASK_BYTES: usize = 256;

impl Compiler<'_> {
    pub(super) fn rule(
        &mut self,
        joined: &Joined,
        layer: u8,
        rule: &Sourced<RuleText>,
        mask: &str,
    ) -> Result<(), PolicyError> {
        let (source, document) = (&joined.sources[rule.source], rule.source);
        let rule = &rule.value;
        let name = rule.name.value.as_str();
        let wrong =
            |message: String, hint: &str| Err(source.error(&rule.name, name.len(), message, hint));
        check_name(source, &rule.name, "rule")?;
        if !self.names.insert(name.into()) {
            return wrong(
                format!("two rules are named `{name}`"),
                "counts are kept by the name of the rule, so each needs a name of its own; this \
                 holds across `extends` too",
            );
        }
        if self.rules.len() >= MAX_RULES {
            return wrong(
                format!("a policy has at most {MAX_RULES} rules"),
                "a rule can have many keys",
            );
        }
        if rule.keys.is_empty() && rule.fields.is_empty() && rule.detect.is_empty() {
            return wrong(
                format!("the rule `{name}` says nothing about what it is for"),
                "give it `keys:`, `fields:` or `detect:`",
            );
        }
        if !rule.places.is_empty() && rule.keys.is_empty() && !rule.fields.is_empty() {
            return wrong(
                format!("the rule `{name}` has places but no keys"),
                "`places:` says where keys stand; `fields:` say that themselves",
            );
        }
        let (action, part) = self.action(source, rule, mask)?;
        let mut keys = Vec::new();
        for key in &rule.keys {
            let text = key.value.to_ascii_lowercase();
            let pattern = Pattern::parse(&text).map_err(|message| {
                let hint = "a key, a prefix such as `http.*`, or a glob such as `*.password`";
                source.error(key, key.value.len(), message.to_owned(), hint)
            })?;
            keys.push(pattern);
        }
        self.key_count += keys.len();
        if self.key_count > MAX_KEYS {
            return wrong(
                format!("a policy has at most {MAX_KEYS} keys"),
                "use prefixes and globs",
            );
        }
        let index = self.rules.len() as u16;
        let detectors = self.detectors_of(joined, source, rule)?;
        let mut detect_bit = None;
        if !rule.detect.is_empty() {
            if self.detecting.len() >= MAX_DETECTING {
                return wrong(
                    format!("a policy has at most {MAX_DETECTING} rules with `detect`"),
                    "a rule can name many detectors",
                );
            }
            detect_bit = Some(self.detecting.len() as u8);
            self.detecting.push(index);
        }
        let (contexts, signals) = contexts(rule);
        self.rules.push(Rule {
            name: name.into(),
            action,
            part,
            contexts,
            signals,
            layer,
            source: document,
            detect_bit,
            detectors,
            keys,
            fields: fields(rule),
        });
        Ok(())
    }

    fn action(
        &self,
        source: &Source,
        rule: &RuleText,
        default_mask: &str,
    ) -> Result<(Action, Part), PolicyError> {
        let word = rule.action.value;
        let wrong = |message: &str, hint: &str| {
            let message = format!("the rule `{}` {message}", rule.name.value);
            Err(source.error(&rule.action, 1, message, hint))
        };
        if rule.length.is_some() != (word == ActionWord::Truncate) {
            return wrong(
                "has a length without `truncate`, or `truncate` without a length",
                "`action: truncate` and `length:` (in characters) go together",
            );
        }
        if rule.mask.is_some() && word != ActionWord::Mask {
            return wrong("has a mask but does not mask", "write `action: mask`");
        }
        let mask = rule.mask.as_deref().unwrap_or(default_mask);
        if mask.len() > MAX_MASK_BYTES {
            return wrong(
                "has a mask of more than 256 bytes",
                "a short text will do, such as `[REDACTED]`",
            );
        }
        if matches!(word, ActionWord::Hash | ActionWord::Tokenize) && self.key.is_none() {
            return wrong(
                "hashes, but this site has no key",
                "give the site a key of at least 16 random bytes, or use `action: mask`",
            );
        }
        let detects = !rule.detect.is_empty();
        let can_part = !matches!(word, ActionWord::Drop | ActionWord::Truncate);
        let part = match rule.part {
            Some(Part::Matched) if !detects => {
                return wrong(
                    "is for the matched part but detects nothing",
                    "give it `detect:` or leave `part` out",
                );
            }
            Some(Part::Matched) if !can_part => {
                return wrong(
                    "drops or truncates a part",
                    "to drop and to truncate take whole values; `mask` can take a part",
                );
            }
            Some(part) => part,
            None if detects && can_part => Part::Matched,
            None => Part::Whole,
        };
        if detects && matches!(word, ActionWord::Truncate) {
            return wrong(
                "truncates what a detector finds",
                "use `mask`, `hash`, `tokenize` or `drop` with `detect:`",
            );
        }
        let action = match word {
            ActionWord::Keep => Action::Keep,
            ActionWord::Truncate => {
                Action::Truncate(rule.length.as_ref().map_or(0, |n| n.value as usize))
            }
            ActionWord::Mask => Action::Mask(mask.into()),
            ActionWord::Hash => Action::Hash,
            ActionWord::Tokenize => Action::Tokenize,
            ActionWord::Drop => Action::Drop,
        };
        Ok((action, part))
    }

    fn detectors_of(
        &self,
        joined: &Joined,
        source: &Source,
        rule: &RuleText,
    ) -> Result<Vec<u16>, PolicyError> {
        let mut detectors = Vec::new();
        for word in &rule.detect {
            let name = word.value.as_str();
            if name == ALL_DEFAULT {
                detectors.extend_from_slice(&self.default_detectors);
                continue;
            }
            let own = |at: &u16| *self.detector_names[usize::from(*at)] == *name;
            if let Some(at) = (0..self.detector_names.len() as u16).find(own) {
                detectors.push(at);
                continue;
            }
            let mut known: Vec<&str> = vec![ALL_DEFAULT];
            known.extend(Builtin::ALL.iter().map(|builtin| builtin.name()));
            known.extend(joined.patterns.iter().map(|p| p.value.name.value.as_str()));
            let hint = document::nearest(name, &known).unwrap_or_default();
            let message = format!("there is no detector `{name}`");
            return Err(source.error(word, name.len(), message, hint));
        }
        detectors.sort_unstable();
        detectors.dedup();
        Ok(detectors)
    }
}

/// The contexts and the signals that a rule speaks of.
fn contexts(rule: &RuleText) -> (u32, u8) {
    let (mut contexts, mut signals) = (0, 0);
    for signal in Signal::ALL {
        let listed = rule
            .signals
            .iter()
            .any(|word| Signal::from(*word) == signal);
        if !rule.signals.is_empty() && !listed {
            continue;
        }
        signals |= 1 << signal_index(signal);
        for place in Place::ALL {
            if rule.places.is_empty() || rule.places.contains(&place) {
                contexts |= Context::new(signal, place).bit();
            }
        }
    }
    // A rule for fields alone says nothing about keys.
    if rule.keys.is_empty() && !rule.fields.is_empty() {
        contexts = 0;
    }
    (contexts, signals)
}

/// The fields that a rule speaks of: those it names; all, if it only says what to detect.
fn fields(rule: &RuleText) -> Vec<TextField> {
    if rule.fields.is_empty() && rule.keys.is_empty() && rule.places.is_empty() {
        return TextField::ALL.to_vec();
    }
    rule.fields.clone()
}
