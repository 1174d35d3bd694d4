//! The wire engine against prost, on one request: 500 spans of about 700 bytes, each with 12
//! attributes, as an instrumented HTTP service sends them.
//!
//! Each comparison does the same work both ways in one run, and prost's time includes dropping
//! what it allocated. At the end the ratios are printed.
#![allow(missing_docs, clippy::print_stdout, clippy::expect_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp::Signal;
use otlp::edit::{AttributeChange, Edited, Editor, Place, Text, TextChange, edit};
use otlp::schema::MessageId;
use otlp::view::KeyValue as View;
use prost::Message;
use std::hint::black_box;
use std::time::{Duration, Instant};
use testkit::http_service::{self, trace_of_five};

fn request() -> Vec<u8> {
    let spans = (0..500).map(|i| http_service::span(i, trace_of_five(i)));
    http_service::request(spans.collect())
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
