//! What the rules of a policy say about one key or field, before any value is seen.
//!
//! Rules are asked in their order. A rule without `detect` decides about the value and ends the
//! asking; the rules with `detect` before it stay in effect for what their detectors find. A
//! tenant's overlay and the policy it tightens are asked apart, and the stricter answer counts, so
//! that an overlay can only tighten.

use super::Action;
use super::document::{Mode, Part};
use super::place::Context;
use super::policy::{Policy, Rule};

/// No rule.
pub(super) const NONE: u16 = u16::MAX;

/// The answer, small enough to be remembered for each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// The rules with `detect` that are in effect, by their bit.
    pub(super) active: u64,
    /// The rule that decides about the value, of the overlay and of the policy itself.
    terminal: [u16; 2],
    /// The stricter of these.
    pub(super) rule: u16,
    pub(super) kind: Kind,
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing, for the value itself; keys nested in it may have rules of their own.
    Pass,
    /// The value is looked into.
    Look,
    /// The value is looked into, and then cut.
    Cut,
    /// The value becomes another one, whatever it is.
    Whole,
    /// It goes.
    Drop,
}

impl Kind {
    /// Whether what is done depends on what is in the value.
    pub(super) fn looks(self) -> bool {
        matches!(self, Kind::Look | Kind::Cut)
    }
}

impl Decision {
    /// Nothing is done.
    pub(super) const PASS: Decision = Decision {
        active: 0,
        terminal: [NONE; 2],
        rule: NONE,
        kind: Kind::Pass,
    };

    /// The implicit rule of this index drops it.
    pub(super) const fn dropped(rule: u16) -> Decision {
        Decision {
            active: 0,
            terminal: [NONE, rule],
            rule,
            kind: Kind::Drop,
        }
    }

    /// The same without looking for anything.
    pub(super) fn cutting(self) -> Decision {
        Decision { active: 0, ..self }
    }

    /// The same without what is done to the value as a whole.
    pub(super) fn looking(self) -> Decision {
        Decision {
            terminal: [NONE; 2],
            rule: NONE,
            kind: if self.active == 0 {
                Kind::Pass
            } else {
                Kind::Look
            },
            ..self
        }
    }
}

impl Policy {
    /// What is said about a key. Keys are given in lower case: `own` is the key itself, `path` the
    /// dotted path of the keys that it is nested in.
    pub(super) fn about_key(
        &self,
        context: Context,
        own: &[u8],
        path: &[u8],
        rules: &mut Vec<u16>,
    ) -> Decision {
        rules.clear();
        rules.extend_from_slice(&self.everywhere);
        self.keys.find(own, rules);
        if path != own {
            self.keys.find(path, rules);
        }
        rules.sort_unstable();
        rules.dedup();
        let (mut active, mut terminal) = (0, [NONE; 2]);
        for &index in rules.iter() {
            if let Some(rule) = self.rules.get(usize::from(index))
                && rule.contexts & context.bit() != 0
            {
                ask(rule, index, &mut active, &mut terminal);
            }
        }
        for (layer, mode) in self.modes.iter().enumerate() {
            if *mode == Mode::Allow && terminal[layer] == NONE {
                terminal[layer] = self.implicit.not_listed;
            }
        }
        self.settle(active, terminal)
    }

    /// What is said about a text that is no attribute, by the rules that name it.
    pub(super) fn about_field(&self, rules: impl Iterator<Item = u16>) -> Decision {
        let (mut active, mut terminal) = (0, [NONE; 2]);
        for index in rules {
            if let Some(rule) = self.rules.get(usize::from(index)) {
                ask(rule, index, &mut active, &mut terminal);
            }
        }
        self.settle(active, terminal)
    }

    /// What is said about a key in a value about which `parent` was said: a rule that matches a
    /// key holds for what is nested in it too, and of two rules the stricter. Only `keep` speaks
    /// of the value alone, so that a secret cannot hide in a map under a key that is kept.
    pub(super) fn nested(&self, own: Decision, parent: Decision) -> Decision {
        let (mut active, mut terminal) = (own.active, own.terminal);
        for (layer, (mine, above)) in terminal.iter_mut().zip(parent.terminal).enumerate() {
            let inherited = parent.active & self.layer_bits[layer];
            active |= match *mine {
                mine if mine < self.implicit.not_listed => inherited & self.bits_before(mine),
                _ => inherited,
            };
            if self.strictness(above) > self.strictness(*mine) {
                *mine = above;
            }
        }
        self.settle(active, terminal)
    }

    /// How strict the rule of this index is; 0 for no rule and for `keep`.
    fn strictness(&self, index: u16) -> u32 {
        self.rule(index)
            .map_or(0, |rule| rule.action.strictness(rule.part))
    }

    /// The bits of the detecting rules before the rule of this index.
    fn bits_before(&self, end: u16) -> u64 {
        let before = self.detecting.partition_point(|rule| *rule < end);
        match before {
            64.. => u64::MAX,
            n => (1 << n) - 1,
        }
    }

    fn settle(&self, active: u64, terminal: [u16; 2]) -> Decision {
        let rule = match terminal {
            [NONE, one] | [one, NONE] => one,
            [overlay, base] if self.strictness(overlay) >= self.strictness(base) => overlay,
            [_, base] => base,
        };
        let kind = match self.rule(rule).map(|rule| &rule.action) {
            Some(Action::Drop) => Kind::Drop,
            Some(Action::Mask(_) | Action::Hash | Action::Tokenize) => Kind::Whole,
            Some(Action::Truncate(_)) => Kind::Cut,
            Some(Action::Keep) | None if active == 0 => Kind::Pass,
            Some(Action::Keep) | None => Kind::Look,
        };
        Decision {
            active,
            terminal,
            rule,
            kind,
        }
    }

    /// The rule that decides about what a detector found, if one in effect names the detector.
    #[inline]
    pub(super) fn about_found(&self, active: u64, detector: u16) -> Option<(u16, &Rule)> {
        let bits = active & self.detector_bits.get(usize::from(detector)).copied()?;
        let first = |layer: usize| {
            let bits = bits & self.layer_bits[layer];
            let index = *self.detecting.get(bits.trailing_zeros() as usize)?;
            Some((index, self.rule(index)?))
        };
        match (first(0), first(1)) {
            (Some(overlay), Some(base)) => {
                let strictness = |rule: &Rule| rule.action.strictness(rule.part);
                Some(if strictness(overlay.1) >= strictness(base.1) {
                    overlay
                } else {
                    base
                })
            }
            (one, other) => one.or(other),
        }
    }

    /// Whether what is found under these rules may be stricter than to replace the whole value.
    pub(super) fn may_drop(&self, active: u64) -> bool {
        active & self.whole_bits != 0
    }
}

fn ask(rule: &Rule, index: u16, active: &mut u64, terminal: &mut [u16; 2]) {
    let end = &mut terminal[usize::from(rule.layer)];
    if *end != NONE {
        return;
    }
    match rule.detect_bit {
        Some(bit) => *active |= 1 << bit,
        None => *end = index,
    }
}

impl Rule {
    /// Whether it speaks of all of a value.
    pub(super) fn is_whole(&self) -> bool {
        self.part == Part::Whole
    }
}
