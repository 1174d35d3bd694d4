//! Which items of a block stay, and copying them.

use ident::Signal;
use journal::Block;
use otlp::edit::retain;

use super::Sampler;
use crate::config::Untracked;
use crate::decision::{Decision, Entry, Reason};
use crate::pass::{record_trace_id, trace_id};
use crate::selection::Selection;

/// What is left of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Spans that stay.
    pub items: u64,
    /// The request's bytes; 0 if no span stays.
    pub bytes: usize,
    /// Everything stays: the block's payload is the result, and nothing was written.
    pub whole: bool,
    /// Spans that go.
    pub dropped: u64,
    /// Of all spans, those of traces that are not known: the table was full, or they have no id.
    pub untracked: u64,
}

/// What [`Sampler::select`] tells beside the selection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// Items of traces that are not known.
    pub untracked: u64,
    /// Items that an override keeps, by its number.
    pub by_override: [u64; 16],
}

/// Why a block was not cut.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CutError {
    /// It was asked for too late.
    #[error(
        "a block appended at {appended_unix_nano} was to be cut after later ones were observed than its wait allows\nhint: ask `Pace` for the order"
    )]
    TooLate {
        /// When it was appended.
        appended_unix_nano: u64,
    },
    /// The sampler has not read back far enough.
    #[error(
        "a block appended at {appended_unix_nano} was to be cut before the sampler was rebuilt\nhint: cut from where cutting was when the checkpoint was made, or later"
    )]
    NotRebuilt {
        /// When it was appended.
        appended_unix_nano: u64,
    },
    /// The block came without its payload, which is needed.
    #[error("a block that came without its payload cannot be cut\nhint: read it again")]
    NeedsPayload,
    /// The payload is not a request.
    #[error("a block of the journal is malformed: {0}\nhint: run `stella telemetry journal check`")]
    Malformed(#[from] otlp::CheckError),
}

impl Sampler {
    /// Copies the spans of kept traces to `out`, which is cleared first and best reused; resources
    /// and scopes go where none of their spans stays. A block of metrics is kept whole.
    ///
    /// Everything must have been observed that was appended within [`lag`](Self::lag_nanos) after
    /// the block, and nothing else: [`Pace`](crate::Pace) gives the order.
    ///
    /// # Errors
    /// If the order is wrong, which would make the result depend on chance; or if the block is
    /// malformed.
    pub fn cut(&mut self, block: &Block, out: &mut Vec<u8>) -> Result<Kept, CutError> {
        out.clear();
        let mut selection = Selection::default();
        let selected = self.select(block, &mut selection)?;
        let whole =
            selection.is_whole() && selection.items() > 0 || block.signal == Signal::Metrics;
        if whole {
            return Ok(Kept {
                items: block.items,
                bytes: block.payload.len(),
                whole,
                dropped: 0,
                untracked: selected.untracked,
            });
        }
        if selection.kept() > 0 {
            selection.cut(block.signal, &block.payload, out)?;
        }
        Ok(Kept {
            items: u64::from(selection.kept()),
            bytes: out.len(),
            whole,
            dropped: u64::from(selection.items() - selection.kept()),
            untracked: selected.untracked,
        })
    }

