//! The tables themselves, in the order of the `.proto` files.

use super::Kind::{
    Bool, Bytes, Double, Enum, Fixed32, Fixed64, Int32, Int64, Sfixed64, Sint32, SpanId, String,
    TraceId, Uint32, Uint64,
};
use super::{Field, Message, MessageId};

/// `opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest`
pub static TRACES_REQUEST: Message = Message::new(
    MessageId::TracesRequest,
    "opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest",
    &[Field::message(1, "resource_spans", &RESOURCE_SPANS).repeated()],
);

/// `opentelemetry.proto.trace.v1.ResourceSpans`
pub static RESOURCE_SPANS: Message = Message::new(
    MessageId::ResourceSpans,
    "opentelemetry.proto.trace.v1.ResourceSpans",
    &[
        Field::message(1, "resource", &RESOURCE),
        Field::message(2, "scope_spans", &SCOPE_SPANS).repeated(),
        Field::new(3, "schema_url", String),
    ],
);

/// `opentelemetry.proto.trace.v1.ScopeSpans`
pub static SCOPE_SPANS: Message = Message::new(
    MessageId::ScopeSpans,
    "opentelemetry.proto.trace.v1.ScopeSpans",
    &[
        Field::message(1, "scope", &SCOPE),
        Field::message(2, "spans", &SPAN).repeated(),
        Field::new(3, "schema_url", String),
    ],
);

/// `opentelemetry.proto.trace.v1.Span`
pub static SPAN: Message = Message::new(
    MessageId::Span,
    "opentelemetry.proto.trace.v1.Span",
    &[
        Field::new(1, "trace_id", TraceId),
        Field::new(2, "span_id", SpanId),
        Field::new(3, "trace_state", String),
        Field::new(4, "parent_span_id", SpanId),
        Field::new(5, "name", String),
        Field::new(6, "kind", Enum),
        Field::new(7, "start_time_unix_nano", Fixed64),
        Field::new(8, "end_time_unix_nano", Fixed64),
        Field::attributes(9, "attributes"),
        Field::new(10, "dropped_attributes_count", Uint32),
        Field::message(11, "events", &EVENT).repeated(),
        Field::new(12, "dropped_events_count", Uint32),
        Field::message(13, "links", &LINK).repeated(),
        Field::new(14, "dropped_links_count", Uint32),
        Field::message(15, "status", &STATUS),
        Field::new(16, "flags", Fixed32),
    ],
);

/// `opentelemetry.proto.trace.v1.Span.Event`
pub static EVENT: Message = Message::new(
    MessageId::Event,
    "opentelemetry.proto.trace.v1.Span.Event",
    &[
        Field::new(1, "time_unix_nano", Fixed64),
        Field::new(2, "name", String),
        Field::attributes(3, "attributes"),
        Field::new(4, "dropped_attributes_count", Uint32),
    ],
);

/// `opentelemetry.proto.trace.v1.Span.Link`
pub static LINK: Message = Message::new(
    MessageId::Link,
    "opentelemetry.proto.trace.v1.Span.Link",
    &[
        Field::new(1, "trace_id", TraceId),
        Field::new(2, "span_id", SpanId),
        Field::new(3, "trace_state", String),
        Field::attributes(4, "attributes"),
        Field::new(5, "dropped_attributes_count", Uint32),
        Field::new(6, "flags", Fixed32),
    ],
);

/// `opentelemetry.proto.trace.v1.Status`
pub static STATUS: Message = Message::new(
    MessageId::Status,
    "opentelemetry.proto.trace.v1.Status",
    &[
        Field::new(2, "message", String),
        Field::new(3, "code", Enum),
    ],
);

/// `opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest`
pub static METRICS_REQUEST: Message = Message::new(
    MessageId::MetricsRequest,
    "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest",
    &[Field::message(1, "resource_metrics", &RESOURCE_METRICS).repeated()],
);

/// `opentelemetry.proto.metrics.v1.ResourceMetrics`
pub static RESOURCE_METRICS: Message = Message::new(
    MessageId::ResourceMetrics,
    "opentelemetry.proto.metrics.v1.ResourceMetrics",
    &[
        Field::message(1, "resource", &RESOURCE),
        Field::message(2, "scope_metrics", &SCOPE_METRICS).repeated(),
        Field::new(3, "schema_url", String),
    ],
);

