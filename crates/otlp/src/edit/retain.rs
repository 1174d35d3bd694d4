//! Keeping some items of a request, as a sampler does.

use super::{AttributeChange, Edited, Editor, End, Place, Visit, edit};
use crate::Signal;
use crate::check::CheckError;
use crate::schema::{Kind, Message, MessageId, Times};
use crate::view::KeyValue;

/// Keeps the items for which `keep` says so, given the body of the span, data point or log record.
/// A scope, resource or metric that thereby has no items left goes too; one that had none before
/// stays.
///
/// # Errors
/// If the bytes are malformed where the walk went.
pub fn retain(
    signal: Signal,
    bytes: &[u8],
    out: &mut Vec<u8>,
    keep: impl FnMut(&[u8]) -> bool,
) -> Result<Edited, CheckError> {
    let mut editor = Retain {
        keep,
        open: [Count::default(); LEVELS],
        depth: 0,
    };
    edit(signal, bytes, &mut editor, out)
}

/// Resource, scope, metric and its data.
const LEVELS: usize = 4;

/// The children of an open message that may hold items.
#[derive(Clone, Copy, Default)]
struct Count {
    gone: bool,
    left: bool,
}

struct Retain<F> {
    keep: F,
    open: [Count; LEVELS],
    depth: usize,
}

impl<F> Retain<F> {
    fn child(&mut self, left: bool) {
        if let Some(parent) = self
            .depth
            .checked_sub(1)
            .and_then(|at| self.open.get_mut(at))
        {
            parent.left |= left;
            parent.gone |= !left;
        }
    }
}

impl<F: FnMut(&[u8]) -> bool> Editor for Retain<F> {
    fn message(&mut self, place: Place, body: &[u8]) -> Visit<'_> {
        let Kind::Message(message) = place.field.kind else {
            return Visit::Keep;
        };
        if message.times != Times::NotAnItem {
            let left = (self.keep)(body);
            self.child(left);
            return if left { Visit::Keep } else { Visit::Drop };
        }
        match self.open.get_mut(self.depth) {
            Some(count) if holds_items(message) => {
                *count = Count::default();
                self.depth += 1;
                Visit::Walk
            }
            _ => Visit::Keep,
        }
    }

    fn leave(&mut self, _: Place, end: &mut End<'_>) {
        self.depth = self.depth.saturating_sub(1);
        let count = self.open.get(self.depth).copied().unwrap_or_default();
        let goes = count.gone && !count.left;
        if goes {
            end.drop_message();
        }
        self.child(!goes);
    }

    fn attribute(&mut self, _: Place, _: KeyValue<'_>) -> AttributeChange<'_> {
        AttributeChange::Keep
    }
}

fn holds_items(message: &Message) -> bool {
    matches!(
        message.id,
        MessageId::ResourceSpans
            | MessageId::ScopeSpans
            | MessageId::ResourceMetrics
            | MessageId::ScopeMetrics
            | MessageId::Metric
            | MessageId::Gauge
            | MessageId::Sum
            | MessageId::Histogram
            | MessageId::ExponentialHistogram
            | MessageId::Summary
            | MessageId::ResourceLogs
            | MessageId::ScopeLogs
    )
}
