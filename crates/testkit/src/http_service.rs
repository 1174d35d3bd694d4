//! Spans of about 700 bytes with 12 attributes each, as an instrumented HTTP service sends them:
//! what benches are measured on.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

/// The id of the trace of span `i`, where a trace has five spans.
pub fn trace_of_five(i: u64) -> Vec<u8> {
    let mut id = (i / 5)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .to_le_bytes()
        .to_vec();
    id.extend_from_slice(&(i / 5 + 0xfeed_face).to_be_bytes());
    id
}

/// Span `i`. Its ids, times, path, address and user are its own; the rest repeats. One in fifty
/// failed.
pub fn span(i: u64, trace_id: Vec<u8>) -> Span {
    let failed = i.is_multiple_of(50);
    Span {
        trace_id,
        span_id: i
            .wrapping_mul(0x517c_c1b7_2722_0a95)
            .wrapping_add(1)
            .to_le_bytes()
            .to_vec(),
        parent_span_id: i
            .wrapping_mul(0x2545_f491_4f6c_dd1d)
            .wrapping_add(1)
            .to_le_bytes()
            .to_vec(),
        trace_state: "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE".to_owned(),
        flags: 0x101,
        name: "GET /api/v1/orders/{orderId}/items".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_764_000_000_000_000_000 + i * 1_000_003,
        end_time_unix_nano: 1_764_000_000_004_000_000 + i * 1_000_003,
        attributes: vec![
            text("http.request.method", "GET"),
            text("url.scheme", "https"),
            text("url.path", format!("/api/v1/orders/{}/items", 100_000 + i)),
            text("http.route", "/api/v1/orders/{orderId}/items"),
            number("http.response.status_code", if failed { 500 } else { 200 }),
            text(
                "server.address",
                "orders.shop-production.svc.cluster.eu-west-1.example.net",
            ),
            number("server.port", 8443),
            text("network.protocol.version", "1.1"),
            text(
                "user_agent.original",
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            ),
            text("client.address", format!("10.42.{}.{}", i % 256, i % 199)),
            text(
                "enduser.id",
                format!("9f1c7a52-3f0e-4c19-8d3e-{:012}", i * 7919),
            ),
            text("thread.name", format!("http-nio-8443-exec-{}", i % 200)),
        ],
        status: Some(Status {
            message: String::new(),
            code: i32::from(failed) * 2,
        }),
        ..Span::default()
    }
}

/// The request of one service with these spans.
pub fn request(spans: Vec<Span>) -> Vec<u8> {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![
                    text("service.name", "orders"),
                    text("service.version", "4.7.11"),
                    text("k8s.pod.name", "orders-7c9d8f6b5-x2x9q"),
                    text("telemetry.sdk.language", "java"),
                ],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "io.opentelemetry.tomcat-10.0".to_owned(),
                    version: "2.20.0-alpha".to_owned(),
                    ..InstrumentationScope::default()
                }),
                spans,
                schema_url: String::new(),
            }],
            schema_url: "https://opentelemetry.io/schemas/1.37.0".to_owned(),
        }],
    }
    .encode_to_vec()
}

/// An attribute whose value is a text.
fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        key_strindex: 0,
    }
}
