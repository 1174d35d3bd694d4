//! Appending, reading, consuming, restarting.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

mod common;

use common::*;
use ident::Signal;
use journal::seam::Env;
use journal::{AppendError, Filter, OpenError, Options, Position, ReadError, Start};

/// Guarantees: what was appended is read back, in order, from memory and, after a restart, from
/// disk; ACK-DURABLE across a clean end.
#[tokio::test]
async fn what_goes_in_comes_out() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let mut expected = Vec::new();
    for n in 0..20u8 {
        let payload = vec![n; 1000 * (1 + usize::from(n) * 10)];
        expected.extend_from_slice(&payload);
        journal.append(logs(payload)).await.unwrap();
    }
    assert_eq!(all_bytes(&journal), expected);
    journal.close().await.unwrap();

    let (journal, recovery) = open(dir.path());
    assert_eq!(recovery.unsealed, 0, "{recovery}");
    assert_eq!(all_bytes(&journal), expected);
    let mut reader = journal.reader(Start::Oldest, Filter::default());
    let first = reader.next().await.unwrap();
    assert_eq!(first.tenant.as_str(), "acme");
    assert_eq!(
        (first.min_time_unix_nano, first.max_time_unix_nano),
        (10, 20)
    );
    assert_eq!(
        (first.items, first.records, first.signal),
        (1, 1, Signal::Logs)
    );
}

/// Guarantees: concurrent small appends share blocks, but never across tenants or signals.
#[tokio::test(flavor = "multi_thread")]
async fn a_block_has_one_tenant_and_one_signal() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let mut tasks = Vec::new();
    for n in 0..300u32 {
        let journal = journal.clone();
        let tenant = format!("t{}", n % 3);
        let signal = Signal::ALL[n as usize / 3 % 3];
        let text = format!("<{tenant}/{signal}>");
        tasks.push(tokio::spawn(async move {
            journal.append(record(&tenant, signal, text)).await.unwrap()
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let blocks = blocks(&journal);
    let items: u64 = blocks.iter().map(|b| b.items).sum();
    assert_eq!(items, 300);
    assert!(
        blocks.len() < 300,
        "group commit joins some: {}",
        blocks.len()
    );
    for block in blocks {
        let text = String::from_utf8(block.payload.to_vec()).unwrap();
        let expected = format!("<{}/{}>", block.tenant, block.signal).repeat(block.items as usize);
        assert_eq!(text, expected);
        assert_eq!(u64::from(block.records), block.items);
    }
}

/// Guarantees: RESTARTABLE: a consumer goes on after what it committed, not after what it read.
#[tokio::test]
async fn a_consumer_resumes_from_its_cursor() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    for n in 0..10u8 {
        journal.append(logs(vec![n; 100])).await.unwrap();
    }
    let mut consumer = journal.consumer("otlp", Start::Oldest).unwrap();
    for n in 0..6u8 {
        let block = consumer.next().await.unwrap();
        assert_eq!(block.payload[0], n);
        if n == 3 {
            consumer.commit(block.next);
        }
    }
    assert!(matches!(
        journal.consumer("otlp", Start::Oldest),
        Err(OpenError::InUse { .. })
    ));
    let committed = consumer.position();
    consumer.commit(Position::default());
    assert_eq!(consumer.position(), committed, "a cursor never goes back");
    drop(consumer);
    journal.close().await.unwrap();

    let (journal, _) = open(dir.path());
    let mut consumer = journal.consumer("otlp", Start::Newest).unwrap();
    assert_eq!(consumer.next().await.unwrap().payload[0], 4);
    let status = &journal.consumers()[0];
    assert_eq!((status.name.as_str(), status.live), ("otlp", true));
    assert!(status.lag_bytes > 0);
}

/// Guarantees: a waiting reader wakes up for a new block and for the end.
#[tokio::test]
async fn a_reader_waits_for_what_comes() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    journal.append(logs("before")).await.unwrap();
    let mut reader = journal.reader(Start::Newest, Filter::default());
    assert!(reader.try_next().unwrap().is_none());
    let reading = tokio::spawn(async move {
        let first = reader.next().await.unwrap();
        (first, reader.next().await)
    });
    tokio::task::yield_now().await;
    journal.append(logs("after")).await.unwrap();
    journal.close().await.unwrap();
    let (first, end) = reading.await.unwrap();
    assert_eq!(first.payload, "after");
    assert!(matches!(end, Err(ReadError::Closed)));
    assert_eq!(journal.append(logs("late")).await, Err(AppendError::Closed));
}

/// Guarantees: a filter gives the blocks it names and passes over the others, on disk too; a
/// consumer that wants none of what comes does not hold it.
#[tokio::test]
async fn filters_choose_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    for n in 0..30u64 {
        let mut r = record(["a", "b"][n as usize % 2], Signal::ALL[n as usize % 3], "x");
        (r.min_time_unix_nano, r.max_time_unix_nano) = (100 + n, 100 + n);
        journal.append(r).await.unwrap();
    }
    let count = |journal: &journal::Journal, filter: Filter| {
        let mut reader = journal.reader(Start::Oldest, filter);
        std::iter::from_fn(|| reader.try_next().unwrap()).count()
    };
    let filters = [
        (Filter::signal(Signal::Logs), 10),
        (
            Filter {
                tenant: Some(tenant("a")),
                ..Filter::default()
            },
            15,
        ),
        (
            Filter {
                from_unix_nano: Some(125),
                ..Filter::default()
            },
            5,
        ),
        (
            Filter {
                from_unix_nano: Some(110),
                to_unix_nano: Some(111),
                ..Filter::default()
            },
            2,
        ),
    ];
    for (filter, expected) in &filters {
        assert_eq!(count(&journal, filter.clone()), *expected, "{filter:?}");
    }
    journal.close().await.unwrap();
    let (journal, _) = open(dir.path());
    for (filter, expected) in filters {
        assert_eq!(count(&journal, filter.clone()), expected, "{filter:?}");
    }
    let nothing = Filter {
        tenant: Some(tenant("c")),
        ..Filter::default()
    };
    let mut consumer = journal
        .consumer("c", Start::Oldest)
        .unwrap()
        .with_filter(nothing);
    assert!(consumer.try_next().unwrap().is_none());
    assert_eq!(consumer.status().lag_bytes, 0);
}

