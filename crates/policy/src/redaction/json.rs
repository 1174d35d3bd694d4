//! Log bodies that are JSON text: keys by key rules, strings and numbers by detectors, in one pass
//! over the text and without a tree.
//!
//! What stays is copied as it stands; what is well-formed JSON stays well formed. A text that
//! stops being JSON somewhere (cut off by a logger, say) is redacted by its keys up to there, and
//! the rest is looked into as plain text.

use std::fmt::Write;

use ident::Signal;

use super::decide::{Decision, Kind};
use super::engine::{Engine, LEVELS, Level, Observer};
use super::json_text::{NotJson, Text, quote, unescape};
use super::outcome::Outcome;
use super::place::{Context, Place};

/// Whether a text may be a JSON object or array.
pub(super) fn looks_like(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'['))
}

impl<O: Observer> Engine<'_, O> {
    /// What becomes of a body that is JSON text.
    pub(super) fn json_body(&mut self, decision: &Decision, body: &str) -> Outcome {
        let mut out = std::mem::take(&mut self.buffers.json);
        out.clear();
        let mut text = Text {
            text: body,
            pos: 0,
            out,
            copied: 0,
            changed: false,
        };
        // What is done to the body as a whole is done at the end.
        let root = decision.looking();
        loop {
            text.space();
            if text.pos == body.len() {
                break;
            }
            // Several values in a row are lines of JSON.
            self.open(
                1,
                Level {
                    decision: root,
                    path: 0,
                },
            );
            if self.json_value(&mut text, &root, 1).is_err() {
                self.rest(&mut text, &root);
                break;
            }
        }
        let Text {
            mut out,
            copied,
            changed,
            ..
        } = text;
        if changed {
            out.push_str(body.get(copied..).unwrap_or_default());
        }
        let outcome = self.cut_body(decision, if changed { &out } else { body }, body, changed);
        self.buffers.json = out;
        outcome
    }

    /// Puts the body where results stand, cut if the rule of the body says so.
    fn cut_body(&mut self, decision: &Decision, text: &str, body: &str, changed: bool) -> Outcome {
        match self.text(&decision.cutting(), text, body.as_bytes()) {
            Outcome::Keep if changed => {
                self.buffers.text.clear();
                self.buffers.text.push_str(text);
                Outcome::Replace
            }
            outcome => outcome,
        }
    }

    /// What is no JSON is looked into as text.
    fn rest(&mut self, text: &mut Text<'_>, decision: &Decision) {
        let start = text.pos.max(text.copied);
        let rest = text.text.get(start..).unwrap_or_default();
        let outcome = self.text(decision, rest, rest.as_bytes());
        let new = match outcome {
            Outcome::Keep => return,
            Outcome::Drop => "",
            Outcome::Replace => self.buffers.text.as_str(),
        };
        text.replace(start, text.text.len(), |out| out.push_str(new));
        text.pos = text.text.len();
    }

    fn json_value(
        &mut self,
        text: &mut Text<'_>,
        decision: &Decision,
        depth: usize,
    ) -> Result<(), NotJson> {
        text.space();
        let start = text.pos;
        match text.peek() {
            Some(b'{' | b'[') if depth + 1 >= LEVELS => {
                text.skip_or_rest();
                let bytes = text.text.as_bytes();
                self.count_rule(self.policy.implicit.too_deep, &bytes[start..text.pos]);
                text.replace(start, text.pos, |out| out.push_str("null"));
                Ok(())
            }
            Some(b'{') => self.json_object(text, depth),
            Some(b'[') => self.json_array(text, decision, depth),
            Some(b'"') => {
                let raw = text.string_or_rest();
                let outcome = self.json_string(decision, raw);
                self.json_leaf(text, start, outcome);
                Ok(())
            }
            _ => {
                let word = text.word()?;
                let outcome = self.json_word(decision, word);
                self.json_leaf(text, start, outcome);
                Ok(())
            }
        }
    }

    /// An element of an array; the value of a member is dealt with by [`Engine::json_member`].
    fn json_leaf(&mut self, text: &mut Text<'_>, start: usize, outcome: Outcome) {
        let end = text.pos;
        match outcome {
            Outcome::Keep => {}
            Outcome::Drop => text.replace(start, end, |out| out.push_str("null")),
            Outcome::Replace => text.replace(start, end, |out| quote(&self.buffers.text, out)),
        }
    }

    fn json_array(
        &mut self,
        text: &mut Text<'_>,
        decision: &Decision,
        depth: usize,
    ) -> Result<(), NotJson> {
        text.expect(b'[')?;
        text.space();
        if text.peek() == Some(b']') {
            text.pos += 1;
            return Ok(());
        }
        let level = Level {
            decision: *decision,
            path: self.buffers.levels[depth.min(LEVELS - 1)].path,
        };
        loop {
            self.open(depth + 1, level);
            self.json_value(text, decision, depth + 1)?;
            text.space();
            match text.peek() {
                Some(b',') => text.pos += 1,
                Some(b']') => {
                    text.pos += 1;
                    return Ok(());
                }
                _ => return Err(NotJson),
            }
        }
    }

    fn json_object(&mut self, text: &mut Text<'_>, depth: usize) -> Result<(), NotJson> {
        text.expect(b'{')?;
        text.space();
        if text.peek() == Some(b'}') {
            text.pos += 1;
            return Ok(());
        }
        // The place of the comma before the member, once a member was kept.
        let mut comma = None;
        let mut start = text.pos;
        loop {
            let goes = self.json_member(text, depth)?;
            text.space();
            let end = text.pos;
            let next = match text.peek() {
                Some(b',') => true,
                Some(b'}') => false,
                _ => {
                    // The member goes even where the object does not go on.
                    if goes {
                        text.replace(comma.unwrap_or(start), end, |_| {});
                    }
                    return Err(NotJson);
                }
            };
            text.pos += 1;
            match (goes, comma) {
                (false, _) => comma = Some(end),
                (true, Some(before)) => {
                    text.replace(before, end, |_| {});
                    comma = Some(end);
                }
                // Nothing was kept before: the comma after it goes.
                (true, None) => {
                    let end = if next { text.pos } else { end };
                    text.replace(start, end, |_| {});
                }
            }
            if !next {
                return Ok(());
            }
            start = text.pos;
        }
    }

    /// One member of an object; whether it goes.
    fn json_member(&mut self, text: &mut Text<'_>, depth: usize) -> Result<bool, NotJson> {
        text.space();
        let start = text.pos;
        let raw = text.string()?;
        let key_end = text.pos;
        text.space();
        if text.peek() != Some(b':') {
            text.pos = start;
            return Err(NotJson);
        }
        text.pos += 1;
        let context = Context::new(Signal::Logs, Place::Body);
        let mut plain = std::mem::take(&mut self.buffers.plain);
        let key = unescape(raw, &mut plain);
        let known = self.known_nested(context, key.as_bytes(), depth);
        let mut key_outcome = Outcome::Keep;
        if known.key_dirty && known.decision.kind != Kind::Drop {
            key_outcome = self.text(&known.decision.looking(), key, raw.as_bytes());
        }
        self.buffers.plain = plain;
        text.space();
        if known.decision.kind == Kind::Drop || key_outcome == Outcome::Drop {
            text.skip_or_rest();
            if known.decision.kind == Kind::Drop {
                let bytes = text.text.as_bytes();
                self.count_rule(known.decision.rule, &bytes[start..text.pos]);
            }
            return Ok(true);
        }
        if key_outcome == Outcome::Replace {
            text.replace(start, key_end, |out| quote(&self.buffers.text, out));
        }
        let path = self.buffers.path.len();
        let decision = known.decision;
        self.open(depth + 1, Level { decision, path });
        self.json_member_value(text, &decision, depth + 1)
    }

    fn json_member_value(
        &mut self,
        text: &mut Text<'_>,
        decision: &Decision,
        depth: usize,
    ) -> Result<bool, NotJson> {
        let start = text.pos;
        let outcome = match text.peek() {
            Some(b'{' | b'[') => {
                let mask = self.policy.rule(decision.rule).map(|rule| &rule.action);
                let Some(super::Action::Mask(mask)) = mask else {
                    self.json_value(text, decision, depth)?;
                    return Ok(false);
                };
                text.skip_or_rest();
                let bytes = text.text.as_bytes();
                self.count_rule(decision.rule, &bytes[start..text.pos]);
                text.replace(start, text.pos, |out| quote(mask, out));
                return Ok(false);
            }
            Some(b'"') => {
                let raw = text.string_or_rest();
                self.json_string(decision, raw)
            }
            _ => {
                let word = text.word()?;
                self.json_word(decision, word)
            }
        };
        if outcome == Outcome::Drop {
            return Ok(true);
        }
        self.json_leaf(text, start, outcome);
        Ok(false)
    }

    fn json_string(&mut self, decision: &Decision, raw: &str) -> Outcome {
        if decision.kind == Kind::Pass {
            return Outcome::Keep;
        }
        let mut plain = std::mem::take(&mut self.buffers.plain);
        let outcome = self.text(decision, unescape(raw, &mut plain), raw.as_bytes());
        self.buffers.plain = plain;
        outcome
    }

    fn json_word(&mut self, decision: &Decision, word: &str) -> Outcome {
        let literal = matches!(word, "true" | "false" | "null");
        if decision.kind == Kind::Pass || literal && (decision.kind.looks() || word == "null") {
            return Outcome::Keep;
        }
        // `4.111e15` is a card number too.
        if word.bytes().any(|b| matches!(b, b'.' | b'e' | b'E'))
            && let Ok(number) = word.parse::<f64>()
            && number.is_finite()
        {
            let mut plain = std::mem::take(&mut self.buffers.plain);
            plain.clear();
            let _ = write!(plain, "{number}");
            let outcome = self.text(decision, &plain, word.as_bytes());
            self.buffers.plain = plain;
            return outcome;
        }
        self.text(decision, word, word.as_bytes())
    }
}
