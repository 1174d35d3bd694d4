//! A disk that refuses: full, failing to sync, failing to make files. ACK-DURABLE throughout.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

mod common;

use std::collections::HashMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::*;
use ident::Signal;
use journal::seam::{Env, Faults, Op, Verdict};
use journal::{AppendError, Filter, Journal, Options, Start};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;
const EROFS: i32 = 30;

/// Fails the operations it is told to fail, on segment files only, and counts all.
#[derive(Default)]
struct Broken {
    fail: Mutex<HashMap<Op, Failure>>,
    log: Mutex<Vec<(Op, String)>>,
}

#[derive(Clone, Copy)]
struct Failure {
    errno: i32,
    /// Bytes that are written all the same.
    short: Option<u64>,
    /// How often; then the disk is well again.
    times: u32,
}

impl Broken {
    fn env(self: &Arc<Self>) -> Env {
        Env {
            faults: Some(Arc::clone(self) as Arc<dyn Faults>),
            ..Env::default()
        }
    }

    fn fail(&self, op: Op, errno: i32, times: u32) {
        let failure = Failure {
            errno,
            short: None,
            times,
        };
        self.fail.lock().unwrap().insert(op, failure);
    }

    fn fail_short(&self, errno: i32, bytes: u64) {
        let failure = Failure {
            errno,
            short: Some(bytes),
            times: 1,
        };
        self.fail.lock().unwrap().insert(Op::Write, failure);
    }

    fn mend(&self) {
        self.fail.lock().unwrap().clear();
    }
}

impl Faults for Broken {
    fn before(&self, op: Op, path: &Path, _bytes: u64) -> Verdict {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.ends_with(".seg") {
            return Verdict::Go;
        }
        self.log.lock().unwrap().push((op, name.into_owned()));
        let mut fail = self.fail.lock().unwrap();
        let Some(failure) = fail.get_mut(&op).filter(|f| f.times > 0) else {
            return Verdict::Go;
        };
        failure.times -= 1;
        let error = io::Error::from_raw_os_error(failure.errno);
        match failure.short {
            Some(bytes) => Verdict::Short(bytes, error),
            None => Verdict::Fail(error),
        }
    }
}

fn unavailable(result: Result<journal::Position, AppendError>) -> journal::Trouble {
    match result {
        Err(AppendError::Unavailable {
            reason,
            retry_after,
        }) => {
            assert!(retry_after > Duration::ZERO);
            reason
        }
        other => panic!("expected Unavailable, got {other:?}"),
    }
}

/// Guarantees: a full disk pushes back with the cause, shows nothing of the failed record, keeps
/// what was committed, and goes on by itself when there is room.
#[tokio::test]
async fn a_full_disk_pushes_back_and_recovers_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let broken = Arc::new(Broken::default());
    let (journal, _, meter) = open_env(dir.path(), Options::default(), broken.env());
    journal.append(logs("one")).await.unwrap();
    for short in [None, Some(0), Some(1), Some(50), Some(90)] {
        match short {
            None => broken.fail(Op::Write, ENOSPC, 1),
            Some(bytes) => broken.fail_short(ENOSPC, bytes),
        }
        let trouble = unavailable(journal.append(logs(noise(500, 1))).await);
        assert!(trouble.is_disk_full(), "{trouble}");
        assert_eq!(journal.trouble(), Some(trouble));
        assert_eq!(metric(&meter, "stella_journal_available"), 0.0);
        assert_eq!(all_bytes(&journal), b"one");
        // As a crash right now would leave it: nothing torn, nothing lost.
        let crash = tempfile::tempdir().unwrap();
        snapshot(dir.path(), crash.path());
        assert_eq!(all_bytes(&open(crash.path()).0), b"one");
    }
    journal.append(logs("two")).await.unwrap();
    assert_eq!(journal.trouble(), None);
    assert_eq!(metric(&meter, "stella_journal_available"), 1.0);
    assert_eq!(metric(&meter, "stella_journal_commit_failures_total"), 5.0);
    journal.close().await.unwrap();
    assert_eq!(all_bytes(&open(dir.path()).0), b"onetwo");
}

