//! Every message of OTLP that an export request can hold, as data (opentelemetry-proto 1.10).
//!
//! This is the one place that knows field numbers and types; the check and the editor are driven
//! by it, and a test compares it with the descriptors that upstream publishes. It holds traces,
//! metrics and logs; profiles are still in development upstream and are not here.

mod op;
mod tables;

use crate::Signal;
pub(crate) use op::{Entry, Leap, NONE, Op, Times};
pub use tables::{
    ANY_VALUE, ARRAY_VALUE, BUCKETS, ENTITY_REF, EVENT, EXEMPLAR, EXPONENTIAL_HISTOGRAM,
    EXPONENTIAL_HISTOGRAM_DATA_POINT, GAUGE, HISTOGRAM, HISTOGRAM_DATA_POINT, KEY_VALUE,
    KEY_VALUE_LIST, LINK, LOG_RECORD, LOGS_REQUEST, MESSAGES, METRIC, METRICS_REQUEST,
    NUMBER_DATA_POINT, RESOURCE, RESOURCE_LOGS, RESOURCE_METRICS, RESOURCE_SPANS, SCOPE,
    SCOPE_LOGS, SCOPE_METRICS, SCOPE_SPANS, SPAN, STATUS, SUM, SUMMARY, SUMMARY_DATA_POINT,
    TRACES_REQUEST, VALUE_AT_QUANTILE,
};

/// Which message of OTLP; cheap to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the messages' own")]
pub enum MessageId {
    TracesRequest,
    ResourceSpans,
    ScopeSpans,
    Span,
    Event,
    Link,
    Status,
    MetricsRequest,
    ResourceMetrics,
    ScopeMetrics,
    Metric,
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
    NumberDataPoint,
    HistogramDataPoint,
    ExponentialHistogramDataPoint,
    Buckets,
    SummaryDataPoint,
    ValueAtQuantile,
    Exemplar,
    LogsRequest,
    ResourceLogs,
    ScopeLogs,
    LogRecord,
    Resource,
    EntityRef,
    Scope,
    KeyValue,
    AnyValue,
    ArrayValue,
    KeyValueList,
}

/// The type of a field.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names are protobuf's own")]
pub enum Kind {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Enum,
    Fixed32,
    Fixed64,
    Sfixed64,
    Double,
    String,
    Bytes,
    /// `bytes` of length 0 or 16.
    TraceId,
    /// `bytes` of length 0 or 8.
    SpanId,
    Message(&'static Message),
}

impl Kind {
    /// The wire type of one value of this kind (for repeated numbers: when not packed).
    pub const fn wire_type(self) -> u8 {
        match self {
            Kind::Bool
            | Kind::Int32
            | Kind::Int64
            | Kind::Uint32
            | Kind::Uint64
            | Kind::Sint32
            | Kind::Enum => 0,
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => 1,
            Kind::String | Kind::Bytes | Kind::TraceId | Kind::SpanId | Kind::Message(_) => 2,
            Kind::Fixed32 => 5,
        }
    }
}

/// One field of a message.
#[derive(Debug)]
pub struct Field {
    /// Its number on the wire, 1 to 31.
    pub number: u32,
    /// Its name in the `.proto` file.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Whether it is `repeated`. Repeated numbers may be packed or not.
    pub repeated: bool,
    /// The name of the oneof that it belongs to.
    pub oneof: Option<&'static str>,
    /// For a message: which kind of step into it.
    pub(crate) step: Op,
}

impl Field {
    const fn new(number: u32, name: &'static str, kind: Kind) -> Field {
        Field {
            number,
            name,
            kind,
            repeated: false,
            oneof: None,
            step: Op::Message,
        }
    }

    const fn message(number: u32, name: &'static str, message: &'static Message) -> Field {
        Field::new(number, name, Kind::Message(message))
    }

    const fn attributes(number: u32, name: &'static str) -> Field {
        let mut field = Field::message(number, name, &KEY_VALUE).repeated();
        field.step = Op::Attribute;
        field
    }

    const fn value(number: u32, name: &'static str) -> Field {
        let mut field = Field::message(number, name, &ANY_VALUE);
        field.step = Op::Value;
        field
    }

    const fn repeated(mut self) -> Field {
        self.repeated = true;
        self
    }

    const fn oneof(mut self, name: &'static str) -> Field {
        self.oneof = Some(name);
        self
    }
}

/// One message type.
pub struct Message {
    /// Which one.
    pub id: MessageId,
    /// Its full protobuf name, such as `opentelemetry.proto.trace.v1.Span`.
    pub name: &'static str,
    /// Its fields, by number.
    pub fields: &'static [Field],
    /// What to do with a field, by the value of its tag.
    pub(crate) entries: [Entry; 256],
    /// How to step over a field, by the value of its tag.
    leaps: [Leap; 256],
    /// Whether it is an item, and how its time is told.
    pub(crate) times: Times,
}

impl Message {
    const fn new(id: MessageId, name: &'static str, fields: &'static [Field]) -> Message {
        let entries = op::entries(id, fields);
        Message {
            id,
            name,
            fields,
            leaps: op::leaps(&entries),
            entries,
            times: op::times(id),
        }
    }

    /// The field of this number.
    pub fn field(&self, number: u32) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.number == number)
    }

    /// The field through which this message bears attributes: `attributes`, an exemplar's
    /// `filtered_attributes`, a metric's `metadata`, the entries of a map.
    pub fn attributes_field(&self) -> Option<&'static Field> {
        self.fields.iter().find(|field| {
            matches!(field.kind, Kind::Message(message) if message.id == MessageId::KeyValue)
        })
    }

    /// The message that the field of this index holds.
    #[inline(always)]
    pub(crate) fn child(&self, field: u8) -> Option<&'static Message> {
        match self.fields.get(usize::from(field))?.kind {
            Kind::Message(child) => Some(child),
            _ => None,
        }
    }

    #[inline(always)]
    pub(crate) fn leap(&self, tag: u32) -> Leap {
        match self.leaps.get(tag as usize) {
            Some(leap) => *leap,
            None => Leap::NONE,
        }
    }

    #[inline(always)]
    pub(crate) fn entry(&self, tag: u32) -> Entry {
        match self.entries.get(tag as usize) {
            Some(entry) => *entry,
            None => op::unknown(tag),
        }
    }
}

impl std::fmt::Debug for Message {
    // Messages refer to each other in circles.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The request message of a signal.
pub const fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACES_REQUEST,
        Signal::Metrics => &METRICS_REQUEST,
        Signal::Logs => &LOGS_REQUEST,
    }
}
