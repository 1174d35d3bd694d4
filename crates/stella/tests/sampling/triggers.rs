//! Triggers and sampling together.

use rand::{SeedableRng, rngs::StdRng};
use testkit::collector::Collector;
use testkit::stella::Stella;
use testkit::traces::One;
use testkit::wait_for;

use super::{BINARY, arrived, connect, is_kept, names, profile, runtime, ship, trace};

/// Guarantees: an incident that a burst of errors opens keeps what came before it of that service,
/// which sampling had let go, and nothing of others.
#[test]
fn a_trigger_keeps_what_came_before() {
    let collector = Collector::writing();
    let ships = format!("ship:\n{}", ship("backend", &collector.grpc()));
    let trigger = "incidents: { triggers: [{ name: errors, window: 2s, cool_down: 1h, lookback: 5m, error_rate: { share: 0.9, min_spans: 100 } }] }\n";
    let stella = Stella::start(BINARY, &format!("{}{trigger}", profile("", &ships)));
    let mut rng = StdRng::seed_from_u64(9);
    let mut next = 0;
    let mut some = |service| -> Vec<Vec<One>> {
        (0..200)
            .map(|_| trace(&mut rng, &mut next, service))
            .collect()
    };
    let [before, other] = ["a", "b"].map(&mut some);
    let send = |spans: &[One]| {
        runtime().block_on(async {
            let mut sender = connect(&stella).await;
            for some in spans.chunks(400) {
                sender.send(some).await.unwrap();
            }
        });
    };
    send(&[before.concat(), other.concat()].concat());
    let sampled = names(&[before.clone(), other.clone()].concat(), is_kept);
    wait_for("what is sampled", || {
        arrived(&collector.received()) == sampled
    });
    // The window of what was fine is over: errors alone are in it.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let burst = |id: u64| One {
        trace: [200; 16],
        id: 1_000_000 + id,
        service: "a",
        error: true,
    };
    let burst: Vec<One> = (0..200).map(burst).collect();
    send(&burst);
    let mut expected = names(&before, |_| true);
    expected.extend(names(&other, is_kept));
    expected.extend(burst.iter().map(One::name));
    wait_for("the past", || {
        expected.is_subset(&arrived(&collector.received()))
    });
    assert_eq!(arrived(&collector.received()), expected);
}
