//! A journal that is nearly full, beneath a sampler that holds it for a restart.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "this is a test"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ident::Signal;
use journal::{AppendError, Compression, Durability, Journal, Options, Position, Record};
use meter::Meter;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use sampler::config::{Policy, PolicyType, Sampling as Config, Time};
use sampling::Sampling;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);
const GIVEN_UP: &str = "stella_sampler_read_back_given_up";

/// Remembers for so long that no checkpoint lets the journal go within a test.
fn config() -> Config {
    Config {
        wait: Time(Duration::from_millis(10)),
        remember: Time(Duration::from_secs(3600)),
        policies: vec![Policy {
            name: "all".to_owned(),
            kind: PolicyType::AlwaysSample,
            ..Policy::default()
        }],
        ..Config::default()
    }
}

fn open(dir: &Path, meter: &Meter) -> (Journal, Sampling) {
    let options = Options {
        durability: Durability::Os,
        compression: Compression::None,
        window: Duration::ZERO,
        segment_bytes: 1 << 20,
        max_bytes: 8 << 20,
        ..Options::default()
    };
    let (journal, _) = Journal::open(&dir.join("journal"), options, meter).unwrap();
    let begin = |_| Position::default();
    let sampling = Sampling::open(
        &config(),
        &journal,
        &dir.join("sampling"),
        meter,
        begin,
        None,
    );
    (journal, sampling.unwrap())
}

/// About 100 KiB.
fn record(id: u8) -> Record {
    let span = Span {
        trace_id: vec![id.max(1); 16],
        span_id: vec![1; 8],
        name: "x".repeat(100 << 10),
        ..Span::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: vec![span],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    Record {
        tenant: "acme".parse().unwrap(),
        signal: Signal::Traces,
        items: 1,
        min_time_unix_nano: 0,
        max_time_unix_nano: 0,
        payload: Bytes::from(request.encode_to_vec()),
    }
}

/// Guarantees: what the sampler holds for a restart is not given up before the journal is at 90 % of
/// its bytes, and is then, which the metric says: senders are not kept waiting for its sake, nor
/// after a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hold_is_given_up_where_the_journal_is_nearly_full() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let meter = Meter::new();
        let (journal, sampling) = open(dir.path(), &meter);
        let stop = CancellationToken::new();
        let task = tokio::spawn(sampling.run(stop.clone()));
        let begun = Instant::now();
        let (mut reached, mut seen) = (false, false);
        // Three times what the journal may have.
        for sent in 0..240_u32 {
            loop {
                let most = journal.options().max_bytes;
                let (bytes, given_up) = (journal.stats().bytes, meter.sum(GIVEN_UP));
                reached |= bytes > most / 10 * 9;
                seen |= given_up > 0.0;
                assert!(reached || !seen, "at {bytes} of {most} bytes");
                match journal.append(record((sent % 250) as u8)).await {
                    Ok(_) => break,
                    // The sampler looks at the journal once a second.
                    Err(AppendError::Full { .. }) => {
                        tokio::time::sleep(Duration::from_millis(20)).await
                    }
                    Err(error) => panic!("{error}"),
                }
                assert!(begun.elapsed() < PATIENCE, "held back after {sent} records");
            }
        }
        assert!(seen);
        stop.cancel();
        task.await.unwrap();
        journal.close().await.unwrap();
    }
}
