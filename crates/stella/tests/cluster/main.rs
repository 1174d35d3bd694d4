//! Several real gateways share the traces, with the upstream Collector as the destination.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test"
)]

mod changes;
mod full;
mod identity;
mod load;

use std::collections::BTreeSet;
use std::path::Path;

use testkit::ids::Ids;
use testkit::stella::Stella;
use testkit::traces::One;

pub const BINARY: &str = env!("CARGO_BIN_EXE_stella");

/// Listeners with OTLP/gRPC on a port that stays.
pub fn listen(port: u16) -> String {
    format!(
        "listen: {{ grpc: '127.0.0.1:{port}', http: '127.0.0.1:0', metrics: '127.0.0.1:0', health: '127.0.0.1:0', admin: '127.0.0.1:0' }}\n"
    )
}

/// A list of members, put in the place of the one before at once.
pub fn list(path: &Path, members: &[(&str, u16)]) {
    let line = |(name, port): &(&str, u16)| {
        format!("- {{ name: {name}, endpoint: 'http://127.0.0.1:{port}' }}\n")
    };
    let text: String = members.iter().map(line).collect();
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, text).unwrap();
    std::fs::rename(fresh, path).unwrap();
}

/// Whether the policies keep a trace: an error in any span, or many spans. Requests that are sent
/// twice may double what is counted, so small traces are smaller than half of many.
pub fn is_kept(spans: &[One]) -> bool {
    spans.iter().any(|span| span.error) || spans.len() >= MANY
}

pub const FEW: usize = 4;
pub const MANY: usize = 10;

pub const POLICIES: &str = "  policies:
    - { name: errors, type: error }
    - { name: many, type: span_count, span_count: { min_spans: 10 } }
";

/// The names of the spans of traces that are kept.
pub fn names(traces: &[Vec<One>]) -> BTreeSet<String> {
    let kept = traces.iter().filter(|spans| is_kept(spans));
    kept.flatten().map(One::name).collect()
}

/// What arrived, and how many spans came more than once.
pub fn arrived(received: &str) -> (BTreeSet<String>, u64) {
    let spans = Ids::read(received).spans;
    let more = spans.values().map(|count| count - 1).sum();
    (spans.into_keys().collect(), more)
}

/// Nothing was lost, put aside or decided without knowing.
pub fn check_counters(stella: &Stella) {
    for name in [
        "stella_items_lost_total",
        "stella_shipper_dead_letter_items_total",
        "stella_shipper_undecided_items_total",
        "stella_sampler_rebuilt_total",
        "stella_cluster_staying_overflowed_total",
    ] {
        assert_eq!(stella.metric(name), 0.0, "{name}\n{}", stella.log());
    }
}
