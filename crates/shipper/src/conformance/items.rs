//! Export requests made of prost's types, and taken apart again with them: the oracle of what
//! arrives.

use std::ops::Range;

use ident::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use prost::Message;

/// One span, point or log record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    /// `tenant/signal/number`.
    pub id: String,
    /// A request that holds this item alone, with its resource and scope, as prost writes it.
    pub alone: Vec<u8>,
}

impl Item {
    /// The tenant that appended it.
    pub(crate) fn tenant(&self) -> &str {
        self.id.split('/').next().unwrap()
    }
}

/// A request with so many items of a tenant, each with `padding` bytes more.
pub(crate) fn request(
    signal: Signal,
    tenant: &str,
    numbers: Range<u64>,
    padding: usize,
) -> Vec<u8> {
    let resource = Some(Resource {
        attributes: vec![text("service.name", "checkout"), text("tenant", tenant)],
        ..Resource::default()
    });
    let scope = Some(InstrumentationScope {
        name: "conformance".to_owned(),
        version: "1.2".to_owned(),
        ..InstrumentationScope::default()
    });
    let (schema_url, ids) = (
        "https://opentelemetry.io/schemas/1.30.0".to_owned(),
        numbers.map(|number| (number, format!("{tenant}/{signal}/{number}"))),
    );
    match signal {
        Signal::Traces => ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource,
                scope_spans: vec![ScopeSpans {
                    scope,
                    spans: ids.map(|(number, id)| span(number, id, padding)).collect(),
                    schema_url: String::new(),
                }],
                schema_url,
            }],
        }
        .encode_to_vec(),
        Signal::Metrics => ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource,
                scope_metrics: vec![ScopeMetrics {
                    scope,
                    metrics: vec![metric(
                        ids.map(|(number, id)| point(number, id, padding)).collect(),
                    )],
                    schema_url,
                }],
                schema_url: String::new(),
            }],
        }
        .encode_to_vec(),
        Signal::Logs => ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource,
                scope_logs: vec![ScopeLogs {
                    scope,
                    log_records: ids
                        .map(|(number, id)| record(number, id, padding))
                        .collect(),
                    schema_url: String::new(),
                }],
                schema_url,
            }],
        }
        .encode_to_vec(),
    }
}

/// The items of a request, as prost reads it.
pub(crate) fn items(signal: Signal, request: &[u8]) -> Result<Vec<Item>, prost::DecodeError> {
    Ok(match signal {
        Signal::Traces => spans(&ExportTraceServiceRequest::decode(request)?),
        Signal::Metrics => points(&ExportMetricsServiceRequest::decode(request)?),
        Signal::Logs => records(&ExportLogsServiceRequest::decode(request)?),
    })
}

/// The items of a request in OTLP JSON, as opentelemetry-proto's serde types read it.
pub(crate) fn json_items(signal: Signal, json: &[u8]) -> serde_json::Result<Vec<Item>> {
    Ok(match signal {
        Signal::Traces => spans(&serde_json::from_slice(json)?),
        Signal::Metrics => points(&serde_json::from_slice(json)?),
        Signal::Logs => records(&serde_json::from_slice(json)?),
    })
}

fn spans(request: &ExportTraceServiceRequest) -> Vec<Item> {
    let mut items = Vec::new();
    for resource in &request.resource_spans {
        for scope in &resource.scope_spans {
            for span in &scope.spans {
                let scope_spans = vec![ScopeSpans {
                    spans: vec![span.clone()],
                    ..scope.clone()
                }];
                let alone = ExportTraceServiceRequest {
                    resource_spans: vec![ResourceSpans {
                        scope_spans,
                        ..resource.clone()
                    }],
                };
                items.push(Item {
                    id: span.name.clone(),
                    alone: alone.encode_to_vec(),
                });
            }
        }
    }
    items
}