/// Guarantees: ACK-DURABLE: a failed `fdatasync` is never tried again on the same data: the
/// records are refused and the next ones go to a new segment.
#[tokio::test]
async fn a_failed_sync_is_not_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let broken = Arc::new(Broken::default());
    let (journal, ..) = open_env(dir.path(), Options::default(), broken.env());
    assert_eq!(journal.append(logs("one")).await.unwrap().segment, 1);
    broken.log.lock().unwrap().clear();
    broken.fail(Op::Sync, EIO, 1);
    let trouble = unavailable(journal.append(logs("lost")).await);
    assert_eq!(trouble.what, "sync");
    let second = journal.append(logs("two")).await.unwrap();
    assert_eq!(second.segment, 2);
    assert_eq!(all_bytes(&journal), b"onetwo");
    journal.close().await.unwrap();
    let log = broken.log.lock().unwrap();
    let first: Vec<Op> = log
        .iter()
        .filter(|(_, name)| name.contains("01.seg"))
        .map(|(op, _)| *op)
        .collect();
    // Write, failed sync, cut off; then sealing: cut, index written, synced.
    assert_eq!(first[..3], [Op::Write, Op::Sync, Op::Truncate]);
    assert_eq!(first[3..], [Op::Truncate, Op::Write, Op::Sync]);
    drop(log);
    let report = journal::check::check(dir.path(), false).unwrap();
    assert!(report.is_sound(), "{report}");
    assert_eq!(all_bytes(&open(dir.path()).0), b"onetwo");
}

/// Guarantees: what a failed write left, if even cutting it off failed, is never read while the
/// journal is open, and costs nothing that was acknowledged afterwards.
#[tokio::test]
async fn a_write_that_cannot_be_undone_is_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let broken = Arc::new(Broken::default());
    let (journal, ..) = open_env(dir.path(), Options::default(), broken.env());
    journal.append(logs("one")).await.unwrap();
    broken.fail(Op::Sync, EIO, 1);
    broken.fail(Op::Truncate, EIO, u32::MAX);
    unavailable(journal.append(logs("limbo")).await);
    journal.append(logs("two")).await.unwrap();
    assert_eq!(all_bytes(&journal), b"onetwo");
    let mut consumer = journal.consumer("c", Start::Oldest).unwrap();
    while let Some(block) = consumer.try_next().unwrap() {
        consumer.commit(block.next);
    }
    consumer.flush().unwrap();
    drop(consumer);
    journal.close().await.unwrap();
    broken.mend();
    // It was never acknowledged, so it may be there or not; the others must.
    let (journal, _) = open(dir.path());
    let bytes = all_bytes(&journal);
    assert!(bytes == b"onelimbotwo" || bytes == b"onetwo", "{bytes:?}");
    let mut consumer = journal.consumer("c", Start::Oldest).unwrap();
    assert!(consumer.try_next().unwrap().is_none());
}

/// Guarantees: where no segment can be made (full, read-only), appends are refused until it can.
#[tokio::test]
async fn a_disk_without_room_for_a_segment() {
    for errno in [ENOSPC, EROFS, EIO] {
        let dir = tempfile::tempdir().unwrap();
        let broken = Arc::new(Broken::default());
        broken.fail(Op::Create, errno, 2);
        let (journal, ..) = open_env(dir.path(), Options::default(), broken.env());
        for _ in 0..2 {
            let trouble = unavailable(journal.append(logs("no")).await);
            assert_eq!(trouble.what, "make the segment");
        }
        journal.append(logs("yes")).await.unwrap();
        // Holds what is there, which a full disk would otherwise take.
        let _holds = journal.consumer("c", Start::Oldest).unwrap();
        // First the block's sync fails, then those of new segments' headers.
        broken.fail(Op::Sync, errno, u32::MAX);
        for _ in 0..3 {
            assert_eq!(unavailable(journal.append(logs("no")).await).what, "sync");
        }
        broken.mend();
        journal.append(logs("again")).await.unwrap();
        journal.close().await.unwrap();
        let (journal, recovery) = open(dir.path());
        assert_eq!(all_bytes(&journal), b"yesagain", "{recovery}");
    }
}

/// Guarantees: a segment that cannot be sealed stays readable and is sealed later.
#[tokio::test]
async fn sealing_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let broken = Arc::new(Broken::default());
    let options = Options {
        segment_bytes: 2048,
        ..Options::default()
    };
    let (journal, ..) = open_env(dir.path(), options, broken.env());
    journal.append(logs(noise(1500, 1))).await.unwrap();
    broken.fail(Op::Truncate, EIO, 1);
    journal.append(logs(noise(1500, 2))).await.unwrap();
    until("the failed sealing", || {
        broken.fail.lock().unwrap()[&Op::Truncate].times == 0
    })
    .await;
    assert_eq!(blocks(&journal).len(), 2);
    journal.close().await.unwrap();
    let report = journal::check::check(dir.path(), false).unwrap();
    assert!(report.segments.iter().all(|s| s.sealed), "{report}");
}

