//! Where in OTLP keys and texts stand, in the words of a policy.
//!
//! [`Place`] says where a key stands, [`TextField`] names each string that is no attribute. A test
//! walks the schema and fails for a string that has no name here (REDACT-FIRST).

use ident::Signal;
use otlp::schema::MessageId;
use serde::{Deserialize, Serialize};

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Place {
    /// An attribute of a resource.
    Resource,
    /// An attribute of an instrumentation scope.
    Scope,
    /// An attribute of a span or a log record.
    Item,
    /// An attribute of a span's event.
    Event,
    /// An attribute of a span's link.
    Link,
    /// An entry of a metric's metadata.
    Metric,
    /// An attribute of a metric's data point.
    Point,
    /// A filtered attribute of an exemplar.
    Exemplar,
    /// A key in a log record's body: of a map, or of JSON text.
    Body,
    /// A key of a map in an attribute's value.
    Nested,
}

impl Place {
    /// All of them.
    pub const ALL: [Place; 10] = [
        Place::Resource,
        Place::Scope,
        Place::Item,
        Place::Event,
        Place::Link,
        Place::Metric,
        Place::Point,
        Place::Exemplar,
        Place::Body,
        Place::Nested,
    ];

    /// The place of the attributes that a message bears itself.
    pub(super) const fn of(owner: MessageId) -> Place {
        match owner {
            MessageId::Resource => Place::Resource,
            MessageId::Scope => Place::Scope,
            MessageId::Event => Place::Event,
            MessageId::Link => Place::Link,
            MessageId::Metric => Place::Metric,
            MessageId::NumberDataPoint
            | MessageId::HistogramDataPoint
            | MessageId::ExponentialHistogramDataPoint
            | MessageId::SummaryDataPoint => Place::Point,
            MessageId::Exemplar => Place::Exemplar,
            // Spans and log records; no other message bears attributes.
            _ => Place::Item,
        }
    }
}

/// A place in a signal, as an index below 30.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Context(u8);

impl Context {
    #[inline(always)]
    pub(super) const fn new(signal: Signal, place: Place) -> Context {
        Context(signal_index(signal) as u8 * Place::ALL.len() as u8 + place as u8)
    }

    #[inline(always)]
    pub(super) const fn index(self) -> u8 {
        self.0
    }

    /// Whether its keys are those of spans, data points or log records.
    pub(super) const fn is_of_items(self) -> bool {
        let place = self.0 as usize % Place::ALL.len();
        place == Place::Item as usize || place == Place::Point as usize
    }

    pub(super) const fn bit(self) -> u32 {
        1 << self.0
    }
}

pub(super) const fn signal_index(signal: Signal) -> usize {
    match signal {
        Signal::Traces => 0,
        Signal::Metrics => 1,
        Signal::Logs => 2,
    }
}

/// A text that is no attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[repr(u8)]
pub enum TextField {
    /// The name of a span.
    #[serde(rename = "span.name")]
    SpanName,
    /// The W3C trace state of a span.
    #[serde(rename = "span.trace_state")]
    SpanTraceState,
    /// The message of a span's status.
    #[serde(rename = "span.status_message")]
    StatusMessage,
    /// The name of a span's event.
    #[serde(rename = "event.name")]
    EventName,
    /// The W3C trace state of a link.
    #[serde(rename = "link.trace_state")]
    LinkTraceState,
    /// The name of a metric.
    #[serde(rename = "metric.name")]
    MetricName,
    /// The description of a metric.
    #[serde(rename = "metric.description")]
    MetricDescription,
    /// The unit of a metric.
    #[serde(rename = "metric.unit")]
    MetricUnit,
    /// The severity of a log record in its source's words.
    #[serde(rename = "log.severity_text")]
    LogSeverityText,
    /// The name of the event that a log record is.
    #[serde(rename = "log.event_name")]
    LogEventName,
    /// The body of a log record.
    #[serde(rename = "log.body")]
    LogBody,
    /// The name of an instrumentation scope.
    #[serde(rename = "scope.name")]
    ScopeName,
    /// The version of an instrumentation scope.
    #[serde(rename = "scope.version")]
    ScopeVersion,
    /// The schema URL of a scope and its items.
    #[serde(rename = "scope.schema_url")]
    ScopeSchemaUrl,
    /// The schema URL of a resource.
    #[serde(rename = "resource.schema_url")]
    ResourceSchemaUrl,
    /// The schema URL of an entity.
    #[serde(rename = "entity.schema_url")]
    EntitySchemaUrl,
    /// The type of an entity.
    #[serde(rename = "entity.type")]
    EntityType,
    /// The keys that identify an entity.
    #[serde(rename = "entity.id_keys")]
    EntityIdKeys,
    /// The keys that describe an entity.
    #[serde(rename = "entity.description_keys")]
    EntityDescriptionKeys,
}

