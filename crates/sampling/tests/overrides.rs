//! Overrides on a running sampler, over a real journal.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "this is a test"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ident::Signal;
use journal::{Durability, Filter, Journal, Options, Position, Record, Start};
use meter::Meter;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use sampler::config::{Policy, PolicyType, Sampling as Config, StatusCode, StatusCodeName, Time};
use sampling::{Control, ControlError, Decisions, KeepAll, Look, Lookback, Sampling, Scope};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);

/// Keeps traces of status OK, which no test sends unless it wants them kept.
fn config(wait_ms: u64) -> Config {
    Config {
        wait: Time(Duration::from_millis(wait_ms)),
        remember: Time(Duration::from_millis(2 * wait_ms)),
        max_traces: 10_000,
        remember_traces: 20_000,
        policies: vec![Policy {
            name: "fine".to_owned(),
            kind: PolicyType::StatusCode,
            status_code: Some(StatusCode {
                status_codes: vec![StatusCodeName::Ok],
            }),
            ..Policy::default()
        }],
        ..Config::default()
    }
}

struct Running {
    journal: Journal,
    control: Control,
    decisions: Decisions,
    lookbacks: UnboundedReceiver<Lookback>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(dir: &Path, config: &Config) -> Running {
        let meter = Meter::new();
        let options = Options {
            durability: Durability::Os,
            ..Options::default()
        };
        let (journal, _) = Journal::open(&dir.join("journal"), options, &meter).unwrap();
        let begin = |_| Position::default();
        let opened = Sampling::open(config, &journal, &dir.join("sampling"), &meter, begin, None);
        let mut sampling = opened.unwrap();
        let stop = CancellationToken::new();
        Running {
            control: sampling.control(),
            decisions: sampling.decisions(Signal::Traces).unwrap(),
            lookbacks: sampling.lookbacks().unwrap(),
            task: tokio::spawn(sampling.run(stop.clone())),
            journal,
            stop,
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
        self.journal.close().await.unwrap();
    }

    /// Appends spans `(trace, span, service, fine)` as one block.
    async fn append(&self, spans: &[(u64, u64, &str, bool)]) {
        let request = ExportTraceServiceRequest {
            resource_spans: spans.iter().map(span).collect(),
        };
        let record = Record {
            tenant: "acme".parse().unwrap(),
            signal: Signal::Traces,
            items: spans.len() as u64,
            min_time_unix_nano: 0,
            max_time_unix_nano: 0,
            payload: Bytes::from(request.encode_to_vec()),
        };
        self.journal.append(record).await.unwrap();
    }

    /// The spans that decisions let through, once all blocks from a place on are decided.
    async fn shipped(&self, decisions: &Decisions, from: Position) -> BTreeSet<u64> {
        let mut reader = decisions.reader();
        let mut blocks = self.journal.reader(Start::At(from), Filter::default());
        let (mut out, mut ids) = (Vec::new(), BTreeSet::new());
        let begun = Instant::now();
        while let Some(block) = blocks.try_next().unwrap() {
            let payload = loop {
                assert!(
                    begun.elapsed() < PATIENCE,
                    "{} is not decided",
                    block.position
                );
                match reader.look_up(block.position).unwrap() {
                    Look::Decided(selection) if selection.kept() == 0 => break &[][..],
                    Look::Decided(selection) => {
                        let cut = selection.cut(Signal::Traces, &block.payload, &mut out);
                        break if cut.unwrap() { &out } else { &block.payload };
                    }
                    Look::Ended => return ids,
                    Look::Undecided => tokio::time::sleep(Duration::from_millis(2)).await,
                    Look::Unknown(what) => panic!("{what:?}"),
                }
            };
            let request = ExportTraceServiceRequest::decode(payload).unwrap();
            let scopes = request
                .resource_spans
                .into_iter()
                .flat_map(|r| r.scope_spans);
            let spans = scopes.flat_map(|scope| scope.spans);
            ids.extend(spans.map(|s| u64::from_be_bytes(s.span_id.try_into().unwrap())));
        }
        ids
    }
}

fn span((trace, id, service, fine): &(u64, u64, &str, bool)) -> ResourceSpans {
    let mut trace_id = vec![0; 8];
    trace_id.extend(trace.to_be_bytes());
    let service = KeyValue {
        key: "service.name".to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue((*service).to_owned())),
        }),
        ..KeyValue::default()
    };
    let status = opentelemetry_proto::tonic::trace::v1::Status {
        code: i32::from(*fine),
        ..Default::default()
    };
    ResourceSpans {
        resource: Some(Resource {
            attributes: vec![service],
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            spans: vec![Span {
                trace_id,
                span_id: id.to_be_bytes().to_vec(),
                status: Some(status),
                ..Span::default()
            }],
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    }
}

fn keep(id: &str, service: &str, lookback: u64) -> KeepAll {
    KeepAll {
        id: id.to_owned(),
        scope: Scope {
            service: Some(service.to_owned()),
            ..Scope::default()
        },
        lookback: Duration::from_secs(lookback),
    }
}

fn set(ids: &[u64]) -> BTreeSet<u64> {
    ids.iter().copied().collect()
}

async fn nap(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// Guarantees: from `keep_all` on everything in scope is kept, whole; of the past what is in scope
/// and was let go, and nothing twice; after `end` nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn an_override_keeps_what_comes_and_what_was_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = Running::start(dir.path(), &config(300));
    // In scope; out of it; in scope by its second span; kept by the policy.
    running
        .append(&[(1, 1, "scanner", false), (2, 2, "web", false)])
        .await;
    running
        .append(&[(3, 3, "web", false), (4, 4, "scanner", true)])
        .await;
    running
        .append(&[(3, 5, "scanner", false), (1, 6, "web", false)])
        .await;
    nap(500).await;
    let in_force = running
        .control
        .keep_all(keep("one", "scanner", 60))
        .await
        .unwrap();
    assert!(in_force.lookback_from_unix_nano < in_force.from_unix_nano);
    let again = running
        .control
        .keep_all(keep("one", "other", 0))
        .await
        .unwrap();
    assert_eq!(again, in_force, "the same id is the same override");
    running
        .append(&[(10, 10, "scanner", false), (11, 11, "web", false)])
        .await;
    running
        .append(&[(10, 12, "web", false), (1, 13, "scanner", false)])
        .await;
    nap(50).await;
    running.control.end("one").await.unwrap().unwrap();
    running
        .append(&[(20, 20, "scanner", false), (10, 21, "web", false)])
        .await;

    let kept = running
        .shipped(&running.decisions, Position::default())
        .await;
    assert_eq!(kept, set(&[4, 10, 12, 13, 21]));
    let first = running.lookbacks.recv().await.unwrap();
    let found = running.shipped(&first.decisions, first.start).await;
    assert_eq!(found, set(&[1, 5]), "itself in scope");
    let lookback = running.lookbacks.recv().await.unwrap();
    let found = running.shipped(&lookback.decisions, lookback.start).await;
    assert_eq!(found, set(&[3, 6]), "of traces in scope");
    let progress = running.control.get("one").unwrap();
    assert!(progress.lookback_done && progress.to_unix_nano.is_some());
    assert_eq!(
        (progress.kept_before_spans, progress.kept_during_spans),
        (4, 4)
    );
    first.shipped();
    lookback.shipped();
    running.stop().await;
    let left = std::fs::read_dir(dir.path().join("sampling/decisions")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["traces"], "what was shipped is removed");
}

/// Guarantees: RESTARTABLE; whatever of a look back was shipped before a restart, its
/// first round and its second ship the same after it, and nothing twice.
#[tokio::test(flavor = "multi_thread")]
async fn the_rounds_of_a_look_back_outlive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = Running::start(dir.path(), &config(300));
    running
        .append(&[(1, 1, "scanner", false), (2, 2, "web", false)])
        .await;
    running
        .append(&[(3, 3, "web", false), (3, 4, "scanner", false)])
        .await;
    nap(700).await;
    running
        .control
        .keep_all(keep("one", "scanner", 60))
        .await
        .unwrap();
    let first = running.lookbacks.recv().await.unwrap();
    let found = running.shipped(&first.decisions, first.start).await;
    assert_eq!(found, set(&[1, 4]));
    running.stop().await;
    // Once as nothing was told to be shipped, once as the first round was.
    for shipped in [false, true] {
        let mut running = Running::start(dir.path(), &config(300));
        running.append(&[(9, 9, "web", false)]).await;
        let mut all = BTreeSet::new();
        let rounds = if shipped { 1 } else { 2 };
        for _ in 0..rounds {
            let lookback = running.lookbacks.recv().await.unwrap();
            let found = running.shipped(&lookback.decisions, lookback.start).await;
            assert!(all.is_disjoint(&found), "{all:?} {found:?}");
            let is_first = lookback.name.ends_with("-first");
            assert_eq!(found, if is_first { set(&[1, 4]) } else { set(&[3]) });
            all.extend(found);
            if is_first {
                lookback.shipped();
            }
        }
        assert!(running.lookbacks.try_recv().is_err());
        running.stop().await;
    }
}

