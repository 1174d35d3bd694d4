//! `check`, `check --repair`, the follower, and the golden files.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::*;
use ident::Signal;
use journal::check::check;
use journal::{Filter, Follower, Journal, Options, Start};
use meter::Meter;

/// A closed journal of three sealed segments with blocks of each codec.
async fn closed() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 2000,
        ..Options::default()
    };
    let (journal, _) = open_with(dir.path(), options);
    for n in 0..9u64 {
        let signal = Signal::ALL[n as usize % 3];
        let payload = match n % 2 {
            0 => noise(700, n),
            _ => format!("text {n} ").repeat(200).into_bytes(),
        };
        journal
            .append(record("acme", signal, payload))
            .await
            .unwrap();
    }
    drop(journal.consumer("otlp", Start::Oldest).unwrap());
    journal.close().await.unwrap();
    assert_eq!(segment_ids(dir.path()), [1, 2, 3]);
    dir
}

/// Guarantees: `check` notices a flipped bit wherever it is, and `--repair` leaves a sound journal
/// that still gives every undamaged block.
#[tokio::test]
async fn check_notices_every_flipped_bit_and_repairs() {
    let dir = closed().await;
    assert!(check(dir.path(), false).unwrap().is_sound());
    let path = segment_path(dir.path(), 2);
    let good = fs::read(&path).unwrap();
    let count = |d: &Path| blocks(&open(d).0).len();
    // Every byte of headers, index and trailer; a sample of the payloads.
    let offsets = block_offsets(&path);
    let near_header = |at: usize| at < 64 || offsets.iter().any(|o| (*o..o + 100).contains(&at));
    let places: Vec<usize> = (0..good.len())
        .filter(|&at| near_header(at) || at + 700 > good.len() || at % 97 == 0)
        .collect();
    for at in places {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&path, &bad).unwrap();
        let report = check(dir.path(), false).unwrap();
        assert!(!report.is_sound(), "byte {at}");
        assert!(report.to_string().contains("--repair"), "{report}");
        assert_eq!(fs::read(&path).unwrap(), bad, "a check changes nothing");
        if at % 31 != 0 {
            continue;
        }
        let copy = tempfile::tempdir().unwrap();
        snapshot(dir.path(), copy.path());
        let report = check(copy.path(), true).unwrap();
        assert!(report.is_sound(), "byte {at}: {report}");
        let again = check(copy.path(), false).unwrap();
        assert!(again.is_sound(), "byte {at}: {again}");
        assert!(again.segments.iter().all(|s| s.problems.is_empty()));
        let in_a_block = (64..offsets[offsets.len() - 1] + 84).contains(&at);
        let left = count(copy.path());
        match in_a_block {
            true => assert_eq!(left, 8, "byte {at}: {report}"),
            false => assert!((8..=9).contains(&left), "byte {at}: {report}"),
        }
    }
    fs::write(&path, &good).unwrap();
    assert!(check(dir.path(), false).unwrap().is_sound());
}

/// Guarantees: repair moves no position, sets the damaged bytes aside, counts what is known lost,
/// and cursors keep their meaning.
#[tokio::test]
async fn repair_keeps_positions_and_the_damaged_bytes() {
    let dir = closed().await;
    let before = blocks(&open(dir.path()).0);
    let path = segment_path(dir.path(), 1);
    let offset = block_offsets(&path)[1];
    edit(&path, |bytes| bytes[offset + 17] ^= 1);
    let damaged = fs::read(&path).unwrap();
    let report = check(dir.path(), true).unwrap();
    assert!(report.is_sound(), "{report}");
    assert_eq!(report.items_lost(), [0, 1, 0]);
    let problem = &report.segments[0].problems[0];
    let kept = fs::read(problem.set_aside.as_ref().unwrap()).unwrap();
    assert_eq!(kept, damaged[offset..offset + kept.len()]);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["segments"][0]["problems"][0]["offset"], offset as u64);

    let meter = Meter::new();
    let (journal, recovery) = Journal::open(dir.path(), Options::default(), &meter).unwrap();
    assert!(recovery.notes.is_empty(), "{recovery}");
    let after: Vec<_> = blocks(&journal).iter().map(|b| b.position).collect();
    let expected: Vec<_> = before
        .iter()
        .map(|b| b.position)
        .filter(|p| (p.segment, p.offset) != (1, offset as u64))
        .collect();
    assert_eq!(after, expected);
    assert_eq!(metric(&meter, "stella_journal_damaged_ranges_total"), 0.0);
    let gaps = check(dir.path(), false).unwrap().segments[0].gaps;
    assert_eq!(gaps, 1);
}

