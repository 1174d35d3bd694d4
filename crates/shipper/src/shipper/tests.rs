//! What the core survives that no real destination should do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ident::Signal;

use crate::batch::Batch;
use crate::conformance::items;
use crate::conformance::site::{Site, wait_until};
use crate::conformance::{Fault, Taken, World};
use crate::destination::{Accepted, Answering, Destination};
use crate::status::BreakerState;

/// Takes everything, except that it panics in these attempts and never answers from one on.
#[derive(Clone, Default)]
struct Odd {
    attempts: Arc<AtomicU64>,
    panics: Vec<u64>,
    hangs_from: Option<u64>,
    taken: Arc<Mutex<Vec<Taken>>>,
}

impl Destination for Odd {
    fn send<'a>(&'a self, batch: &'a Batch) -> Answering<'a> {
        Box::pin(async move {
            let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
            assert!(!self.panics.contains(&attempt), "as the test asks for");
            if self.hangs_from.is_some_and(|from| attempt >= from) {
                std::future::pending::<()>().await;
            }
            for chunk in &batch.chunks {
                let items = items::items(batch.signal, &chunk.bytes).unwrap();
                let signal = batch.signal;
                self.taken.lock().unwrap().push(Taken { signal, items });
            }
            Ok(Accepted::default())
        })
    }

    fn max_in_flight(&self) -> usize {
        8
    }
}

impl World for Odd {
    fn destination(&self) -> Box<dyn Destination> {
        Box::new(self.clone())
    }

    fn next(&self, _: &[Fault]) {}

    fn always(&self, _: Option<Fault>) {}

    fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }
}

/// Guarantees: RESTARTABLE; a mistake in a destination costs no data and does not stop the shipper,
/// even if it strikes the request that finds out whether the destination is back.
#[tokio::test(start_paused = true)]
async fn a_panic_in_a_delivery_is_survived() {
    let mut site = Site::new(Odd {
        panics: vec![0, 1, 2, 3, 4, 5, 9],
        ..Odd::default()
    });
    site.append_mix(45).await;
    let running = site.start();
    site.settled(&running).await;
    site.assert_at_least_once();
    site.assert_nothing_lost(&running);
    assert_eq!(running.status.get().breaker, BreakerState::Closed);
    running.shut_down().await;
}

/// Guarantees: a shutdown takes no longer than it may, whatever the destination does; what was not
/// acknowledged comes again.
#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_no_longer_than_it_may() {
    let mut site = Site::new(Odd {
        hangs_from: Some(2),
        ..Odd::default()
    });
    site.append_mix(45).await;
    let running = site.start();
    wait_until("attempts that hang", || site.attempts().len() > 2).await;
    let begun = tokio::time::Instant::now();
    running.shut_down().await;
    assert!(begun.elapsed() <= site.config.drain + Duration::from_secs(1));
    site.assert_cursor_is_behind_what_arrived();

    site.world.hangs_from = None;
    site.reopen().await;
    let running = site.start();
    site.settled(&running).await;
    site.assert_at_least_once();
    running.shut_down().await;
}

/// Guarantees: BOUNDED; while nothing is answered, no more is held than configured.
#[tokio::test(start_paused = true)]
async fn what_is_held_is_bounded() {
    let mut site = Site::new(Odd {
        hangs_from: Some(0),
        ..Odd::default()
    });
    site.config.in_flight = 3;
    for _ in 0..60 {
        site.append_padded("acme", Signal::Logs, 4, 800).await;
    }
    let running = site.start();
    wait_until("requests in flight", || site.attempts().len() == 3).await;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let held = site.metric("stella_shipper_held_bytes{exporter=\"s\"}");
        let most = (site.config.in_flight + 1) * site.config.batch_max_bytes;
        assert!(held.unwrap() <= most as f64, "{held:?}");
    }
    assert_eq!(site.attempts().len(), 3);
    running.abort().await;
}
