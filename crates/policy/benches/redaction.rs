//! Redaction against `otlp::check` and against prost, on one request: 500 spans of about 640
//! bytes, each with 12 attributes, as an instrumented HTTP service sends them.
//!
//! Each comparison does its work in one run, interleaved, and the least time of each counts: what
//! the machine can do when it is let. The prost side drops the same attributes and looks for
//! nothing; its time includes dropping what it allocated.
#![allow(missing_docs, clippy::print_stdout, clippy::expect_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use otlp::Signal;
use policy::redaction::{Counts, Policy, Redactor};
use prost::Message;
use std::hint::black_box;
use std::time::{Duration, Instant};
use testkit::http_service::{self, trace_of_five};

/// Where `every` is set, each value of each span is another one, so that nothing can be remembered.
fn request(every: bool) -> Vec<u8> {
    let spans = (0..500).map(|i| {
        let mut span = http_service::span(i, trace_of_five(i));
        if every {
            differ(i, &mut span);
        }
        span
    });
    http_service::request(spans.collect())
}

/// Makes the values that repeat from span to span the span's own.
fn differ(i: u64, span: &mut Span) {
    const DIFFER: [&str; 4] = ["url.path", "client.address", "enduser.id", "thread.name"];
    let other = |text: &mut String| text.push_str(&format!(".{i:03}"));
    other(&mut span.trace_state);
    other(&mut span.name);
    for attribute in &mut span.attributes {
        let value = attribute.value.as_mut().and_then(|v| v.value.as_mut());
        if let Some(Value::StringValue(text)) = value
            && !DIFFER.contains(&attribute.key.as_str())
        {
            other(text);
        }
    }
}

fn compile(rules: &str) -> Policy {
    let text = format!("version: 1\n{rules}");
    Policy::compile("bench", &text, &|_| None, None).expect("a good policy")
}

/// Rules for keys that do not occur: everything is looked up and nothing changes.
const NO_MATCH: &str = "\
rules:
  - { name: a, keys: [user.email, user.full_name, session.id, 'http.request.header.*'], action: drop }
  - { name: b, keys: ['*.password', '*secret*', db.query.text], action: mask }
";

/// Three keys go, as in `otlp`'s bench of its editor.
const DROP_3: &str = "\
rules:
  - { name: a, keys: [url.scheme, server.address, enduser.id, 'http.request.header.*'], action: drop }
  - { name: b, keys: ['*.password', '*secret*', db.query.text], action: mask }
";

const DETECT: &str = "rules:\n  - { name: a, detect: [default], action: mask }\n";

/// The same but for IP addresses, of which the load has one a span: finds nothing.
const DETECT_NOTHING: &str = "\
rules:
  - { name: ip, detect: [ipv4], action: keep }
  - { name: a, detect: [default], action: mask }
";

struct Ours {
    policy: Policy,
    redactor: Redactor,
    counts: Counts,
    out: Vec<u8>,
}

impl Ours {
    fn new(rules: &str) -> Self {
        let policy = compile(rules);
        Ours {
            counts: Counts::new(&policy),
            redactor: Redactor::new(),
            out: Vec::new(),
            policy,
        }
    }

    fn run(&mut self, wire: &[u8]) {
        let edited = self
            .redactor
            .redact(
                &self.policy,
                Signal::Traces,
                black_box(wire),
                &mut self.out,
                &mut self.counts,
            )
            .expect("good");
        let _ = black_box(edited);
        black_box(self.out.as_slice());
    }
}

fn check(wire: &[u8]) {
    black_box(otlp::check(Signal::Traces, black_box(wire)).expect("good"));
}

fn prost_drop(wire: &[u8], out: &mut Vec<u8>) {
    let unwanted = |key: &str| matches!(key, "url.scheme" | "server.address" | "enduser.id");
    let mut request = ExportTraceServiceRequest::decode(black_box(wire)).expect("good");
    for span in request
        .resource_spans
        .iter_mut()
        .flat_map(|r| &mut r.scope_spans)
        .flat_map(|s| &mut s.spans)
    {
        span.attributes
            .retain(|attribute| !unwanted(&attribute.key));
    }
    out.clear();
    request.encode(out).expect("has room");
    black_box(out.as_slice());
}

/// The least time of each of several runs, taken in turns.
fn least<const N: usize>(mut runs: [&mut dyn FnMut(); N]) -> [Duration; N] {
    let begin = Instant::now();
    let mut least = [Duration::MAX; N];
    while begin.elapsed() < Duration::from_secs(2) {
        for (run, least) in runs.iter_mut().zip(&mut least) {
            let start = Instant::now();
            run();
            *least = start.elapsed().min(*least);
        }
    }
    least
}

fn ratios(name: &str, rules: &str, wire: &[u8]) {
    let (mut ours, mut out) = (Ours::new(rules), Vec::new());
    let [checked, redacted, prost] =
        least([&mut || check(wire), &mut || ours.run(wire), &mut || {
            prost_drop(wire, &mut out)
        }]);
    println!(
        "{name}: {:.2} x check, {:.3} x prost ({redacted:?}; check {checked:?}, prost {prost:?})",
        redacted.as_secs_f64() / checked.as_secs_f64(),
        redacted.as_secs_f64() / prost.as_secs_f64(),
    );
}

fn benches(c: &mut Criterion) {
    let (wire, every) = (request(false), request(true));
    println!("one request: 500 spans, {} bytes each", wire.len() / 500);
    let mut ours = Ours::new(DROP_3);
    ours.run(&wire);
    let mut prosts = Vec::new();
    prost_drop(&wire, &mut prosts);
    assert!(ours.out == prosts, "the same result");

    let mut group = c.benchmark_group("redaction");
    group.throughput(Throughput::Bytes(wire.len() as u64));
    group.bench_function("check", |b| b.iter(|| check(&wire)));
    for (name, rules) in [
        ("keys, no match", NO_MATCH),
        ("keys, drop 3 of 12", DROP_3),
        ("detectors, nothing found", DETECT_NOTHING),
        ("detectors, one address a span", DETECT),
    ] {
        let mut ours = Ours::new(rules);
        group.bench_function(name, |b| b.iter(|| ours.run(&wire)));
    }
    group.finish();
    // A profiler wants one of them alone.
    if std::env::args().any(|arg| arg == "--profile-time") {
        return;
    }

    ratios("keys, no match", NO_MATCH, &wire);
    ratios("keys, drop 3 of 12", DROP_3, &wire);
    ratios("default detectors, nothing found", DETECT_NOTHING, &wire);
    ratios(
        "default detectors, one address a span masked",
        DETECT,
        &wire,
    );
    ratios("the same, no value like the last", DETECT, &every);
}

criterion_group! {
    name = all;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(1)).warm_up_time(Duration::from_millis(300));
    targets = benches
}
criterion_main!(all);