    /// Says which items of a block stay, which is all that [`cut`](Self::cut) needs: under the same
    /// conditions. `selection` is cleared first. Of metrics it has nothing to say.
    ///
    /// The payload may have been left out: it is mostly not needed, and else an error says so.
    ///
    /// # Errors
    /// As [`cut`](Self::cut).
    pub fn select(
        &mut self,
        block: &Block,
        selection: &mut Selection,
    ) -> Result<Selected, CutError> {
        selection.clear();
        let appended_unix_nano = block.appended_unix_nano;
        let due = appended_unix_nano.saturating_add(self.lag_nanos(block.signal));
        let observed = self.traces.observed.unwrap_or(0);
        if observed >= due || self.traces.now > due {
            return Err(CutError::TooLate { appended_unix_nano });
        }
        self.traces.reach(&self.plan, &mut self.rare, due);
        if self.traces.pending.is_some() {
            return Err(CutError::NotRebuilt { appended_unix_nano });
        }
        let id_of: fn(&[u8]) -> &[u8] = match block.signal {
            Signal::Traces => trace_id,
            Signal::Logs => record_trace_id,
            Signal::Metrics => return Ok(Selected::default()),
        };
        let mut noted = Selected::default();
        if block.signal == Signal::Traces && self.select_noted(block, selection, &mut noted) {
            return Ok(noted);
        }
        selection.clear();
        if block.payload.is_empty() && block.items > 0 {
            return Err(CutError::NeedsPayload);
        }
        let tenant = self.traces.tenants.get(&block.tenant).copied();
        let mut selected = Selected::default();
        let mut last: Option<([u8; 16], Decision)> = None;
        // Nothing is edited: this walk is the one that cutting makes.
        let _unchanged = retain(block.signal, &block.payload, &mut Vec::new(), |item| {
            let id = id_of(item);
            if block.signal == Signal::Logs && id.iter().all(|byte| *byte == 0) {
                // Of no trace.
                selection.push(self.only.is_none());
                return true;
            }
            let id = <[u8; 16]>::try_from(id).ok();
            let decision = match (&last, id) {
                (Some((last_id, decision)), Some(id)) if *last_id == id => *decision,
                _ => self.decided(tenant, id),
            };
            last = id.map(|id| (id, decision));
            self.choose(decision, 1, selection, &mut selected);
            true
        })?;
        Ok(selected)
    }

    /// The same without walking the block, if all of its spans are noted; `false` if not.
    fn select_noted(
        &mut self,
        block: &Block,
        selection: &mut Selection,
        selected: &mut Selected,
    ) -> bool {
        let Some(found) = self.traces.trail.find(block) else {
            return false;
        };
        for at in found.first..found.end {
            let Some((place, spans)) = self.traces.trail.note(at) else {
                return false;
            };
            let Some(entry) = self.traces.noted(found.epoch, place) else {
                return false;
            };
            let decision = self.decision(Some(entry));
            self.choose(decision, spans, selection, selected);
        }
        true
    }

    fn choose(
        &self,
        decision: Decision,
        items: u32,
        selection: &mut Selection,
        selected: &mut Selected,
    ) {
        if decision.reason == Reason::Untracked {
            selected.untracked += u64::from(items);
        }
        if let Reason::Override(number) = decision.reason {
            selected.by_override[usize::from(number & 15)] += u64::from(items);
        }
        let stays = match self.only {
            None => decision.kept,
            Some(number) => decision.reason == Reason::Override(number),
        };
        selection.push_all(items, stays);
    }

    /// How long after a block of a signal it can be cut. Log records mostly come before the spans
    /// that they belong to, which then have their own wait.
    pub fn lag_nanos(&self, signal: Signal) -> u64 {
        match signal {
            Signal::Logs => self.plan.wait.saturating_mul(2),
            Signal::Traces | Signal::Metrics => self.plan.wait,
        }
    }

    fn decided(&self, tenant: Option<u16>, id: Option<[u8; 16]>) -> Decision {
        let entry = match (tenant, id) {
            (Some(tenant), Some(id)) => self.traces.look_up(tenant, &id),
            _ => None,
        };
        self.decision(entry)
    }

    fn decision(&self, entry: Option<Entry>) -> Decision {
        match entry {
            Some(Entry::Decided { decision, .. }) => decision,
            // A trace that is known has waited long enough, or the wait would not be over; but it
            // may be another one of the same id, if this one was not tracked.
            Some(Entry::Open(_) | Entry::Moved(_)) | None => Decision {
                kept: self.plan.untracked == Untracked::Keep,
                reason: Reason::Untracked,
            },
        }
    }
}
