//! Overrides for incidents: while one is in force, every trace in its scope is kept.

use ident::{Signal, TenantId};
use journal::Block;
use otlp::wire::bodies;
use serde::{Deserialize, Serialize};

use crate::selection::Selection;

/// The most overrides at once: a trace's state has room for this many numbers.
pub const MAX_OVERRIDES: usize = 15;
/// The most attributes in a scope.
pub const MAX_SCOPE_ATTRIBUTES: usize = 8;

/// Which traces: those with a span for which all of this holds. Empty, all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Of this tenant.
    pub tenant: Option<String>,
    /// With this `service.name`.
    pub service: Option<String>,
    /// With all of these attributes, each on the span or on its resource, with this text.
    pub attributes: Vec<(String, String)>,
}

/// From now on keep all in a scope.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Its number, 1 to [`MAX_OVERRIDES`], by which decisions name it.
    pub number: u8,
    /// Which traces.
    pub scope: Scope,
    /// Spans in blocks that were appended at this time or later count.
    pub from_unix_nano: u64,
    /// Spans in blocks that were appended before this time count. What is kept stays kept.
    pub to_unix_nano: u64,
}

/// Why an override was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// Its number.
    #[error(
        "an override has the number {0}, which is in use or none\nhint: use a free one of 1 to 15"
    )]
    Number(u8),
    /// Its scope.
    #[error("an override's scope has {0} attributes\nhint: at most 8 have room")]
    TooManyAttributes(usize),
}

/// Those that were declared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides(Vec<Override>);

impl Overrides {
    pub(crate) fn add(&mut self, new: Override) -> Result<(), OverrideError> {
        let taken = self.0.iter().any(|known| known.number == new.number);
        if taken || !(1..=MAX_OVERRIDES).contains(&usize::from(new.number)) {
            return Err(OverrideError::Number(new.number));
        }
        if new.scope.attributes.len() > MAX_SCOPE_ATTRIBUTES {
            return Err(OverrideError::TooManyAttributes(new.scope.attributes.len()));
        }
        self.0.push(new);
        Ok(())
    }

    /// Ends one: it no longer counts for blocks that were appended at `now` or later.
    pub(crate) fn end(&mut self, number: u8, now: u64) -> bool {
        let known = self.0.iter_mut().find(|known| known.number == number);
        if let Some(known) = known {
            known.to_unix_nano = known.to_unix_nano.min(now);
            return true;
        }
        false
    }

    /// Forgets one, whose number is free then.
    pub(crate) fn forget(&mut self, number: u8) {
        self.0.retain(|known| known.number != number);
    }

    /// Forgets those that ended before `time`.
    pub(crate) fn forget_before(&mut self, time: u64) {
        self.0.retain(|known| known.to_unix_nano > time);
    }

    pub(crate) fn list(&self) -> &[Override] {
        &self.0
    }

    /// Those in force for a tenant's block.
    pub(crate) fn active(&self, tenant: &TenantId, time: u64) -> Active<'_> {
        let mut active = Active {
            all: &self.0,
            applies: 0,
        };
        for (at, known) in self.0.iter().enumerate() {
            let now = known.from_unix_nano <= time && time < known.to_unix_nano;
            let whose = known.scope.tenant.as_deref();
            if now && whose.is_none_or(|whose| whose == tenant.as_str()) {
                active.applies |= 1 << at;
            }
        }
        active
    }
}

/// The overrides in force for a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Active<'o> {
    all: &'o [Override],
    /// A bit for each of `all` that applies.
    applies: u32,
}

impl Active<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.applies == 0
    }

    /// The number of the first whose scope the span is in; 0 for none. `group` is the body of the
    /// message with the span's resource.
    pub(crate) fn matching(&self, group: &[u8], span: &[u8]) -> u8 {
        let applies = |at: &usize| self.applies >> at & 1 == 1;
        let mut all = (0..self.all.len()).filter(applies).map(|at| &self.all[at]);
        let found = all.find(|known| known.scope.has(Signal::Traces, group, span));
        found.map_or(0, |known| known.number)
    }
}

impl Scope {
    /// Which spans of a block are themselves in the scope, whatever else their traces have; the
    /// selection is cleared first. `false` if that cannot be told, as the block is malformed.
    pub fn select(&self, block: &Block, selection: &mut Selection) -> bool {
        selection.clear();
        if block.signal != Signal::Traces || !self.may_have(&block.tenant) {
            *selection = Selection::none(u32::try_from(block.items).unwrap_or(u32::MAX));
            return true;
        }
        for group in bodies(&block.payload, 1) {
            let service = self.may_have_group(group);
            for span in bodies(group, 2).flat_map(|scope| bodies(scope, 2)) {
                selection.push(service && self.has(Signal::Traces, group, span));
            }
        }
        u64::from(selection.items()) == block.items
    }
}
