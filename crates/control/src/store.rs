//! Incidents on the disk: one JSON file each, replaced as a whole.
//!
//! RESTARTABLE: a file is written beside the old one, synced, renamed over it, and the folder is
//! synced; so after a crash at any instant there is the old one or the new one. A file that cannot
//! be read is left where it is, reported, held for as long as it could be, and the others go on. `docs/formats/incident.md`
//! describes the bytes.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::config::Config;
use crate::incident::{Incident, IncidentId, earlier, later};

const VERSION: u32 = 1;
/// The largest file that is read.
const MAX_FILE: u64 = 1 << 20;
/// The most files that are read.
const MAX_FILES: usize = 10_000;

/// The folder of incidents.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

/// What the folder held.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The incidents, oldest first.
    pub incidents: BTreeMap<IncidentId, Incident>,
    /// Files that could not be used, by name.
    pub damaged: Vec<Damaged>,
}

/// A file that could not be used. What the incident in it may hold is held.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damaged {
    /// Its name.
    pub file: String,
    /// What is wrong with it.
    pub why: String,
    /// The incident's id, if its name is one.
    pub id: Option<IncidentId>,
    /// When it was last written, as the file system says.
    pub changed_at: Timestamp,
}

/// What an incident may hold whose record cannot be read: no less than it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Whose.
    pub id: IncidentId,
    /// From when on.
    pub from: Timestamp,
    /// Up to when.
    pub to: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
}

impl Damaged {
    /// All that an incident of this name can hold, for as long as it can: it looks back no further
    /// than may be, it was opened or extended when the file was last written at the latest, and
    /// waits no longer for its capture.
    pub fn keeps(&self, config: &Config) -> Option<Kept> {
        let id = self.id.clone()?;
        let opened = id.opened_at()?;
        let to = later(self.changed_at.max(opened), config.max_ttl.0);
        Some(Kept {
            id,
            from: earlier(opened, config.max_lookback.0),
            to,
            until: later(to, config.capture_deadline.0),
        })
    }
}

impl Loaded {
    /// What the journal must not let go from the moment it is opened: from when, and to when where
    /// that is known.
    pub fn holds(&self, config: &Config) -> Vec<(IncidentId, Timestamp, Option<Timestamp>)> {
        let known = self.incidents.values().filter(|known| !known.hold.released);
        let known = known.map(|known| (known.id.clone(), known.hold.from, known.hold.to));
        let damaged = self
            .damaged
            .iter()
            .filter_map(|damaged| damaged.keeps(config));
        known
            .chain(damaged.map(|kept| (kept.id, kept.from, Some(kept.to))))
            .collect()
    }
}

/// The disk refused.
#[derive(Debug, thiserror::Error)]
#[error("the incident's file {path} cannot be written: {source}")]
pub struct StoreError {
    /// Which.
    path: PathBuf,
    /// What the system said.
    source: io::Error,
}

#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    version: u32,
    /// CRC32C of the bytes of `incident`, eight hexadecimal digits.
    crc32c: String,
    #[serde(borrow)]
    incident: &'a RawValue,
}

impl Store {
    /// Opens the folder, which is made if need be, and reads what is there.
    ///
    /// # Errors
    /// If the folder cannot be made or read. A damaged file is no error.
    pub fn open(dir: &Path) -> io::Result<(Store, Loaded)> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let store = Store {
            dir: dir.to_owned(),
        };
        let loaded = store.load()?;
        Ok((store, loaded))
    }

    fn load(&self) -> io::Result<Loaded> {
        let mut loaded = Loaded::default();
        for entry in fs::read_dir(&self.dir)?.take(MAX_FILES) {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let Some(id) = name.strip_suffix(".json") else {
                continue;
            };
            let read = read(&self.dir.join(&name)).and_then(|bytes| decode(id, &bytes));
            match read {
                Ok(incident) => {
                    loaded.incidents.insert(incident.id.clone(), incident);
                }
                Err(why) => loaded.damaged.push(Damaged {
                    id: id.parse().ok(),
                    changed_at: changed_at(&self.dir.join(&name)),
                    file: name,
                    why,
                }),
            }
        }
        loaded.damaged.sort();
        Ok(loaded)
    }

    /// Makes the incident durable as it is.
    ///
    /// # Errors
    /// If the disk refuses; the file is then as it was.
    pub fn put(&self, incident: &Incident) -> Result<(), StoreError> {
        let path = self.path(&incident.id);
        encode(incident)
            .and_then(|bytes| durable::replace(&path, &bytes))
            .map_err(|source| StoreError { path, source })
    }

    /// Whether a file of this name is still there.
    pub(crate) fn has(&self, file: &str) -> bool {
        self.dir.join(file).exists()
    }

    /// Forgets the incident.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn remove(&self, id: &IncidentId) -> Result<(), StoreError> {
        let path = self.path(id);
        let removed = match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => File::open(&self.dir).and_then(|dir| dir.sync_all()),
        };
        removed.map_err(|source| StoreError { path, source })
    }

    fn path(&self, id: &IncidentId) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }
}

fn changed_at(path: &Path) -> Timestamp {
    let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
    let changed = changed.ok().and_then(|at| Timestamp::try_from(at).ok());
    changed.unwrap_or_else(Timestamp::now)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(format!("it has more than {MAX_FILE} bytes"));
    }
    Ok(bytes)
}

pub(crate) fn encode(incident: &Incident) -> io::Result<Vec<u8>> {
    let text = serde_json::value::to_raw_value(incident)?;
    let mut bytes = serde_json::to_vec(&Stored {
        version: VERSION,
        crc32c: digest(&text),
        incident: &text,
    })?;
    bytes.push(b'\n');
    Ok(bytes)
}

pub(crate) fn decode(id: &str, bytes: &[u8]) -> Result<Incident, String> {
    let stored: Stored<'_> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if stored.version != VERSION {
        return Err(format!("its version is {}", stored.version));
    }
    if stored.crc32c != digest(stored.incident) {
        return Err("its checksum does not hold".to_owned());
    }
    let incident: Incident =
        serde_json::from_str(stored.incident.get()).map_err(|error| error.to_string())?;
    if incident.id.as_str() != id {
        return Err(format!("it holds {}", incident.id));
    }
    Ok(incident)
}

fn digest(text: &RawValue) -> String {
    format!("{:08x}", crc32c::crc32c(text.get().as_bytes()))
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
