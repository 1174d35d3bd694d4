//! What becomes of texts and other values that are one thing, once it is known what is said about
//! them.

use std::fmt::Write;

use super::action::{Action, cut};
use super::decide::{Decision, Kind};
use super::document::Unseen;
use super::engine::{Engine, Observer};
use super::policy::{Policy, Rule};
use super::value::Scalar;
use crate::detect::{Found, Look};

/// What becomes of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Keep,
    Drop,
    /// It becomes what stands in [`Buffers::text`].
    Replace,
}

impl<O: Observer> Engine<'_, O> {
    /// What becomes of a text. `at` are the bytes of the request that it stands for.
    pub(super) fn text(&mut self, decision: &Decision, text: &str, at: &[u8]) -> Outcome {
        match decision.kind {
            Kind::Pass => Outcome::Keep,
            Kind::Drop => {
                self.count_rule(decision.rule, at);
                Outcome::Drop
            }
            Kind::Whole => self.whole(decision, text.as_bytes(), Some(text), at),
            Kind::Look | Kind::Cut => self.look(decision, text, at),
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
        self.act(index, rule, content, at)
    }

    /// Does what a rule says to do to the whole text.
    fn act(&mut self, index: u16, rule: &Rule, content: &[u8], at: &[u8]) -> Outcome {
        self.count(index, rule.action.as_str(), at);
        if rule.action == Action::Drop {
            return Outcome::Drop;
        }
        let out = &mut self.buffers.text;
        out.clear();
        rule.action
            .put(&rule.name, self.policy.key.as_ref(), content, out);
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
            return self.act(index, rule, text.as_bytes(), at);
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

    /// Looks into a text of which a first look showed this, and replaces what is found. That it is
    /// UTF-8 is proven only where something is found.
    #[inline(never)]
    pub(super) fn look_closer(&mut self, decision: &Decision, text: &[u8], look: Look) -> Outcome {
        self.buffers.found.clear();
        let detectors = &self.policy.detectors;
        if !detectors.scan_closer(text, look, &mut self.buffers.found) {
            return Outcome::Keep;
        }
        match std::str::from_utf8(text) {
            Ok(known) => self.replace_found(decision.active, known, text),
            // Only in a request that was not checked.
            Err(_) => self.unseen(decision, text),
        }
    }

    /// What becomes of a value that is one thing; numbers are seen as their decimal text.
    #[inline(never)]
    pub(super) fn scalar(&mut self, decision: &Decision, value: Scalar<'_>, at: &[u8]) -> Outcome {
        match (decision.kind, value) {
            (Kind::Pass, _) => Outcome::Keep,
            (Kind::Look, Scalar::Text(text)) => match self.policy.detectors.look(text) {
                Look::Nothing => Outcome::Keep,
                look => self.look_closer(decision, text, look),
            },
            (Kind::Look, Scalar::Int(number)) if !self.policy.detectors.may_find_number(number) => {
                Outcome::Keep
            }
            _ => self.any_scalar(decision, value, at),
        }
    }

    fn any_scalar(&mut self, decision: &Decision, value: Scalar<'_>, at: &[u8]) -> Outcome {
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
            Scalar::Bool(_) | Scalar::Empty if decision.kind.looks() => Outcome::Keep,
            Scalar::Bool(truth) => self.written(decision, format_args!("{truth}"), at),
            Scalar::Empty if decision.kind == Kind::Whole => Outcome::Keep,
            Scalar::Empty => self.text(decision, "", at),
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
            Kind::Look | Kind::Cut if self.policy.binary == Unseen::Keep => Outcome::Keep,
            Kind::Look | Kind::Cut => {
                self.count_rule(self.policy.implicit.binary, bytes);
                Outcome::Drop
            }
        }
    }
}

/// Of the rules that speak of all of a value in which they find something, the strictest.
pub(super) fn strictest_whole<'p>(
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
