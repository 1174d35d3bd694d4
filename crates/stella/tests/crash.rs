//! The gateway is killed at random instants under load; nothing acknowledged may be missing.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "this is a test"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use testkit::collector::Collector;
use testkit::ids::{Ids, Sent};
use testkit::load::Sender;
use testkit::stella::Stella;
use testkit::{PATIENCE, wait_for};
use tokio::time::timeout;

/// How often it is killed; `STELLA_CRASH_ROUNDS` asks for more.
const ROUNDS: u32 = 50;
const SENDERS: u32 = 3;

/// Guarantees: ACK-DURABLE and RESTARTABLE. After SIGKILL at random instants under load, whatever
/// was acknowledged is in the journal and at the OTLP destination. Duplicates are reported.
#[test]
fn ack_durable_under_sigkill() {
    let rounds = asked("STELLA_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds as u32);
    let seed = asked("STELLA_CRASH_SEED").unwrap_or_else(|| rand::rng().random());
    println!("{rounds} rounds; STELLA_CRASH_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let runtime = tokio_runtime();
    let collector = Collector::writing();
    let ship = format!(
        "ship: [{{ name: backend, otlp: {{ endpoint: '{}' }} }}]\n",
        collector.grpc()
    );
    let mut stella = Stella::start(env!("CARGO_BIN_EXE_stella"), &ship);
    let mut acknowledged = Sent::default();
    let mut next = [0_u64; SENDERS as usize];
    let mut never_told = 0;

    for round in 0..rounds {
        let endpoint = format!("http://{}", stella.at().grpc);
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..SENDERS)
            .map(|name| {
                let spans = rng.random_range(1..60);
                let next = next[name as usize];
                runtime.spawn(send_until(
                    endpoint.clone(),
                    name + 1,
                    next,
                    spans,
                    Arc::clone(&stop),
                ))
            })
            .collect();
        std::thread::sleep(Duration::from_micros(rng.random_range(2_000..150_000)));
        stella.kill();
        stop.store(true, Ordering::Release);
        for (name, sender) in senders.into_iter().enumerate() {
            let (ids, reached, heard) = runtime.block_on(sender).unwrap();
            acknowledged.spans.extend(ids);
            next[name] = reached;
            never_told += u32::from(!heard);
        }
        stella.start_again();
        // Now and then, look at once: what is read back must not wait for the end.
        if round % 10 == 9 {
            assert_eq!(
                Ids::read(&stella.dump()).missing(&acknowledged),
                Vec::<String>::new()
            );
        }
    }

    let journal = Ids::read(&stella.dump());
    assert!(
        !acknowledged.spans.is_empty(),
        "nothing was acknowledged: the test tests nothing"
    );
    assert_eq!(
        journal.missing(&acknowledged),
        Vec::<String>::new(),
        "acknowledged and missing"
    );
    wait_for("the destination to have everything", || {
        Ids::read(&collector.received())
            .missing(&acknowledged)
            .is_empty()
    });
    let check = stella.run(&["journal", "check"]);
    assert!(
        check.status.success(),
        "{}",
        String::from_utf8_lossy(&check.stdout)
    );
    println!(
        "{} acknowledged, 0 missing; {} kept without an answer; {never_told} senders never told of the end; duplicates: {} in the journal, {} at the destination",
        acknowledged.spans.len(),
        journal.spans.len() - acknowledged.spans.len(),
        journal.duplicates(),
        Ids::read(&collector.received()).duplicates()
    );
}

/// What was acknowledged, the next number, and whether an answer or an error came to each request
/// within [`PATIENCE`]: once the gateway is dead no answer can, and how soon its client notices is
/// not the gateway's doing.
async fn send_until(
    endpoint: String,
    name: u32,
    next: u64,
    spans: u64,
    stop: Arc<AtomicBool>,
) -> (Vec<String>, u64, bool) {
    let mut acknowledged = Vec::new();
    let mut sender = match timeout(PATIENCE, Sender::connect(endpoint, name, next)).await {
        Err(_) => return (acknowledged, next, false),
        Ok(Err(_)) => return (acknowledged, next, true),
        Ok(Ok(sender)) => sender,
    };
    while !stop.load(Ordering::Acquire) {
        match timeout(PATIENCE, sender.send(spans)).await {
            Err(_) => return (acknowledged, sender.next(), false),
            Ok(Err(_)) => break,
            Ok(Ok(ids)) => acknowledged.extend(ids),
        }
    }
    (acknowledged, sender.next(), true)
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().expect(name))
}