/// `opentelemetry.proto.metrics.v1.ScopeMetrics`
pub static SCOPE_METRICS: Message = Message::new(
    MessageId::ScopeMetrics,
    "opentelemetry.proto.metrics.v1.ScopeMetrics",
    &[
        Field::message(1, "scope", &SCOPE),
        Field::message(2, "metrics", &METRIC).repeated(),
        Field::new(3, "schema_url", String),
    ],
);

/// `opentelemetry.proto.metrics.v1.Metric`
pub static METRIC: Message = Message::new(
    MessageId::Metric,
    "opentelemetry.proto.metrics.v1.Metric",
    &[
        Field::new(1, "name", String),
        Field::new(2, "description", String),
        Field::new(3, "unit", String),
        Field::message(5, "gauge", &GAUGE).oneof("data"),
        Field::message(7, "sum", &SUM).oneof("data"),
        Field::message(9, "histogram", &HISTOGRAM).oneof("data"),
        Field::message(10, "exponential_histogram", &EXPONENTIAL_HISTOGRAM).oneof("data"),
        Field::message(11, "summary", &SUMMARY).oneof("data"),
        Field::attributes(12, "metadata"),
    ],
);

/// `opentelemetry.proto.metrics.v1.Gauge`
pub static GAUGE: Message = Message::new(
    MessageId::Gauge,
    "opentelemetry.proto.metrics.v1.Gauge",
    &[Field::message(1, "data_points", &NUMBER_DATA_POINT).repeated()],
);

/// `opentelemetry.proto.metrics.v1.Sum`
pub static SUM: Message = Message::new(
    MessageId::Sum,
    "opentelemetry.proto.metrics.v1.Sum",
    &[
        Field::message(1, "data_points", &NUMBER_DATA_POINT).repeated(),
        Field::new(2, "aggregation_temporality", Enum),
        Field::new(3, "is_monotonic", Bool),
    ],
);

/// `opentelemetry.proto.metrics.v1.Histogram`
pub static HISTOGRAM: Message = Message::new(
    MessageId::Histogram,
    "opentelemetry.proto.metrics.v1.Histogram",
    &[
        Field::message(1, "data_points", &HISTOGRAM_DATA_POINT).repeated(),
        Field::new(2, "aggregation_temporality", Enum),
    ],
);

/// `opentelemetry.proto.metrics.v1.ExponentialHistogram`
pub static EXPONENTIAL_HISTOGRAM: Message = Message::new(
    MessageId::ExponentialHistogram,
    "opentelemetry.proto.metrics.v1.ExponentialHistogram",
    &[
        Field::message(1, "data_points", &EXPONENTIAL_HISTOGRAM_DATA_POINT).repeated(),
        Field::new(2, "aggregation_temporality", Enum),
    ],
);

/// `opentelemetry.proto.metrics.v1.Summary`
pub static SUMMARY: Message = Message::new(
    MessageId::Summary,
    "opentelemetry.proto.metrics.v1.Summary",
    &[Field::message(1, "data_points", &SUMMARY_DATA_POINT).repeated()],
);

/// `opentelemetry.proto.metrics.v1.NumberDataPoint`
pub static NUMBER_DATA_POINT: Message = Message::new(
    MessageId::NumberDataPoint,
    "opentelemetry.proto.metrics.v1.NumberDataPoint",
    &[
        Field::new(2, "start_time_unix_nano", Fixed64),
        Field::new(3, "time_unix_nano", Fixed64),
        Field::new(4, "as_double", Double).oneof("value"),
        Field::message(5, "exemplars", &EXEMPLAR).repeated(),
        Field::new(6, "as_int", Sfixed64).oneof("value"),
        Field::attributes(7, "attributes"),
        Field::new(8, "flags", Uint32),
    ],
);

/// `opentelemetry.proto.metrics.v1.HistogramDataPoint`
pub static HISTOGRAM_DATA_POINT: Message = Message::new(
    MessageId::HistogramDataPoint,
    "opentelemetry.proto.metrics.v1.HistogramDataPoint",
    &[
        Field::new(2, "start_time_unix_nano", Fixed64),
        Field::new(3, "time_unix_nano", Fixed64),
        Field::new(4, "count", Fixed64),
        Field::new(5, "sum", Double),
        Field::new(6, "bucket_counts", Fixed64).repeated(),
        Field::new(7, "explicit_bounds", Double).repeated(),
        Field::message(8, "exemplars", &EXEMPLAR).repeated(),
        Field::attributes(9, "attributes"),
        Field::new(10, "flags", Uint32),
        Field::new(11, "min", Double),
        Field::new(12, "max", Double),
    ],
);