/// Guarantees: segments roll at their size; positions order blocks across them; no number is used
/// twice.
#[tokio::test]
async fn segments_roll_and_are_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 4096,
        ..Options::default()
    };
    let (journal, _) = open_with(dir.path(), options.clone());
    let mut last = Position::default();
    for n in 0..40u64 {
        let at = journal.append(logs(noise(1000, n))).await.unwrap();
        assert!(at > last);
        last = at;
    }
    assert!(journal.stats().segments >= 10);
    journal.close().await.unwrap();
    let (journal, recovery) = open_with(dir.path(), options);
    assert_eq!((recovery.unsealed, recovery.blocks), (0, 40), "{recovery}");
    let next = journal.append(logs("x")).await.unwrap();
    assert!(next.segment > last.segment);
}

/// Guarantees: a second process (here: a second handle) is refused, and told who holds the lock.
#[tokio::test]
async fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let refused = journal::Journal::open(dir.path(), Options::default(), &meter::Meter::new());
    let error = refused.unwrap_err().to_string();
    assert!(
        error.contains(&format!("process {}", std::process::id())),
        "{error}"
    );
    assert!(error.contains("hint: "), "{error}");
    journal.close().await.unwrap();
    open(dir.path());
}

/// Guarantees: with writers, consumers, rolling, sealing and retention all at once, each consumer
/// sees every record exactly once and in the order of positions, from cache and from disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_at_once() {
    const WRITERS: u64 = 4;
    const RECORDS: u64 = 300;
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 40_000,
        cache_bytes: 30_000,
        window: std::time::Duration::ZERO,
        ..Options::default()
    };
    let (journal, _) = open_with(dir.path(), options);
    let consumers: Vec<_> = ["fast", "slow"]
        .into_iter()
        .map(|name| {
            let mut consumer = journal.consumer(name, Start::Oldest).unwrap();
            tokio::spawn(async move {
                let mut last = Position::default();
                let mut items = 0;
                while items < WRITERS * RECORDS {
                    let block = consumer.next().await.unwrap();
                    assert!(block.position > last);
                    last = block.position;
                    items += block.items;
                    if consumer.status().name == "slow" && items % 50 == 0 {
                        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                    }
                    consumer.commit(block.next);
                }
                assert_eq!(items, WRITERS * RECORDS);
                assert!(consumer.try_next().unwrap().is_none());
            })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let mut last = Position::default();
                for n in 0..RECORDS {
                    let len = if n % 20 == 0 { 70_000 } else { 500 };
                    let signal = Signal::ALL[writer as usize % 3];
                    let record = record("t", signal, noise(len, writer * RECORDS + n));
                    let at = journal.append(record).await.unwrap();
                    assert!(at > last, "one sender's records keep their order");
                    last = at;
                }
            })
        })
        .collect();
    for task in writers.into_iter().chain(consumers) {
        task.await.unwrap();
    }
    until("all that was read has left", || {
        journal.stats().segments <= 1
    })
    .await;
    assert_eq!(
        journal
            .lost()
            .with_label_values(&["logs", "journal_damaged"])
            .get(),
        0
    );
}

/// Guarantees: who follows close behind a leading reader finds in memory what that one read from
/// disk; who is far behind reads the disk; both see the same blocks.
#[tokio::test]
async fn a_leading_reader_leaves_its_blocks_to_others() {
    const BLOCKS: usize = 40;
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        cache_bytes: 40_000,
        ..Options::default()
    };
    let (journal, _, meter) = open_env(dir.path(), options, Env::default());
    for n in 0..BLOCKS as u64 {
        journal.append(logs(noise(4000, n))).await.unwrap();
    }
    let misses = || metric(&meter, "stella_journal_cache_misses_total");
    let reader = || journal.reader(Start::Oldest, Filter::default());
    let (mut leading, mut close, mut far) = (reader().leading(), reader(), reader());
    for _ in 0..BLOCKS {
        let block = leading.try_next().unwrap().unwrap();
        let read = misses();
        let same = close.try_next().unwrap().unwrap();
        assert_eq!(
            (same.position, same.payload),
            (block.position, block.payload)
        );
        assert_eq!(misses(), read, "read again");
    }
    let read = misses();
    assert!(read > 20.0, "the cache held all: {read}");
    for n in 0..BLOCKS as u64 {
        assert_eq!(far.try_next().unwrap().unwrap().payload, noise(4000, n));
    }
    assert!(misses() > read, "nothing is bounded");
}

const fn is_send<T: Send + 'static>() {}
const _: () = is_send::<journal::Consumer>();
const _: () = is_send::<journal::Reader>();
const _: () = is_send::<journal::Follower>();
const _: () = is_send::<journal::Journal>();