/// Guarantees: a change that keeps every CRC is noticed by the SHA-256, and repair keeps the
/// altered file as evidence.
#[tokio::test]
async fn an_alteration_that_keeps_the_crcs_is_noticed() {
    let dir = closed().await;
    let path = segment_path(dir.path(), 1);
    edit(&path, |bytes| {
        // The creation time in the segment's header, and its CRC.
        bytes[24] ^= 1;
        let crc = crc32c::crc32c(&bytes[..60]).to_le_bytes();
        bytes[60..64].copy_from_slice(&crc);
    });
    let altered = fs::read(&path).unwrap();
    let report = check(dir.path(), false).unwrap();
    assert!(report.to_string().contains("was altered"), "{report}");
    let report = check(dir.path(), true).unwrap();
    assert!(report.is_sound(), "{report}");
    let kept = report.segments[0].problems[0].set_aside.clone().unwrap();
    assert_eq!(fs::read(kept).unwrap(), altered);
}

/// Guarantees: while a gateway runs, `check` works, finds nothing wrong, and `--repair` refuses.
#[tokio::test]
async fn check_beside_a_running_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    journal.append(logs(noise(500, 1))).await.unwrap();
    let report = check(dir.path(), false).unwrap();
    assert!(report.live && report.is_sound(), "{report}");
    let refused = check(dir.path(), true).unwrap_err();
    assert!(
        matches!(refused, journal::OpenError::Locked { .. }),
        "{refused}"
    );
    journal.append(logs("still")).await.unwrap();
    let nowhere = check(&dir.path().join("nowhere"), false).unwrap_err();
    assert!(nowhere.to_string().contains("hint: "), "{nowhere}");
}

/// Guarantees: VERIFY-WITHOUT-US: `head` and `sha256sum` confirm a sealed segment's digest.
#[tokio::test]
async fn sha256sum_confirms_a_sealed_segment() {
    let dir = closed().await;
    let path = segment_path(dir.path(), 1);
    let script = format!(
        "head -c -64 '{0}' | sha256sum | cut -c1-64; tail -c 64 '{0}' | head -c 32 | od -An -tx1 | tr -d ' \\n'",
        path.display()
    );
    let out = Command::new("sh").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!((lines[0].len(), lines[0]), (64, lines[1]));
    let report = check(dir.path(), false).unwrap();
    assert_eq!(report.segments[0].sha256.as_deref(), Some(lines[0]));
}

/// Guarantees: a follower without the lock sees what is appended, across rolling, sealing and
/// restarts, once each and in order, and goes on where retention has removed its place.
#[tokio::test]
async fn a_follower_follows() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Follower::open(dir.path(), Start::Oldest, Filter::default()).is_err());
    let options = Options {
        segment_bytes: 3000,
        ..Options::default()
    };
    let (journal, _) = open_with(dir.path(), options.clone());
    let mut all = Follower::open(dir.path(), Start::Oldest, Filter::default()).unwrap();
    assert!(all.try_next().unwrap().is_none());
    let mut expected = Vec::new();
    let mut seen = Vec::new();
    let mut journal = journal;
    for n in 0..30u64 {
        let payload = noise(800, n);
        journal.append(logs(payload.clone())).await.unwrap();
        expected.push(payload);
        if n == 10 {
            journal.close().await.unwrap();
            journal = open_with(dir.path(), options.clone()).0;
        }
        if n % 4 == 0 {
            while let Some(block) = all.try_next().unwrap() {
                seen.push(block.payload.to_vec());
            }
            assert_eq!(seen, expected, "at {n}");
        }
    }
    let mut new = Follower::open(dir.path(), Start::Newest, Filter::default()).unwrap();
    assert!(new.try_next().unwrap().is_none());
    let mut old =
        Follower::open(dir.path(), Start::Oldest, Filter::signal(Signal::Traces)).unwrap();
    journal
        .append(record("t", Signal::Traces, "newest"))
        .await
        .unwrap();
    assert_eq!(new.try_next().unwrap().unwrap().payload, "newest");
    fs::remove_file(segment_path(dir.path(), 1)).unwrap();
    assert_eq!(old.try_next().unwrap().unwrap().payload, "newest");
    assert!(old.try_next().unwrap().is_none());
    assert_eq!(old.damaged_bytes(), 0);
}