/// Guarantees: on a full disk, segments that every consumer has passed make room.
#[tokio::test]
async fn passed_segments_make_room_on_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let broken = Arc::new(Broken::default());
    let options = Options {
        segment_bytes: 2048,
        ..Options::default()
    };
    let (journal, _, meter) = open_env(dir.path(), options, broken.env());
    for n in 0..4 {
        journal.append(logs(noise(1500, n))).await.unwrap();
    }
    let mut consumer = journal.consumer("c", Start::Oldest).unwrap();
    broken.fail(Op::Write, ENOSPC, 1);
    let refused = journal.append(logs(noise(300, 9))).await;
    assert!(unavailable(refused).is_disk_full(), "nothing was passed");
    let first = consumer.next().await.unwrap();
    consumer.commit(first.next);
    broken.fail(Op::Write, ENOSPC, 1);
    journal.append(logs(noise(300, 9))).await.unwrap();
    assert_eq!(journal.stats().oldest.segment, 2);
    let shortened = "stella_journal_window_shortened_segments_total";
    assert_eq!(metric(&meter, shortened), 1.0);
    let mut left = 0;
    while consumer.try_next().unwrap().is_some() {
        left += 1;
    }
    assert_eq!(left, 4);
}

/// Guarantees: the same with the real kernel: a process whose file size limit is reached in the
/// middle of a write is told so, and goes on when the limit is lifted.
#[test]
fn the_kernels_own_refusal() {
    let dir = tempfile::tempdir().unwrap();
    let exe = std::env::current_exe().unwrap();
    let script = format!(
        "trap '' XFSZ; ulimit -S -f 100; exec '{}' --exact --nocapture --ignored child_at_the_file_size_limit",
        exe.display()
    );
    let child = Command::new("sh")
        .args(["-c", &script])
        .env("JOURNAL_TEST_DIR", dir.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success(),
        "{:?}: {text}{}",
        child.status.signal(),
        String::from_utf8_lossy(&child.stderr)
    );
    assert!(text.contains("1 passed"), "the child ran: {text}");
    let (journal, recovery) = open(dir.path());
    let expected: Vec<u8> = [noise(20_000, 1), noise(20_000, 3)].concat();
    assert_eq!(all_bytes(&journal), expected, "{recovery}");
}

#[tokio::test]
#[ignore = "runs as a child of the_kernels_own_refusal, with a file size limit"]
async fn child_at_the_file_size_limit() {
    let dir = std::env::var_os("JOURNAL_TEST_DIR").unwrap();
    let (journal, _) = open(dir.as_ref());
    journal.append(logs(noise(20_000, 1))).await.unwrap();
    let trouble = unavailable(journal.append(logs(noise(200_000, 2))).await);
    assert!(trouble.is_disk_full(), "{trouble}");
    use rustix::process::{Resource, Rlimit, setrlimit};
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    setrlimit(Resource::Fsize, unlimited).unwrap();
    journal.append(logs(noise(20_000, 3))).await.unwrap();
}

/// Guarantees: whoever gives up waiting for an append harms nobody else.
#[tokio::test]
async fn a_dropped_append_harms_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    for n in 0..50u64 {
        let mut append = Box::pin(journal.append(logs(noise(100, n))));
        // Polled once, then dropped.
        let _ = futures_poll_once(append.as_mut()).await;
        drop(append);
        journal.append(logs("kept")).await.unwrap();
    }
    let kept = all_bytes(&journal);
    assert_eq!(kept.windows(4).filter(|w| w == b"kept").count(), 50);
    until("all reservations given back", || {
        journal.stats().pending_bytes == 0
    })
    .await;
}

async fn futures_poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        std::task::Poll::Ready(match future.as_mut().poll(cx) {
            std::task::Poll::Ready(out) => Some(out),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

/// Guarantees: BOUNDED: what waits for the commit has a limit, beyond which senders are told to
/// wait; a record that can never fit is refused as such.
#[tokio::test]
async fn pending_bytes_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        pending_bytes: 1000,
        ..Options::default()
    };
    let (journal, _, meter) = open_env(dir.path(), options, Env::default());
    let too_large = journal.append(logs(vec![0; 1001])).await;
    assert_eq!(
        too_large,
        Err(AppendError::TooLarge {
            bytes: 1001,
            limit: 1000
        })
    );
    // Three at once: the third finds 800 bytes waiting, as no commit has answered the others yet.
    let append = |n| journal.append(logs(noise(400, n)));
    let mut first = Box::pin(append(1));
    let mut second = Box::pin(append(2));
    let mut results = [
        futures_poll_once(first.as_mut()).await,
        futures_poll_once(second.as_mut()).await,
    ];
    let mut refused = 0;
    for n in 0..1000 {
        // Polled once each, so that they pile up faster than the disk syncs.
        let mut more = Box::pin(append(n));
        if let Some(Err(AppendError::Full { retry_after, .. })) =
            futures_poll_once(more.as_mut()).await
        {
            assert!(retry_after > Duration::ZERO);
            refused += 1;
        }
        assert!(journal.stats().pending_bytes <= 1000);
    }
    assert!(refused > 0);
    assert!(metric(&meter, "stella_journal_full_total{limit=\"pending\"}") >= f64::from(refused));
    for (slot, future) in results.iter_mut().zip([first, second]) {
        let result = match slot.take() {
            Some(done) => done,
            None => future.await,
        };
        result.unwrap();
    }
}

