//! What every destination must survive.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use ident::Signal;

use super::site::{Site, ids, wait_until};
use super::{Fault, World, items};
use crate::breaker::THRESHOLD;
use crate::destination::Class;
use crate::status::BreakerState;

/// Guarantees: everything in the journal arrives as it was, once; afterwards the lag is zero and
/// nothing is held.
pub(crate) async fn everything_arrives_as_it_was_appended(world: impl World) {
    let mut site = Site::new(world);
    site.append_mix(45).await;
    let running = site.start();
    site.settled(&running).await;
    // What comes while it runs, too.
    site.append_mix(45).await;
    site.settled(&running).await;

    site.assert_exactly_once();
    site.assert_nothing_lost(&running);
    let items = site.expected().len() as u64;
    assert_eq!(running.status.get().sent_items, items);
    let sent: f64 = Signal::ALL
        .iter()
        .map(|signal| {
            site.meter
                .sum(&format!("otelcol_exporter_sent_{}", signal.items_name()))
        })
        .sum();
    assert_eq!(sent, items as f64);
    for zero in [
        "otelcol_exporter_queue_size",
        "stella_shipper_lag_seconds",
        "stella_shipper_requests_in_flight",
        "stella_shipper_held_bytes",
    ] {
        assert_eq!(site.metric(&format!("{zero}{{exporter=\"s\"}}")), Some(0.0));
    }
    running.shut_down().await;
}

/// Guarantees: each [`Fault`], alone or until the breaker opens, costs attempts and no data.
pub(crate) async fn each_fault_is_survived_once_and_many_times(world: impl World) {
    let mut site = Site::new(world);
    let running = site.start();
    for fault in Fault::ALL {
        for times in [1, 2, THRESHOLD as usize + 2] {
            let before = site.attempts().len();
            site.world.next(&vec![fault; times]);
            site.append_mix(9).await;
            site.settled(&running).await;
            let attempts = &site.attempts()[before..];
            let failed = attempts
                .iter()
                .filter(|attempt| matches!(attempt.ended, Some(Err(_))));
            match fault {
                // On a connection that was there before, a client may try again at once.
                Fault::AnswerLost => assert!(failed.count() <= times),
                _ => assert_eq!(failed.count(), times, "{fault:?}"),
            }
            site.assert_at_least_once();
        }
    }
    site.assert_nothing_lost(&running);
    running.shut_down().await;
}

/// Guarantees: faults in every order of two cost no data.
pub(crate) async fn faults_in_turn_are_survived(world: impl World) {
    let mut site = Site::new(world);
    let mut faults = Vec::new();
    for first in Fault::ALL {
        for second in Fault::ALL {
            faults.extend([first, second]);
        }
    }
    site.world.next(&faults);
    site.append_mix(90).await;
    let running = site.start();
    site.settled(&running).await;
    site.assert_at_least_once();
    site.assert_nothing_lost(&running);
    let failed = |class| {
        let attempts = site.attempts();
        attempts
            .iter()
            .filter(|attempt| attempt.ended == Some(Err(class)))
            .count()
    };
    let misconfigured = faults
        .iter()
        .filter(|fault| **fault == Fault::Misconfigured)
        .count();
    assert_eq!(failed(Class::Misconfigured), misconfigured);
    let transient = failed(Class::Transient);
    assert!(transient <= faults.len() - misconfigured);
    assert!(transient >= 3 * misconfigured, "{transient}");
    running.shut_down().await;
}

/// Guarantees: BOUNDED; while the destination is down, one batch is held and one request at a
/// time finds out, with waits between; metric and status tell. When it is back, everything arrives.
pub(crate) async fn the_breaker_opens_and_closes(world: impl World) {
    let mut site = Site::new(world);
    site.world.always(Some(Fault::Refuse));
    // More than may be held while it is down.
    for _ in 0..40 {
        site.append_padded("acme", Signal::Logs, 4, 1000).await;
    }
    let running = site.start();
    let series = "stella_shipper_breaker_state{exporter=\"s\"}";
    wait_until("the breaker to open", || {
        running.status.get().breaker == BreakerState::Open
    })
    .await;
    assert_eq!(site.metric(series), Some(2.0));
    wait_until("one batch alone to be held", || {
        running.status.get().in_flight == 1
    })
    .await;
    // BOUNDED: one batch is held, and one request at a time finds out.
    let before = site.attempts().len();
    wait_until("some more attempts", || site.attempts().len() > before + 4).await;
    let held = site.metric("stella_shipper_held_bytes{exporter=\"s\"}");
    assert!(held.unwrap() <= site.config.batch_max_bytes as f64);
    let attempts = site.attempts();
    for pair in attempts[before..].windows(2) {
        let waited = pair[1].at - pair[0].at;
        assert!(waited >= site.config.retry.initial / 2, "{waited:?}");
    }
    let status = running.status.get();
    assert!(status.lag_bytes > 0);
    assert!(status.last_error.is_some());
    assert!(site.arrived().is_empty());

    site.world.always(None);
    site.settled(&running).await;
    assert_eq!(running.status.get().breaker, BreakerState::Closed);
    assert_eq!(site.metric(series), Some(0.0));
    site.assert_exactly_once();
    site.assert_nothing_lost(&running);
    running.shut_down().await;
}

