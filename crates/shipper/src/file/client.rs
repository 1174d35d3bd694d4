//! The open files: append and sync, rotate, remove old ones.
//!
//! All of it blocks the thread. One writer at a time; BOUNDED: at most [`MAX_OPEN`] files are open.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ident::{Signal, TenantId};

use super::config::Config;
use super::encode::{EncodeError, encode};
use super::recover::{sound_after, sound_length};
use crate::batch::Batch;
use crate::disk::Disk;

/// The most files that are open at once.
const MAX_OPEN: usize = 64;
/// How often the folder is looked through for files that nobody writes to any more.
const SWEEP: Duration = Duration::from_secs(60);
/// Buffers that grew beyond this for one batch are given back.
const MAX_BUFFER_BYTES: usize = 8 << 20;

#[derive(Debug)]
struct Open {
    path: PathBuf,
    file: File,
    /// Up to here the file holds what was synced; the next write goes here.
    length: u64,
    /// Something may be after `length`, from a write that failed.
    dirty: bool,
    begun: SystemTime,
    /// For closing the one that was not used for the longest time.
    used: u64,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Folder {
    config: Config,
    disk: Disk,
    open: HashMap<(TenantId, Signal), Open>,
    uses: u64,
    swept: Option<SystemTime>,
    out: Vec<u8>,
    scratch: Vec<u8>,
}

impl Folder {
    pub(super) fn new(config: Config, disk: Disk) -> Self {
        Folder {
            config,
            disk,
            open: HashMap::new(),
            uses: 0,
            swept: None,
            out: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Appends a batch to its file and syncs it. On an error the file is as it was before, as soon
    /// as the disk allows.
    pub(super) fn append(&mut self, batch: &Batch) -> Result<(), EncodeError> {
        self.out.clear();
        let mut out = std::mem::take(&mut self.out);
        let mut scratch = std::mem::take(&mut self.scratch);
        let done = encode(batch, &self.config, &mut scratch, &mut out)
            .and_then(|()| Ok(self.write(batch, &out)?));
        for (slot, mut buffer) in [(&mut self.out, out), (&mut self.scratch, scratch)] {
            if buffer.capacity() <= MAX_BUFFER_BYTES {
                buffer.clear();
                *slot = buffer;
            }
        }
        done
    }

    fn write(&mut self, batch: &Batch, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let key = (batch.tenant.clone(), batch.signal);
        let full = self.open.get(&key).is_some_and(|open| {
            let grown = open.length + bytes.len() as u64;
            open.length > 0 && (grown > self.config.rotate_bytes || self.is_old(open))
        });
        if full {
            self.rotate(&key)?;
        }
        if !self.open.contains_key(&key) {
            self.make_room();
            let open = self.open_file(&key)?;
            let again = open.length > 0
                && (open.length + bytes.len() as u64 > self.config.rotate_bytes
                    || self.is_old(&open));
            self.open.insert(key.clone(), open);
            if again {
                self.rotate(&key)?;
                let open = self.open_file(&key)?;
                self.open.insert(key.clone(), open);
            }
        }
        self.uses += 1;
        let Some(open) = self.open.get_mut(&key) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        open.used = self.uses;
        open.append(&self.disk, bytes)
    }

    /// Opens the file of a tenant and signal, cutting off what a crash left torn.
    fn open_file(&self, (tenant, signal): &(TenantId, Signal)) -> io::Result<Open> {
        let dir = self.config.path.join(tenant.as_str());
        self.disk.make_dir(&dir)?;
        let path = dir.join(format!("{signal}.{}", self.config.extension()));
        let file = self.disk.open(&path)?;
        let before = file.metadata()?.len();
        let length = sound_length(&file, &self.config, *signal)?;
        if length < before {
            let (shown, bytes) = (path.display().to_string(), before - length);
            if sound_after(&file, &self.config, *signal, length)? {
                // No crash does that. What is there was acknowledged: it is not ours to remove.
                tracing::error!(
                    file = shown,
                    offset = length,
                    "damaged in the middle; it is closed as it is, and another file begun"
                );
                self.disk
                    .close(&path, signal.as_str(), self.config.extension())?;
                drop(file);
                self.disk.sync_dir(&dir)?;
                return self.open_file(&(tenant.clone(), *signal));
            }
            tracing::warn!(
                file = shown,
                bytes,
                "cut off the end that a crash left torn; it is shipped again"
            );
            self.disk.truncate(&file, &path, length)?;
        }
        if length == 0 {
            // The new file's name must survive a crash too.
            self.disk.sync_dir(&dir)?;
            self.disk.sync_dir(&self.config.path)?;
        }
        let metadata = file.metadata()?;
        let begun = match length {
            0 => self.disk.now(),
            _ => metadata.created().or_else(|_| metadata.modified())?,
        };
        Ok(Open {
            path,
            file,
            length,
            dirty: false,
            begun,
            used: self.uses,
        })
    }

    fn is_old(&self, open: &Open) -> bool {
        open.length > 0 && self.age(open.begun) >= self.config.rotate_age
    }

    fn age(&self, since: SystemTime) -> Duration {
        self.disk.now().duration_since(since).unwrap_or_default()
    }

    /// Closes the file that was not used for the longest time, if too many are open.
    fn make_room(&mut self) {
        if self.open.len() < MAX_OPEN {
            return;
        }
        let oldest = self.open.iter().min_by_key(|(_, open)| open.used);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.open.remove(&key);
        }
    }

    /// Closes a file: it gets the time into its name. The next write begins a new one.
    fn rotate(&mut self, key: &(TenantId, Signal)) -> io::Result<()> {
        let Some(open) = self.open.get_mut(key) else {
            return Ok(());
        };
        open.cut_back(&self.disk)?;
        let dir = open.path.parent().unwrap_or(&self.config.path).to_owned();
        self.disk
            .close(&open.path, key.1.as_str(), self.config.extension())?;
        self.open.remove(key);
        self.disk.sync_dir(&dir)?;
        self.remove_old(&dir, key.1);
        Ok(())
    }

    /// Closes files that have become old, and removes those that need not be kept.
    pub(super) fn tick(&mut self) {
        let old: Vec<_> = self
            .open
            .iter()
            .filter(|(_, open)| self.is_old(open))
            .map(|(key, _)| key.clone())
            .collect();
        for key in old {
            if let Err(error) = self.rotate(&key) {
                let error = error.to_string();
                tracing::warn!(error, "a file that is old enough could not be closed");
            }
        }
        let due = self.swept.is_none_or(|last| self.age(last) >= SWEEP);
        if due {
            self.swept = Some(self.disk.now());
            self.sweep();
        }
    }

    /// The same for files of tenants that send nothing: left open by a restart, or closed.
    fn sweep(&mut self) {
        let tenants = fs::read_dir(&self.config.path).into_iter().flatten();
        for entry in tenants.flatten() {
            let name = entry.file_name();
            let Some(Ok(tenant)) = name.to_str().map(str::parse::<TenantId>) else {
                continue;
            };
            for signal in Signal::ALL {
                self.remove_old(&entry.path(), signal);
                let key = (tenant.clone(), signal);
                if let Err(error) = self.close_if_old(key, &entry.path()) {
                    let error = error.to_string();
                    tracing::warn!(error, "a file that is old enough could not be closed");
                }
            }
        }
    }

    /// Closes a file that is not open here.
    fn close_if_old(&mut self, key: (TenantId, Signal), dir: &Path) -> io::Result<()> {
        let path = dir.join(format!("{}.{}", key.1, self.config.extension()));
        let Ok(metadata) = fs::metadata(path) else {
            return Ok(());
        };
        let begun = metadata.created().or_else(|_| metadata.modified())?;
        let old = self.age(begun) >= self.config.rotate_age;
        if !old || metadata.len() == 0 || self.open.contains_key(&key) {
            return Ok(());
        }
        let open = self.open_file(&key)?;
        self.open.insert(key.clone(), open);
        self.rotate(&key)
    }

    fn remove_old(&self, dir: &Path, signal: Signal) {
        if self.config.keep_files.is_none() && self.config.keep_age.is_none() {
            return;
        }
        let mut closed = closed_files(dir, signal, self.config.extension());
        // Their names sort by time.
        closed.sort();
        let excess = self
            .config
            .keep_files
            .map_or(0, |keep| closed.len().saturating_sub(keep));
        for (i, path) in closed.iter().enumerate() {
            let too_old = self.config.keep_age.is_some_and(|keep| {
                let closed = fs::metadata(path).and_then(|file| file.modified());
                closed.is_ok_and(|time| self.age(time) > keep)
            });
            if (i < excess || too_old)
                && let Err(error) = self.disk.remove(path)
            {
                let (file, error) = (path.display().to_string(), error.to_string());
                tracing::warn!(file, error, "an old file could not be removed");
            }
        }
    }
}

fn closed_files(dir: &Path, signal: Signal, extension: &str) -> Vec<PathBuf> {
    let prefix = format!("{signal}-");
    let suffix = format!("Z.{extension}");
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            name.starts_with(&prefix) && name.ends_with(&suffix)
        })
        .map(|entry| entry.path())
        .collect()
}

impl Open {
    fn append(&mut self, disk: &Disk, bytes: &[u8]) -> io::Result<()> {
        self.cut_back(disk)?;
        self.dirty = true;
        let done = disk
            .write_at(&self.file, &self.path, bytes, self.length)
            .and_then(|()| disk.sync(&self.file, &self.path));
        match done {
            Ok(()) => {
                self.length += bytes.len() as u64;
                self.dirty = false;
                Ok(())
            }
            Err(error) => {
                // At once if the disk allows, so that a reader sees whole requests only.
                let _ = self.cut_back(disk);
                Err(error)
            }
        }
    }

    /// Removes what a failed write left behind.
    fn cut_back(&mut self, disk: &Disk) -> io::Result<()> {
        if self.dirty {
            disk.truncate(&self.file, &self.path, self.length)?;
            self.dirty = false;
        }
        Ok(())
    }
}