/// Guarantees: a follower waits at a tail that is being written and reads it when it is whole; it
/// steps over damage that sound blocks follow.
#[tokio::test]
async fn a_follower_waits_at_a_half_written_tail() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live");
    let (journal, _) = open(&live);
    for n in 0..3u8 {
        journal.append(logs(vec![n; 300])).await.unwrap();
    }
    let copy = dir.path().join("copy");
    snapshot(&live, &copy);
    let path = segment_path(&copy, 1);
    let whole = fs::read(&path).unwrap();
    let offsets = block_offsets(&path);
    let mut follower = Follower::open(&copy, Start::Oldest, Filter::default()).unwrap();
    let mut firsts = Vec::new();
    for len in 0..=whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        while let Some(block) = follower.try_next().unwrap() {
            firsts.push((len, block.payload[0]));
        }
    }
    let ends = [offsets[1], offsets[2], whole.len()];
    assert_eq!(firsts, [(ends[0], 0), (ends[1], 1), (ends[2], 2)]);
    edit(&path, |bytes| bytes[offsets[1] + 90] ^= 1);
    let mut follower = Follower::open(&copy, Start::Oldest, Filter::default()).unwrap();
    let firsts: Vec<u8> = std::iter::from_fn(|| follower.try_next().unwrap())
        .map(|b| b.payload[0])
        .collect();
    assert_eq!(firsts, [0, 2]);
    assert_eq!(follower.damaged_bytes() as usize, offsets[2] - offsets[1]);
}

fn golden() -> PathBuf {
    PathBuf::from("tests/golden")
}

/// One line a block, so that a difference is readable.
fn dump(dir: &Path) -> String {
    let mut follower = Follower::open(dir, Start::Oldest, Filter::default()).unwrap();
    let mut text = String::new();
    while let Some(b) = follower.try_next().unwrap() {
        text += &format!(
            "{} next={} tenant={} signal={} items={} records={} time={}..{} appended={} payload={}:{:08x}\n",
            b.position,
            b.next,
            b.tenant,
            b.signal,
            b.items,
            b.records,
            b.min_time_unix_nano,
            b.max_time_unix_nano,
            b.appended_unix_nano,
            b.payload.len(),
            crc32c::crc32c(&b.payload)
        );
    }
    text
}

/// Guarantees: a journal written by format version 1 opens for ever: `check` passes, every block
/// reads as it was written, and the journal goes on from it.
#[tokio::test]
async fn golden_version_1_opens() {
    let dir = tempfile::tempdir().unwrap();
    snapshot(&golden().join("v1"), dir.path());
    let report = check(dir.path(), false).unwrap();
    assert!(report.is_sound(), "{report}");
    let expected = fs::read_to_string(golden().join("v1.txt")).unwrap();
    assert_eq!(dump(dir.path()), expected);
    let (journal, recovery) = open(dir.path());
    assert!(recovery.damaged.is_empty(), "{recovery}");
    assert_eq!(recovery.unsealed, 1, "one segment is as a crash left it");
    assert_eq!(blocks(&journal).len(), expected.lines().count());
    let mut consumer = journal.consumer("otlp", Start::Newest).unwrap();
    let next = consumer.try_next().unwrap().unwrap();
    assert_eq!((next.position.segment, next.items), (1, 3));
    journal.append(logs("new")).await.unwrap();
}

/// Writes the golden files of the current version. Run by hand when the version changes; the files
/// of older versions are never written again.
#[tokio::test]
#[ignore = "writes tests/golden"]
async fn write_golden() {
    let dir = tempfile::tempdir().unwrap();
    let clock = TestClock::at(1_700_000_000_000_000_000);
    let (journal, ..) = open_env(dir.path(), Options::default(), clock.env());
    let mut first = record("acme", Signal::Traces, "a span, repeated. ".repeat(40));
    first.items = 2;
    journal.append(first).await.unwrap();
    clock.set(1_700_000_001_000_000_000);
    let mut second = record("(it's)!*", Signal::Metrics, noise(150, 5));
    second.items = 3;
    (second.min_time_unix_nano, second.max_time_unix_nano) = (0, 0);
    let after_first = blocks(&journal)[0].next;
    journal.append(second).await.unwrap();
    journal
        .append(record("acme", Signal::Logs, ""))
        .await
        .unwrap();
    journal
        .append(record("acme", Signal::Logs, noise(70_000, 6).repeat(2)))
        .await
        .unwrap();
    journal
        .consumer("otlp", Start::Oldest)
        .unwrap()
        .commit(after_first);
    journal.close().await.unwrap();
    // A gap, as repair leaves it.
    let offset = block_offsets(&segment_path(dir.path(), 1))[2];
    edit(&segment_path(dir.path(), 1), |bytes| {
        bytes[offset + 30] ^= 1
    });
    assert!(check(dir.path(), true).unwrap().is_sound());
    fs::remove_dir_all(dir.path().join("quarantine")).unwrap();
    // A second segment without an index.
    let (journal, ..) = open_env(dir.path(), Options::default(), clock.env());
    for text in ["one log", "another log"] {
        journal.append(logs(text)).await.unwrap();
    }
    let to = golden().join("v1");
    assert!(!to.exists(), "golden files are never overwritten");
    snapshot(dir.path(), &to);
    fs::remove_file(to.join("LOCK")).unwrap();
    fs::write(golden().join("v1.txt"), dump(&to)).unwrap();
}
