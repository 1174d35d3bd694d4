//! What a worker keeps between requests, and the deciding about keys and texts.

use std::fmt::Write;

use ident::Signal;
use otlp::schema::MESSAGES;

use super::action::{Action, cut};
use super::counts::Counts;
use super::decide::{Decision, Kind};
use super::document::Unseen;
use super::editor::ANNOTATION;
use super::memo::{CleanTexts, Expected, Known, Memo, Tag};
use super::place::{Context, TextField, signal_index};
use super::policy::{Policy, Rule};
use super::value::Scalar;
use crate::detect::Found;

/// The longest key, and the longest dotted path of nested keys, that is looked up. What has a
/// longer one goes: matching it would cost too much, and no convention has such keys.
pub(super) const MAX_KEY_BYTES: usize = 512;

/// Levels of nesting that are kept: values nest at most [`otlp::MAX_VALUE_DEPTH`] deep.
pub(super) const LEVELS: usize = otlp::MAX_VALUE_DEPTH as usize + 2;

/// Is told of each change, with the bytes of the request that it is about.
pub(super) trait Observer {
    /// A rule did this to these bytes of the request.
    fn changed(&mut self, rule: u16, action: &'static str, at: &[u8]);
}

/// Tells nobody and costs nothing.
pub(super) struct Unobserved;

impl Observer for Unobserved {
    #[inline(always)]
    fn changed(&mut self, _: u16, _: &'static str, _: &[u8]) {}
}

/// The buffers of a worker. Their sizes follow from the largest value that was seen.
pub(super) struct Buffers {
    pub(super) memo: Memo,
    pub(super) clean: CleanTexts,
    pub(super) found: Vec<Found>,
    /// What a text became.
    pub(super) text: String,
    /// What a text of JSON became.
    pub(super) json: String,
    /// A string of JSON without its escapes.
    pub(super) plain: String,
    /// A number as text.
    pub(super) number: String,
    /// A pair that is written anew.
    pub(super) pair: Vec<u8>,
    /// The keys that are open, with dots between them.
    pub(super) path: Vec<u8>,
    /// The path in lower case.
    lower: Vec<u8>,
    rules: Vec<u16>,
    pub(super) levels: Box<[Level; LEVELS]>,
}

/// What holds for the values at a depth.
#[derive(Clone, Copy)]
pub(super) struct Level {
    pub(super) decision: Decision,
    /// How much of the path stands before keys at this depth.
    pub(super) path: usize,
}

impl Buffers {
    pub(super) fn new() -> Self {
        let level = Level {
            decision: Decision::PASS,
            path: 0,
        };
        Buffers {
            memo: Memo::new(),
            clean: CleanTexts::new(3 * TextField::COUNT),
            found: Vec::new(),
            text: String::new(),
            json: String::new(),
            plain: String::new(),
            number: String::new(),
            pair: Vec::new(),
            path: Vec::new(),
            lower: Vec::new(),
            rules: Vec::new(),
            levels: Box::new([level; LEVELS]),
        }
    }
}

/// What becomes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Keep,
    Drop,
    /// It becomes what stands in [`Buffers::text`].
    Replace,
}

/// One request on its way through a policy.
pub(super) struct Engine<'r, O> {
    pub(super) policy: &'r Policy,
    pub(super) signal: Signal,
    pub(super) buffers: &'r mut Buffers,
    pub(super) counts: &'r mut Counts,
    pub(super) observer: O,
    /// The tags of the keys that messages bear, by the message's id.
    pub(super) tags: [Tag; MESSAGES.len()],
    /// How the attribute that is looked at compares with the expected one.
    pub(super) expected: Expected,
    /// Changes within the item that is open.
    pub(super) changes: i64,
}

