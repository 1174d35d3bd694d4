//! Which segments leave, and when. Time is the test's own.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

mod common;

use std::time::Duration;

use common::*;
use ident::Signal;
use journal::{AppendError, AtLimit, Filter, Options, Start};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_700_000_000 * SECOND;

fn options() -> Options {
    Options {
        segment_bytes: 4096,
        window: Duration::from_secs(60),
        cursor_interval: Duration::from_millis(10),
        ..Options::default()
    }
}

/// Guarantees: a segment leaves when it is older than the window and every consumer has passed it,
/// and not before, also across a restart of the consumer's process.
#[tokio::test]
async fn retention_waits_for_the_window_and_for_consumers() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at(START);
    let (journal, ..) = open_env(dir.path(), options(), clock.env());
    let mut consumer = journal.consumer("otlp", Start::Oldest).unwrap();
    for n in 0..4u64 {
        clock.set(START + n * 10 * SECOND);
        journal.append(logs(noise(3000, n))).await.unwrap();
    }
    assert_eq!(segment_ids(dir.path()), [1, 2, 3, 4]);
    // Passed, but inside the window.
    let first = consumer.next().await.unwrap();
    consumer.commit(first.next);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(segment_ids(dir.path()), [1, 2, 3, 4]);
    // All but the newest are over, only the first is passed. The fourth is sealed by its age.
    clock.set(START + 85 * SECOND);
    until("the first segment left", || {
        segment_ids(dir.path()) == [2, 3, 4]
    })
    .await;
    drop(consumer);
    journal.close().await.unwrap();
    // A cursor that nobody has opened yet holds as well.
    let (journal, ..) = open_env(dir.path(), options(), clock.env());
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(segment_ids(dir.path()), [2, 3, 4]);
    journal.remove_consumer("otlp").unwrap();
    until("passed ones left", || segment_ids(dir.path()) == [4]).await;
    assert!(!dir.path().join("cursors/otlp.json").exists());
}

/// Guarantees: a clock that jumps back neither lets anything leave early nor keeps it for ever,
/// and append times never go back, across a restart too.
#[tokio::test]
async fn a_clock_that_jumps_back() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at(START);
    let (journal, ..) = open_env(dir.path(), options(), clock.env());
    journal.append(logs("a")).await.unwrap();
    clock.set(START - 1000 * SECOND);
    journal.append(logs("b")).await.unwrap();
    journal.close().await.unwrap();
    let (journal, ..) = open_env(dir.path(), options(), clock.env());
    journal.append(logs("c")).await.unwrap();
    let times: Vec<u64> = blocks(&journal)
        .iter()
        .map(|b| b.appended_unix_nano)
        .collect();
    assert_eq!(times, [START, START, START]);
    clock.set(START + 61 * SECOND);
    until("all but the active left", || journal.stats().blocks == 0).await;
}

/// Guarantees: at the byte limit, passed segments leave early and the window's loss is counted;
/// then the journal pushes back until a consumer moves, and goes on by itself.
#[tokio::test]
async fn push_back_at_the_byte_limit() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        max_bytes: 20_000,
        ..options()
    };
    let (journal, _, meter) = open_env(dir.path(), options, TestClock::at(START).env());
    let mut consumer = journal.consumer("otlp", Start::Oldest).unwrap();
    let mut taken = 0u64;
    let retry_after = loop {
        assert!(taken < 100, "the limit never came");
        match journal.append(logs(noise(3000, taken))).await {
            Ok(_) => taken += 1,
            Err(AppendError::Full { retry_after, .. }) => break retry_after,
            Err(other) => panic!("{other}"),
        }
    };
    assert!(retry_after > Duration::ZERO);
    assert!((5..=6).contains(&taken), "{taken}");
    assert!(journal.stats().bytes <= 20_000);
    let shortened = "stella_journal_window_shortened_segments_total";
    assert_eq!(metric(&meter, shortened), 0.0);
    let first = consumer.next().await.unwrap();
    consumer.commit(first.next);
    // Refused at once while it is full; taken again once upkeep has seen the consumer move.
    let mut again = journal.append(logs("x")).await;
    for _ in 0..500 {
        if again.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        again = journal.append(logs("x")).await;
    }
    again.unwrap();
    assert_eq!(metric(&meter, shortened), 1.0);
    let mut rest = 0;
    while consumer.try_next().unwrap().is_some() {
        rest += 1;
    }
    assert_eq!(rest, taken, "nothing unread was lost");
    assert!(!meter.encode().contains("journal_limit"));
}