/// Guarantees: BOUNDED: the cache keeps its limit, and a reader that falls out of it reads the
/// same from disk.
#[tokio::test]
async fn the_cache_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        cache_bytes: 10_000,
        ..Options::default()
    };
    let (journal, _, meter) = open_env(dir.path(), options, Env::default());
    let mut behind = journal.reader(Start::Oldest, Filter::default());
    let mut keeps_up = journal.reader(Start::Oldest, Filter::default());
    for n in 0..30u64 {
        journal.append(logs(noise(1000, n))).await.unwrap();
        assert!(metric(&meter, "stella_journal_cache_bytes") <= 10_000.0);
        keeps_up.next().await.unwrap();
    }
    assert_eq!(metric(&meter, "stella_journal_cache_misses_total"), 0.0);
    for n in 0..30u64 {
        assert_eq!(behind.next().await.unwrap().payload, noise(1000, n));
    }
    let misses = metric(&meter, "stella_journal_cache_misses_total");
    assert!((22.0..30.0).contains(&misses), "{misses}");
}

/// Guarantees: with `durability: os` nothing is synced, and a killed process loses nothing.
#[tokio::test]
async fn durability_os_does_not_sync() {
    let dir = tempfile::tempdir().unwrap();
    let broken = Arc::new(Broken::default());
    let options = Options {
        durability: journal::Durability::Os,
        ..Options::default()
    };
    let (journal, ..) = open_env(dir.path(), options, broken.env());
    journal
        .append(record("t", Signal::Traces, "x"))
        .await
        .unwrap();
    let crash = tempfile::tempdir().unwrap();
    snapshot(dir.path(), crash.path());
    journal.close().await.unwrap();
    let log = broken.log.lock().unwrap();
    assert!(log.iter().all(|(op, _)| *op != Op::Sync), "{log:?}");
    assert_eq!(all_bytes(&open(crash.path()).0), b"x");
}

/// Guarantees: the threads end and the lock is free when the last handle is dropped.
#[tokio::test]
async fn dropping_the_journal_commits_and_unlocks() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    let mut append = Box::pin(journal.append(logs("queued")));
    let _ = futures_poll_once(append.as_mut()).await;
    drop(append);
    drop(journal);
    let (journal, recovery): (Journal, _) = open(dir.path());
    assert_eq!(all_bytes(&journal), b"queued");
    assert_eq!(recovery.unsealed, 0);
}

/// Stops every sync of a segment until the test lets it go.
#[derive(Default)]
struct SlowSync {
    gate: Mutex<()>,
    waiting: std::sync::atomic::AtomicBool,
}

impl Faults for SlowSync {
    fn before(&self, op: Op, path: &Path, _bytes: u64) -> Verdict {
        if op == Op::Sync && path.extension().is_some_and(|e| e == "seg") {
            self.waiting
                .store(true, std::sync::atomic::Ordering::SeqCst);
            drop(self.gate.lock().unwrap());
            self.waiting
                .store(false, std::sync::atomic::Ordering::SeqCst);
        }
        Verdict::Go
    }
}

/// Guarantees: ACK-DURABLE: no success, and nothing to read, before the sync has returned.
#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "the lock is the gate")]
async fn nothing_is_acknowledged_or_read_before_the_sync() {
    let dir = tempfile::tempdir().unwrap();
    let slow = Arc::new(SlowSync::default());
    let env = Env {
        faults: Some(Arc::clone(&slow) as Arc<dyn Faults>),
        ..Env::default()
    };
    let (journal, ..) = open_env(dir.path(), Options::default(), env);
    journal.append(logs("first")).await.unwrap();
    let gate = slow.gate.lock().unwrap();
    let mut append = Box::pin(journal.append(logs("second")));
    assert!(futures_poll_once(append.as_mut()).await.is_none());
    until("the committer is in its sync", || {
        slow.waiting.load(std::sync::atomic::Ordering::SeqCst)
    })
    .await;
    assert!(futures_poll_once(append.as_mut()).await.is_none());
    assert_eq!(all_bytes(&journal), b"first");
    assert_eq!(journal.stats().blocks, 1);
    drop(gate);
    append.await.unwrap();
    assert_eq!(all_bytes(&journal), b"firstsecond");
}
