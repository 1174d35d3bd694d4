//! A compiled policy.

use std::sync::Arc;

use super::action::{Action, SiteKey};
use super::compile;
use super::decide::Decision;
use super::document::{Mode, Part, Unseen};
use super::error::PolicyError;
use super::keys::KeyIndex;
use super::load::{self, Joined};
use super::pattern::Pattern;
use super::place::TextField;
use super::texts::Texts;
use crate::detect::Detectors;

/// A redaction policy, compiled: immutable, shared by all workers.
#[derive(Debug)]
pub struct Policy {
    /// Tells policies apart within this process, so that workers can remember decisions.
    pub(super) id: u32,
    pub(super) name: Box<str>,
    /// Those of an overlay, those of the policy in their order, then the implicit ones.
    pub(super) rules: Vec<Rule>,
    pub(super) names: Vec<Box<str>>,
    pub(super) implicit: Implicit,
    pub(super) keys: KeyIndex,
    /// Rules that look into every value.
    pub(super) everywhere: Vec<u16>,
    /// The rules with `detect`, by their bit.
    pub(super) detecting: Vec<u16>,
    pub(super) detectors: Detectors,
    /// For each detector the bits of the rules that name it.
    pub(super) detector_bits: Vec<u64>,
    /// The bits of the rules of the overlay, and of the policy.
    pub(super) layer_bits: [u64; 2],
    /// The bits of the rules that speak of whole values.
    pub(super) whole_bits: u64,
    pub(super) modes: [Mode; 2],
    pub(super) unknown_fields: Unseen,
    pub(super) binary: Unseen,
    pub(super) annotate: bool,
    pub(super) key: Option<SiteKey>,
    /// By signal and [`TextField`].
    pub(super) fields: [[Decision; TextField::COUNT]; 3],
    pub(super) texts: Texts,
    /// Whether keys in the bodies of log records are asked about.
    pub(super) looks_into_bodies: bool,
    pub(super) base: Arc<Joined>,
    pub(super) overlay: Option<Arc<Joined>>,
}

/// One compiled rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) name: Box<str>,
    pub(super) action: Action,
    pub(super) part: Part,
    /// The bits of the contexts that it speaks of.
    pub(super) contexts: u32,
    /// The bits of the signals that it speaks of.
    pub(super) signals: u8,
    /// 0 for a rule of the overlay, 1 for one of the policy.
    pub(super) layer: u8,
    /// Which document of its layer it stands in.
    pub(super) source: usize,
    /// The bit of a rule with `detect`.
    pub(super) detect_bit: Option<u8>,
    /// The detectors it names, by index.
    pub(super) detectors: Vec<u16>,
    pub(super) keys: Vec<Pattern>,
    pub(super) fields: Vec<TextField>,
}

/// The indices of the rules that no document writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Implicit {
    pub(super) not_listed: u16,
    pub(super) key_too_long: u16,
    pub(super) two_keys: u16,
    pub(super) unknown_field: u16,
    pub(super) binary: u16,
    pub(super) too_deep: u16,
    pub(super) reserved: u16,
}

impl Implicit {
    /// What they are counted as, in their order.
    pub(super) const NAMES: [&str; 7] = [
        "(not listed)",
        "(key too long)",
        "(two keys)",
        "(unknown field)",
        "(binary)",
        "(too deep)",
        "(reserved)",
    ];

    pub(super) fn after(rules: u16) -> Implicit {
        Implicit {
            not_listed: rules,
            key_too_long: rules + 1,
            two_keys: rules + 2,
            unknown_field: rules + 3,
            binary: rules + 4,
            too_deep: rules + 5,
            reserved: rules + 6,
        }
    }
}

impl Policy {
    /// Compiles the policy in `text`; `name` stands for it in errors. `resolve` gives the text of
    /// a policy that is extended by its name, such as [`super::shipped()`]; `key` is the site's, for
    /// rules that hash.
    ///
    /// # Errors
    /// What is wrong with the policy or one that it extends, and where.
    pub fn compile(
        name: &str,
        text: &str,
        resolve: &dyn Fn(&str) -> Option<String>,
        key: Option<&SiteKey>,
    ) -> Result<Policy, PolicyError> {
        let base = load::join(name, text, resolve)?;
        compile::compile(name, Arc::new(base), None, key)
    }

    /// This policy tightened by a tenant's overlay: a policy of its own that extends nothing. Of
    /// two answers about a value the stricter counts.
    ///
    /// # Errors
    /// What is wrong with the overlay. A rule or key of it that would loosen the policy is an
    /// error that names it.
    pub fn tightened(&self, name: &str, text: &str) -> Result<Policy, PolicyError> {
        let overlay = load::join(name, text, &|_| None)?;
        let base = Arc::clone(&self.base);
        let tight = compile::compile(name, base, Some(Arc::new(overlay)), self.key.as_ref())?;
        super::overlay::check(&tight)?;
        Ok(tight)
    }

    /// The name it was compiled under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the rules by their index, as they are counted: those of the documents in the
    /// order in which they are asked, then implicit ones in parentheses.
    pub fn rules(&self) -> &[Box<str>] {
        &self.names
    }

    #[inline(always)]
    pub(super) fn rule(&self, index: u16) -> Option<&Rule> {
        self.rules.get(usize::from(index))
    }

    /// The rules of the documents, with their indices.
    pub(super) fn written(&self) -> impl Iterator<Item = (u16, &Rule)> {
        (0..self.implicit.not_listed).zip(&self.rules)
    }
}
