//! Sampling switched on and off, and policies that change, over restarts.

use rand::{SeedableRng, rngs::StdRng};
use testkit::collector::Collector;
use testkit::stella::Stella;
use testkit::traces::One;
use testkit::wait_for;

use super::{BINARY, arrived, connect, is_kept, names, profile, runtime, ship, trace};

fn send(stella: &Stella, traces: &[Vec<One>]) {
    runtime().block_on(async {
        let mut sender = connect(stella).await;
        for some in traces.concat().chunks(400) {
            sender.send(some).await.unwrap();
        }
    });
}

/// Another profile from the next start on; the listeners stay.
fn write_profile(stella: &Stella, rest: &str) {
    let text = format!("{}{rest}", testkit::stella::LISTEN);
    std::fs::write(stella.folder().join("profile.yaml"), text).unwrap();
}

/// Guarantees: what is delivered while nothing is sampled arrives whole; what is not delivered when
/// sampling is switched on is sampled as what comes later is; what is undecided when it is switched
/// off arrives whole; nothing arrives that was let go before.
#[test]
fn sampling_is_switched_on_and_off() {
    let collector = Collector::writing();
    let (up, down) = (
        ship("backend", &collector.grpc()),
        ship("backend", "http://127.0.0.1:9"),
    );
    let off = |ship: &str| format!("ship:\n{ship}");
    let on = |ship: &str| profile("", &format!("ship:\n{ship}"));
    let mut rng = StdRng::seed_from_u64(21);
    let mut next = 0;
    let mut some =
        || -> Vec<Vec<One>> { (0..200).map(|_| trace(&mut rng, &mut next, "a")).collect() };
    let [first, second, third, fourth, fifth] = [(); 5].map(|()| some());

    let mut stella = Stella::start(BINARY, &off(&up));
    send(&stella, &first);
    let mut expected = names(&first, |_| true);
    wait_for("all of the first", || {
        arrived(&collector.received()) == expected
    });
    // Undelivered, as nothing listens there.
    stella.terminate();
    write_profile(&stella, &off(&down));
    stella.start_again();
    send(&stella, &second);
    stella.kill();

    write_profile(&stella, &on(&up));
    stella.start_again();
    send(&stella, &third);
    expected.extend(names(&[second, third].concat(), is_kept));
    wait_for("what is kept of the third", || {
        expected.is_subset(&arrived(&collector.received()))
    });
    assert_eq!(arrived(&collector.received()), expected);
    assert_eq!(stella.metric("stella_shipper_undecided_items_total"), 0.0);

    // A wait so long that nothing of the fourth is decided.
    stella.kill();
    write_profile(
        &stella,
        &on(&up)
            .replace("wait: 500ms", "wait: 50s")
            .replace("remember: 2s", "remember: 100s"),
    );
    stella.start_again();
    send(&stella, &fourth);
    stella.terminate();
    write_profile(&stella, &off(&up));
    stella.start_again();
    send(&stella, &fifth);
    expected.extend(names(&[fourth, fifth].concat(), |_| true));
    wait_for("all of the last", || {
        expected.is_subset(&arrived(&collector.received()))
    });
    assert_eq!(arrived(&collector.received()), expected);
}

/// Guarantees: a policy that changes counts from the next start; what was decided by the one before
/// stays so.
#[test]
fn a_changed_policy_counts_from_its_start() {
    let collector = Collector::writing();
    let ships = format!("ship:\n{}", ship("backend", &collector.grpc()));
    let tenth = profile("", &ships);
    let mut stella = Stella::start(BINARY, &tenth);
    let mut rng = StdRng::seed_from_u64(22);
    let mut next = 0;
    let mut some =
        || -> Vec<Vec<One>> { (0..300).map(|_| trace(&mut rng, &mut next, "a")).collect() };
    let (before, after) = (some(), some());
    send(&stella, &before);
    let mut expected = names(&before, is_kept);
    wait_for("what the first policy keeps", || {
        arrived(&collector.received()) == expected
    });
    wait_for("everything to be decided", || {
        stella.metric("stella_sampler_items_total") == before.concat().len() as f64
    });
    stella.kill();
    write_profile(
        &stella,
        &tenth.replace("sampling_percentage: 10", "sampling_percentage: 60"),
    );
    stella.start_again();
    send(&stella, &after);
    let keeps =
        |spans: &[One]| spans.iter().any(|one| one.error) || spans[0].is_in_percentage(60.0);
    expected.extend(names(&after, keeps));
    wait_for("what the second keeps", || {
        expected.is_subset(&arrived(&collector.received()))
    });
    assert_eq!(arrived(&collector.received()), expected);
}