/// Guarantees: LOSS-COUNTED: with `drop_oldest` the journal takes everything; what a consumer had
/// still to read is counted by signal, exactly, and the consumer goes on behind it.
#[tokio::test]
async fn drop_oldest_at_the_byte_limit_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        max_bytes: 20_000,
        at_limit: AtLimit::DropOldest,
        // What is still cached is delivered although it was dropped and counted.
        cache_bytes: 0,
        ..options()
    };
    let (journal, _, meter) = open_env(dir.path(), options, TestClock::at(START).env());
    let mut consumer = journal.consumer("otlp", Start::Oldest).unwrap();
    // Segments of a log block and a trace block.
    for n in 0..2u64 {
        let signal = [Signal::Logs, Signal::Traces][n as usize];
        journal
            .append(record("t", signal, noise(1500, n)))
            .await
            .unwrap();
    }
    let first = consumer.next().await.unwrap();
    consumer.commit(first.next);
    for n in 2..40u64 {
        let signal = [Signal::Logs, Signal::Traces][n as usize % 2];
        let mut r = record("t", signal, noise(1500, n));
        r.items = 10;
        journal.append(r).await.unwrap();
        assert!(journal.stats().bytes <= 20_000);
    }
    let mut seen = [0u64; 2];
    while let Some(block) = consumer.try_next().unwrap() {
        seen[usize::from(block.signal == Signal::Traces)] += block.items;
    }
    let lost = |signal| {
        let line =
            format!("stella_items_lost_total{{reason=\"journal_limit\",signal=\"{signal}\"}}");
        metric(&meter, &line) as u64
    };
    // The first log block was committed; all others were seen or counted.
    assert!(lost("logs") > 0);
    assert_eq!(seen[0] + lost("logs"), 19 * 10);
    assert_eq!(seen[1] + lost("traces"), 19 * 10 + 1);
}

/// Guarantees: a held range stays, over the window and at the limit, until the hold ends.
#[tokio::test]
async fn a_hold_keeps_its_range() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at(START);
    let options = Options {
        max_bytes: 20_000,
        at_limit: AtLimit::DropOldest,
        ..options()
    };
    let (journal, ..) = open_env(dir.path(), options, clock.env());
    let hold = journal.hold(START, START);
    journal.append(logs(noise(3000, 1))).await.unwrap();
    clock.set(START + 1000 * SECOND);
    journal.append(logs(noise(3000, 2))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(journal.stats().oldest.segment, 1);
    let mut n = 3;
    let refused = loop {
        match journal.append(logs(noise(3000, n))).await {
            Ok(_) => n += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AppendError::Full { .. }), "{refused}");
    drop(hold);
    until("the held segment left", || {
        journal.stats().oldest.segment > 1
    })
    .await;
}

/// Guarantees: what is held may take its own bytes beyond the limit, and no more; the held bytes
/// are a metric.
#[tokio::test]
async fn what_is_held_has_bytes_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at(START);
    let options = Options {
        max_bytes: 20_000,
        hold_bytes: 40_000,
        ..options()
    };
    let (journal, _, meter) = open_env(dir.path(), options, clock.env());
    let hold = journal.hold(START, u64::MAX);
    let mut n = 0;
    let refused = loop {
        match journal.append(logs(noise(3000, n))).await {
            Ok(_) => n += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AppendError::Full { .. }), "{refused}");
    let bytes = journal.stats().bytes;
    assert!((56_000..=60_000).contains(&bytes), "{bytes}");
    assert_eq!(journal.held_bytes(), bytes);
    assert_eq!(segment_ids(dir.path())[0], 1);
    until("the metric says so", || {
        metric(&meter, "stella_journal_held_bytes") == bytes as f64
    })
    .await;
    drop(hold);
    until("the journal is back within its limit", || {
        journal.stats().bytes <= 20_000
    })
    .await;
}

/// Guarantees (RESTARTABLE): a hold that is given as the journal is opened counts before anything
/// can leave.
#[tokio::test]
async fn a_hold_from_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at(START);
    let (journal, ..) = open_env(dir.path(), options(), clock.env());
    for n in 0..3 {
        clock.set(START + n * SECOND);
        journal.append(logs(noise(3000, n))).await.unwrap();
    }
    drop(journal);
    clock.set(START + 1000 * SECOND);
    let spans = [(START, START)];
    let (_journal, _, holds) = journal::Journal::open_all(
        dir.path(),
        options(),
        &meter::Meter::new(),
        clock.env(),
        &spans,
    )
    .unwrap();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(segment_ids(dir.path())[0], 1);
    drop(holds);
    until("it left", || segment_ids(dir.path()).first() != Some(&1)).await;
}

/// Guarantees: without traffic a segment is sealed by age, and a reader without a cursor that was
/// overtaken by retention goes on at the oldest block.
#[tokio::test]
async fn a_reader_that_was_overtaken_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at(START);
    let options = Options {
        cache_bytes: 0,
        ..options()
    };
    let (journal, ..) = open_env(dir.path(), options, clock.env());
    journal.append(logs(noise(3000, 1))).await.unwrap();
    let mut reader = journal.reader(Start::Oldest, Filter::default());
    let mut inside = journal.reader(Start::Oldest, Filter::default());
    assert!(inside.try_next().unwrap().is_some());
    clock.set(START + 100 * SECOND);
    until("the segment left", || journal.stats().blocks == 0).await;
    journal.append(logs("new")).await.unwrap();
    assert_eq!(reader.try_next().unwrap().unwrap().payload, "new");
    assert_eq!(inside.try_next().unwrap().unwrap().payload, "new");
}
