//! What an earlier process left, however it ended.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

mod common;

use std::fs;

use common::*;
use ident::Signal;
use journal::{Filter, Journal, OpenError, Options, Position, Start};
use meter::Meter;

/// A journal that crashed after some appends: its directory, the payloads, the file's length
/// before the last append and at the end.
async fn crashed(last: Vec<u8>) -> (tempfile::TempDir, Vec<u8>, u64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live");
    let (journal, _) = open(&live);
    let mut committed = Vec::new();
    for n in 0..5u8 {
        let payload = vec![n; 300];
        committed.extend_from_slice(&payload);
        journal.append(logs(payload)).await.unwrap();
    }
    let len = || fs::metadata(segment_path(&live, 1)).unwrap().len();
    let before = len();
    journal.append(logs(last)).await.unwrap();
    let after = len();
    snapshot(&live, &dir.path().join("crash"));
    (dir, committed, before, after)
}

/// Guarantees: ACK-DURABLE, RESTARTABLE: wherever the last write was torn, everything committed
/// before it is there, the torn bytes are cut off and reported, and appending goes on.
#[tokio::test]
async fn a_tail_torn_at_any_byte_loses_nothing_committed() {
    let last = noise(200, 1);
    let (dir, committed, before, after) = crashed(last.clone()).await;
    for cut in before..=after {
        for kind in ["cut", "zeroed", "garbled"] {
            let torn = dir.path().join("torn");
            let _ = fs::remove_dir_all(&torn);
            snapshot(&dir.path().join("crash"), &torn);
            edit(&segment_path(&torn, 1), |bytes| {
                let at = cut as usize;
                match kind {
                    "cut" => bytes.truncate(at),
                    "zeroed" => bytes[at..].fill(0),
                    _ => bytes[at..].iter_mut().for_each(|b| *b ^= 0x5a),
                }
            });
            let whole = cut == after;
            let (journal, recovery) = open(&torn);
            let mut expected = committed.clone();
            if whole {
                expected.extend_from_slice(&last);
            }
            assert_eq!(all_bytes(&journal), expected, "{kind} at {cut}");
            let left = match (whole, kind) {
                (true, _) => 0,
                (false, "cut") => cut - before,
                (false, _) => after - before,
            };
            assert_eq!(recovery.truncated_bytes, left, "{kind} at {cut}");
            assert!(recovery.damaged.is_empty(), "{recovery}");
            journal.append(logs("new")).await.unwrap();
            expected.extend_from_slice(b"new");
            assert_eq!(all_bytes(&journal), expected, "{kind} at {cut}");
            drop(journal);
            let report = journal::check::check(&torn, false).unwrap();
            assert!(report.is_sound(), "{kind} at {cut}: {report}");
        }
    }
}

/// Guarantees: LOSS-COUNTED: a damaged range that sound blocks follow is never cut off; it is
/// stepped over, reported with what is known, and counted.
#[tokio::test]
async fn damage_in_the_middle_costs_only_itself() {
    let (dir, ..) = crashed(b"last".to_vec()).await;
    let crash = dir.path().join("crash");
    let path = segment_path(&crash, 1);
    let offsets = block_offsets(&path);
    // One block's payload, and another's header.
    edit(&path, |bytes| {
        bytes[offsets[1] + 95] ^= 1;
        bytes[offsets[3] + 40] ^= 1;
    });
    let meter = Meter::new();
    let (journal, recovery) = Journal::open(&crash, Options::default(), &meter).unwrap();
    assert_eq!(recovery.truncated_bytes, 0);
    let damaged: Vec<_> = recovery
        .damaged
        .iter()
        .map(|d| (d.position.offset, d.items))
        .collect();
    assert_eq!(
        damaged,
        [
            (offsets[1] as u64, [0, 0, 1]),
            (offsets[3] as u64, [0, 0, 0])
        ]
    );
    let first: Vec<u8> = blocks(&journal).iter().map(|b| b.payload[0]).collect();
    assert_eq!(first, [0, 2, 4, b'l']);
    let lost = "stella_items_lost_total{reason=\"journal_damaged\",signal=\"logs\"}";
    assert_eq!(metric(&meter, lost), 1.0, "{}", meter.encode());
    assert_eq!(metric(&meter, "stella_journal_damaged_ranges_total"), 2.0);
    // What comes now goes to a segment of its own.
    let at = journal.append(logs("new")).await.unwrap();
    assert_eq!(at.segment, 2);
}

