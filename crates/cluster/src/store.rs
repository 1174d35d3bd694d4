//! A gateway's history on disk: one small file, and one for the traces that stay with each change.
//! Each is replaced wholly or not at all.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use journal::Position;
use serde::{Deserialize, Serialize};

use crate::history::{Epoch, History};
use crate::member::{Members, Stored as StoredMember};
use crate::stay::Stay;

const VERSION: u32 = 1;
const HISTORY: &str = "history.json";

/// The folder of a gateway's cluster state.
#[derive(Clone, Debug)]
pub(crate) struct Store(PathBuf);

#[derive(Serialize, Deserialize)]
struct StoredHistory {
    version: u32,
    me: String,
    joining: bool,
    epochs: Vec<StoredEpoch>,
}

#[derive(Serialize, Deserialize)]
struct StoredEpoch {
    number: u64,
    segment: u64,
    offset: u64,
    since_unix_nano: u64,
    handover_nanos: u64,
    members: Vec<StoredMember>,
}

impl Store {
    pub(crate) fn open(dir: &Path) -> io::Result<Store> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
        Ok(Store(dir.to_owned()))
    }

    /// Whether a folder holds one.
    pub(crate) fn is_stored(dir: &Path) -> bool {
        dir.join(HISTORY).is_file()
    }

    fn history_path(&self) -> PathBuf {
        self.0.join(HISTORY)
    }

    fn stay_path(&self, epoch: u64) -> PathBuf {
        self.0.join(format!("stay-{epoch}"))
    }

    /// What is stored; `None` if nothing is.
    pub(crate) fn load(&self) -> io::Result<Option<History>> {
        let text = match fs::read(self.history_path()) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "history.json is damaged");
        let stored: StoredHistory = serde_json::from_slice(&text).map_err(|_| damaged())?;
        if stored.version != VERSION || stored.epochs.is_empty() {
            return Err(damaged());
        }
        let mut epochs = Vec::new();
        for stored in stored.epochs {
            let from = Position {
                segment: stored.segment,
                offset: stored.offset,
            };
            epochs.push(Epoch {
                number: stored.number,
                from,
                since_unix_nano: stored.since_unix_nano,
                handover_nanos: stored.handover_nanos,
                members: Members::of_stored(stored.members).ok_or_else(damaged)?,
                // A damaged one is found again in the journal.
                stay: self.stay(stored.number).map(Arc::new),
            });
        }
        Ok(Some(History {
            me: stored.me.parse().map_err(|_| damaged())?,
            joining: stored.joining,
            epochs,
        }))
    }

    fn stay(&self, epoch: u64) -> Option<Stay> {
        Stay::from_bytes(&fs::read(self.stay_path(epoch)).ok()?).ok()
    }

    pub(crate) fn put(&self, history: &History) -> io::Result<()> {
        let epoch = |epoch: &Epoch| StoredEpoch {
            number: epoch.number,
            segment: epoch.from.segment,
            offset: epoch.from.offset,
            since_unix_nano: epoch.since_unix_nano,
            handover_nanos: epoch.handover_nanos,
            members: epoch.members.stored(),
        };
        let stored = StoredHistory {
            version: VERSION,
            me: history.me.to_string(),
            joining: history.joining,
            epochs: history.epochs.iter().map(epoch).collect(),
        };
        durable::replace(&self.history_path(), &serde_json::to_vec(&stored)?)
    }

    pub(crate) fn put_stay(&self, epoch: u64, stay: &Stay) -> io::Result<()> {
        durable::replace(&self.stay_path(epoch), &stay.to_bytes())
    }

    pub(crate) fn forget_stay(&self, epoch: u64) {
        let _ = fs::remove_file(self.stay_path(epoch));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    /// Guarantees: what version 1 wrote is read, and written again byte for byte.
    #[test]
    fn golden_files_are_read_and_written() {
        let golden = Path::new("tests/golden");
        let dir = tempfile::tempdir().unwrap();
        for (from, to) in [("history.v1.json", HISTORY), ("stay.v1", "stay-5")] {
            fs::copy(golden.join(from), dir.path().join(to)).unwrap();
        }
        let store = Store::open(dir.path()).unwrap();
        let history = store.load().unwrap().unwrap();
        assert_eq!(history.me.as_str(), "gw-1");
        assert!(history.epochs[0].stay.is_none());
        let last = history.current().unwrap();
        assert_eq!((last.number, last.members.count()), (5, 2));
        let stay = last.stay.clone().unwrap();
        assert_eq!(stay.count(), 3);
        assert!(stay.contains(&[200; 16]));
        store.put(&history).unwrap();
        store.put_stay(6, &stay).unwrap();
        let same = |one: &str, other: &str| {
            let read = |path: PathBuf| fs::read(path).unwrap();
            assert_eq!(read(golden.join(one)), read(dir.path().join(other)));
        };
        same("history.v1.json", HISTORY);
        same("stay.v1", "stay-6");
    }
}