/// Guarantees: RESTARTABLE; an override is in force after a restart from the same time on, and a
/// look back that was under way finds the same.
#[tokio::test(flavor = "multi_thread")]
async fn overrides_and_look_backs_outlive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(dir.path(), &config(1500));
    running
        .append(&[(1, 1, "scanner", false), (2, 2, "web", false)])
        .await;
    running.append(&[(1, 3, "web", false)]).await;
    nap(200).await;
    let in_force = running
        .control
        .keep_all(keep("one", "scanner", 60))
        .await
        .unwrap();
    running
        .append(&[(5, 5, "scanner", false), (6, 6, "web", false)])
        .await;
    // Neither is anything decided, nor is the look back at its end.
    running.stop().await;
    let mut running = Running::start(dir.path(), &config(1500));
    let progress = running.control.list();
    assert_eq!(progress.len(), 1);
    assert_eq!(progress[0].from_unix_nano, in_force.from_unix_nano);
    running
        .append(&[(7, 7, "scanner", false), (5, 8, "web", false)])
        .await;
    let kept = running
        .shipped(&running.decisions, Position::default())
        .await;
    if in_force.lookback_from_unix_nano == in_force.from_unix_nano {
        // The sampler had not come to the first blocks yet, so they were not past for it.
        assert_eq!(kept, set(&[1, 3, 5, 7, 8]));
        return running.stop().await;
    }
    let lookback = running.lookbacks.recv().await.unwrap();
    let found = running.shipped(&lookback.decisions, lookback.start).await;
    assert!(kept.is_disjoint(&found) && kept.is_superset(&set(&[5, 7, 8])));
    assert_eq!(&kept | &found, set(&[1, 3, 5, 7, 8]));
    // Decided and not shipped: after another restart it is shipped again.
    running.stop().await;
    let mut running = Running::start(dir.path(), &config(1500));
    let lookback = running.lookbacks.recv().await.unwrap();
    let again = running.shipped(&lookback.decisions, lookback.start).await;
    assert_eq!(again, found);
    lookback.shipped();
    running.stop().await;
    let mut running = Running::start(dir.path(), &config(1500));
    assert!(running.control.list()[0].lookback_done);
    assert!(running.lookbacks.try_recv().is_err(), "it was shipped");
    running.stop().await;
}

/// Guarantees: BOUNDED; there is a limit to overrides, and the error says so.
#[tokio::test(flavor = "multi_thread")]
async fn there_is_a_limit_to_overrides() {
    let dir = tempfile::tempdir().unwrap();
    let running = Running::start(dir.path(), &config(100));
    for number in 0..sampler::MAX_OVERRIDES {
        let what = keep(&format!("i{number}"), "x", 0);
        running.control.keep_all(what).await.unwrap();
    }
    let refused = running.control.keep_all(keep("more", "x", 0)).await;
    assert!(matches!(refused, Err(ControlError::TooMany(15))));
    let bad = running.control.keep_all(keep("a b", "x", 0)).await;
    assert!(matches!(bad, Err(ControlError::Id(_))));
    assert!(running.control.end("none").await.unwrap().is_none());
    running.control.end("i3").await.unwrap().unwrap();
    let begun = Instant::now();
    loop {
        if running.control.keep_all(keep("more", "x", 0)).await.is_ok() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "its number is not free again");
        nap(50).await;
    }
    running.stop().await;
}
