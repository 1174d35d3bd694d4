//! Sampling: what it adds to the gateway's path, and what a million open traces take, beside the
//! upstream Collector's tail-sampling processor.

use std::fmt::Write;
use std::time::{Duration, Instant};

use testkit::collector::Collector;

use crate::measure;
use crate::runs::{OPEN, PLAIN, start};
use crate::traffic::{SPANS, Traces};
use crate::under_load::{Loaded, Process, Server, load_of};

/// Ten per cent of traces are kept; nothing is redacted.
pub const LOADS: [(&str, Traces); 3] = [
    (
        "the same, nothing redacted, 10 % of traces kept by sampling, 8 spans a trace",
        Traces {
            in_row: 8,
            again_after: 0,
            small: false,
        },
    ),
    (
        "the same, nothing redacted, 10 % of traces kept by sampling, each span in a trace of its own",
        Traces {
            in_row: 1,
            again_after: 0,
            small: false,
        },
    ),
    (
        "the same, nothing redacted, sampling, all spans in one trace",
        Traces {
            in_row: u64::MAX,
            again_after: 0,
            small: false,
        },
    ),
];

/// What is sampled is decided and shipped within the time that CPU is counted.
const SAMPLING: &str = "\
sampling:
  wait: 1s
  remember: 4s
  max_traces: 2000000
  remember_traces: 4000000
  policies:
    - { name: errors, type: error }
    - { name: slow, type: latency, latency: { threshold_ms: 60000 } }
    - { name: tenth, type: probabilistic, probabilistic: { sampling_percentage: 10 } }
";

/// A profile with it.
pub fn profile() -> String {
    format!("{OPEN}{SAMPLING}")
}

/// Plain shipping and sampled shipping of the same load, twice each.
pub fn sampled(stella: &str) -> String {
    let mut text = String::new();
    for (name, traces) in LOADS.into_iter().chain(LOADS) {
        let mut once = |name: &str, profile: &str| {
            let sink = Server::start(&[]);
            let gateway = start(stella, &sink.addr, profile);
            let mut under_load = Loaded {
                traces: Some(traces),
                ..Loaded::new("", Process::Stella(Box::new(gateway)))
            };
            under_load.measure();
            let cpu = under_load.cpu_per_million[0];
            let Process::Stella(gateway) = &under_load.process else {
                return cpu;
            };
            let _ = writeln!(
                text,
                "{name}: {cpu:.3} CPU s per million spans, {:.0} spans/s, {:.0} MB; {:.0} of {:.0} spans sent on",
                under_load.spans_per_second[0],
                measure::memory_mb(under_load.pid).1,
                gateway.metric("otelcol_exporter_sent_spans"),
                gateway.metric("otelcol_receiver_accepted_spans"),
            );
            cpu
        };
        let plain = once(PLAIN, OPEN);
        let with = once(name, &profile());
        let _ = writeln!(text, "  {:.2} times the CPU", with / plain);
    }
    text
}

/// A million traces of 8 spans, each span of a trace in another request.
const TRACES: u64 = 1_000_000;
const ROUNDS: u64 = 8;
const SPANS_PER_SECOND: f64 = 400_000.0;
/// All of them come before the first is decided.
const WAIT_SECONDS: u64 = 30;

/// What a million open traces took.
pub struct Open {
    pub name: &'static str,
    pub cpu_seconds: f64,
    pub peak_mb: f64,
    /// Peak memory beyond that of the same without sampling, where that was measured.
    pub more_mb: Option<f64>,
    pub kept: f64,
}

impl Open {
    /// A row of the report.
    pub fn row(&self) -> String {
        let more = self
            .more_mb
            .map_or(String::new(), |mb| format!("{mb:.0} MB"));
        format!(
            "| {} | {:.0} MB | {more} | {:.1} |",
            self.name, self.peak_mb, self.cpu_seconds
        )
    }
}

/// The same for who works on it.
pub fn open(stella: &str) -> String {
    let rows = million(stella);
    let text = |row: &Open| {
        format!(
            "{} {:.1} % of the gateway's spans sent on\n",
            row.row(),
            row.kept
        )
    };
    rows.iter().map(text).collect()
}

/// The gateway without sampling, the gateway, the Collector.
pub fn million(stella: &str) -> Vec<Open> {
    let policies = "\
policies: [{ name: errors, type: status_code, status_code: { status_codes: [ERROR] } }, { name: slow, type: latency, latency: { threshold_ms: 60000 } }, { name: tenth, type: probabilistic, probabilistic: { hash_salt: bench, sampling_percentage: 10 } }]";
    let sink = Server::start(&[]);
    let plain = start(stella, &sink.addr, OPEN);
    let plain = run("", Process::Stella(Box::new(plain)), 2);
    let sampling = format!(
        "{OPEN}sampling: {{ wait: {WAIT_SECONDS}s, remember: {WAIT_SECONDS}s, max_traces: {TRACES}, remember_traces: {TRACES}, {policies} }}\n"
    );
    let gateway = start(stella, &sink.addr, &sampling);
    let mut gateway = run(
        "stella: gRPC in, journal with fsync, sampling, gRPC out",
        Process::Stella(Box::new(gateway)),
        ROUNDS,
    );
    gateway.more_mb = Some(gateway.peak_mb - plain.peak_mb);
    let settings = format!(
        "decision_wait: {WAIT_SECONDS}s, num_traces: {}, {policies}",
        2 * TRACES
    );
    let collector = Collector::bare_sampling(&sink.addr, &settings);
    let collector = run(
        "upstream Collector: OTLP in, tail_sampling, batch, OTLP out, no queue on disk",
        Process::Collector(Box::new(collector)),
        ROUNDS,
    );
    vec![gateway, collector]
}

fn run(name: &'static str, mut process: Process, rounds: u64) -> Open {
    let pid = process.pid();
    let before = measure::cpu_seconds(pid);
    let traces = Traces {
        in_row: 1,
        again_after: TRACES / SPANS,
        small: true,
    };
    let begun = Instant::now();
    let requests = rounds * TRACES / SPANS;
    let per_second = SPANS_PER_SECOND / SPANS as f64;
    load_of(&process.addr(), requests, per_second, None, Some(traces));
    let took = begun.elapsed();
    let mut kept = f64::NAN;
    if rounds == ROUNDS {
        // The last span's trace began at most a round before it.
        std::thread::sleep(Duration::from_secs(WAIT_SECONDS + 4));
        eprintln!("    sent in {:.0} s", took.as_secs_f64());
    }
    if let Process::Stella(gateway) = &process {
        let sent = gateway.metric("otelcol_exporter_sent_spans");
        kept = sent / (requests * SPANS) as f64 * 100.0;
    }
    Open {
        name,
        cpu_seconds: measure::cpu_seconds(pid) - before,
        peak_mb: measure::memory_mb(pid).1,
        more_mb: None,
        kept,
    }
}