/// Guarantees: a destination that refuses everything is left alone at once, is told of, and turns
/// no data into dead letters.
pub(crate) async fn a_misconfigured_destination_costs_no_data(world: impl World) {
    let mut site = Site::new(world);
    site.world.always(Some(Fault::Misconfigured));
    site.append_mix(30).await;
    let running = site.start();
    wait_until("ten attempts", || site.attempts().len() >= 10).await;
    // The first refusal opens the breaker: there is no point in three.
    let attempts = site.attempts();
    let refused = Some(Err(Class::Misconfigured));
    let until_refused: Vec<_> = attempts
        .iter()
        .take_while(|attempt| attempt.at == attempts[0].at)
        .collect();
    assert!(until_refused.len() <= site.config.in_flight);
    assert!(attempts[..9].iter().all(|attempt| attempt.ended == refused));
    assert_ne!(running.status.get().breaker, BreakerState::Closed);
    assert!(running.status.get().last_error.unwrap().len() > 10);
    site.assert_nothing_lost(&running);

    site.world.always(None);
    site.settled(&running).await;
    site.assert_exactly_once();
    site.assert_nothing_lost(&running);
    running.shut_down().await;
}

/// Guarantees: RESTARTABLE; whenever it is stopped, in whatever trouble, the cursor is behind
/// nothing that has not arrived, and the next start loses nothing.
pub(crate) async fn stopped_at_any_instant_it_loses_nothing(world: impl World) {
    let mut site = Site::new(world);
    site.config.batch_max_bytes = 2 << 10;
    for round in 0..12 {
        site.append_mix(12).await;
        let faults = [Fault::ALL[round % 5], Fault::ALL[(round + 2) % 5]];
        site.world.next(&faults[..round % 3]);
        let before = site.attempts().len();
        let running = site.start();
        // The instant is another one in each round: in the first attempt, between two, while one
        // waits to be repeated.
        wait_until("some attempts", || {
            site.attempts().len() > before + round % 4
        })
        .await;
        for _ in 0..round * 3 {
            tokio::task::yield_now().await;
        }
        running.abort().await;
        site.assert_cursor_is_behind_what_arrived();
        if round % 2 == 1 {
            site.reopen().await;
            site.assert_cursor_is_behind_what_arrived();
        }
    }
    let running = site.start();
    site.settled(&running).await;
    site.assert_at_least_once();
    site.assert_nothing_lost(&running);
    running.shut_down().await;
}

/// Guarantees: LOSS-COUNTED; a block that the destination cannot take lies in a readable dead
/// letter, alone and counted, and does not come again.
pub(crate) async fn only_the_block_at_fault_is_put_aside(world: impl World) {
    let mut site = Site::new(world);
    site.append_mix(18).await;
    // A resource of 100 bytes, of which 2 are there.
    let broken = vec![0x0a, 100, 0x0a, 0x00];
    let position = site
        .append_bytes("acme", Signal::Traces, 3, broken.clone())
        .await;
    site.append_mix(18).await;
    let running = site.start();
    site.settled(&running).await;
    site.assert_exactly_once();

    let letters = site.dead_letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    let letter = &letters[0];
    assert_eq!(letter["tenant"], "acme");
    assert_eq!(letter["signal"], "traces");
    assert_eq!(letter["destination"], "s");
    assert_eq!(letter["items"], 3);
    assert_eq!(letter["position"], position.to_string());
    assert!(letter["reason"].as_str().unwrap().len() > 5);
    assert_eq!(letter["request_base64"], "CmQKAA==");
    assert_eq!(
        site.metric("stella_shipper_dead_letter_items_total{exporter=\"s\",signal=\"traces\"}"),
        Some(3.0)
    );
    let failed = "otelcol_exporter_send_failed_spans{exporter=\"s\"}";
    assert_eq!(site.metric(failed), Some(3.0));
    assert_eq!(running.status.get().dead_letter_items, 3);
    assert_eq!(running.status.get().lost_items, 0);
    running.shut_down().await;

    // Put aside is dealt with: it does not come again.
    site.reopen().await;
    let before = site.attempts().len();
    let running = site.start();
    site.settled(&running).await;
    running.shut_down().await;
    assert_eq!(site.attempts().len(), before);
    assert_eq!(site.dead_letters().len(), 1);
}

