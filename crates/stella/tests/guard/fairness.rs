//! One tenant that floods, and one that does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::quotas::refused_requests;
use super::{BINARY, Holder, log, tenants};
use testkit::client::Caller;
use testkit::messages::wire;
use testkit::stella::Stella;

const FLOODING: usize = 8;
/// Requests of the quiet tenant, one after the other.
const QUIET: u32 = 300;

/// Guarantees: BOUNDED; while one tenant floods over several connections, with more in flight than
/// the gateway has room for, another that sends a little at a time is refused once at the most and
/// is served for as long as it goes on; the flood is held back, goes on too, and nothing of either
/// that was acknowledged is lost.
#[test]
fn a_flood_does_not_drown_others() {
    let (acme, quiet) = (Holder::new(), Holder::new());
    let profile = tenants(&[("acme", &acme), ("quiet", &quiet)])
        + "limits: { in_flight_bytes: 1MiB, connection_in_flight_bytes: 1MiB }\n";
    let stella = Stella::start(BINARY, &profile);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let at = stella.at().grpc;
    let large: Arc<Vec<u8>> = Arc::new(wire("logs", &log(&"flood ".repeat(50_000))));
    let (stop, taken, refused) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicU64::new(0)),
    );
    let flood: Vec<_> = (0..FLOODING)
        .map(|_| {
            let (stop, taken, refused, large, bearer) = (
                Arc::clone(&stop),
                Arc::clone(&taken),
                Arc::clone(&refused),
                Arc::clone(&large),
                acme.bearer.clone(),
            );
            runtime.spawn(async move {
                let caller = Caller::new(at);
                let headers = [("authorization", bearer.as_str())];
                while !stop.load(Ordering::SeqCst) {
                    let answer = caller.call("logs", &headers, large.to_vec()).await;
                    match answer.code {
                        0 => taken.fetch_add(1, Ordering::SeqCst),
                        8 => refused.fetch_add(1, Ordering::SeqCst),
                        _ => panic!("{answer:?}"),
                    };
                }
            })
        })
        .collect();
    testkit::wait_for("the flood to be held back", || {
        refused.load(Ordering::SeqCst) > 0 && taken.load(Ordering::SeqCst) > 0
    });
    let before = taken.load(Ordering::SeqCst);
    let refusals = runtime.block_on(async {
        let caller = Caller::new(at);
        let mut refusals = Vec::new();
        for number in 0..QUIET {
            let request = wire("logs", &log(&format!("quiet {number}.")));
            let answer = caller.call("logs", &quiet.headers(), request).await;
            match answer.code {
                0 => {}
                8 => {
                    let wait = answer.retry_after;
                    assert!(wait.is_some(), "{answer:?}");
                    refusals.push(number);
                }
                _ => panic!("{answer:?}"),
            }
        }
        refusals
    });
    let during = taken.load(Ordering::SeqCst) - before;
    stop.store(true, Ordering::SeqCst);
    runtime.block_on(async {
        for task in flood {
            task.await.unwrap();
        }
    });
    assert!(
        refusals.len() <= 1,
        "the quiet tenant was refused at {refusals:?}"
    );
    assert!(during > 0, "the flood stood still");
    let refused = refused.load(Ordering::SeqCst) as f64;
    let counted = refused_requests(&stella, "acme", "logs", "fair_share");
    assert_eq!(counted, refused);
    let kept = stella.dump_of("quiet").matches("quiet ").count();
    assert_eq!(kept, QUIET as usize - refusals.len());
    let floods = stella.print(&["journal", "dump", "--tenant", "acme"]);
    let items = floods.lines().map(|line| {
        let block: serde_json::Value = serde_json::from_str(line).unwrap();
        block["items"].as_u64().unwrap()
    });
    assert_eq!(items.sum::<u64>(), taken.load(Ordering::SeqCst));
}
