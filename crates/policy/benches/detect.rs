//! All default detectors on the values of typical spans, and beside it `otlp::check` of the same
//! values on the wire: the scan must cost no more than a small multiple of proving the bytes well
//! formed.
#![allow(missing_docs, clippy::print_stdout, clippy::expect_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use otlp::Signal;
use policy::detect::{Builtin, Detectors, Found, Spec};
use std::hint::black_box;
use std::time::{Duration, Instant};

const SPANS: u64 = 500;

/// The string values of one span of an instrumented HTTP service, with their keys, as
/// `crates/otlp/benches/wire.rs` sends them, and two more that services have.
fn attributes(i: u64) -> Vec<(&'static str, String)> {
    vec![
        ("http.request.method", "GET".to_owned()),
        ("url.scheme", "https".to_owned()),
        ("url.path", format!("/api/v1/orders/{}/items", 100_000 + i)),
        ("http.route", "/api/v1/orders/{orderId}/items".to_owned()),
        (
            "server.address",
            "orders.shop-production.svc.cluster.eu-west-1.example.net".to_owned(),
        ),
        ("network.protocol.version", "1.1".to_owned()),
        (
            "user_agent.original",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(),
        ),
        ("client.address", format!("10.42.{}.{}", i % 256, i % 199)),
        (
            "enduser.id",
            format!("9f1c7a52-3f0e-4c19-8d3e-{:012}", i * 7919),
        ),
        ("thread.name", format!("http-nio-8443-exec-{}", i % 200)),
        ("messaging.destination", "orders.created".to_owned()),
        ("db.row_count", format!("{}", i * 31)),
    ]
}

/// Values that are longer or look more like findings than most.
fn others() -> Vec<(&'static str, String)> {
    vec![
        ("short SQL", "SELECT id, name FROM orders WHERE id = $1".to_owned()),
        ("timestamp", "2026-03-14T09:26:53.589793Z".to_owned()),
        (
            "image digest",
            "registry.example.net/shop/orders@sha256:9b2cf535f27731c974343645a3985328e9b2cf535f27731c974343645a398532".to_owned(),
        ),
        ("Java class", "org.springframework.web.servlet.DispatcherServlet".to_owned()),
        ("URL", "https://orders.example.net/api/v1/orders/4711?page=2&size=50".to_owned()),
        ("log line", "Finished reconciling deployment shop/orders in 132.5ms, 3 of 3 replicas are ready".to_owned()),
        ("UUID", "9f1c7a52-3f0e-4c19-8d3e-2b7d4f6a8c10".to_owned()),
        ("IPv4 address", "10.42.17.4".to_owned()),
        ("user agent", attributes(0).swap_remove(6).1),
    ]
}

fn defaults() -> Detectors {
    let specs: Vec<Spec> = Builtin::ALL
        .iter()
        .filter(|builtin| builtin.default_on())
        .map(|&builtin| Spec::Builtin(builtin))
        .collect();
    Detectors::compile(&specs).expect("compiles")
}

fn wire() -> Vec<u8> {
    let spans: Vec<String> = (0..SPANS)
        .map(|i| {
            let attributes: Vec<String> = attributes(i)
                .iter()
                .map(|(key, value)| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#))
                .collect();
            format!(
                r#"{{"traceId":"{:032x}","spanId":"{:016x}","parentSpanId":"{:016x}","name":"GET /api/v1/orders/{{orderId}}/items","kind":2,"startTimeUnixNano":"1764000000000000000","endTimeUnixNano":"1764000000004000000","attributes":[{}]}}"#,
                i + 1,
                i + 1,
                i + 7,
                attributes.join(",")
            )
        })
        .collect();
    let json = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#,
        spans.join(",")
    );
    otlp::json::decode(Signal::Traces, json.as_bytes()).expect("good")
}

fn scan_all(set: &Detectors, values: &[String], found: &mut Vec<Found>) {
    for value in values {
        found.clear();
        black_box(set.scan(black_box(value), found));
    }
}

/// The least time of one run, over some seconds: what the machine can do when it is let.
fn least(mut run: impl FnMut()) -> Duration {
    let begin = Instant::now();
    let mut least = Duration::MAX;
    while begin.elapsed() < Duration::from_secs(1) {
        let start = Instant::now();
        run();
        least = least.min(start.elapsed());
    }
    least
}

fn benches(c: &mut Criterion) {
    let set = defaults();
    let values: Vec<String> = (0..SPANS)
        .flat_map(attributes)
        .map(|(_, value)| value)
        .collect();
    let bytes: usize = values.iter().map(String::len).sum();
    let mut found = Vec::new();

    let mut group = c.benchmark_group("detect");
    group.throughput(Throughput::Elements(values.len() as u64));
    group.bench_function("values of spans", |b| {
        b.iter(|| scan_all(&set, &values, &mut found));
    });
    group.finish();

    for (name, value) in others().into_iter().chain(attributes(17)) {
        let many = vec![value; 1000];
        let time = least(|| scan_all(&set, &many, &mut found));
        println!(
            "{:>6.1} ns  {name}: {}",
            time.as_nanos() as f64 / 1e3,
            many[0]
        );
    }

    let wire = wire();
    let scan = least(|| scan_all(&set, &values, &mut found));
    let check = least(|| {
        black_box(otlp::check(Signal::Traces, black_box(&wire)).expect("good"));
    });
    println!(
        "{:.1} ns a value of {} bytes on average; {:.2} x otlp::check of the {}-byte spans they are from ({:?} and {:?} a request)",
        scan.as_nanos() as f64 / values.len() as f64,
        bytes / values.len(),
        scan.as_secs_f64() / check.as_secs_f64(),
        wire.len() as u64 / SPANS,
        scan,
        check,
    );
}

criterion_group! {
    name = all;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_secs(1));
    targets = benches
}
criterion_main!(all);
