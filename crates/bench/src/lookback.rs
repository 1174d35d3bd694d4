//! Opening an incident that looks back over a large journal: when its first spans are shipped, and
//! what becomes of senders meanwhile. Minutes and gigabytes, so it is not part of `bench all`.

use std::time::{Duration, Instant};

use testkit::stella::Stella;

use crate::load::Outcome;
use crate::measure;
use crate::runs::{OPEN, start};
use crate::traffic::{SELDOM, Traces};
use crate::under_load::{Server, load_of};

/// The wait is the default, so that nothing can be decided about the last half minute.
const SAMPLING: &str = "\
journal: { max_bytes: 20GiB, window: 1h }
incidents: { disk_budget: 40GiB }
sampling:
  wait: 30s
  max_traces: 1000000
  remember_traces: 4000000
  policies: [{ name: hundredth, type: probabilistic, probabilistic: { sampling_percentage: 1 } }]
";
/// Few traces, so that a few minutes' log has no more than a quarter of an hour's has in life.
const TRACES: Traces = Traces {
    in_row: 50,
    again_after: 0,
    small: false,
};
/// Requests a second while p99 is measured, and how many.
const PER_SECOND: f64 = 100.0;
const REQUESTS: u64 = 1500;

/// Fills a journal, opens an incident, and tells what came of it.
pub fn measure(stella: &str, gigabytes: f64) -> String {
    let sink = Server::start(&[]);
    let gateway = start(stella, &sink.addr, &format!("{OPEN}{SAMPLING}"));
    let addr = gateway.at().grpc.to_string();
    let begun = Instant::now();
    let bytes = || gateway.metric("stella_journal_bytes");
    while bytes() < gigabytes * 1e9 {
        load_of(&addr, 5000, 0.0, None, Some(TRACES));
        eprintln!(
            "    {:.1} GB in {:.0} s",
            bytes() / 1e9,
            begun.elapsed().as_secs_f64()
        );
    }
    let lag = || gateway.metric("stella_sampler_lag_seconds");
    while lag() > 31.0 {
        std::thread::sleep(Duration::from_secs(1));
    }
    let paced = || load_of(&addr, REQUESTS, PER_SECOND, None, Some(TRACES));
    let held = bytes() / 1e9;
    let before = paced();
    let memory = measure::memory_mb(gateway.at().pid).0;
    let (during, first, all) = std::thread::scope(|scope| {
        let load = scope.spawn(paced);
        std::thread::sleep(Duration::from_secs(1));
        let (first, all) = incident(&gateway);
        (load.join().expect("the load ends"), first, all)
    });
    let (_, peak) = measure::memory_mb(gateway.at().pid);
    let quantiles =
        |outcome: &Outcome| format!("p50 {:.2} ms, p99 {:.2} ms", outcome.p50_ms, outcome.p99_ms);
    format!(
        "{held:.1} GB of journal; look back of 15 minutes for one request in 64\n\
         from `incident open` to the first span that the destination has: {first:.2} s\n\
         all found: {}\n\
         senders before: {}; meanwhile: {}; p99 ratio {:.2}\n\
         memory before {memory:.0} MB, peak {peak:.0} MB\n",
        all.map_or("not within a minute".to_owned(), |s| format!("{s:.1} s")),
        quantiles(&before),
        quantiles(&during),
        during.p99_ms / before.p99_ms,
    )
}

/// Seconds from the command to the first span that is shipped for it, and to the look back's end.
fn incident(gateway: &Stella) -> (f64, Option<f64>) {
    let begun = Instant::now();
    let scope = format!("service={SELDOM}");
    gateway.print(&[
        "incident",
        "open",
        "--scope",
        &scope,
        "--reason",
        "bench",
        "--ttl",
        "2m",
        "--lookback",
        "15m",
    ]);
    let sent = || {
        let page = gateway.page(gateway.at().metrics, "/metrics");
        let lines = page.lines().filter(|line| {
            line.starts_with("otelcol_exporter_sent_spans") && line.contains("lookback")
        });
        let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        values.sum::<f64>()
    };
    while sent() == 0.0 {
        assert!(
            begun.elapsed() < Duration::from_secs(120),
            "nothing is shipped"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    let first = begun.elapsed().as_secs_f64();
    let mut all = None;
    while begun.elapsed() < Duration::from_secs(60) && all.is_none() {
        std::thread::sleep(Duration::from_millis(500));
        let shown = gateway.print(&["incident", "list", "--output", "json"]);
        all = shown
            .contains("\"before_done\":true")
            .then(|| begun.elapsed().as_secs_f64());
    }
    (first, all)
}
