//! The next segment is made ahead of its first commit, and nothing depends on it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

mod common;

use std::io;
use std::path::Path;
use std::sync::Arc;

use common::*;
use journal::seam::{Env, Faults, Op, Verdict};
use journal::{Journal, Options};

const SEGMENT: u64 = 1 << 20;

fn options() -> Options {
    Options {
        segment_bytes: SEGMENT,
        ..Options::default()
    }
}

/// Appends records of noise, `total` bytes in all, and gives what was appended.
async fn fill(journal: &Journal, total: usize, seed: u64) -> Vec<u8> {
    let mut all = Vec::new();
    for piece in 0..total / (64 << 10) {
        let payload = noise(64 << 10, seed + piece as u64);
        all.extend_from_slice(&payload);
        journal.append(logs(payload)).await.unwrap();
    }
    all
}

/// Guarantees: once the active segment is half full, the next is ready under another name; the
/// commit that begins it renames it; an orderly end leaves none behind.
#[tokio::test]
async fn the_next_segment_is_made_ahead_and_taken() {
    let dir = tempfile::tempdir().unwrap();
    let next = dir.path().join("next");
    let (journal, _) = open_with(dir.path(), options());
    let mut all = fill(&journal, 256 << 10, 1).await;
    assert!(!next.exists(), "made too early");
    all.extend(fill(&journal, 512 << 10, 100).await);
    until("the next segment", || next.exists()).await;
    let made = std::fs::read(&next).unwrap();
    all.extend(fill(&journal, 512 << 10, 200).await);
    let begun = std::fs::read(segment_path(dir.path(), 2)).unwrap();
    assert_eq!(made, begun[..made.len()], "the prepared file was begun");
    all.extend(fill(&journal, 1 << 20, 300).await);
    assert_eq!(all_bytes(&journal), all);
    journal.close().await.unwrap();
    assert!(!next.exists(), "left behind");
    let (journal, recovery) = open_with(dir.path(), options());
    assert_eq!((recovery.unsealed, recovery.truncated_bytes), (0, 0));
    assert_eq!(all_bytes(&journal), all);
}

/// Guarantees: what a killed process had made ahead is removed, and its number is used all the same.
#[tokio::test]
async fn one_that_was_never_begun_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let crashed = tempfile::tempdir().unwrap();
    let (journal, _) = open_with(dir.path(), options());
    let all = fill(&journal, 640 << 10, 1).await;
    until("the next segment", || dir.path().join("next").exists()).await;
    snapshot(dir.path(), crashed.path());
    let (journal, _) = open_with(crashed.path(), options());
    assert!(!crashed.path().join("next").exists());
    assert_eq!(all_bytes(&journal), all);
    fill(&journal, 1 << 20, 100).await;
    assert_eq!(segment_ids(crashed.path()), [1, 2]);
}

/// Refuses one operation on what is made ahead.
struct Refuses(Op);

impl Faults for Refuses {
    fn before(&self, op: Op, path: &Path, _bytes: u64) -> Verdict {
        match op == self.0 && path.ends_with("next") {
            true => Verdict::Fail(io::Error::from_raw_os_error(28)),
            false => Verdict::Go,
        }
    }
}

/// Guarantees: whatever fails while a segment is made ahead or begun, appends go on, and
/// nobody is refused.
#[tokio::test]
async fn trouble_ahead_is_no_trouble() {
    for op in [Op::Create, Op::Write, Op::Sync, Op::Rename, Op::Remove] {
        let dir = tempfile::tempdir().unwrap();
        let env = Env {
            faults: Some(Arc::new(Refuses(op))),
            ..Env::default()
        };
        let (journal, _, _) = open_env(dir.path(), options(), env);
        let all = fill(&journal, 4 << 20, 1).await;
        assert_eq!(all_bytes(&journal), all, "{op:?}");
    }
}
