//! The rim: the file operations that change something, each of which a test may make fail as a disk
//! would.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// An operation that changes the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    MakeDir,
    Open,
    Write,
    Sync,
    Truncate,
    Rename,
    Remove,
}

/// Decides over an operation before it is done: an error is its result. For a write, so many bytes
/// reach the file before the error.
pub(crate) type Fault = dyn Fn(Op, &Path) -> Option<(io::Error, usize)> + Send + Sync;

/// The disk, or a disk with faults.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub fault: Option<Arc<Fault>>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    fn ask(&self, op: Op, path: &Path) -> Result<(), (io::Error, usize)> {
        match self.fault.as_ref().and_then(|fault| fault(op, path)) {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    fn go(&self, op: Op, path: &Path) -> io::Result<()> {
        self.ask(op, path).map_err(|(error, _)| error)
    }

    /// Makes a folder and those above it, private ones.
    pub(super) fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.go(Op::MakeDir, path)?;
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    /// Opens a private file for reading and writing; makes it if need be.
    pub(super) fn open(&self, path: &Path) -> io::Result<File> {
        self.go(Op::Open, path)?;
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
    }

    pub(super) fn write_at(
        &self,
        file: &File,
        path: &Path,
        bytes: &[u8],
        offset: u64,
    ) -> io::Result<()> {
        match self.ask(Op::Write, path) {
            Ok(()) => file.write_all_at(bytes, offset),
            Err((error, written)) => {
                let written = bytes.get(..written).unwrap_or(bytes);
                file.write_all_at(written, offset)?;
                Err(error)
            }
        }
    }

    pub(super) fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        self.go(Op::Sync, path)?;
        file.sync_data()
    }

    pub(super) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.go(Op::Sync, path)?;
        File::open(path)?.sync_all()
    }

    pub(super) fn truncate(&self, file: &File, path: &Path, length: u64) -> io::Result<()> {
        self.go(Op::Truncate, path)?;
        file.set_len(length)
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.go(Op::Rename, from)?;
        fs::rename(from, to)
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.go(Op::Remove, path)?;
        fs::remove_file(path)
    }
}
