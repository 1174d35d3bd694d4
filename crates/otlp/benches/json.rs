//! OTLP/JSON: ours against serde_json with opentelemetry-proto's types, on the same spans.

#![allow(missing_docs, clippy::unwrap_used, reason = "this is a bench")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Traces;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otlp::{Signal, json};
use prost::Message;

/// 500 spans with 12 attributes each.
fn request() -> Traces {
    let attribute = |at: usize| KeyValue {
        key: format!("http.request.attribute.{at}"),
        value: Some(AnyValue {
            value: Some(Value::StringValue(format!("value number {at}"))),
        }),
        ..KeyValue::default()
    };
    let span = |at: u64| Span {
        trace_id: vec![at as u8; 16],
        span_id: at.to_be_bytes().to_vec(),
        name: "GET /api/v1/orders/{id}".to_owned(),
        start_time_unix_nano: 1_700_000_000_000_000_000 + at,
        end_time_unix_nano: 1_700_000_000_500_000_000 + at,
        attributes: (0..12).map(attribute).collect(),
        ..Span::default()
    };
    let spans = ScopeSpans {
        spans: (1..=500).map(span).collect(),
        ..ScopeSpans::default()
    };
    let resource = ResourceSpans {
        scope_spans: vec![spans],
        ..ResourceSpans::default()
    };
    Traces {
        resource_spans: vec![resource],
    }
}

fn benches(criterion: &mut Criterion) {
    let wire = request().encode_to_vec();
    let mut text = Vec::new();
    json::encode(Signal::Traces, &wire, &mut text).unwrap();

    let mut group = criterion.benchmark_group("json");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("decode/ours", |bench| {
        bench.iter(|| json::decode(Signal::Traces, black_box(&text)).unwrap());
    });
    group.bench_function("decode/serde and prost", |bench| {
        bench.iter(|| {
            let request: Traces = serde_json::from_slice(black_box(&text)).unwrap();
            request.encode_to_vec()
        });
    });
    let mut out = Vec::new();
    group.bench_function("encode/ours", |bench| {
        bench.iter(|| {
            out.clear();
            json::encode(Signal::Traces, black_box(&wire), &mut out).unwrap();
        });
    });
    group.bench_function("encode/prost and serde", |bench| {
        bench.iter(|| {
            let request = Traces::decode(black_box(wire.as_slice())).unwrap();
            serde_json::to_vec(&request).unwrap()
        });
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
