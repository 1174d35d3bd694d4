//! RESTARTABLE: what arrives does not depend on when the gateway or a destination was down.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use testkit::collector::Collector;
use testkit::stella::Stella;
use testkit::traces::One;
use testkit::{free_port, wait_for};

use super::{BINARY, arrived, connect, is_kept, names, nap, profile, runtime, ship, trace};

const ROUNDS: usize = 25;

/// Guarantees: killed at random instants under load, with traces that go on over several lives of
/// the process, exactly the spans arrive that an undisturbed run keeps; some maybe more than once.
#[test]
fn a_gateway_that_is_killed_keeps_the_same() {
    let seed = std::env::var("STELLA_CRASH_SEED").map_or_else(
        |_| rand::rng().random(),
        |text| text.parse().expect("STELLA_CRASH_SEED"),
    );
    println!("STELLA_CRASH_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let collector = Collector::writing();
    let ships = format!("ship:\n{}", ship("backend", &collector.grpc()));
    // Long enough for a trace to be undecided when the gateway is killed, and for the second half of
    // it to be sent in the next life.
    let text = profile("", &ships)
        .replace("wait: 500ms", "wait: 2s")
        .replace("remember: 2s", "remember: 4s");
    let mut stella = Stella::start(BINARY, &text);
    let runtime = runtime();
    let (mut traces, mut next) = (Vec::<Vec<One>>::new(), 0);
    let mut unfinished: Vec<Vec<One>> = Vec::new();
    for round in 0..ROUNDS {
        runtime.block_on(async {
            let mut sender = connect(&stella).await;
            // The other halves of the last life's traces: an error may be in these.
            let rest: Vec<One> = unfinished.drain(..).flatten().collect();
            if !rest.is_empty() {
                sender.send(&rest).await.unwrap();
            }
            for _ in 0..rng.random_range(1..8) {
                let some: Vec<Vec<One>> =
                    (0..20).map(|_| trace(&mut rng, &mut next, "a")).collect();
                let mut first = Vec::new();
                for spans in some {
                    let (begin, end) = spans.split_at(1);
                    first.extend_from_slice(begin);
                    unfinished.push(end.to_vec());
                    traces.push(spans);
                }
                sender.send(&first).await.unwrap();
                nap(rng.random_range(0..60)).await;
            }
        });
        std::thread::sleep(Duration::from_millis(rng.random_range(0..900)));
        // Now and then an orderly end.
        match round % 7 {
            6 => stella.terminate(),
            _ => stella.kill(),
        }
        stella.start_again();
    }
    runtime.block_on(async {
        let rest: Vec<One> = unfinished.drain(..).flatten().collect();
        connect(&stella).await.send(&rest).await.unwrap();
    });
    let expected = names(&traces, is_kept);
    wait_for("the kept spans", || {
        expected.is_subset(&arrived(&collector.received()))
    });
    wait_for("everything to be decided", || {
        stella.series("stella_sampler_lag_seconds") == 0.0
    });
    let got = arrived(&collector.received());
    let more: Vec<&String> = got.difference(&expected).collect();
    assert_eq!(more, Vec::<&String>::new(), "of {} spans", expected.len());
    assert_eq!(stella.metric("stella_sampler_rebuilt_total"), 0.0);
    assert_eq!(stella.metric("stella_shipper_undecided_items_total"), 0.0);
    println!("{} traces, {} spans kept", traces.len(), expected.len(),);
}

/// Guarantees: a destination that is down stops no other, and gets the same in the end.
#[test]
fn a_destination_that_is_down_gets_the_same_later() {
    let (up, port) = (Collector::writing(), free_port());
    let ships = format!(
        "ship:\n{}{}",
        ship("up", &up.grpc()),
        ship("down", &format!("http://127.0.0.1:{port}"))
    );
    let mut stella = Stella::start(BINARY, &profile("", &ships));
    let mut rng = StdRng::seed_from_u64(4);
    let (mut traces, mut next) = (Vec::<Vec<One>>::new(), 0);
    let runtime = runtime();
    for _ in 0..6 {
        runtime.block_on(async {
            let mut sender = connect(&stella).await;
            let some: Vec<Vec<One>> = (0..200).map(|_| trace(&mut rng, &mut next, "a")).collect();
            sender.send(&some.concat()).await.unwrap();
            traces.extend(some);
            // Decisions get several times as old as they are remembered.
            nap(1500).await;
        });
    }
    let expected = names(&traces, is_kept);
    wait_for("the destination that is up", || {
        arrived(&up.received()) == expected
    });
    // An orderly end with a destination that is down, and a start with one that is up.
    stella.terminate();
    let late = Collector::writing();
    let path = stella.folder().join("profile.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace(&format!("http://127.0.0.1:{port}"), &late.grpc());
    std::fs::write(&path, text).unwrap();
    stella.start_again();
    wait_for("the destination that was down", || {
        expected.is_subset(&arrived(&late.received()))
    });
    assert_eq!(arrived(&late.received()), expected);
    assert_eq!(arrived(&up.received()), expected);
}
