//! Copying the spans of kept traces.

use ident::Signal;
use journal::Block;
use otlp::edit::{Edited, retain};

use super::Sampler;
use crate::config::Untracked;
use crate::decision::{Decision, Entry, Reason};
use crate::pass::trace_id;

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
    /// The payload is not a request.
    #[error("a block of the journal is malformed: {0}\nhint: run `stella telemetry journal check`")]
    Malformed(#[from] otlp::CheckError),
}

impl Sampler {
    /// Copies the spans of kept traces to `out`, which is cleared first and best reused; resources
    /// and scopes go where none of their spans stays. A block of another signal is kept whole.
    ///
    /// Everything must have been observed that was appended within the wait after the block, and
    /// nothing else: [`Pace`](crate::Pace) gives the order.
    ///
    /// # Errors
    /// If the order is wrong, which would make the result depend on chance; or if the block is
    /// malformed.
    pub fn cut(&mut self, block: &Block, out: &mut Vec<u8>) -> Result<Kept, CutError> {
        out.clear();
        let appended_unix_nano = block.appended_unix_nano;
        let due = appended_unix_nano.saturating_add(self.plan.wait);
        let observed = self.traces.observed.unwrap_or(0);
        if observed >= due || self.traces.now > due {
            return Err(CutError::TooLate { appended_unix_nano });
        }
        self.traces.reach(&self.plan, &mut self.rare, due);
        if self.traces.pending.is_some() {
            return Err(CutError::NotRebuilt { appended_unix_nano });
        }
        if block.signal != Signal::Traces {
            return Ok(Kept {
                items: block.items,
                bytes: block.payload.len(),
                whole: true,
                ..Kept::default()
            });
        }
        let tenant = self.traces.tenants.get(&block.tenant).copied();
        let mut kept = Kept::default();
        let mut last: Option<([u8; 16], Decision)> = None;
        let edited = retain(Signal::Traces, &block.payload, out, |span| {
            let id = <[u8; 16]>::try_from(trace_id(span)).ok();
            let decision = match (&last, id) {
                (Some((last_id, decision)), Some(id)) if *last_id == id => *decision,
                _ => self.decided(tenant, id),
            };
            last = id.map(|id| (id, decision));
            kept.untracked += u64::from(decision.reason == Reason::Untracked);
            let stays = match self.only {
                None => decision.kept,
                Some(number) => decision.reason == Reason::Override(number),
            };
            *(if stays {
                &mut kept.items
            } else {
                &mut kept.dropped
            }) += 1;
            stays
        })?;
        kept.whole = edited == Edited::Unchanged && kept.items > 0;
        kept.bytes = match (kept.items, kept.whole) {
            (0, _) => 0,
            (_, true) => block.payload.len(),
            (_, false) => out.len(),
        };
        if kept.items == 0 {
            out.clear();
        }
        Ok(kept)
    }

    fn decided(&self, tenant: Option<u16>, id: Option<[u8; 16]>) -> Decision {
        let entry = match (tenant, id) {
            (Some(tenant), Some(id)) => self.traces.look_up(tenant, &id),
            _ => None,
        };
        match entry {
            Some(Entry::Decided { decision, .. }) => decision,
            // A trace that is known has waited long enough, or the wait would not be over; but it
            // may be another one of the same id, if this one was not tracked.
            Some(Entry::Open(_)) | None => Decision {
                kept: self.plan.untracked == Untracked::Keep,
                reason: Reason::Untracked,
            },
        }
    }
}
