//! Log records and events.

use super::nested::{Body, Nested};
use super::{Attributes, Value};

/// A log record; an event, if it has an event name.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'a>(pub(super) Body<'a>);

impl<'a> LogRecord<'a> {
    /// When it happened, in nanoseconds since the Unix epoch; 0 if the source did not say.
    pub fn time_unix_nano(&self) -> u64 {
        self.0.number(1)
    }

    /// When it was collected, in nanoseconds since the Unix epoch.
    pub fn observed_time_unix_nano(&self) -> u64 {
        self.0.number(11)
    }

    /// How severe it is: 1–4 trace, 5–8 debug, 9–12 info, 13–16 warn, 17–20 error, 21–24 fatal.
    pub fn severity_number(&self) -> i32 {
        self.0.number(2) as i32
    }

    /// The severity in the source's own words.
    pub fn severity_text(&self) -> &'a str {
        self.0.text(3)
    }

    /// The body.
    pub fn body(&self) -> Value<'a> {
        Value::in_field(self.0.0, 5)
    }

    /// Its attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(Nested::new(self.0.0, [6]))
    }

    /// How many attributes the sender left out.
    pub fn dropped_attributes_count(&self) -> u32 {
        self.0.number(7) as u32
    }

    /// The W3C trace flags.
    pub fn flags(&self) -> u32 {
        self.0.number(8) as u32
    }

    /// The trace id: 16 bytes, or none.
    pub fn trace_id(&self) -> &'a [u8] {
        self.0.bytes(9)
    }

    /// The span's id: 8 bytes, or none.
    pub fn span_id(&self) -> &'a [u8] {
        self.0.bytes(10)
    }

    /// The event's name; empty for a mere log record.
    pub fn event_name(&self) -> &'a str {
        self.0.text(12)
    }
}