/// Guarantees: LOSS-COUNTED: damage that appears in a sealed segment is met by readers, stepped
/// over, and counted once with what the index knows.
#[tokio::test]
async fn readers_step_over_damage_and_count_it_once() {
    let (dir, ..) = crashed(b"last".to_vec()).await;
    let crash = dir.path().join("crash");
    open(&crash).0.close().await.unwrap();
    let path = segment_path(&crash, 1);
    let offsets = block_offsets(&path);
    edit(&path, |bytes| bytes[offsets[2] + 30] ^= 4);
    let meter = Meter::new();
    let (journal, recovery) = Journal::open(&crash, Options::default(), &meter).unwrap();
    assert!(
        recovery.damaged.is_empty(),
        "sealed segments are not read at start"
    );
    for _ in 0..2 {
        let first: Vec<u8> = blocks(&journal).iter().map(|b| b.payload[0]).collect();
        assert_eq!(first, [0, 1, 3, 4, b'l']);
    }
    let mut reader = journal.reader(Start::Oldest, Filter::default());
    for _ in 0..5 {
        reader.next().await.unwrap();
    }
    let lost = "stella_items_lost_total{reason=\"journal_damaged\",signal=\"logs\"}";
    assert_eq!(metric(&meter, lost), 1.0);
    assert_eq!(metric(&meter, "stella_journal_damaged_ranges_total"), 1.0);
}

/// Guarantees: TENANT-BY-IDENTITY: bytes in a payload that look like another tenant's block are
/// not taken for one when the block around them is damaged.
#[tokio::test]
async fn a_payload_cannot_smuggle_a_block() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live");
    let (journal, _) = open(&live);
    journal
        .append(record("victim", Signal::Logs, noise(80, 3)))
        .await
        .unwrap();
    let seen = fs::read(segment_path(&live, 1)).unwrap();
    drop(journal);
    // A sender who has even seen another segment's bytes sends them as its payload.
    let other = dir.path().join("other");
    let (journal, _) = open(&other);
    let mut payload = noise(5000, 4);
    payload.extend_from_slice(&seen[64..]);
    journal
        .append(record("attacker", Signal::Logs, payload))
        .await
        .unwrap();
    journal.append(logs("later")).await.unwrap();
    let crash = dir.path().join("crash");
    snapshot(&other, &crash);
    let offsets = block_offsets(&segment_path(&crash, 1));
    assert_eq!(offsets.len(), 2);
    edit(&segment_path(&crash, 1), |bytes| {
        bytes[offsets[0] + 20] ^= 1
    });
    let (journal, recovery) = open(&crash);
    assert_eq!(recovery.damaged.len(), 1);
    let tenants: Vec<_> = blocks(&journal)
        .iter()
        .map(|b| b.tenant.to_string())
        .collect();
    assert_eq!(tenants, ["acme"]);
}

/// Guarantees: a crash while a segment is sealed costs nothing: the half-written index is cut off.
#[tokio::test]
async fn a_half_written_index_is_made_again() {
    let (dir, mut committed, ..) = crashed(b"last".to_vec()).await;
    committed.extend_from_slice(b"last");
    let crash = dir.path().join("crash");
    let unsealed = fs::metadata(segment_path(&crash, 1)).unwrap().len();
    open(&crash).0.close().await.unwrap();
    let sealed = fs::read(segment_path(&crash, 1)).unwrap();
    for cut in (unsealed as usize..sealed.len()).step_by(7) {
        let torn = dir.path().join("torn");
        let _ = fs::remove_dir_all(&torn);
        snapshot(&crash, &torn);
        fs::write(segment_path(&torn, 1), &sealed[..cut]).unwrap();
        let (journal, recovery) = open(&torn);
        assert_eq!(recovery.truncated_bytes, cut as u64 - unsealed);
        assert_eq!(all_bytes(&journal), committed);
        journal.close().await.unwrap();
        assert_eq!(
            fs::read(segment_path(&torn, 1)).unwrap(),
            sealed,
            "SAME-BYTES"
        );
    }
}

/// Guarantees: a crash just after a new segment was made leaves nothing in the way.
#[tokio::test]
async fn a_half_made_segment_is_removed() {
    let (dir, ..) = crashed(b"last".to_vec()).await;
    let crash = dir.path().join("crash");
    for bytes in [0usize, 1, 63, 64] {
        fs::write(segment_path(&crash, 2), vec![0; bytes]).unwrap();
        let (journal, recovery) = open(&crash);
        assert_eq!(blocks(&journal).len(), 6, "{recovery}");
        assert!(!segment_path(&crash, 2).exists());
        drop(journal);
    }
}

