//! Spans, their events and links.

use super::Attributes;
use super::nested::{Body, Nested};

/// A span.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a>(pub(super) Body<'a>);

impl<'a> Span<'a> {
    /// The trace id: 16 bytes, or none.
    pub fn trace_id(&self) -> &'a [u8] {
        self.0.bytes(1)
    }

    /// The span's id: 8 bytes, or none.
    pub fn span_id(&self) -> &'a [u8] {
        self.0.bytes(2)
    }

    /// The W3C trace state.
    pub fn trace_state(&self) -> &'a str {
        self.0.text(3)
    }

    /// The parent's id; none for a root.
    pub fn parent_span_id(&self) -> &'a [u8] {
        self.0.bytes(4)
    }

    /// The W3C trace flags, and whether the parent is remote.
    pub fn flags(&self) -> u32 {
        self.0.number(16) as u32
    }

    /// The name.
    pub fn name(&self) -> &'a str {
        self.0.text(5)
    }

    /// The number of its `SpanKind`.
    pub fn kind(&self) -> i32 {
        self.0.number(6) as i32
    }

    /// When it began, in nanoseconds since the Unix epoch.
    pub fn start_time_unix_nano(&self) -> u64 {
        self.0.number(7)
    }

    /// When it ended, in nanoseconds since the Unix epoch.
    pub fn end_time_unix_nano(&self) -> u64 {
        self.0.number(8)
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(Nested::new(self.0.0, [9]))
    }

    /// How many attributes the sender left out.
    pub fn dropped_attributes_count(&self) -> u32 {
        self.0.number(10) as u32
    }

    /// Its events.
    pub fn events(&self) -> impl Iterator<Item = Event<'a>> + Clone + use<'a> {
        Nested::new(self.0.0, [11]).map(|body| Event(Body(body)))
    }

    /// How many events the sender left out.
    pub fn dropped_events_count(&self) -> u32 {
        self.0.number(12) as u32
    }

    /// Its links.
    pub fn links(&self) -> impl Iterator<Item = Link<'a>> + Clone + use<'a> {
        Nested::new(self.0.0, [13]).map(|body| Link(Body(body)))
    }

    /// How many links the sender left out.
    pub fn dropped_links_count(&self) -> u32 {
        self.0.number(14) as u32
    }

    /// The number of its status code: 0 unset, 1 ok, 2 error.
    pub fn status_code(&self) -> i32 {
        self.0.nested_number(15, 3) as i32
    }

    /// The text of its status.
    pub fn status_message(&self) -> &'a str {
        self.0.nested_text(15, 2)
    }
}

/// Something that happened during a span.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a>(Body<'a>);

impl<'a> Event<'a> {
    /// When, in nanoseconds since the Unix epoch.
    pub fn time_unix_nano(&self) -> u64 {
        self.0.number(1)
    }

    /// The name.
    pub fn name(&self) -> &'a str {
        self.0.text(2)
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(Nested::new(self.0.0, [3]))
    }

    /// How many attributes the sender left out.
    pub fn dropped_attributes_count(&self) -> u32 {
        self.0.number(4) as u32
    }
}

/// A link to a span, maybe of another trace.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a>(Body<'a>);

impl<'a> Link<'a> {
    /// The trace id.
    pub fn trace_id(&self) -> &'a [u8] {
        self.0.bytes(1)
    }

    /// The span id.
    pub fn span_id(&self) -> &'a [u8] {
        self.0.bytes(2)
    }

    /// The W3C trace state.
    pub fn trace_state(&self) -> &'a str {
        self.0.text(3)
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(Nested::new(self.0.0, [4]))
    }

    /// How many attributes the sender left out.
    pub fn dropped_attributes_count(&self) -> u32 {
        self.0.number(5) as u32
    }

    /// The W3C trace flags, and whether the linked span is remote.
    pub fn flags(&self) -> u32 {
        self.0.number(6) as u32
    }
}
