//! Requests made by prost, broken ones made of them, and compressors.

use std::io::Write;

use flate2::Compression;
use ident::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

pub fn traces(names: &[&str]) -> ExportTraceServiceRequest {
    let span = |name: &&str| Span {
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        name: (*name).to_owned(),
        start_time_unix_nano: 1_000,
        end_time_unix_nano: 2_000,
        ..Span::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: names.iter().map(span).collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

pub fn metrics(names: &[&str]) -> ExportMetricsServiceRequest {
    let gauge = |name: &&str| Metric {
        name: (*name).to_owned(),
        data: Some(metric::Data::Gauge(Gauge {
            data_points: vec![NumberDataPoint {
                time_unix_nano: 1_500,
                value: Some(number_data_point::Value::AsInt(3)),
                ..NumberDataPoint::default()
            }],
        })),
        ..Metric::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: names.iter().map(gauge).collect(),
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

pub fn logs(names: &[&str]) -> ExportLogsServiceRequest {
    let record = |name: &&str| LogRecord {
        time_unix_nano: 1_700,
        body: Some(string(name)),
        ..LogRecord::default()
    };
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: names.iter().map(record).collect(),
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    }
}

fn string(text: &str) -> AnyValue {
    AnyValue {
        value: Some(Value::StringValue(text.to_owned())),
    }
}

/// A request with one item a name.
pub fn request(signal: Signal, names: &[&str]) -> Vec<u8> {
    match signal {
        Signal::Traces => traces(names).encode_to_vec(),
        Signal::Metrics => metrics(names).encode_to_vec(),
        Signal::Logs => logs(names).encode_to_vec(),
    }
}

/// The same as OTLP/JSON, by opentelemetry-proto's serde.
pub fn request_json(signal: Signal, names: &[&str]) -> Vec<u8> {
    match signal {
        Signal::Traces => serde_json::to_vec(&traces(names)),
        Signal::Metrics => serde_json::to_vec(&metrics(names)),
        Signal::Logs => serde_json::to_vec(&logs(names)),
    }
    .unwrap()
}

/// The names in a request, read by prost.
pub fn names(signal: Signal, payload: &[u8]) -> Vec<String> {
    match signal {
        Signal::Traces => {
            let request = ExportTraceServiceRequest::decode(payload).unwrap();
            let resources = request.resource_spans.into_iter();
            let scopes = resources.flat_map(|r| r.scope_spans);
            scopes.flat_map(|s| s.spans).map(|s| s.name).collect()
        }
        Signal::Metrics => {
            let request = ExportMetricsServiceRequest::decode(payload).unwrap();
            let resources = request.resource_metrics.into_iter();
            let scopes = resources.flat_map(|r| r.scope_metrics);
            scopes.flat_map(|s| s.metrics).map(|m| m.name).collect()
        }
        Signal::Logs => {
            let request = ExportLogsServiceRequest::decode(payload).unwrap();
            let resources = request.resource_logs.into_iter();
            let scopes = resources.flat_map(|r| r.scope_logs);
            let bodies = scopes.flat_map(|s| s.log_records).filter_map(|l| l.body);
            bodies
                .map(|body| match body.value {
                    Some(Value::StringValue(text)) => text,
                    other => panic!("a body that is no string: {other:?}"),
                })
                .collect()
        }
    }
}

/// A trace request of `bytes` bytes at the least.
pub fn large(name: &str, bytes: usize) -> Vec<u8> {
    let mut request = traces(&[name]);
    let attribute = KeyValue {
        key: "filler".to_owned(),
        value: Some(string(&"x".repeat(bytes))),
        ..KeyValue::default()
    };
    request.resource_spans[0].scope_spans[0].spans[0].attributes = vec![attribute];
    request.encode_to_vec()
}

/// Trace requests that are not OTLP, and what the answer must say of each.
pub fn malformed() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = request(Signal::Traces, &["bad"]);
    let mut cut = good.clone();
    cut.truncate(good.len() - 3);
    // resource_spans as a varint instead of a message.
    let wire = vec![1 << 3, 1];
    let mut utf8 = good.clone();
    let at = utf8.windows(3).position(|w| w == b"bad").unwrap();
    utf8[at] = 0xff;
    let mut nested = string("deep");
    for _ in 0..otlp::MAX_VALUE_DEPTH {
        let values = vec![nested];
        nested = AnyValue {
            value: Some(Value::ArrayValue(ArrayValue { values })),
        };
    }
    let mut deep = traces(&["bad"]);
    deep.resource_spans[0].scope_spans[0].spans[0].attributes = vec![KeyValue {
        key: "deep".to_owned(),
        value: Some(nested),
        ..KeyValue::default()
    }];
    let mut trace_id = traces(&["bad"]);
    trace_id.resource_spans[0].scope_spans[0].spans[0].trace_id = vec![1; 15];
    let mut span_id = traces(&["bad"]);
    span_id.resource_spans[0].scope_spans[0].spans[0].span_id = vec![1; 9];
    vec![
        ("truncated", cut, "cut off"),
        ("wrong wire type", wire, "wire type"),
        ("invalid UTF-8", utf8, "spans[0].name"),
        ("nested too deep", deep.encode_to_vec(), "deeper than 64"),
        ("trace id", trace_id.encode_to_vec(), "this one has 15"),
        ("span id", span_id.encode_to_vec(), "this one has 9"),
        ("no protobuf", b"\xff\xff\xff\xff\xff".to_vec(), "byte 0"),
    ]
}

/// The same kinds of faults in JSON, with the place that the answer must name.
pub fn malformed_json() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let span = |fields: &str| {
        let text =
            format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#);
        text.into_bytes()
    };
    let deep = format!(
        r#""attributes":[{{"key":"k","value":{}{{"intValue":1}}{}}}]"#,
        r#"{"arrayValue":{"values":["#.repeat(65),
        "]}}".repeat(65)
    );
    vec![
        ("empty", Vec::new(), "byte 0"),
        (
            "truncated",
            br#"{"resourceSpans":[{"scopeSpans""#.to_vec(),
            "resourceSpans[0]",
        ),
        (
            "wrong type",
            br#"{"resourceSpans":7}"#.to_vec(),
            "resourceSpans",
        ),
        ("UTF-8", span("\"name\":\"\u{1}\""), "spans[0].name"),
        (
            "nested too deep",
            span(&deep),
            "spans[0].attributes[0].value",
        ),
        ("trace id", span(r#""traceId":"0102""#), "spans[0].traceId"),
        ("span id", span(r#""spanId":"xx""#), "spans[0].spanId"),
        ("no JSON", b"<xml/>".to_vec(), "byte 0"),
    ]
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// A compression's name, and how it is done.
pub type Coder = (&'static str, fn(&[u8]) -> Vec<u8>);

/// Each compression.
pub const CODERS: [Coder; 3] = [("gzip", gzip), ("deflate", deflate), ("zstd", zstd)];
