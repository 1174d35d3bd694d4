//! The engine as an editor of wire bytes: which question of the walk is answered by what.
//!
//! REDACT-FIRST: attributes and values answer by their key's decision, every other string by its
//! field's, what the schema does not name by `unknown_fields`. The walk asks about each occurrence
//! of a field, so a field that is written twice is redacted twice, and a value with two members of
//! its oneof has each redacted by itself. Ids are structural and stay: they are of fixed lengths
//! and tie everything together.

use otlp::edit::{
    AttributeChange, BytesChange, Editor, End, NewValue, NumberChange, Place as At, Row, Sight,
    Text, TextChange, UnknownChange, ValueChange, Visit,
};
use otlp::schema::{Kind as FieldKind, Message, MessageId};
use otlp::view::KeyValue;
use otlp::wire;

use super::decide::{Decision, Kind};
use super::document::Unseen;
use super::engine::{Engine, Level, Observer};
use super::memo::Tag;
use super::outcome::Outcome;
use super::place::{Context, Place, TextField};
use super::texts::TextSay;
use super::value::{Scalar, only_value, scalar, usual_text};
use crate::detect::Look;

/// The attribute that says how many changes were made to an item.
pub const ANNOTATION: &str = "stella.redacted";

impl<O: Observer> Editor for Engine<'_, O> {
    /// Measurements, times and ids stay; numbers within values are asked about anyway. Messages
    /// are asked about where it is to be counted what changes in them.
    #[inline(always)]
    fn asks_about(&self, message: &'static Message) -> u32 {
        let texts = self.policy.texts.asked(self.signal, message.id);
        if self.policy.annotate {
            texts | self.policy.texts.messages(message.id)
        } else {
            texts
        }
    }

    #[inline(always)]
    fn message(&mut self, at: At, _: &[u8]) -> Visit<'_> {
        if self.policy.annotate
            && let FieldKind::Message(message) = at.field.kind
            && is_item(message)
        {
            self.tally.changes = 0;
        }
        Visit::Walk
    }

    #[inline(always)]
    fn leave(&mut self, _: At, end: &mut End<'_>) {
        if self.policy.annotate && self.tally.changes > 0 && is_item(end.message()) {
            end.add_attribute(ANNOTATION, NewValue::Int(self.tally.changes));
            self.tally.changes = 0;
        }
    }

    #[inline(always)]
    fn settled(
        &mut self,
        owner: &'static Message,
        field: u8,
        rest: &[u8],
        row: &mut Row<'_, '_, '_>,
    ) -> usize {
        let tag = self.tag(owner.id);
        let Engine {
            policy,
            buffers,
            tally,
            ..
        } = self;
        let mut looked = Look::Nothing;
        let is_clean = |text: &[u8]| {
            looked = policy.detectors.look(text);
            looked == Look::Nothing
        };
        let drop = |rule, start, end, pair: &[u8]| {
            tally.count_rule(policy, rule, pair);
            row.drop_field(start, end);
        };
        let (settled, expected) = buffers.memo.settled(tag, field, rest, is_clean, drop);
        self.expected = expected;
        self.looked = looked;
        settled
    }

    #[inline(always)]
    fn at_sight(&mut self, _: &'static Message, pair: &[u8]) -> Sight<'_> {
        // What `settled` stopped at.
        let Some((kind, rule, end, dirty)) = self.buffers.memo.brief(self.expected) else {
            return Sight::Ask;
        };
        match kind {
            Kind::Drop if pair.get(end..).and_then(only_value).is_some() => {
                self.count_rule(rule, pair);
                return Sight::Drop;
            }
            Kind::Look if !dirty => {
                if let Some(text) = usual_text(pair, end) {
                    let look = match self.looked {
                        Look::Nothing => self.policy.detectors.look(text),
                        look => look,
                    };
                    return match look {
                        Look::Nothing => {
                            self.buffers.memo.clean(self.expected, pair);
                            Sight::Keep
                        }
                        look => self.looked_at_sight(pair, text, look),
                    };
                }
            }
            _ => {}
        }
        Sight::Ask
    }

    #[inline(always)]
    fn attribute(&mut self, at: At, attribute: KeyValue<'_>) -> AttributeChange<'_> {
        let pair = attribute.body();
        if at.depth > 0 {
            return self.nested(at, pair);
        }
        // What `settled` stopped at.
        if let Some((known, end)) = self.buffers.memo.known(self.expected) {
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
    pub(super) fn tag(&self, owner: MessageId) -> Tag {
        self.tags.get(owner as usize).copied().unwrap_or(Tag::NONE)
    }

    #[inline]
    pub(super) fn level(&self, depth: usize) -> Level {
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

    /// The text of an attribute in which there may be something to find.
    #[inline(never)]
    fn looked_at_sight(&mut self, pair: &[u8], text: &[u8], look: Look) -> Sight<'_> {
        let Some((known, _)) = self.buffers.memo.known(self.expected) else {
            return Sight::Ask;
        };
        match self.look_closer(&known.decision, text, look) {
            Outcome::Keep => {
                self.buffers.memo.clean(self.expected, pair);
                Sight::Keep
            }
            Outcome::Drop => Sight::Drop,
            Outcome::Replace => Sight::Value(NewValue::String(&self.buffers.text)),
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
            && (decision.kind == Kind::Pass || decision.kind.looks())
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
