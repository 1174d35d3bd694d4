//! The wire engine against prost, on one request: 500 spans of about 700 bytes, each with 12
//! attributes, as an instrumented HTTP service sends them.
//!
//! Each comparison does the same work both ways in one run, and prost's time includes dropping
//! what it allocated. At the end the ratios are printed.
#![allow(missing_docs, clippy::print_stdout, clippy::expect_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use otlp::Signal;
use otlp::edit::{AttributeChange, Edited, Editor, Place, Text, TextChange, edit};
use otlp::schema::MessageId;
use otlp::view::KeyValue as View;
use prost::Message;
use std::hint::black_box;
use std::time::{Duration, Instant};

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

fn span(i: u64) -> Span {
    let mut trace_id = (i / 5 * 0x9e37_79b9_7f4a_7c15).to_le_bytes().to_vec();
    trace_id.extend_from_slice(&(i / 5 + 0xfeed_face).to_be_bytes());
    Span {
        trace_id,
        span_id: (i * 0x517c_c1b7_2722_0a95 + 1).to_le_bytes().to_vec(),
        parent_span_id: (i * 0x2545_f491_4f6c_dd1d + 1).to_le_bytes().to_vec(),
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
            number(
                "http.response.status_code",
                if i.is_multiple_of(50) { 500 } else { 200 },
            ),
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
            code: i32::from(i.is_multiple_of(50)) * 2,
        }),
        ..Span::default()
    }
}

fn request() -> Vec<u8> {
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
                spans: (0..500).map(span).collect(),
                schema_url: String::new(),
            }],
            schema_url: "https://opentelemetry.io/schemas/1.37.0".to_owned(),
        }],
    }
    .encode_to_vec()
}

/// The least time of one run, over some seconds: what the machine can do when it is let.
fn least(mut run: impl FnMut()) -> Duration {
    let begin = Instant::now();
    let mut least = Duration::MAX;
    while begin.elapsed() < Duration::from_secs(2) {
        let start = Instant::now();
        run();
        least = least.min(start.elapsed());
    }
    least
}

fn ratio(name: &str, bytes: usize, ours: impl FnMut(), prosts: impl FnMut()) {
    let (ours, prosts) = (least(ours), least(prosts));
    println!(
        "{name}: {:.2} GB/s, {:.1} x prost's {:.2} GB/s ({ours:?} and {prosts:?} a request)",
        bytes as f64 / ours.as_nanos() as f64,
        prosts.as_secs_f64() / ours.as_secs_f64(),
        bytes as f64 / prosts.as_nanos() as f64,
    );
}

fn check(wire: &[u8]) {
    black_box(otlp::check(Signal::Traces, black_box(wire)).expect("good"));
}

/// Drops 3 of the 12 attributes: one from the beginning, one from the middle, one near the end.
fn unwanted(key: &[u8]) -> bool {
    matches!(key, b"url.scheme" | b"server.address" | b"enduser.id")
}

struct Drop3;

impl Editor for Drop3 {
    fn attribute(&mut self, place: Place, attribute: View<'_>) -> AttributeChange<'_> {
        if place.owner.id == MessageId::Span && unwanted(attribute.key_bytes()) {
            AttributeChange::Drop
        } else {
            AttributeChange::Keep
        }
    }
}

fn edit_drop(wire: &[u8], out: &mut Vec<u8>) {
    let edited = edit(Signal::Traces, black_box(wire), &mut Drop3, out);
    assert_eq!(edited, Ok(Edited::Changed));
    black_box(out.as_slice());
}

fn prost_drop(wire: &[u8], out: &mut Vec<u8>) {
    let mut request = ExportTraceServiceRequest::decode(black_box(wire)).expect("good");
    for span in request
        .resource_spans
        .iter_mut()
        .flat_map(|r| &mut r.scope_spans)
        .flat_map(|s| &mut s.spans)
    {
        span.attributes
            .retain(|attribute| !unwanted(attribute.key.as_bytes()));
    }
    out.clear();
    request.encode(out).expect("has room");
    black_box(out.as_slice());
}

/// Looks at every text of the request, as a redaction does that finds nothing.
struct LookAtAll(usize);

impl Editor for LookAtAll {
    fn text(&mut self, _: Place, text: Text<'_>) -> TextChange<'_> {
        self.0 += text.as_bytes().len();
        TextChange::Keep
    }
}

fn edit_look(wire: &[u8], out: &mut Vec<u8>) {
    let mut editor = LookAtAll(0);
    let edited = edit(Signal::Traces, black_box(wire), &mut editor, out);
    assert_eq!(edited, Ok(Edited::Unchanged));
    black_box(editor.0);
}

fn prost_decode(wire: &[u8]) {
    black_box(ExportTraceServiceRequest::decode(black_box(wire)).expect("good"));
}

fn benches(c: &mut Criterion) {
    let wire = request();
    println!("one request: 500 spans, {} bytes each", wire.len() / 500);

    let mut group = c.benchmark_group("check");
    group.throughput(Throughput::Bytes(wire.len() as u64));
    group.bench_function("ours", |b| b.iter(|| check(&wire)));
    group.bench_function("prost decode", |b| b.iter(|| prost_decode(&wire)));
    group.finish();

    let (mut out, mut prosts_out) = (Vec::new(), Vec::new());
    edit_drop(&wire, &mut out);
    prost_drop(&wire, &mut prosts_out);
    assert!(out == prosts_out, "the same result");
    let mut group = c.benchmark_group("edit");
    group.throughput(Throughput::Bytes(wire.len() as u64));
    group.bench_function("ours, drop 3 of 12", |b| {
        b.iter(|| edit_drop(&wire, &mut out))
    });
    group.bench_function("prost decode, drop 3 of 12, encode", |b| {
        b.iter(|| prost_drop(&wire, &mut out));
    });
    group.bench_function("ours, look at every text", |b| {
        b.iter(|| edit_look(&wire, &mut out))
    });
    group.finish();

    ratio("check", wire.len(), || check(&wire), || prost_decode(&wire));
    ratio(
        "edit, dropping 3 of 12 attributes",
        wire.len(),
        || edit_drop(&wire, &mut out),
        || prost_drop(&wire, &mut prosts_out),
    );
}

criterion_group! {
    name = all;
    config = Criterion::default().sample_size(40).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = benches
}
criterion_main!(all);