/// `opentelemetry.proto.metrics.v1.ExponentialHistogramDataPoint`
pub static EXPONENTIAL_HISTOGRAM_DATA_POINT: Message = Message::new(
    MessageId::ExponentialHistogramDataPoint,
    "opentelemetry.proto.metrics.v1.ExponentialHistogramDataPoint",
    &[
        Field::attributes(1, "attributes"),
        Field::new(2, "start_time_unix_nano", Fixed64),
        Field::new(3, "time_unix_nano", Fixed64),
        Field::new(4, "count", Fixed64),
        Field::new(5, "sum", Double),
        Field::new(6, "scale", Sint32),
        Field::new(7, "zero_count", Fixed64),
        Field::message(8, "positive", &BUCKETS),
        Field::message(9, "negative", &BUCKETS),
        Field::new(10, "flags", Uint32),
        Field::message(11, "exemplars", &EXEMPLAR).repeated(),
        Field::new(12, "min", Double),
        Field::new(13, "max", Double),
        Field::new(14, "zero_threshold", Double),
    ],
);

/// `opentelemetry.proto.metrics.v1.ExponentialHistogramDataPoint.Buckets`
pub static BUCKETS: Message = Message::new(
    MessageId::Buckets,
    "opentelemetry.proto.metrics.v1.ExponentialHistogramDataPoint.Buckets",
    &[
        Field::new(1, "offset", Sint32),
        Field::new(2, "bucket_counts", Uint64).repeated(),
    ],
);

/// `opentelemetry.proto.metrics.v1.SummaryDataPoint`
pub static SUMMARY_DATA_POINT: Message = Message::new(
    MessageId::SummaryDataPoint,
    "opentelemetry.proto.metrics.v1.SummaryDataPoint",
    &[
        Field::new(2, "start_time_unix_nano", Fixed64),
        Field::new(3, "time_unix_nano", Fixed64),
        Field::new(4, "count", Fixed64),
        Field::new(5, "sum", Double),
        Field::message(6, "quantile_values", &VALUE_AT_QUANTILE).repeated(),
        Field::attributes(7, "attributes"),
        Field::new(8, "flags", Uint32),
    ],
);

/// `opentelemetry.proto.metrics.v1.SummaryDataPoint.ValueAtQuantile`
pub static VALUE_AT_QUANTILE: Message = Message::new(
    MessageId::ValueAtQuantile,
    "opentelemetry.proto.metrics.v1.SummaryDataPoint.ValueAtQuantile",
    &[
        Field::new(1, "quantile", Double),
        Field::new(2, "value", Double),
    ],
);

/// `opentelemetry.proto.metrics.v1.Exemplar`
pub static EXEMPLAR: Message = Message::new(
    MessageId::Exemplar,
    "opentelemetry.proto.metrics.v1.Exemplar",
    &[
        Field::new(2, "time_unix_nano", Fixed64),
        Field::new(3, "as_double", Double).oneof("value"),
        Field::new(4, "span_id", SpanId),
        Field::new(5, "trace_id", TraceId),
        Field::new(6, "as_int", Sfixed64).oneof("value"),
        Field::attributes(7, "filtered_attributes"),
    ],
);

/// `opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest`
pub static LOGS_REQUEST: Message = Message::new(
    MessageId::LogsRequest,
    "opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest",
    &[Field::message(1, "resource_logs", &RESOURCE_LOGS).repeated()],
);

/// `opentelemetry.proto.logs.v1.ResourceLogs`
pub static RESOURCE_LOGS: Message = Message::new(
    MessageId::ResourceLogs,
    "opentelemetry.proto.logs.v1.ResourceLogs",
    &[
        Field::message(1, "resource", &RESOURCE),
        Field::message(2, "scope_logs", &SCOPE_LOGS).repeated(),
        Field::new(3, "schema_url", String),
    ],
);

/// `opentelemetry.proto.logs.v1.ScopeLogs`
pub static SCOPE_LOGS: Message = Message::new(
    MessageId::ScopeLogs,
    "opentelemetry.proto.logs.v1.ScopeLogs",
    &[
        Field::message(1, "scope", &SCOPE),
        Field::message(2, "log_records", &LOG_RECORD).repeated(),
        Field::new(3, "schema_url", String),
    ],
);

