//! What every destination must survive whose other side answers in words.

use std::time::Duration;

use ident::Signal;

use super::site::{Site, ids, wait_until};
use super::{Answer, Answering, Ask, Fault, items};
use crate::destination::Class;
use crate::status::BreakerState;

/// Longer than any wait of our own accord.
const ASKED: Duration = Duration::from_secs(1800);

/// Guarantees: a delay that the destination asks for is kept, by every request, and does not open
/// the breaker.
pub(crate) async fn a_delay_that_is_asked_for_is_kept(world: impl Answering) {
    let mut site = Site::new(world);
    let running = site.start();
    for ask in site.world.ways_to_ask() {
        let before = site.attempts().len();
        site.world.answer(Answer::Later(ask, ASKED));
        site.append("acme", Signal::Traces, 2).await;
        wait_until("the first attempt", || {
            let attempts = site.attempts();
            attempts.len() > before && attempts[before].ended.is_some()
        })
        .await;
        // It concerns every request, not only the one that was refused.
        site.append("globex", Signal::Logs, 2).await;
        site.append("acme", Signal::Metrics, 2).await;
        site.settled(&running).await;
        let attempts = site.attempts().split_off(before);
        assert!(matches!(attempts[0].ended, Some(Err(_))), "{ask:?}");
        // Dates come in whole seconds of the machine's clock; hence the minute.
        let least = match ask {
            Ask::Date(_) => ASKED - Duration::from_secs(60),
            Ask::RetryInfo(_) | Ask::Seconds(_) => ASKED,
        };
        for attempt in &attempts[1..] {
            let waited = attempt.at - attempts[0].at;
            assert!(waited >= least, "{ask:?}: {waited:?}");
            assert!(waited < ASKED * 2, "{ask:?}: {waited:?}");
        }
        assert_eq!(running.status.get().breaker, BreakerState::Closed);
    }
    site.assert_exactly_once();
    site.assert_nothing_lost(&running);
    running.shut_down().await;
}

/// Guarantees: BOUNDED; a destination that asks for no delay, or has a slow clock, is not asked
/// without a pause.
pub(crate) async fn a_delay_of_nothing_does_not_make_it_hammer(world: impl Answering) {
    let mut site = Site::new(world);
    let running = site.start();
    for ask in site.world.ways_to_ask() {
        let before = site.attempts().len();
        for _ in 0..20 {
            site.world.answer(Answer::Later(ask, Duration::ZERO));
        }
        site.append("acme", Signal::Traces, 2).await;
        site.settled(&running).await;
        let attempts = site.attempts().split_off(before);
        assert_eq!(attempts.len(), 21, "{ask:?}");
        let took = attempts[20].at - attempts[0].at;
        assert!(took >= Duration::from_secs(1), "{ask:?}: 20 in {took:?}");
    }
    site.assert_exactly_once();
    running.shut_down().await;
}

/// Guarantees: LOSS-COUNTED; items that a partial success rejects are counted, and nothing is sent
/// again for them.
pub(crate) async fn a_partial_success_is_counted_and_not_sent_again(world: impl Answering) {
    let mut site = Site::new(world);
    for signal in Signal::ALL {
        site.world.answer(Answer::Partial(2));
        site.append("acme", signal, 5).await;
    }
    // More than there are must not be believed.
    site.world.answer(Answer::Partial(u64::MAX));
    site.append("globex", Signal::Logs, 1).await;
    // It says nothing about items, so nothing was rejected.
    site.world.answer(Answer::Partial(0));
    site.append("initech", Signal::Logs, 4).await;
    site.config.in_flight = 1;
    let running = site.start();
    site.settled(&running).await;
    site.assert_exactly_once();
    assert_eq!(site.attempts().len(), 5);
    for (signal, lost) in [("traces", 2.0), ("metrics", 2.0), ("logs", 3.0)] {
        let series = format!(
            "stella_items_lost_total{{reason=\"rejected_by_destination\",signal=\"{signal}\"}}"
        );
        assert_eq!(site.metric(&series), Some(lost));
    }
    for (series, value) in [
        ("otelcol_exporter_send_failed_spans", 2.0),
        ("otelcol_exporter_send_failed_log_records", 3.0),
        ("otelcol_exporter_sent_spans", 3.0),
        ("otelcol_exporter_sent_metric_points", 3.0),
        ("otelcol_exporter_sent_log_records", 7.0),
    ] {
        let series = format!("{series}{{exporter=\"s\"}}");
        assert_eq!(site.metric(&series), Some(value), "{series}");
    }
    let status = running.status.get();
    assert_eq!((status.sent_items, status.lost_items), (13, 7));
    assert!(status.last_error.unwrap().contains("rejected"));
    assert!(site.dead_letters().is_empty());
    running.shut_down().await;
}