/// Guarantees: a shutdown ships what there is, and the next start begins after it.
pub(crate) async fn a_shutdown_drains_and_nothing_is_sent_twice(world: impl World) {
    let mut site = Site::new(world);
    site.append_mix(60).await;
    site.start().shut_down().await;
    site.assert_exactly_once();

    site.reopen().await;
    site.append_mix(6).await;
    site.start().shut_down().await;
    site.assert_exactly_once();
}

/// Guarantees: a shutdown does not wait for a destination that is down, and loses nothing.
pub(crate) async fn a_shutdown_ends_while_the_destination_is_down(world: impl World) {
    let mut site = Site::new(world);
    site.append_mix(12).await;
    site.world.always(Some(Fault::Refuse));
    let running = site.start();
    wait_until("an attempt", || !site.attempts().is_empty()).await;
    let begun = tokio::time::Instant::now();
    let status = running.status.clone();
    running.shut_down().await;
    assert!(begun.elapsed() <= site.config.drain + Duration::from_secs(1));
    assert!(!status.get().running);

    site.reopen().await;
    site.world.always(None);
    let running = site.start();
    site.settled(&running).await;
    site.assert_exactly_once();
    running.shut_down().await;
}

/// Guarantees: TENANT-BY-IDENTITY; no request holds items of two tenants or signals.
pub(crate) async fn tenants_and_signals_never_share_a_request(world: impl World) {
    let mut site = Site::new(world);
    site.append_mix(90).await;
    let running = site.start();
    site.settled(&running).await;
    running.shut_down().await;
    site.assert_exactly_once();
    let mut pairs = HashSet::new();
    for taken in site.world.taken() {
        let tenants: BTreeSet<_> = taken.items.iter().map(|item| item.tenant()).collect();
        assert_eq!(tenants.len(), 1, "{:?}", ids(&taken.items));
        let tenant = tenants.first().unwrap().to_string();
        let prefix = format!("{tenant}/{}/", taken.signal);
        assert!(taken.items.iter().all(|item| item.id.starts_with(&prefix)));
        pairs.insert((tenant, taken.signal));
    }
    assert_eq!(pairs.len(), 9);
    // Blocks of one tenant and signal do share one.
    assert!(site.attempts().len() < 90);
}

/// Guarantees: BOUNDED; no request is larger than configured, and blocks that are get cut up.
pub(crate) async fn requests_stay_within_their_limit(world: impl World) {
    let mut site = Site::new(world);
    for size in [1, 2, 30, 1, 9, 40, 3] {
        site.append_padded("acme", Signal::Traces, size, 300).await;
    }
    let running = site.start();
    site.settled(&running).await;
    running.shut_down().await;
    // The blocks of 30 and 40 items are each larger than the limit, and are cut up.
    site.assert_exactly_once();
    let attempts = site.attempts();
    let largest = attempts.iter().map(|attempt| attempt.bytes).max();
    let limit = site.config.batch_max_bytes;
    assert!(largest <= Some(limit), "{largest:?}");
    assert!(largest > Some(limit / 2), "{largest:?}: batches are filled");
}

/// Guarantees: a single item that is larger than the limit goes in a request of its own.
pub(crate) async fn an_item_larger_than_the_limit_still_goes(world: impl World) {
    let mut site = Site::new(world);
    site.append("acme", Signal::Logs, 2).await;
    let large = site.config.batch_max_bytes * 3;
    site.append_padded("acme", Signal::Logs, 1, large).await;
    site.append("acme", Signal::Logs, 2).await;
    let running = site.start();
    site.settled(&running).await;
    site.assert_exactly_once();
    site.assert_nothing_lost(&running);
    running.shut_down().await;
    let attempts = site.attempts();
    let over: Vec<_> = attempts
        .iter()
        .filter(|attempt| attempt.bytes > site.config.batch_max_bytes)
        .collect();
    assert_eq!(over.len(), 1);
    assert_eq!(over[0].items, 1);
}

/// Guarantees: other signals and tenants than configured are never sent, and do not hold the cursor.
pub(crate) async fn what_is_not_wanted_is_stepped_over(world: impl World) {
    let mut site = Site::new(world);
    site.config.signals = Some(vec![Signal::Logs]);
    site.config.tenant = Some("globex".parse().unwrap());
    site.append_mix(45).await;
    let running = site.start();
    site.settled(&running).await;
    let wanted: Vec<items::Item> = site
        .expected()
        .into_iter()
        .filter(|item| item.id.starts_with("globex/logs/"))
        .collect();
    assert!(wanted.len() > 5);
    assert_eq!(site.arrived(), wanted);
    let attempts = site.attempts();
    assert!(attempts.iter().all(|attempt| attempt.tenant == "globex"));
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt.signal == Signal::Logs)
    );
    site.assert_nothing_lost(&running);
    running.shut_down().await;
}