impl TextField {
    pub(super) const COUNT: usize = Self::ALL.len();

    /// All of them.
    pub const ALL: [TextField; 19] = [
        TextField::SpanName,
        TextField::SpanTraceState,
        TextField::StatusMessage,
        TextField::EventName,
        TextField::LinkTraceState,
        TextField::MetricName,
        TextField::MetricDescription,
        TextField::MetricUnit,
        TextField::LogSeverityText,
        TextField::LogEventName,
        TextField::LogBody,
        TextField::ScopeName,
        TextField::ScopeVersion,
        TextField::ScopeSchemaUrl,
        TextField::ResourceSchemaUrl,
        TextField::EntitySchemaUrl,
        TextField::EntityType,
        TextField::EntityIdKeys,
        TextField::EntityDescriptionKeys,
    ];

    /// The name of the string in field `number` of a message; `None` where the message has no
    /// such string, and within attributes and values.
    pub const fn of(message: MessageId, number: u32) -> Option<TextField> {
        use MessageId as M;
        Some(match (message, number) {
            (M::Span, 3) => TextField::SpanTraceState,
            (M::Span, 5) => TextField::SpanName,
            (M::Status, 2) => TextField::StatusMessage,
            (M::Event, 2) => TextField::EventName,
            (M::Link, 3) => TextField::LinkTraceState,
            (M::Metric, 1) => TextField::MetricName,
            (M::Metric, 2) => TextField::MetricDescription,
            (M::Metric, 3) => TextField::MetricUnit,
            (M::LogRecord, 3) => TextField::LogSeverityText,
            (M::LogRecord, 5) => TextField::LogBody,
            (M::LogRecord, 12) => TextField::LogEventName,
            (M::Scope, 1) => TextField::ScopeName,
            (M::Scope, 2) => TextField::ScopeVersion,
            (M::ScopeSpans | M::ScopeMetrics | M::ScopeLogs, 3) => TextField::ScopeSchemaUrl,
            (M::ResourceSpans | M::ResourceMetrics | M::ResourceLogs, 3) => {
                TextField::ResourceSchemaUrl
            }
            (M::EntityRef, 1) => TextField::EntitySchemaUrl,
            (M::EntityRef, 2) => TextField::EntityType,
            (M::EntityRef, 3) => TextField::EntityIdKeys,
            (M::EntityRef, 4) => TextField::EntityDescriptionKeys,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use otlp::schema::{Kind, MESSAGES};

    /// REDACT-FIRST: a string of OTLP that has no name here could not be redacted by name.
    #[test]
    fn every_string_has_a_name() {
        for message in MESSAGES {
            if matches!(message.id, MessageId::KeyValue | MessageId::AnyValue) {
                continue;
            }
            for field in message.fields {
                let named = TextField::of(message.id, field.number);
                let is_value =
                    matches!(field.kind, Kind::Message(child) if child.id == MessageId::AnyValue);
                let wants = matches!(field.kind, Kind::String)
                    || is_value && message.id == MessageId::LogRecord;
                assert_eq!(named.is_some(), wants, "{}.{}", message.name, field.name);
            }
        }
    }
}
