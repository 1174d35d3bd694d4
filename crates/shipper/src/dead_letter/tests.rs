//! Dead letters across crashes, full disks and limits.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use ident::Signal;
use tempfile::TempDir;

use super::*;
use crate::conformance::items;
use crate::disk::Op;

fn letters(dir: &TempDir) -> DeadLetters {
    DeadLetters::new("s", DeadLetterConfig::new(dir.path().join("dead")))
}

fn culprit(number: u64) -> Batch {
    Batch {
        tenant: "acme".parse().unwrap(),
        signal: Signal::Logs,
        chunks: vec![Chunk {
            bytes: items::request(Signal::Logs, "acme", number..number + 1, 50).into(),
            items: 1,
            entry: 0,
            position: journal::Position::default(),
        }],
    }
}

/// The ids in all files, in the order of the files' names.
fn held(dir: &TempDir) -> Vec<String> {
    let mut files: Vec<_> = fs::read_dir(dir.path().join("dead"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let mut ids = Vec::new();
    for file in files {
        for line in fs::read_to_string(file).unwrap().lines() {
            let letter: serde_json::Value = serde_json::from_str(line).unwrap();
            let request = letter["request"].to_string();
            let items = items::json_items(Signal::Logs, request.as_bytes()).unwrap();
            ids.extend(items.into_iter().map(|item| item.id));
        }
    }
    ids
}

/// Guarantees: RESTARTABLE; a line that a crash tore does not make the next letter unreadable.
#[test]
fn a_torn_line_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    letters(&dir).put(&culprit(0), "why").unwrap();
    let path = dir.path().join("dead/s.jsonl");
    let sound = fs::read(&path).unwrap();
    for cut in [1, 2, sound.len() / 2, sound.len() - 1] {
        let mut torn = sound.clone();
        torn.extend_from_slice(&sound[..cut]);
        fs::write(&path, &torn).unwrap();
        letters(&dir).put(&culprit(1), "why").unwrap();
        assert_eq!(held(&dir), ["acme/logs/0", "acme/logs/1"], "{cut}");
        fs::write(&path, &sound[..cut]).unwrap();
        letters(&dir).put(&culprit(1), "why").unwrap();
        assert_eq!(held(&dir), ["acme/logs/1"], "{cut}");
    }
    // Longer than what is read at once.
    fs::write(&path, vec![b'x'; 10_000]).unwrap();
    letters(&dir).put(&culprit(1), "why").unwrap();
    assert_eq!(held(&dir), ["acme/logs/1"]);
}

/// Guarantees: a disk that fails in the middle of a letter leaves none of it, and the letter is not
/// taken for put aside.
#[test]
fn half_a_letter_is_no_letter() {
    let failing = Arc::new(AtomicBool::new(false));
    for stuck in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let asked = Arc::clone(&failing);
        let disk = Disk {
            fault: Some(Arc::new(move |op, _| {
                let fails = op == Op::Write || (stuck && op == Op::Truncate);
                (asked.load(Ordering::Relaxed) && fails)
                    .then(|| (io::Error::from(ErrorKind::StorageFull), 30))
            })),
            clock: None,
        };
        let config = DeadLetterConfig::new(dir.path().join("dead"));
        let letters = DeadLetters::with_disk("s", config, disk);
        letters.put(&culprit(0), "why").unwrap();
        failing.store(true, Ordering::Relaxed);
        letters.put(&culprit(1), "why").unwrap_err();
        failing.store(false, Ordering::Relaxed);
        letters.put(&culprit(1), "why").unwrap();
        assert_eq!(held(&dir), ["acme/logs/0", "acme/logs/1"]);
    }
}

/// Guarantees: BOUNDED and LOSS-COUNTED; what no longer fits is refused and told, and nothing that
/// is there is removed for it.
#[test]
fn what_does_not_fit_is_told() {
    let dir = tempfile::tempdir().unwrap();
    letters(&dir).put(&culprit(0), "why").unwrap();
    let line = fs::metadata(dir.path().join("dead/s.jsonl")).unwrap().len();
    let config = DeadLetterConfig {
        // The time in a line may have a few digits more or less.
        max_bytes: line * 3 + 30,
        ..DeadLetterConfig::new(dir.path().join("dead"))
    };
    // Across restarts.
    for number in 1..5 {
        let letters = DeadLetters::new("s", config.clone());
        let put = letters.put(&culprit(number), "why").unwrap();
        let fits = u64::from(number < 3);
        let expected = PutAside {
            kept: fits,
            lost: 1 - fits,
        };
        assert_eq!(put, expected, "{number}");
    }
    assert_eq!(held(&dir), ["acme/logs/0", "acme/logs/1", "acme/logs/2"]);
}

/// Guarantees: a file that is closed keeps its letters, even at the same instant, and is private.
#[test]
fn closed_files_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemTime::now();
    let disk = Disk {
        fault: None,
        clock: Some(Arc::new(move || now)),
    };
    let config = DeadLetterConfig {
        rotate_bytes: 1,
        ..DeadLetterConfig::new(dir.path().join("dead"))
    };
    let letters = DeadLetters::with_disk("s", config, disk);
    for number in 0..4 {
        letters.put(&culprit(number), "why").unwrap();
    }
    let mut ids = held(&dir);
    ids.sort();
    assert_eq!(ids.len(), 4);
    assert_eq!(fs::read_dir(dir.path().join("dead")).unwrap().count(), 4);
    for file in fs::read_dir(dir.path().join("dead")).unwrap() {
        let mode = file.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
