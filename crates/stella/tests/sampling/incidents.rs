//! Incidents and sampling together.

use rand::{SeedableRng, rngs::StdRng};
use serde_json::Value;
use testkit::collector::Collector;
use testkit::stella::Stella;
use testkit::traces::One;
use testkit::wait_for;

use super::{BINARY, arrived, connect, is_kept, names, profile, runtime, ship, trace};

fn read(stella: &Stella, arguments: &[&str]) -> Value {
    let all = [arguments, &["--output", "json"]].concat();
    serde_json::from_str(&stella.print(&all)).unwrap()
}

fn send(stella: &Stella, spans: &[One]) {
    runtime().block_on(async {
        let mut sender = connect(stella).await;
        for some in spans.chunks(400) {
            sender.send(some).await.unwrap();
        }
    });
}

/// Guarantees: an incident that is opened from the command line makes all of its scope arrive,
/// from before it was opened, over `kill -9`, and until it is closed; what is outside of its scope
/// or its time is sampled as ever; its record says how much only it kept.
#[test]
fn an_incident_keeps_its_scope_and_its_past() {
    let collector = Collector::writing();
    let ships = format!("ship:\n{}", ship("backend", &collector.grpc()));
    let mut stella = Stella::start(BINARY, &profile("", &ships));
    let mut rng = StdRng::seed_from_u64(7);
    let mut next = 0;
    let mut some = |service| -> Vec<Vec<One>> {
        (0..200)
            .map(|_| trace(&mut rng, &mut next, service))
            .collect()
    };
    let [before, before_other, during, during_other, later, after] =
        ["a", "b", "a", "b", "a", "a"].map(&mut some);
    let mark = |n: u8| One {
        trace: [n; 16],
        id: u64::MAX - u64::from(n),
        service: "b",
        error: true,
    };
    // Everything before a mark has been decided and shipped once it is there.
    let until_marked = |stella: &Stella, n: u8| {
        send(stella, &[mark(n)]);
        wait_for("the mark", || {
            arrived(&collector.received()).contains(&mark(n).name())
        });
    };
    send(&stella, &[before.concat(), before_other.concat()].concat());
    until_marked(&stella, 1);
    let sampled = names(&before, is_kept);
    assert!(sampled.is_subset(&arrived(&collector.received())));

    let open = [
        "incident",
        "open",
        "--scope",
        "service=a",
        "--reason",
        "x",
        "--lookback",
        "5m",
    ];
    let opened = read(&stella, &open);
    assert!(opened["in_force_from"].is_string(), "{opened}");
    let id = opened["id"].as_str().unwrap();
    let all = names(&before, |_| true);
    wait_for("the past", || {
        all.is_subset(&arrived(&collector.received()))
    });
    send(&stella, &[during.concat(), during_other.concat()].concat());
    stella.kill();
    stella.start_again();
    send(&stella, &later.concat());
    until_marked(&stella, 2);
    let shown = read(&stella, &["incident", "show", id]);
    let only = |traces: &[Vec<One>]| names(traces, |spans| !is_kept(spans)).len();
    assert_eq!(shown["kept"]["before_spans"], only(&before), "{shown}");
    assert_eq!(shown["kept"]["before_done"], true);
    // Those of the crash may be missing in the count, not at the destination.
    let kept = shown["kept"]["during_spans"].as_u64().unwrap() as usize;
    assert!(
        (only(&later)..=only(&during) + only(&later)).contains(&kept),
        "{shown}"
    );

    let closed = read(&stella, &["incident", "close", id]);
    assert_eq!(closed["kept"]["before_spans"], only(&before));
    send(&stella, &after.concat());
    until_marked(&stella, 3);
    let mut expected = names(&[before, during, later].concat(), |_| true);
    expected.extend(names(
        &[before_other, during_other, after].concat(),
        is_kept,
    ));
    expected.extend([1, 2, 3].map(|n| mark(n).name()));
    wait_for("all", || {
        expected.is_subset(&arrived(&collector.received()))
    });
    assert_eq!(arrived(&collector.received()), expected);
}
