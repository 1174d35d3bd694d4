//! The engine as an editor of wire bytes: which question of the walk is answered by what.
//!
//! REDACT-FIRST: attributes and values answer by their key's decision, every other string by its
//! field's, what the schema does not name by `unknown_fields`. The walk asks about each occurrence
//! of a field, so a field that is written twice is redacted twice, and a value with two members of
//! its oneof has each redacted by itself. Ids are structural and stay: they are of fixed lengths
//! and tie everything together.

use otlp::edit::{
    AttributeChange, BytesChange, Editor, End, NewValue, NumberChange, Place as At, Text,
    TextChange, UnknownChange, ValueChange, Visit,
};
use otlp::schema::{Kind as FieldKind, Message, MessageId};
use otlp::view::KeyValue;
use otlp::wire;

use super::decide::{Decision, Kind};
use super::document::Unseen;
use super::engine::{Engine, Level, Observer, Outcome};
use super::memo::{Expected, Known, Tag};
use super::place::{Context, Place, TextField};
use super::texts::TextSay;
use super::value::{Keys, Scalar, is_usual_scalar, keys, leading_key, only_value, scalar};

/// The attribute that says how many changes were made to an item.
pub const ANNOTATION: &str = "stella.redacted";

impl<O: Observer> Editor for Engine<'_, O> {
    /// Measurements, times and ids stay; numbers within values are asked about.
    const ASKS_ABOUT_NUMBERS: bool = false;

    #[inline(always)]
    fn message(&mut self, at: At, _: &[u8]) -> Visit<'_> {
        if self.policy.annotate
            && let FieldKind::Message(message) = at.field.kind
            && is_item(message)
        {
            self.changes = 0;
        }
        Visit::Walk
    }

    #[inline(always)]
    fn leave(&mut self, _: At, end: &mut End<'_>) {
        if self.policy.annotate && self.changes > 0 && is_item(end.message()) {
            end.add_attribute(ANNOTATION, NewValue::Int(self.changes));
            self.changes = 0;
        }
    }

    #[inline(always)]
    fn keeps(&mut self, owner: &'static Message, pair: &[u8]) -> bool {
        let tag = self.tag(owner.id);
        match self.buffers.memo.expect(tag, pair) {
            Expected::Clean => true,
            Expected::Key {
                end,
                kind: Kind::Pass,
                ..
            } if is_usual_scalar(pair, end) => true,
            other => {
                self.expected = other;
                false
            }
        }
    }

    #[inline(always)]
    fn attribute(&mut self, at: At, attribute: KeyValue<'_>) -> AttributeChange<'_> {
        let pair = attribute.body();
        if at.depth > 0 {
            return self.nested(at, pair);
        }
        // What `keeps` saw of the same pair.
        if let Expected::Key { at, end, .. } = self.expected {
            let known = self.buffers.memo.known(at);
            return self.known(&known, pair, end, 0);
        }
        self.unexpected(at.owner.id, pair)
    }

    fn value(&mut self, at: At, body: &[u8]) -> ValueChange<'_> {
        match at.message.id {
            MessageId::LogRecord => self.body(body),
            MessageId::ArrayValue => {
                let depth = at.depth as usize;
                let Some(level) = self.buffers.levels.get(depth).copied() else {
                    return ValueChange::Drop;
                };
                self.open(depth + 1, level);
                self.element(level.decision, body)
            }
            // Of a pair that is walked: its decision is already that of the depth below.
            _ => {
                let decision = self.level(at.depth as usize + 1).decision;
                self.element(decision, body)
            }
        }
    }

    #[inline(always)]
    fn text(&mut self, at: At, text: Text<'_>) -> TextChange<'_> {
        match at.message.id {
            MessageId::KeyValue => self.key_text(at, text.as_bytes()),
            MessageId::AnyValue => {
                let decision = self.level(at.depth as usize).decision;
                let outcome =
                    self.scalar(&decision, Scalar::Text(text.as_bytes()), text.as_bytes());
                self.text_change(outcome)
            }
            id => match self.policy.texts.get(self.signal, id, at.field.number) {
                TextSay::Keep => TextChange::Keep,
                TextSay::Ask(field) => self.field(field, text.as_bytes()),
                // A test proves that there is none.
                TextSay::Unnamed => {
                    self.count_rule(self.policy.implicit.unknown_field, text.as_bytes());
                    TextChange::Drop
                }
            },
        }
    }

    #[inline(always)]
    fn bytes(&mut self, at: At, bytes: &[u8]) -> BytesChange<'_> {
        if at.message.id != MessageId::AnyValue {
            return BytesChange::Keep;
        }
        let decision = self.level(at.depth as usize).decision;
        match self.scalar(&decision, Scalar::Bytes(bytes), bytes) {
            Outcome::Keep => BytesChange::Keep,
            Outcome::Drop => BytesChange::Drop,
            Outcome::Replace => BytesChange::Replace(self.buffers.text.as_bytes()),
        }
    }

    /// Numbers within a value that is not one thing alone. Their field cannot hold a text, so
    /// what is to be replaced goes.
    #[inline(always)]
    fn number(&mut self, at: At, number: u64) -> NumberChange {
        if at.message.id != MessageId::AnyValue {
            return NumberChange::Keep;
        }
        let value = match at.field.number {
            2 => Scalar::Bool(number != 0),
            3 => Scalar::Int(number as i64),
            4 => Scalar::Double(f64::from_bits(number)),
            _ => return NumberChange::Keep,
        };
        let decision = self.level(at.depth as usize).decision;
        match self.scalar(&decision, value, &[]) {
            Outcome::Keep => NumberChange::Keep,
            Outcome::Drop | Outcome::Replace => NumberChange::Drop,
        }
    }

    fn unknown(&mut self, _: &'static Message, field: wire::Field<'_>) -> UnknownChange {
        match self.policy.unknown_fields {
            Unseen::Keep => UnknownChange::Keep,
            Unseen::Drop => {
                self.count(self.policy.implicit.unknown_field, "drop", field.bytes);
                UnknownChange::Drop
            }
        }
    }
}

