//! What the journal's tests share.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "test support; each test file uses some of it"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use ident::{Signal, TenantId};
use journal::seam::Env;
use journal::{Block, Filter, Journal, Options, Record, Recovery, Start};
use meter::Meter;

pub fn record(tenant: &str, signal: Signal, payload: impl Into<Bytes>) -> Record {
    Record {
        tenant: tenant.parse().unwrap(),
        signal,
        items: 1,
        min_time_unix_nano: 10,
        max_time_unix_nano: 20,
        payload: payload.into(),
    }
}

pub fn logs(payload: impl Into<Bytes>) -> Record {
    record("acme", Signal::Logs, payload)
}

pub fn open(dir: &Path) -> (Journal, Recovery) {
    open_with(dir, Options::default())
}

pub fn open_with(dir: &Path, options: Options) -> (Journal, Recovery) {
    Journal::open(dir, options, &Meter::new()).unwrap()
}

pub fn open_env(dir: &Path, options: Options, env: Env) -> (Journal, Recovery, Meter) {
    let meter = Meter::new();
    let (journal, recovery) = Journal::open_with(dir, options, &meter, env).unwrap();
    (journal, recovery, meter)
}

/// All blocks from the oldest on.
pub fn blocks(journal: &Journal) -> Vec<Block> {
    let mut reader = journal.reader(Start::Oldest, Filter::default());
    std::iter::from_fn(|| reader.try_next().unwrap()).collect()
}

/// The payloads of all blocks, in order, joined.
pub fn all_bytes(journal: &Journal) -> Vec<u8> {
    blocks(journal)
        .iter()
        .flat_map(|b| b.payload.to_vec())
        .collect()
}

/// The directory as a crash at this instant would leave it.
pub fn snapshot(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            snapshot(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub fn segment_path(dir: &Path, id: u64) -> std::path::PathBuf {
    dir.join("segments").join(format!("{id:020}.seg"))
}

pub fn segment_ids(dir: &Path) -> Vec<u64> {
    let mut ids: Vec<u64> = fs::read_dir(dir.join("segments"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .map(|n| n.trim_end_matches(".seg").parse().unwrap())
        .collect();
    ids.sort_unstable();
    ids
}

/// A clock that the test sets.
#[derive(Clone)]
pub struct TestClock(Arc<AtomicU64>);

impl TestClock {
    pub fn at(nanos: u64) -> Self {
        TestClock(Arc::new(AtomicU64::new(nanos)))
    }

    pub fn set(&self, nanos: u64) {
        self.0.store(nanos, Ordering::SeqCst);
    }

    pub fn env(&self) -> Env {
        let clock = Arc::clone(&self.0);
        Env {
            clock: Some(Arc::new(move || clock.load(Ordering::SeqCst))),
            ..Env::default()
        }
    }
}

/// Bytes that zstd cannot make smaller.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        })
        .collect()
}

/// The value of a metric's line in Prometheus text; 0 if it is not there.
pub fn metric(meter: &Meter, line: &str) -> f64 {
    meter
        .encode()
        .lines()
        .find_map(|l| l.strip_prefix(line)?.trim().parse().ok())
        .unwrap_or(0.0)
}

/// Waits until a condition holds. A test that waits in vain fails by its message.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("waited in vain: {what}");
}

pub fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

/// Changes bytes of a file.
pub fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Positions of all blocks in a file that is not open: where each block's marker stands.
pub fn block_offsets(path: &Path) -> Vec<usize> {
    let bytes = fs::read(path).unwrap();
    let salt = &bytes[32..44];
    (64..bytes.len().saturating_sub(16))
        .filter(|&at| &bytes[at..at + 4] == b"SBLK" && &bytes[at + 4..at + 16] == salt)
        .collect()
}