/// `opentelemetry.proto.logs.v1.LogRecord`
pub static LOG_RECORD: Message = Message::new(
    MessageId::LogRecord,
    "opentelemetry.proto.logs.v1.LogRecord",
    &[
        Field::new(1, "time_unix_nano", Fixed64),
        Field::new(2, "severity_number", Enum),
        Field::new(3, "severity_text", String),
        Field::value(5, "body"),
        Field::attributes(6, "attributes"),
        Field::new(7, "dropped_attributes_count", Uint32),
        Field::new(8, "flags", Fixed32),
        Field::new(9, "trace_id", TraceId),
        Field::new(10, "span_id", SpanId),
        Field::new(11, "observed_time_unix_nano", Fixed64),
        Field::new(12, "event_name", String),
    ],
);

/// `opentelemetry.proto.resource.v1.Resource`
pub static RESOURCE: Message = Message::new(
    MessageId::Resource,
    "opentelemetry.proto.resource.v1.Resource",
    &[
        Field::attributes(1, "attributes"),
        Field::new(2, "dropped_attributes_count", Uint32),
        Field::message(3, "entity_refs", &ENTITY_REF).repeated(),
    ],
);

/// `opentelemetry.proto.common.v1.EntityRef`
pub static ENTITY_REF: Message = Message::new(
    MessageId::EntityRef,
    "opentelemetry.proto.common.v1.EntityRef",
    &[
        Field::new(1, "schema_url", String),
        Field::new(2, "type", String),
        Field::new(3, "id_keys", String).repeated(),
        Field::new(4, "description_keys", String).repeated(),
    ],
);

/// `opentelemetry.proto.common.v1.InstrumentationScope`
pub static SCOPE: Message = Message::new(
    MessageId::Scope,
    "opentelemetry.proto.common.v1.InstrumentationScope",
    &[
        Field::new(1, "name", String),
        Field::new(2, "version", String),
        Field::attributes(3, "attributes"),
        Field::new(4, "dropped_attributes_count", Uint32),
    ],
);

/// `opentelemetry.proto.common.v1.KeyValue`
pub static KEY_VALUE: Message = Message::new(
    MessageId::KeyValue,
    "opentelemetry.proto.common.v1.KeyValue",
    &[
        Field::new(1, "key", String),
        Field::value(2, "value"),
        Field::new(3, "key_strindex", Int32),
    ],
);

/// `opentelemetry.proto.common.v1.AnyValue`
pub static ANY_VALUE: Message = Message::new(
    MessageId::AnyValue,
    "opentelemetry.proto.common.v1.AnyValue",
    &[
        Field::new(1, "string_value", String).oneof("value"),
        Field::new(2, "bool_value", Bool).oneof("value"),
        Field::new(3, "int_value", Int64).oneof("value"),
        Field::new(4, "double_value", Double).oneof("value"),
        Field::message(5, "array_value", &ARRAY_VALUE).oneof("value"),
        Field::message(6, "kvlist_value", &KEY_VALUE_LIST).oneof("value"),
        Field::new(7, "bytes_value", Bytes).oneof("value"),
        Field::new(8, "string_value_strindex", Int32).oneof("value"),
    ],
);

/// `opentelemetry.proto.common.v1.ArrayValue`
pub static ARRAY_VALUE: Message = Message::new(
    MessageId::ArrayValue,
    "opentelemetry.proto.common.v1.ArrayValue",
    &[Field::value(1, "values").repeated()],
);

/// `opentelemetry.proto.common.v1.KeyValueList`
pub static KEY_VALUE_LIST: Message = Message::new(
    MessageId::KeyValueList,
    "opentelemetry.proto.common.v1.KeyValueList",
    &[Field::attributes(1, "values")],
);

/// All of them.
pub static MESSAGES: [&Message; 34] = [
    &TRACES_REQUEST,
    &RESOURCE_SPANS,
    &SCOPE_SPANS,
    &SPAN,
    &EVENT,
    &LINK,
    &STATUS,
    &METRICS_REQUEST,
    &RESOURCE_METRICS,
    &SCOPE_METRICS,
    &METRIC,
    &GAUGE,
    &SUM,
    &HISTOGRAM,
    &EXPONENTIAL_HISTOGRAM,
    &SUMMARY,
    &NUMBER_DATA_POINT,
    &HISTOGRAM_DATA_POINT,
    &EXPONENTIAL_HISTOGRAM_DATA_POINT,
    &BUCKETS,
    &SUMMARY_DATA_POINT,
    &VALUE_AT_QUANTILE,
    &EXEMPLAR,
    &LOGS_REQUEST,
    &RESOURCE_LOGS,
    &SCOPE_LOGS,
    &LOG_RECORD,
    &RESOURCE,
    &ENTITY_REF,
    &SCOPE,
    &KEY_VALUE,
    &ANY_VALUE,
    &ARRAY_VALUE,
    &KEY_VALUE_LIST,
];