/// Guarantees: a damaged segment header costs no block; a file that tells nothing is moved aside,
/// not deleted, and is reported.
#[tokio::test]
async fn a_lost_header_costs_no_block() {
    let (dir, ..) = crashed(b"last".to_vec()).await;
    let crash = dir.path().join("crash");
    edit(&segment_path(&crash, 1), |bytes| bytes[..64].fill(0));
    fs::write(segment_path(&crash, 9), noise(5000, 2)).unwrap();
    let (journal, recovery) = open(&crash);
    assert_eq!(blocks(&journal).len(), 6, "{recovery}");
    assert_eq!(recovery.notes.len(), 2, "{recovery}");
    assert_eq!(fs::read_dir(crash.join("quarantine")).unwrap().count(), 1);
    assert!(journal.append(logs("new")).await.unwrap().segment > 9);
    assert_eq!(blocks(&journal).len(), 7);
}

/// Guarantees: a segment of a newer version is refused with a clear error and left alone.
#[tokio::test]
async fn a_newer_version_is_refused() {
    let (dir, ..) = crashed(b"last".to_vec()).await;
    let crash = dir.path().join("crash");
    let path = segment_path(&crash, 1);
    edit(&path, |bytes| {
        bytes[8] = 9;
        let crc = crc32c::crc32c(&bytes[..60]).to_le_bytes();
        bytes[60..64].copy_from_slice(&crc);
    });
    let before = fs::read(&path).unwrap();
    let refused = Journal::open(&crash, Options::default(), &Meter::new()).unwrap_err();
    assert!(
        matches!(refused, OpenError::TooNew { version: 9, .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("hint: "));
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// Guarantees: a cursor that is damaged, stands behind the end or between blocks leads to
/// duplicates with a report, never to loss.
#[tokio::test]
async fn a_bad_cursor_repeats_rather_than_loses() {
    let (dir, ..) = crashed(b"last".to_vec()).await;
    let crash = dir.path().join("crash");
    let (journal, _) = open(&crash);
    let mut consumer = journal.consumer("otlp", Start::Oldest).unwrap();
    let mut third = Position::default();
    for _ in 0..3 {
        third = consumer.next().await.unwrap().next;
    }
    consumer.commit(third);
    consumer.flush().unwrap();
    drop(consumer);
    drop(journal);
    let path = crash.join("cursors/otlp.json");
    let good = fs::read_to_string(&path).unwrap();
    let crc = |offset: u64| {
        format!(
            "{:08x}",
            crc32c::crc32c(format!("otlp:1:{offset}").as_bytes())
        )
    };
    let moved = |offset: u64| {
        good.replace(
            &format!("\"offset\":{}", third.offset),
            &format!("\"offset\":{offset}"),
        )
        .replace(&crc(third.offset), &crc(offset))
    };
    let cases = [
        (good.clone(), 3, 0),
        (String::new(), 0, 1),
        ("{\"version\":1".to_owned(), 0, 1),
        (good.replace("\"segment\":1", "\"segment\":2"), 0, 1),
        (moved(third.offset + 1), 0, 1),
        (moved(1 << 40), 6, 1),
    ];
    for (text, expected, notes) in cases {
        fs::write(&path, &text).unwrap();
        let (journal, recovery) = open(&crash);
        assert_eq!(recovery.notes.len(), notes, "{text}: {recovery}");
        let mut consumer = journal.consumer("otlp", Start::Newest).unwrap();
        let got = consumer.try_next().unwrap().map(|b| b.payload[0]);
        let firsts = [
            Some(0),
            Some(1),
            Some(2),
            Some(3),
            Some(4),
            Some(b'l'),
            None,
        ];
        assert_eq!(got, firsts[expected], "{text}");
    }
}

/// Guarantees: a journal that cannot be made says where, why and what to do.
#[test]
fn a_directory_that_cannot_be_written_is_a_clear_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    for bad in [
        file.join("journal").as_path(),
        "/sys/stella-journal".as_ref(),
    ] {
        let error = Journal::open(bad, Options::default(), &Meter::new()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(bad.to_str().unwrap()), "{text}");
        assert!(text.contains("\nhint: "), "{text}");
    }
}
