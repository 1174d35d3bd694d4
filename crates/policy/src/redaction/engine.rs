//! What a worker keeps between requests, and the deciding about keys.

use ident::Signal;
use otlp::schema::MESSAGES;

use super::action::Action;
use super::counts::Counts;
use super::decide::{Decision, Kind};
use super::editor::ANNOTATION;
use super::memo::{CleanTexts, Known, Memo, Tag};
use super::outcome::strictest_whole;
use super::place::{Context, TextField, signal_index};
use super::policy::Policy;
use crate::detect::{Found, Look};

/// The longest key, and the longest dotted path of nested keys, that is looked up. What has a
/// longer one goes: matching it would cost too much, and no convention has such keys.
pub(super) const MAX_KEY_BYTES: usize = 512;

/// Levels of nesting that are kept: values nest at most [`otlp::MAX_VALUE_DEPTH`] deep.
pub(super) const LEVELS: usize = otlp::MAX_VALUE_DEPTH as usize + 2;

/// Is told of each change, with the bytes of the request that it is about.
pub(super) trait Observer {
    /// Whether it listens at all.
    const LISTENS: bool = true;

    /// A rule did this to these bytes of the request.
    fn changed(&mut self, rule: u16, action: &'static str, at: &[u8]);
}

/// Tells nobody and costs nothing.
pub(super) struct Unobserved;

impl Observer for Unobserved {
    const LISTENS: bool = false;

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

/// One request on its way through a policy.
pub(super) struct Engine<'r, O> {
    pub(super) policy: &'r Policy,
    pub(super) signal: Signal,
    pub(super) buffers: &'r mut Buffers,
    pub(super) tally: Tally<'r, O>,
    /// The tags of the keys that messages bear, by the message's id.
    pub(super) tags: [Tag; MESSAGES.len()],
    /// The memo's entry for the key of the attribute that is looked at, if it was expected.
    pub(super) expected: u16,
    /// What a first look at its text showed; `Nothing` if there was none yet.
    pub(super) looked: Look,
}

/// What was changed.
pub(super) struct Tally<'r, O> {
    pub(super) counts: &'r mut Counts,
    pub(super) observer: O,
    /// Changes within the item that is open.
    pub(super) changes: i64,
}

impl<O: Observer> Tally<'_, O> {
    #[inline]
    fn count(&mut self, rule: u16, action: &'static str, at: &[u8]) {
        self.counts.add(rule);
        self.changes += 1;
        self.observer.changed(rule, action, at);
    }

    /// Counts what the rule of a decision does.
    #[inline]
    pub(super) fn count_rule(&mut self, policy: &Policy, rule: u16, at: &[u8]) {
        let action = match O::LISTENS {
            true => policy.rule(rule).map_or("drop", |r| r.action.as_str()),
            false => "",
        };
        self.count(rule, action, at);
    }
}

impl<O: Observer> Engine<'_, O> {
    #[inline]
    pub(super) fn count(&mut self, rule: u16, action: &'static str, at: &[u8]) {
        self.tally.count(rule, action, at);
    }

    /// Counts what the rule of a decision does.
    #[inline]
    pub(super) fn count_rule(&mut self, rule: u16, at: &[u8]) {
        self.tally.count_rule(self.policy, rule, at);
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
}
