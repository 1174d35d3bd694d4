//! Redaction against `otlp::check` and against prost, on one request: 500 spans of about 640
//! bytes, each with 12 attributes, as an instrumented HTTP service sends them.
//!
//! Each comparison does its work in one run, interleaved, and the least time of each counts: what
//! the machine can do when it is let. The prost side drops the same attributes and looks for
//! nothing; its time includes dropping what it allocated.
#![allow(missing_docs, clippy::print_stdout, clippy::expect_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use otlp::Signal;
use policy::redaction::{Counts, Policy, Redactor};
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

/// `every` makes each value of each span another one, so that nothing can be remembered.
fn span(i: u64, every: bool) -> Span {
    let other = |text: &str| match every {
        true => format!("{text}.{i:03}"),
        false => text.to_owned(),
    };
    let mut trace_id = (i / 5 * 0x9e37_79b9_7f4a_7c15).to_le_bytes().to_vec();
    trace_id.extend_from_slice(&(i / 5 + 0xfeed_face).to_be_bytes());
    Span {
        trace_id,
        span_id: (i * 0x517c_c1b7_2722_0a95 + 1).to_le_bytes().to_vec(),
        parent_span_id: (i * 0x2545_f491_4f6c_dd1d + 1).to_le_bytes().to_vec(),
        trace_state: other("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        flags: 0x101,
        name: other("GET /api/v1/orders/{orderId}/items"),
        kind: 2,
        start_time_unix_nano: 1_764_000_000_000_000_000 + i * 1_000_003,
        end_time_unix_nano: 1_764_000_000_004_000_000 + i * 1_000_003,
        attributes: vec![
            text("http.request.method", other("GET")),
            text("url.scheme", other("https")),
            text("url.path", format!("/api/v1/orders/{}/items", 100_000 + i)),
            text("http.route", other("/api/v1/orders/{orderId}/items")),
            number(
                "http.response.status_code",
                if i.is_multiple_of(50) { 500 } else { 200 },
            ),
            text(
                "server.address",
                other("orders.shop-production.svc.cluster.eu-west-1.example.net"),
            ),
            number("server.port", 8443),
            text("network.protocol.version", other("1.1")),
            text(
                "user_agent.original",
                other("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
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

fn request(every: bool) -> Vec<u8> {
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
                spans: (0..500).map(|i| span(i, every)).collect(),
                schema_url: String::new(),
            }],
            schema_url: "https://opentelemetry.io/schemas/1.37.0".to_owned(),
        }],
    }
    .encode_to_vec()
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