impl<O: Observer> Engine<'_, O> {
    pub(super) fn count(&mut self, rule: u16, action: &'static str, at: &[u8]) {
        self.counts.add(rule);
        self.changes += 1;
        self.observer.changed(rule, action, at);
    }

    /// Counts what the rule of a decision does.
    #[inline(never)]
    pub(super) fn count_rule(&mut self, rule: u16, at: &[u8]) {
        let action = self.policy.rule(rule).map_or("drop", |r| r.action.as_str());
        self.count(rule, action, at);
    }

    #[inline(always)]
    pub(super) fn about_field(&self, field: TextField) -> Decision {
        self.policy.fields[signal_index(self.signal)][field as usize]
    }

    /// What is said about a key that stands in no other, remembered under `memo_key`.
    #[inline(never)]
    pub(super) fn about_key(
        &mut self,
        context: Context,
        tag: Tag,
        memo_key: &[u8],
        key: &[u8],
    ) -> Known {
        if let Some(known) = self.buffers.memo.find(tag, memo_key) {
            return known;
        }
        let mut known = self.ask(context, key, key.len());
        self.buffers.memo.put(tag, memo_key, &mut known);
        known
    }

    /// What is said about the key at the end of the path.
    pub(super) fn about_nested(&mut self, context: Context, own: usize) -> Known {
        let path = std::mem::take(&mut self.buffers.path);
        let tag = Tag::new(self.policy.id, context.index()).with_own(own);
        let known = match self.buffers.memo.find(tag, &path) {
            Some(known) => known,
            None => {
                let mut known = self.ask(context, &path, own);
                self.buffers.memo.put(tag, &path, &mut known);
                known
            }
        };
        self.buffers.path = path;
        known
    }

    /// Asks the policy about a path of which the last `own` bytes are the key itself.
    fn ask(&mut self, context: Context, path: &[u8], own: usize) -> Known {
        let mut known = Known {
            decision: Decision::dropped(self.policy.implicit.key_too_long),
            key_dirty: false,
            at: None,
        };
        if path.len() > MAX_KEY_BYTES {
            return known;
        }
        if self.policy.annotate && context.is_of_items() && path == ANNOTATION.as_bytes() {
            // What the item says of itself is not believed.
            known.decision = Decision::dropped(self.policy.implicit.reserved);
            return known;
        }
        let lower = &mut self.buffers.lower;
        lower.clear();
        lower.extend(path.iter().map(u8::to_ascii_lowercase));
        let key = &lower[path.len().saturating_sub(own)..];
        let rules = &mut self.buffers.rules;
        known.decision = self.policy.about_key(context, key, lower, rules);
        let key = &path[path.len().saturating_sub(own)..];
        known.key_dirty = known.decision.kind != Kind::Drop
            && known.decision.active != 0
            && self.finds(known.decision.active, key);
        known
    }

    /// Whether something is found in the text about which a rule in effect does something.
    pub(super) fn finds(&mut self, active: u64, text: &[u8]) -> bool {
        let policy = self.policy;
        let found = &mut self.buffers.found;
        found.clear();
        std::str::from_utf8(text).is_ok_and(|text| policy.detectors.scan(text, found))
            && found.iter().any(|found| {
                policy
                    .about_found(active, found.detector)
                    .is_some_and(|(_, rule)| rule.action != Action::Keep)
            })
    }

    /// The rule by which an attribute goes for what is found in its key.
    pub(super) fn key_goes(&mut self, decision: &Decision, key: &[u8]) -> Option<u16> {
        if !self.finds(decision.active, key) {
            return None;
        }
        let (index, rule) = strictest_whole(self.policy, decision.active, &self.buffers.found)?;
        (rule.action == Action::Drop).then_some(index)
    }

    /// What becomes of a text. `at` are the bytes of the request that it stands for.
    pub(super) fn text(&mut self, decision: &Decision, text: &str, at: &[u8]) -> Outcome {
        match decision.kind {
            Kind::Pass => Outcome::Keep,
            Kind::Drop => {
                self.count_rule(decision.rule, at);
                Outcome::Drop
            }
            Kind::Whole => self.whole(decision, text.as_bytes(), Some(text), at),
            Kind::Look => self.look(decision, text, at),
        }
    }

    /// The value becomes another one; a detector may still say that it goes.
    fn whole(
        &mut self,
        decision: &Decision,
        content: &[u8],
        text: Option<&str>,
        at: &[u8],
    ) -> Outcome {
        let policy = self.policy;
        let Some(mut rule) = policy.rule(decision.rule) else {
            return Outcome::Keep;
        };
        let mut index = decision.rule;
        if let Some(text) = text
            && policy.may_drop(decision.active)
        {
            self.buffers.found.clear();
            if policy.detectors.scan(text, &mut self.buffers.found)
                && let Some((other, strict)) =
                    strictest_whole(policy, decision.active, &self.buffers.found)
                && strict.action.strictness(strict.part) > rule.action.strictness(rule.part)
            {
                (index, rule) = (other, strict);
            }
        }
        self.count(index, rule.action.as_str(), at);
        if rule.action == Action::Drop {
            return Outcome::Drop;
        }
        let out = &mut self.buffers.text;
        out.clear();
        rule.action
            .put(&rule.name, policy.key.as_ref(), content, out);
        Outcome::Replace
    }

    /// Looks into a text and replaces what is found; then cuts it, if a rule says so.
    fn look(&mut self, decision: &Decision, text: &str, at: &[u8]) -> Outcome {
        let policy = self.policy;
        let mut changed = false;
        if decision.active != 0 {
            self.buffers.found.clear();
            if policy.detectors.scan(text, &mut self.buffers.found) {
                match self.replace_found(decision.active, text, at) {
                    Outcome::Keep => {}
                    Outcome::Drop => return Outcome::Drop,
                    Outcome::Replace => changed = true,
                }
            }
        }
        let Some(Rule {
            action: Action::Truncate(chars),
            ..
        }) = policy.rule(decision.rule)
        else {
            return if changed {
                Outcome::Replace
            } else {
                Outcome::Keep
            };
        };
        let out = &mut self.buffers.text;
        let mut gone = at;
        if !changed {
            let Some(end) = cut(text, *chars) else {
                return Outcome::Keep;
            };
            out.clear();
            out.push_str(&text[..end]);
            if std::ptr::eq(at.as_ptr(), text.as_ptr()) {
                gone = at.get(end..).unwrap_or(at);
            }
        } else if let Some(end) = cut(out, *chars) {
            out.truncate(end);
        } else {
            return Outcome::Replace;
        }
        self.count_rule(decision.rule, gone);
        Outcome::Replace
    }

    /// Writes the text with what was found replaced, or what a rule about the whole text says.
    fn replace_found(&mut self, active: u64, text: &str, at: &[u8]) -> Outcome {
        let policy = self.policy;
        let whole = strictest_whole(policy, active, &self.buffers.found);
        if let Some((index, rule)) = whole {
            self.count(index, rule.action.as_str(), at);
            if rule.action == Action::Drop {
                return Outcome::Drop;
            }
            let out = &mut self.buffers.text;
            out.clear();
            rule.action
                .put(&rule.name, policy.key.as_ref(), text.as_bytes(), out);
            return Outcome::Replace;
        }
        let mut out = std::mem::take(&mut self.buffers.text);
        out.clear();
        let mut done = 0;
        for i in 0..self.buffers.found.len() {
            let found = self.buffers.found[i];
            let Some((index, rule)) = policy.about_found(active, found.detector) else {
                continue;
            };
            // The detectors promise order and character boundaries.
            let (Some(before), Some(part)) = (
                text.get(done..found.start),
                text.get(found.start..found.end),
            ) else {
                continue;
            };
            if rule.action == Action::Keep {
                continue;
            }
            out.push_str(before);
            rule.action
                .put(&rule.name, policy.key.as_ref(), part.as_bytes(), &mut out);
            done = found.end;
            // Where the text stands in the request as it is, the very part can be shown.
            let part = if std::ptr::eq(at.as_ptr(), text.as_ptr()) {
                at.get(found.start..found.end).unwrap_or(at)
            } else {
                at
            };
            self.count(index, rule.action.as_str(), part);
        }
        let changed = done > 0;
        if changed {
            out.push_str(&text[done..]);
        }
        self.buffers.text = out;
        if changed {
            Outcome::Replace
        } else {
            Outcome::Keep
        }
    }

    /// What becomes of a value that is one thing; numbers are seen as their decimal text.
    #[inline(never)]
    pub(super) fn scalar(&mut self, decision: &Decision, value: Scalar<'_>, at: &[u8]) -> Outcome {
        if decision.kind == Kind::Pass || self.is_clean(decision, &value) {
            return Outcome::Keep;
        }
        match value {
            Scalar::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => self.text(decision, text, text.as_bytes()),
                // Only in a request that was not checked.
                Err(_) => self.unseen(decision, text),
            },
            Scalar::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => self.text(decision, text, bytes),
                Err(_) => self.unseen(decision, bytes),
            },
            Scalar::Int(number) => self.written(decision, format_args!("{number}"), at),
            Scalar::Double(number) => self.written(decision, format_args!("{number}"), at),
            // There is nothing to find in these, and nothing to cut.
            Scalar::Bool(_) | Scalar::Empty if decision.kind == Kind::Look => Outcome::Keep,
            Scalar::Bool(truth) => self.written(decision, format_args!("{truth}"), at),
            Scalar::Empty if decision.kind == Kind::Whole => Outcome::Keep,
            Scalar::Empty => self.text(decision, "", at),
        }
    }

    /// Whether a value is only looked into and there is surely nothing to find in it.
    #[inline]
    fn is_clean(&self, decision: &Decision, value: &Scalar<'_>) -> bool {
        let cuts = |rule: &Rule| matches!(rule.action, Action::Truncate(_));
        if decision.kind != Kind::Look || self.policy.rule(decision.rule).is_some_and(cuts) {
            return false;
        }
        match value {
            Scalar::Text(text) => !self.policy.detectors.may_find(text),
            Scalar::Int(number) => !self.policy.detectors.may_find_number(*number),
            // Bytes may be no text, which has to be known.
            _ => false,
        }
    }

    fn written(
        &mut self,
        decision: &Decision,
        text: std::fmt::Arguments<'_>,
        at: &[u8],
    ) -> Outcome {
        let mut number = std::mem::take(&mut self.buffers.number);
        number.clear();
        // Writing to a string does not fail.
        let _ = number.write_fmt(text);
        let outcome = self.text(decision, &number, at);
        self.buffers.number = number;
        outcome
    }

    /// Bytes that are no text: they can be dropped, replaced and hashed, but not looked into.
    fn unseen(&mut self, decision: &Decision, bytes: &[u8]) -> Outcome {
        match decision.kind {
            Kind::Pass => Outcome::Keep,
            Kind::Drop => {
                self.count_rule(decision.rule, bytes);
                Outcome::Drop
            }
            Kind::Whole => self.whole(decision, bytes, None, bytes),
            Kind::Look if self.policy.binary == Unseen::Keep => Outcome::Keep,
            Kind::Look => {
                self.count_rule(self.policy.implicit.binary, bytes);
                Outcome::Drop
            }
        }
    }
}

/// Of the rules that speak of all of a value in which they find something, the strictest.
fn strictest_whole<'p>(
    policy: &'p Policy,
    active: u64,
    found: &[Found],
) -> Option<(u16, &'p Rule)> {
    if !policy.may_drop(active) {
        return None;
    }
    found
        .iter()
        .filter_map(|found| policy.about_found(active, found.detector))
        .filter(|(_, rule)| rule.is_whole() && rule.action != Action::Keep)
        // The first of those that are alike.
        .rev()
        .max_by_key(|(_, rule)| rule.action.strictness(rule.part))
}
