//! Attributes and entries of maps: from a pair's bytes to what becomes of it.

use otlp::edit::{AttributeChange, NewValue, Place as At};
use otlp::schema::MessageId;

use super::decide::{Decision, Kind};
use super::engine::{Engine, Level, Observer};
use super::memo::{Known, Tag};
use super::outcome::Outcome;
use super::place::{Context, Place};
use super::value::{Keys, Scalar, keys, leading_key, only_value, scalar};

impl<O: Observer> Engine<'_, O> {
    /// An attribute that does not have the key that came after the last one before.
    #[inline(never)]
    pub(super) fn unexpected(&mut self, owner: MessageId, pair: &[u8]) -> AttributeChange<'_> {
        let context = Context::new(self.signal, Place::of(owner));
        let tag = self.tag(owner);
        let Some((key, end)) = leading_key(pair) else {
            return self.odd(context, pair, 0);
        };
        let known = self.about_key(context, tag, &pair[..end], key);
        self.known(&known, pair, end, 0)
    }

    /// A pair of which the key is known; `end` is where its field ends.
    pub(super) fn known(
        &mut self,
        known: &Known,
        pair: &[u8],
        end: usize,
        depth: usize,
    ) -> AttributeChange<'_> {
        let Some(value) = pair.get(end..).and_then(only_value) else {
            return self.odd_known(known, pair, depth);
        };
        match known.decision.kind {
            Kind::Pass if scalar(value).is_some() => AttributeChange::Keep,
            Kind::Drop => {
                self.count_rule(known.decision.rule, pair);
                AttributeChange::Drop
            }
            _ => self.looked(known, pair, value, depth),
        }
    }

    /// A pair of one key and one value, of which something is to be looked into or replaced.
    #[inline(never)]
    pub(super) fn looked(
        &mut self,
        known: &Known,
        pair: &[u8],
        value: &[u8],
        depth: usize,
    ) -> AttributeChange<'_> {
        let key = || leading_key(pair).map_or(&[][..], |(key, _)| key);
        let Some(one) = scalar(value) else {
            return self.walk(known, pair, key(), depth);
        };
        if known.key_dirty {
            let key = key();
            let has_value = leading_key(pair).is_some_and(|(_, end)| end < pair.len());
            return self.dirty_key(&known.decision, key, one, value, has_value);
        }
        match self.scalar(&known.decision, one, value) {
            Outcome::Keep => {
                if let Some(at) = known.at
                    && depth == 0
                {
                    self.buffers.memo.clean(at, pair);
                }
                AttributeChange::Keep
            }
            Outcome::Drop => AttributeChange::Drop,
            Outcome::Replace => AttributeChange::Value(NewValue::String(&self.buffers.text)),
        }
    }

    /// Walks into a pair whose value is an array, a map, or not one thing.
    #[inline(never)]
    pub(super) fn walk(
        &mut self,
        known: &Known,
        pair: &[u8],
        key: &[u8],
        depth: usize,
    ) -> AttributeChange<'_> {
        let decision = known.decision;
        if known.key_dirty
            && let Some(rule) = self.key_goes(&decision, key)
        {
            self.count_rule(rule, pair);
            return AttributeChange::Drop;
        }
        if depth == 0 {
            self.buffers.path.clear();
            self.buffers.path.extend_from_slice(key);
        }
        let path = self.buffers.path.len();
        self.open(depth + 1, Level { decision, path });
        AttributeChange::Walk
    }

    /// Writes a pair anew in whose key something was found.
    #[inline(never)]
    pub(super) fn dirty_key(
        &mut self,
        decision: &Decision,
        key: &[u8],
        one: Scalar<'_>,
        body: &[u8],
        has_value: bool,
    ) -> AttributeChange<'_> {
        let mut pair = std::mem::take(&mut self.buffers.pair);
        pair.clear();
        let mut outcome = self.scalar(&decision.looking(), Scalar::Text(key), key);
        match outcome {
            Outcome::Keep => put(&mut pair, 1, key),
            Outcome::Replace => put(&mut pair, 1, self.buffers.text.as_bytes()),
            Outcome::Drop => {}
        }
        if outcome != Outcome::Drop {
            outcome = self.scalar(decision, one, body);
            match outcome {
                // A pair may have no value at all, which is not the same as an empty one.
                Outcome::Keep if body.is_empty() && !has_value => {}
                Outcome::Keep => put(&mut pair, 2, body),
                Outcome::Replace => put_text_value(&mut pair, &self.buffers.text),
                Outcome::Drop => {}
            }
        }
        self.buffers.pair = pair;
        if outcome == Outcome::Drop {
            return AttributeChange::Drop;
        }
        AttributeChange::Replace(&self.buffers.pair)
    }

    /// A key in a value: of a map in an attribute, or of a map in a log record's body.
    #[inline(never)]
    pub(super) fn nested(&mut self, at: At, pair: &[u8]) -> AttributeChange<'_> {
        let depth = at.depth as usize;
        let body = at.owner.id == MessageId::LogRecord && at.origin.number == 5;
        let place = if body { Place::Body } else { Place::Nested };
        let context = Context::new(self.signal, place);
        let Some((key, end)) = leading_key(pair) else {
            return self.odd(context, pair, depth);
        };
        let known = self.known_nested(context, key, depth);
        self.known(&known, pair, end, depth)
    }

    /// What is said about a key at a depth; the path then ends in it.
    pub(super) fn known_nested(&mut self, context: Context, key: &[u8], depth: usize) -> Known {
        let level = self.level(depth);
        let path = &mut self.buffers.path;
        path.truncate(level.path);
        if !path.is_empty() {
            path.push(b'.');
        }
        path.extend_from_slice(key);
        let mut known = self.about_nested(context, key.len());
        let own = known.decision;
        known.decision = self.policy.nested(own, level.decision);
        let active = known.decision.active;
        if active != own.active {
            // More is looked for in the key than where it was remembered.
            known.key_dirty = active != 0 && self.finds(active, key);
        }
        known
    }

    /// A pair that does not begin with its key.
    #[inline(never)]
    pub(super) fn odd(
        &mut self,
        context: Context,
        pair: &[u8],
        depth: usize,
    ) -> AttributeChange<'_> {
        let Keys::One(key) = keys(pair) else {
            return self.two_keys(pair);
        };
        let known = if depth == 0 {
            let tag = Tag::new(self.policy.id, context.index()).with_own(key.len());
            self.about_key(context, tag, key, key)
        } else {
            self.known_nested(context, key, depth)
        };
        self.odd_walk(&known, pair, key, depth)
    }

    /// A pair that begins with its key but is more than that and one value.
    #[cold]
    pub(super) fn odd_known(
        &mut self,
        known: &Known,
        pair: &[u8],
        depth: usize,
    ) -> AttributeChange<'_> {
        match keys(pair) {
            Keys::One(key) => self.odd_walk(known, pair, key, depth),
            Keys::Several => self.two_keys(pair),
        }
    }

    pub(super) fn odd_walk(
        &mut self,
        known: &Known,
        pair: &[u8],
        key: &[u8],
        depth: usize,
    ) -> AttributeChange<'_> {
        if known.decision.kind == Kind::Drop {
            self.count_rule(known.decision.rule, pair);
            return AttributeChange::Drop;
        }
        self.walk(known, pair, key, depth)
    }

    pub(super) fn two_keys(&mut self, pair: &[u8]) -> AttributeChange<'_> {
        self.count_rule(self.policy.implicit.two_keys, pair);
        AttributeChange::Drop
    }
}

/// Appends a length-delimited field.
fn put(out: &mut Vec<u8>, number: u8, body: &[u8]) {
    out.push(number << 3 | 2);
    put_len(out, body.len());
    out.extend_from_slice(body);
}

/// Appends field 2 with an `AnyValue` that is a text.
fn put_text_value(out: &mut Vec<u8>, text: &str) {
    let mut len_bytes = 1;
    let mut rest = text.len() >> 7;
    while rest > 0 {
        len_bytes += 1;
        rest >>= 7;
    }
    out.push(2 << 3 | 2);
    put_len(out, 1 + len_bytes + text.len());
    put(out, 1, text.as_bytes());
}

fn put_len(out: &mut Vec<u8>, mut len: usize) {
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
}
