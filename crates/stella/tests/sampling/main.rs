//! Sampling through the real binary, with the upstream Collector as the destination.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "this is a test"
)]

mod commands;
mod incidents;
mod kept;
mod restarts;
mod switching;
mod triggers;
mod upstream;

use std::collections::BTreeSet;
use std::time::Duration;

use rand::{Rng, RngExt, rngs::StdRng};
use testkit::ids::Ids;
use testkit::stella::Stella;
use testkit::traces::{One, Sender};

pub const BINARY: &str = env!("CARGO_BIN_EXE_stella");

/// `sampling` with a short wait, and what follows it.
pub fn profile(sampling: &str, ship: &str) -> String {
    format!(
        "sampling:\n  wait: 500ms\n  remember: 2s\n{sampling}\n  policies:\n    - {{ name: errors, type: error }}\n    - {{ name: tenth, type: probabilistic, probabilistic: {{ sampling_percentage: 10 }} }}\n{ship}"
    )
}

/// A destination of traces.
pub fn ship(name: &str, endpoint: &str) -> String {
    format!("  - {{ name: {name}, signals: [traces], otlp: {{ endpoint: '{endpoint}' }} }}\n")
}

/// A trace of some spans; one in twenty has an error in a span that is not its first.
pub fn trace(rng: &mut StdRng, next: &mut u64, service: &'static str) -> Vec<One> {
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    let spans = rng.random_range(2..6);
    let failed = rng.random_ratio(1, 20);
    let one = |at: u64| {
        *next += 1;
        One {
            trace: id,
            id: *next,
            service,
            error: failed && at + 1 == spans,
        }
    };
    (0..spans).map(one).collect()
}

/// Whether the policies of [`profile`] keep a trace.
pub fn is_kept(spans: &[One]) -> bool {
    spans.iter().any(|span| span.error) || spans[0].is_in_percentage(10.0)
}

/// The names of the spans of traces for which `keep` says so.
pub fn names(traces: &[Vec<One>], keep: impl Fn(&[One]) -> bool) -> BTreeSet<String> {
    let kept = traces.iter().filter(|spans| keep(spans));
    kept.flatten().map(One::name).collect()
}

/// What arrived.
pub fn arrived(received: &str) -> BTreeSet<String> {
    Ids::read(received).spans.into_keys().collect()
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

pub async fn connect(stella: &Stella) -> Sender {
    let endpoint = format!("http://{}", stella.at().grpc);
    Sender::connect(endpoint).await.unwrap()
}

pub async fn nap(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}