/// The letters hold these items alone, as they were.
fn assert_letters_hold<W: Answering>(site: &Site<W>, culprits: &[&str]) {
    let mut held = Vec::new();
    for letter in site.dead_letters() {
        let signal = letter["signal"].as_str().unwrap().parse().unwrap();
        let request = letter["request"].to_string();
        held.extend(items::json_items(signal, request.as_bytes()).unwrap());
        assert_eq!(letter["items"], 1);
    }
    held.sort();
    let mut expected = site.expected();
    expected.retain(|item| culprits.contains(&item.id.as_str()));
    assert_eq!(ids(&held), ids(&expected));
    assert_eq!(held, expected);
}

async fn narrows_down(world: impl Answering, answer: Answer) {
    let mut site = Site::new(world);
    site.config.batch_max_bytes = 1 << 20;
    for signal in Signal::ALL {
        for count in [3, 50, 1, 7] {
            site.append("acme", signal, count).await;
        }
    }
    let ids: Vec<String> = [5, 71, 150]
        .into_iter()
        .map(|at| site.expected()[at].id.clone())
        .collect();
    let culprits: Vec<&str> = ids.iter().map(String::as_str).collect();
    for culprit in &culprits {
        site.world.poison(culprit, answer.clone());
    }
    let running = site.start();
    site.settled(&running).await;
    assert_letters_hold(&site, &culprits);
    let mut good = site.expected();
    good.retain(|item| !culprits.contains(&item.id.as_str()));
    assert_eq!(site.arrived(), good);
    assert_eq!(
        site.meter.sum("stella_shipper_dead_letter_items_total"),
        culprits.len() as f64
    );
    assert_eq!(
        running.status.get().dead_letter_items,
        culprits.len() as u64
    );
    assert_eq!(running.status.get().lost_items, 0);
    running.shut_down().await;
}

/// Guarantees: the items at fault, and they alone, lie in readable dead letters.
pub(crate) async fn only_the_items_at_fault_are_put_aside(world: impl Answering) {
    narrows_down(world, Answer::Refused).await;
}

/// Guarantees: the same where the destination does not say that the data is at fault.
pub(crate) async fn an_unclear_refusal_is_narrowed_down_too(world: impl Answering) {
    narrows_down(world, Answer::Unclear).await;
}

/// Guarantees: more items at fault than there are requests in flight, each in a request of its own, and the
/// destination says of none that it is the data, do not stop the rest.
pub(crate) async fn items_at_fault_do_not_block_the_others(world: impl Answering) {
    items_at_fault(world, 4).await;
}

/// The same with one request at a time.
pub(crate) async fn an_item_at_fault_does_not_block_the_one_slot(world: impl Answering) {
    items_at_fault(world, 1).await;
}

async fn items_at_fault(world: impl Answering, in_flight: usize) {
    let mut site = Site::new(world);
    site.config.in_flight = in_flight;
    // A block fits, two do not.
    site.config.batch_max_bytes = 1000;
    for _ in 0..in_flight + 2 {
        site.append_padded("acme", Signal::Logs, 1, 400).await;
    }
    let ids: Vec<String> = site.expected().into_iter().map(|item| item.id).collect();
    let culprits: Vec<&str> = ids.iter().map(String::as_str).collect();
    for culprit in &culprits {
        site.world.poison(culprit, Answer::Unclear);
    }
    for _ in 0..20 {
        site.append_padded("acme", Signal::Logs, 1, 400).await;
    }
    let running = site.start();
    site.settled(&running).await;
    assert_letters_hold(&site, &culprits);
    let mut good = site.expected();
    good.retain(|item| !culprits.contains(&item.id.as_str()));
    assert_eq!(site.arrived(), good);
    running.shut_down().await;
}

