//! Which spans arrive.

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use testkit::collector::Collector;
use testkit::stella::Stella;
use testkit::traces::One;
use testkit::wait_for;

use super::{BINARY, arrived, connect, is_kept, names, nap, profile, runtime, ship, trace};

/// Guarantees: of traces whose spans come mixed, in several requests, one in ten arrives by
/// OpenTelemetry's rule, and all with an error; whole, and nothing else.
#[test]
fn a_tenth_and_every_error_arrive_whole() {
    let collector = Collector::writing();
    let ships = format!("ship:\n{}", ship("backend", &collector.grpc()));
    let stella = Stella::start(BINARY, &profile("", &ships));
    let mut rng = StdRng::seed_from_u64(1);
    let mut next = 0;
    let traces: Vec<Vec<One>> = (0..2000).map(|_| trace(&mut rng, &mut next, "a")).collect();
    let mut spans: Vec<One> = traces.concat();
    spans.shuffle(&mut rng);
    runtime().block_on(async {
        let mut sender = connect(&stella).await;
        for some in spans.chunks(400) {
            sender.send(some).await.unwrap();
        }
    });
    let expected = names(&traces, is_kept);
    assert!(expected.len() * 8 > spans.len() && expected.len() * 5 < spans.len());
    wait_for("the kept spans", || {
        expected.is_subset(&arrived(&collector.received()))
    });
    // Everything is decided by then, so nothing else is on its way.
    let settled = stella.metric("stella_sampler_items_total");
    assert_eq!(settled, spans.len() as f64);
    assert_eq!(arrived(&collector.received()), expected);
    let gone = stella.metric("stella_shipper_not_sampled_items_total");
    assert_eq!(gone, (spans.len() - expected.len()) as f64);
    let by = |policy: &str, sampled: bool| {
        stella.series(&format!(
            "otelcol_processor_tail_sampling_count_traces_sampled{{policy=\"{policy}\",sampled=\"{sampled}\"}}"
        ))
    };
    let errors = traces.iter().filter(|t| t.iter().any(|one| one.error));
    assert_eq!(by("errors", true), errors.count() as f64);
    let kept = traces.iter().filter(|t| is_kept(t)).count() as f64;
    assert_eq!(by("errors", true) + by("tenth", true), kept);
    assert_eq!(by("no policy", false), traces.len() as f64 - kept);
}

/// Guarantees: spans that come after the decision follow it, through several epochs of `remember`.
#[test]
fn late_spans_follow_their_trace() {
    let collector = Collector::writing();
    let ships = format!("ship:\n{}", ship("backend", &collector.grpc()));
    let stella = Stella::start(BINARY, &profile("", &ships));
    let mut rng = StdRng::seed_from_u64(2);
    let mut next = 0;
    let traces: Vec<Vec<One>> = (0..300).map(|_| trace(&mut rng, &mut next, "a")).collect();
    let mut late = Vec::new();
    runtime().block_on(async {
        let mut sender = connect(&stella).await;
        sender.send(&traces.concat()).await.unwrap();
        for _ in 0..4 {
            nap(1000).await;
            // An error that comes too late changes nothing.
            let some = traces.iter().map(|spans| {
                next += 1;
                One {
                    id: next,
                    error: true,
                    ..spans[0]
                }
            });
            let some: Vec<One> = some.collect();
            sender.send(&some).await.unwrap();
            late.push(some);
        }
    });
    let mut expected = names(&traces, is_kept);
    for some in late {
        let of_kept = some.iter().zip(&traces).filter(|(_, trace)| is_kept(trace));
        expected.extend(of_kept.map(|(one, _)| one.name()));
    }
    wait_for("the kept spans", || {
        expected.is_subset(&arrived(&collector.received()))
    });
    assert_eq!(arrived(&collector.received()), expected);
    assert_eq!(stella.series("stella_sampler_late_spans_total"), 1200.0);
}

/// Guarantees: logs and metrics do not wait for traces; with `logs: with_trace` a record follows
/// its trace although it comes first, and one without a trace arrives.
#[test]
fn logs_follow_their_trace() {
    let collector = Collector::writing();
    let ships = format!(
        "ship:\n  - {{ name: backend, otlp: {{ endpoint: '{}' }} }}\n",
        collector.grpc()
    );
    let stella = Stella::start(BINARY, &profile("  logs: with_trace", &ships));
    let mut rng = StdRng::seed_from_u64(3);
    let mut next = 0;
    let traces: Vec<Vec<One>> = (0..300).map(|_| trace(&mut rng, &mut next, "a")).collect();
    let record = |(at, spans): (usize, &Vec<One>)| (Some(spans[0].trace), format!("log-{at}"));
    let records: Vec<_> = traces.iter().enumerate().map(record).collect();
    runtime().block_on(async {
        let mut sender = connect(&stella).await;
        sender.send_logs(&records).await.unwrap();
        sender
            .send_logs(&[(None, "free".to_owned())])
            .await
            .unwrap();
        nap(300).await;
        sender.send(&traces.concat()).await.unwrap();
    });
    let ids = || testkit::ids::Ids::read(&collector.received());
    let mut expected: Vec<String> = (0..traces.len())
        .filter(|at| is_kept(&traces[*at]))
        .map(|at| format!("log-{at}"))
        .collect();
    assert!(expected.len() > 20 && expected.len() < 100);
    expected.push("free".to_owned());
    expected.sort();
    wait_for("the records", || {
        expected.iter().all(|id| ids().records.contains_key(id))
    });
    let got: Vec<String> = ids().records.into_keys().collect();
    assert_eq!(got, expected);
    wait_for("the spans", || {
        arrived(&collector.received()) == names(&traces, is_kept)
    });
}
