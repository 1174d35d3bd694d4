//! What a sampler costs beside `otlp::check`, which every byte goes through anyway; and what a
//! million open traces take.
//!
//! The blocks: 500 spans of about 700 bytes, each with 12 attributes, as an instrumented HTTP
//! service sends them. At the end ratios are printed: the least time of one run over some seconds,
//! in the same process.
#![allow(missing_docs, clippy::print_stdout, clippy::expect_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ident::{Signal, TenantId};
use journal::{Block, Position};
use opentelemetry_proto::tonic::trace::v1::Span;
use sampler::Sampler;
use sampler::config::Sampling;
use testkit::http_service;

/// Counts what is allocated.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code)]
// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const FIVE_POLICIES: &str = r#"
wait: 30s
remember: 120s
max_traces: 1000000
remember_traces: 1000000
policies:
  - {name: errors, type: error}
  - {name: slow, type: latency, latency: {threshold_ms: 2000}}
  - {name: server-errors, type: numeric_attribute, numeric_attribute: {key: http.response.status_code, min_value: 500}}
  - {name: checkout, type: string_attribute, string_attribute: {key: http.route, values: ["^/api/v[0-9]+/checkout"], enabled_regex_matching: true}}
  - {name: tenth, type: probabilistic, probabilistic: {sampling_percentage: 10}}
"#;

fn config() -> Sampling {
    serde_saphyr::from_str(FIVE_POLICIES).expect("good")
}

fn span(trace: u64, i: u64) -> Span {
    let mut trace_id = trace
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .to_le_bytes()
        .to_vec();
    trace_id.extend_from_slice(&trace.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes());
    http_service::span(i, trace_id)
}

const START: u64 = 1_764_000_000_000_000_000;

fn block(time: u64, payload: Vec<u8>) -> Block {
    Block {
        position: Position {
            segment: 1,
            offset: time - START,
        },
        next: Position {
            segment: 1,
            offset: time - START + 1,
        },
        tenant: TenantId::default_tenant(),
        signal: Signal::Traces,
        items: 500,
        records: 1,
        min_time_unix_nano: 0,
        max_time_unix_nano: 0,
        appended_unix_nano: time,
        payload: payload.into(),
    }
}

/// The least time of one run, over some seconds.
fn least(mut run: impl FnMut() -> Duration) -> Duration {
    let begin = Instant::now();
    let mut least = Duration::MAX;
    while begin.elapsed() < Duration::from_secs(3) {
        least = least.min(run());
    }
    least
}

fn timed(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

/// A hundred blocks of 100 traces each, with 5 spans a trace.
fn blocks() -> Vec<Block> {
    (0..100u64)
        .map(|b| {
            let spans = (0..500).map(|i| span(b * 100 + i / 5, i)).collect();
            block(START + b * 1_000_000, http_service::request(spans))
        })
        .collect()
}

fn check(blocks: &[Block]) {
    for block in blocks {
        black_box(otlp::check(Signal::Traces, &block.payload).expect("good"));
    }
}

fn observe(sampler: &mut Sampler, blocks: &[Block]) {
    for block in blocks {
        sampler.observe(black_box(block));
    }
}

fn cut(sampler: &mut Sampler, blocks: &[Block], out: &mut Vec<u8>) -> usize {
    let cuts = blocks
        .iter()
        .map(|block| sampler.cut(block, out).expect("in order").bytes);
    cuts.sum()
}

/// A sampler that has been running for some time: its tables are in memory. Each run is another
/// five minutes later, so that the same ids are new traces again.
struct Running {
    sampler: Sampler,
    blocks: Vec<Block>,
    out: Vec<u8>,
}

impl Running {
    fn new() -> Self {
        let sizes = Sampling::default();
        let config = Sampling {
            max_traces: sizes.max_traces,
            remember_traces: sizes.remember_traces,
            ..config()
        };
        let mut running = Running {
            sampler: Sampler::new(&config).expect("good"),
            blocks: blocks(),
            out: Vec::new(),
        };
        for _ in 0..60 {
            running.observe();
        }
        running
    }

    fn observe(&mut self) -> Duration {
        for block in &mut self.blocks {
            block.appended_unix_nano += 300_000_000_000;
        }
        timed(|| observe(&mut self.sampler, &self.blocks))
    }

    fn cut(&mut self) -> (Duration, usize) {
        self.observe();
        let mut kept = 0;
        let time = timed(|| kept = cut(&mut self.sampler, &self.blocks, &mut self.out));
        (time, kept)
    }
}

fn benches(c: &mut Criterion) {
    let mut running = Running::new();
    let blocks = blocks();
    let bytes: usize = blocks.iter().map(|block| block.payload.len()).sum();
    let spans = blocks.len() * 500;
    println!("{spans} spans, {} bytes each", bytes / spans);
    let mut group = c.benchmark_group("50000 spans");
    group.throughput(Throughput::Elements(spans as u64));
    group.bench_function("check", |b| b.iter(|| check(&blocks)));
    group.bench_function("observe, 5 policies", |b| {
        b.iter_custom(|times| (0..times).map(|_| running.observe()).sum());
    });
    group.bench_function("cut", |b| {
        b.iter_custom(|times| (0..times).map(|_| running.cut().0).sum());
    });
    group.finish();

    let checked = least(|| timed(|| check(&blocks)));
    let observed = least(|| running.observe());
    let kept = running.cut().1;
    let cutting = least(|| running.cut().0);
    let each = |time: Duration| time.as_nanos() as f64 / spans as f64;
    let times = |time: Duration| time.as_secs_f64() / checked.as_secs_f64();
    println!("check: {:.0} ns a span", each(checked));
    println!(
        "observe: {:.0} ns a span, {:.2} x check",
        each(observed),
        times(observed)
    );
    println!(
        "cut, {:.0} % kept: {:.0} ns a span, {:.2} x check",
        kept as f64 / bytes as f64 * 100.0,
        each(cutting),
        times(cutting)
    );
    memory();
}

/// A million traces of 8 spans, each span in another block.
fn memory() {
    const TRACES: u64 = 1_000_000;
    let config = config();
    let before = ALLOCATED.load(Ordering::Relaxed);
    let mut sampler = Sampler::new(&config).expect("good");
    let mut time = Duration::ZERO;
    for round in 0..8u64 {
        for first in (0..TRACES).step_by(10_000) {
            let spans = (first..first + 10_000).map(|trace| Span {
                attributes: Vec::new(),
                ..span(trace, round + 1)
            });
            let at = START + round * 1_000_000_000 + first;
            let block = block(at, http_service::request(spans.collect()));
            time += timed(|| sampler.observe(&block));
        }
    }
    let held = ALLOCATED.load(Ordering::Relaxed) - before;
    assert_eq!(sampler.open_traces(), TRACES as usize);
    println!(
        "a million open traces of 8 spans: {:.1} MB, {:.1} bytes a trace, both generations included; {:.0} ns a span where none follows another of its trace",
        held as f64 / 1e6,
        held as f64 / TRACES as f64,
        time.as_nanos() as f64 / (8 * TRACES) as f64
    );
}

criterion_group! {
    name = all;
    config = Criterion::default().sample_size(10).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = benches
}
criterion_main!(all);