/// Guarantees: a destination that fails for everything, in words that may mean the data, turns none
/// of it into dead letters.
pub(crate) async fn a_destination_in_trouble_makes_no_dead_letters(world: impl Answering) {
    let mut site = Site::new(world);
    site.append_mix(12).await;
    for item in site.expected() {
        site.world.poison(&item.id, Answer::Unclear);
    }
    let running = site.start();
    // It is tried time and again, and cut into items; but none passes, so none is at fault.
    wait_until("many attempts", || site.attempts().len() > 150).await;
    site.assert_nothing_lost(&running);
    assert!(site.arrived().is_empty());
    // While nothing passes, it is left alone for a while between two attempts.
    let attempts = site.attempts();
    let last = &attempts[attempts.len() - 40..];
    let took = last[39].at - last[0].at;
    assert!(took >= site.config.retry.initial, "40 in {took:?}");
    running.abort().await;
    site.reopen().await;
    assert_eq!(site.dead_letters().len(), 0);
}

/// Guarantees: as many requests as configured are in flight, and the cursor waits for their answers.
pub(crate) async fn several_requests_are_in_flight(world: impl Answering) {
    let mut site = Site::new(world);
    site.append_mix(40).await;
    site.world.hold();
    let running = site.start();
    wait_until("as many requests as may be", || {
        site.world.waiting() == site.config.in_flight
    })
    .await;
    assert_eq!(running.status.get().in_flight, site.config.in_flight);
    let series = "stella_shipper_requests_in_flight{exporter=\"s\"}";
    assert_eq!(site.metric(series), Some(site.config.in_flight as f64));
    // The cursor moves over none of them yet.
    assert_eq!(running.status.get().sent_items, 0);
    site.assert_cursor_is_behind_what_arrived();
    site.world.release();
    site.settled(&running).await;
    site.assert_exactly_once();
    running.shut_down().await;
}

/// Guarantees: BOUNDED; of a long answer little is kept, and what it means still counts.
pub(crate) async fn a_long_answer_is_bounded_and_understood(world: impl Answering) {
    let mut site = Site::new(world);
    // Under what is read of an answer, and far over it.
    site.append("acme", Signal::Traces, 3).await;
    site.world.answer(Answer::Long(100 << 10));
    let running = site.start();
    site.settled(&running).await;
    site.assert_exactly_once();

    let culprits: Vec<String> = {
        site.append("globex", Signal::Logs, 4).await;
        let appended = site.appended.last().unwrap();
        vec![appended.items[1].id.clone()]
    };
    site.world
        .poison(&culprits[0], Answer::LongRefusal(100 << 10));
    site.append("globex", Signal::Logs, 4).await;
    site.settled(&running).await;
    assert_letters_hold(&site, &[culprits[0].as_str()]);
    for letter in site.dead_letters() {
        assert!(letter["reason"].as_str().unwrap().len() < 1000);
    }
    assert!(running.status.get().last_error.unwrap().len() < 1000);
    site.world.next(&[Fault::Refuse]);
    site.append("acme", Signal::Logs, 1).await;
    site.settled(&running).await;
    running.shut_down().await;
}

/// Guarantees: a path or service that is not there is told of with a hint, and costs no data.
pub(crate) async fn a_wrong_address_costs_no_data(world: impl Answering) {
    let mut site = Site::new(world);
    for _ in 0..6 {
        site.world.answer(Answer::NotFound);
    }
    site.append_mix(12).await;
    let running = site.start();
    site.settled(&running).await;
    let attempts = site.attempts();
    let refused = Some(Err(Class::Misconfigured));
    let count = attempts
        .iter()
        .filter(|attempt| attempt.ended == refused)
        .count();
    assert_eq!(count, 6);
    assert!(running.status.get().last_error.unwrap().contains("hint:"));
    site.assert_exactly_once();
    site.assert_nothing_lost(&running);
    running.shut_down().await;
}