#[inline(always)]
fn is_item(message: &Message) -> bool {
    matches!(
        message.id,
        MessageId::Span
            | MessageId::LogRecord
            | MessageId::NumberDataPoint
            | MessageId::HistogramDataPoint
            | MessageId::ExponentialHistogramDataPoint
            | MessageId::SummaryDataPoint
    )
}

impl<O: Observer> Engine<'_, O> {
    /// The tag of the keys that a message bears itself.
    #[inline(always)]
    fn tag(&self, owner: MessageId) -> Tag {
        self.tags.get(owner as usize).copied().unwrap_or(Tag::NONE)
    }

    #[inline]
    fn level(&self, depth: usize) -> Level {
        self.buffers.levels.get(depth).copied().unwrap_or(Level {
            decision: Decision::dropped(self.policy.implicit.too_deep),
            path: 0,
        })
    }

    pub(super) fn open(&mut self, depth: usize, level: Level) {
        if let Some(open) = self.buffers.levels.get_mut(depth) {
            *open = level;
        }
    }

    fn text_change(&self, outcome: Outcome) -> TextChange<'_> {
        match outcome {
            Outcome::Keep => TextChange::Keep,
            Outcome::Drop => TextChange::Drop,
            Outcome::Replace => TextChange::Replace(&self.buffers.text),
        }
    }

    /// A string that is no attribute.
    #[inline(always)]
    fn field(&mut self, field: TextField, text: &[u8]) -> TextChange<'_> {
        let decision = self.about_field(field);
        let listed = matches!(
            field,
            TextField::EntityIdKeys | TextField::EntityDescriptionKeys
        );
        if listed {
            return self.entity_key(&decision, text);
        }
        if decision.kind == Kind::Pass || text.is_empty() {
            return TextChange::Keep;
        }
        let slot = self.slot(field);
        if self.buffers.clean.has(slot, text) {
            return TextChange::Keep;
        }
        self.field_text(&decision, slot, text)
    }

    #[inline(never)]
    fn field_text(&mut self, decision: &Decision, slot: usize, text: &[u8]) -> TextChange<'_> {
        let outcome = self.scalar(decision, Scalar::Text(text), text);
        if outcome == Outcome::Keep {
            self.buffers.clean.put(slot, text);
        }
        self.text_change(outcome)
    }

    #[inline(always)]
    fn slot(&self, field: TextField) -> usize {
        super::place::signal_index(self.signal) * TextField::COUNT + field as usize
    }

    /// The name of a key of the resource: it goes if the attribute would.
    #[inline(never)]
    fn entity_key(&mut self, decision: &Decision, key: &[u8]) -> TextChange<'_> {
        let context = Context::new(self.signal, Place::Resource);
        // Its memo holds keys alone, without the beginning of a pair.
        let tag = Tag::new(self.policy.id, context.index()).with_own(key.len());
        let known = self.about_key(context, tag, key, key);
        if known.decision.kind == Kind::Drop {
            self.count_rule(known.decision.rule, key);
            return TextChange::Drop;
        }
        let outcome = self.scalar(decision, Scalar::Text(key), key);
        self.text_change(outcome)
    }

    /// An attribute that does not have the key that came after the last one before.
    #[inline(never)]
    fn unexpected(&mut self, owner: MessageId, pair: &[u8]) -> AttributeChange<'_> {
        let context = Context::new(self.signal, Place::of(owner));
        let tag = self.tag(owner);
        let Some((key, end)) = leading_key(pair) else {
            return self.odd(context, pair, 0);
        };
        let known = self.about_key(context, tag, &pair[..end], key);
        self.known(&known, pair, end, 0)
    }

    /// A pair of which the key is known; `end` is where its field ends.
    fn known(
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
    fn looked(
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
                if depth == 0 {
                    self.buffers.memo.clean(known.at, pair);
                }
                AttributeChange::Keep
            }
            Outcome::Drop => AttributeChange::Drop,
            Outcome::Replace => AttributeChange::Value(NewValue::String(&self.buffers.text)),
        }
    }

    /// Walks into a pair whose value is an array, a map, or not one thing.
    #[inline(never)]
    fn walk(
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
    fn dirty_key(
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
    fn nested(&mut self, at: At, pair: &[u8]) -> AttributeChange<'_> {
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
    fn odd(&mut self, context: Context, pair: &[u8], depth: usize) -> AttributeChange<'_> {
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
    fn odd_known(&mut self, known: &Known, pair: &[u8], depth: usize) -> AttributeChange<'_> {
        match keys(pair) {
            Keys::One(key) => self.odd_walk(known, pair, key, depth),
            Keys::Several => self.two_keys(pair),
        }
    }

    fn odd_walk(
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

    fn two_keys(&mut self, pair: &[u8]) -> AttributeChange<'_> {
        self.count_rule(self.policy.implicit.two_keys, pair);
        AttributeChange::Drop
    }

    /// The key of a pair that is walked.
    fn key_text(&mut self, at: At, key: &[u8]) -> TextChange<'_> {
        let decision = self.level(at.depth as usize + 1).decision.looking();
        match self.scalar(&decision, Scalar::Text(key), key) {
            Outcome::Keep => TextChange::Keep,
            // The pair was kept before; its key at least must not be.
            Outcome::Drop => TextChange::Drop,
            Outcome::Replace => TextChange::Replace(&self.buffers.text),
        }
    }

    /// A value that is an array's element or stands in a pair that is walked.
    fn element(&mut self, decision: Decision, body: &[u8]) -> ValueChange<'_> {
        match scalar(body) {
            Some(one) => match self.scalar(&decision, one, body) {
                Outcome::Keep => ValueChange::Keep,
                Outcome::Drop => ValueChange::Drop,
                Outcome::Replace => ValueChange::Replace(NewValue::String(&self.buffers.text)),
            },
            None => self.compound(&decision, body),
        }
    }

    /// An array, a map, or not one thing: masked as a whole or walked.
    fn compound(&mut self, decision: &Decision, body: &[u8]) -> ValueChange<'_> {
        match self.policy.rule(decision.rule).map(|rule| &rule.action) {
            Some(super::Action::Mask(mask)) if decision.kind == Kind::Whole => {
                self.buffers.text.clear();
                self.buffers.text.push_str(mask);
                self.count_rule(decision.rule, body);
                ValueChange::Replace(NewValue::String(&self.buffers.text))
            }
            _ if decision.kind == Kind::Drop => {
                self.count_rule(decision.rule, body);
                ValueChange::Drop
            }
            _ => ValueChange::Walk,
        }
    }

    /// The body of a log record.
    #[inline(never)]
    fn body(&mut self, body: &[u8]) -> ValueChange<'_> {
        let decision = self.about_field(TextField::LogBody);
        self.buffers.path.clear();
        self.open(1, Level { decision, path: 0 });
        let one = scalar(body);
        if let Some(Scalar::Text(text)) = one
            && matches!(decision.kind, Kind::Pass | Kind::Look)
            && (decision.active != 0 || self.policy.looks_into_bodies)
            && super::json::looks_like(text)
            && let Ok(text) = std::str::from_utf8(text)
        {
            let outcome = self.json_body(&decision, text);
            return match outcome {
                Outcome::Keep => ValueChange::Keep,
                Outcome::Drop => ValueChange::Drop,
                Outcome::Replace => ValueChange::Replace(NewValue::String(&self.buffers.text)),
            };
        }
        match one {
            Some(_) if decision.kind == Kind::Pass => ValueChange::Keep,
            _ => self.element(decision, body),
        }
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