fn points(request: &ExportMetricsServiceRequest) -> Vec<Item> {
    let mut items = Vec::new();
    for resource in &request.resource_metrics {
        for scope in &resource.scope_metrics {
            for metric in &scope.metrics {
                let Some(metric::Data::Sum(sum)) = &metric.data else {
                    panic!("only sums are sent: {metric:?}");
                };
                for point in &sum.data_points {
                    let data = metric::Data::Sum(Sum {
                        data_points: vec![point.clone()],
                        ..sum.clone()
                    });
                    let metrics = vec![Metric {
                        data: Some(data),
                        ..metric.clone()
                    }];
                    let scope_metrics = vec![ScopeMetrics {
                        metrics,
                        ..scope.clone()
                    }];
                    let alone = ExportMetricsServiceRequest {
                        resource_metrics: vec![ResourceMetrics {
                            scope_metrics,
                            ..resource.clone()
                        }],
                    };
                    items.push(Item {
                        id: id(&point.attributes),
                        alone: alone.encode_to_vec(),
                    });
                }
            }
        }
    }
    items
}

fn records(request: &ExportLogsServiceRequest) -> Vec<Item> {
    let mut items = Vec::new();
    for resource in &request.resource_logs {
        for scope in &resource.scope_logs {
            for record in &scope.log_records {
                let scope_logs = vec![ScopeLogs {
                    log_records: vec![record.clone()],
                    ..scope.clone()
                }];
                let alone = ExportLogsServiceRequest {
                    resource_logs: vec![ResourceLogs {
                        scope_logs,
                        ..resource.clone()
                    }],
                };
                items.push(Item {
                    id: id(&record.attributes),
                    alone: alone.encode_to_vec(),
                });
            }
        }
    }
    items
}

fn id(attributes: &[KeyValue]) -> String {
    let id = attributes.iter().find(|attribute| attribute.key == "id");
    match id.and_then(|id| id.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(id)) => id.clone(),
        other => panic!("no id among {attributes:?}: {other:?}"),
    }
}

fn span(number: u64, id: String, padding: usize) -> Span {
    Span {
        trace_id: number.to_be_bytes().repeat(2),
        span_id: (number + 1).to_be_bytes().to_vec(),
        trace_state: "vendor=1".to_owned(),
        name: id,
        kind: span::SpanKind::Server as i32,
        start_time_unix_nano: 1_700_000_000_000_000_000 + number,
        end_time_unix_nano: 1_700_000_000_000_000_900 + number,
        attributes: vec![text("padding", &"x".repeat(padding)), nested()],
        events: vec![span::Event {
            time_unix_nano: 1_700_000_000_000_000_100,
            name: "retry \"quoted\"\n".to_owned(),
            ..span::Event::default()
        }],
        status: Some(Status {
            message: "überlastet".to_owned(),
            code: 2,
        }),
        ..Span::default()
    }
}

fn metric(data_points: Vec<NumberDataPoint>) -> Metric {
    Metric {
        name: "requests".to_owned(),
        unit: "1".to_owned(),
        data: Some(metric::Data::Sum(Sum {
            data_points,
            aggregation_temporality: 2,
            is_monotonic: true,
        })),
        ..Metric::default()
    }
}

fn point(number: u64, id: String, padding: usize) -> NumberDataPoint {
    NumberDataPoint {
        attributes: vec![text("id", &id), text("padding", &"x".repeat(padding))],
        time_unix_nano: 1_700_000_000_000_000_000 + number,
        value: Some(number_data_point::Value::AsInt(number as i64)),
        ..NumberDataPoint::default()
    }
}

fn record(number: u64, id: String, padding: usize) -> LogRecord {
    LogRecord {
        time_unix_nano: 1_700_000_000_000_000_000 + number,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: nested().value,
        attributes: vec![text("id", &id), text("padding", &"x".repeat(padding))],
        ..LogRecord::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: any(Value::StringValue(value.to_owned())),
        ..KeyValue::default()
    }
}

fn nested() -> KeyValue {
    let values = vec![
        AnyValue {
            value: Some(Value::IntValue(-7)),
        },
        AnyValue {
            value: Some(Value::BoolValue(true)),
        },
        AnyValue {
            value: Some(Value::DoubleValue(1.5)),
        },
    ];
    let list = KeyValue {
        key: "list".to_owned(),
        value: any(Value::ArrayValue(ArrayValue { values })),
        ..KeyValue::default()
    };
    KeyValue {
        key: "nested".to_owned(),
        value: any(Value::KvlistValue(KeyValueList { values: vec![list] })),
        ..KeyValue::default()
    }
}

fn any(value: Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}
