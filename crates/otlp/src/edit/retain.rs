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
    let is_item = |message: &Message| message.times != Times::NotAnItem;
    edit(signal, bytes, &mut Retain::new(is_item, Each(keep)), out)
}

/// Which items stay, given the resource that they are in.
pub trait KeepItems {
    /// What follows is in this resource, until the next: the body of its `ResourceSpans`,
    /// `ResourceMetrics` or `ResourceLogs`. With `true` all of it stays as it is, and nothing of it
    /// is asked about.
    fn resource(&mut self, group: &[u8]) -> bool;

    /// Whether an item stays, by its body.
    fn item(&mut self, item: &[u8]) -> bool;
}

/// Keeps spans or log records as [`retain`] does, with their resource at hand; of metrics it keeps
/// whole ones, not single data points.
///
/// # Errors
/// If the bytes are malformed where the walk went.
pub fn retain_in(
    signal: Signal,
    bytes: &[u8],
    out: &mut Vec<u8>,
    keep: &mut impl KeepItems,
) -> Result<Edited, CheckError> {
    let is_item = |message: &Message| match signal {
        Signal::Metrics => message.id == MessageId::Metric,
        Signal::Traces | Signal::Logs => message.times != Times::NotAnItem,
    };
    edit(signal, bytes, &mut Retain::new(is_item, keep), out)
}

struct Each<F>(F);

impl<F: FnMut(&[u8]) -> bool> KeepItems for Each<F> {
    fn resource(&mut self, _: &[u8]) -> bool {
        false
    }

    fn item(&mut self, item: &[u8]) -> bool {
        (self.0)(item)
    }
}

impl<K: KeepItems> KeepItems for &mut K {
    fn resource(&mut self, group: &[u8]) -> bool {
        (**self).resource(group)
    }

    fn item(&mut self, item: &[u8]) -> bool {
        (**self).item(item)
    }
}

/// Resource, scope, metric and its data.
const LEVELS: usize = 4;

/// The children of an open message that may hold items.
#[derive(Clone, Copy, Default)]
struct Count {
    gone: bool,
    left: bool,
}

struct Retain<I, K> {
    is_item: I,
    keep: K,
    open: [Count; LEVELS],
    depth: usize,
}

impl<I, K> Retain<I, K> {
    fn new(is_item: I, keep: K) -> Self {
        Retain {
            is_item,
            keep,
            open: [Count::default(); LEVELS],
            depth: 0,
        }
    }

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

impl<I: Fn(&Message) -> bool, K: KeepItems> Editor for Retain<I, K> {
    fn message(&mut self, place: Place, body: &[u8]) -> Visit<'_> {
        let Kind::Message(message) = place.field.kind else {
            return Visit::Keep;
        };
        if (self.is_item)(message) {
            let left = self.keep.item(body);
            self.child(left);
            return if left { Visit::Keep } else { Visit::Drop };
        }
        if is_group(message) && self.keep.resource(body) {
            self.child(true);
            return Visit::Keep;
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

fn is_group(message: &Message) -> bool {
    use MessageId::{ResourceLogs, ResourceMetrics, ResourceSpans};
    matches!(message.id, ResourceSpans | ResourceMetrics | ResourceLogs)
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
