//! The rim: the clock and the file operations that change something, each of which a test may make
//! fail as a disk would. Not part of the public interface.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A file operation that changes the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// A new file is made.
    Create,
    /// Bytes are written.
    Write,
    /// `fdatasync` of a file.
    Sync,
    /// A file is cut to a length.
    Truncate,
    /// A file gets another name.
    Rename,
    /// A file is removed.
    Remove,
    /// `fsync` of a directory.
    SyncDir,
}

/// What becomes of an operation.
#[derive(Debug)]
pub enum Verdict {
    /// It is done for real.
    Go,
    /// It is not done and gives this error.
    Fail(io::Error),
    /// A write of which only so many bytes reach the file before the error.
    Short(u64, io::Error),
}

/// Decides over each operation. For tests.
pub trait Faults: Send + Sync {
    /// Asked before an operation on `path` (of `bytes` bytes, for a write).
    fn before(&self, op: Op, path: &Path, bytes: u64) -> Verdict;
}

/// The clock (nanoseconds since 1970) and the disk.
#[derive(Clone, Default)]
pub struct Env {
    /// Another clock than the system's.
    pub clock: Option<Arc<dyn Fn() -> u64 + Send + Sync>>,
    /// Another fate for file operations than the disk's.
    pub faults: Option<Arc<dyn Faults>>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").finish_non_exhaustive()
    }
}

/// Linux takes at most 1024 slices a call (`IOV_MAX`).
const MAX_SLICES: usize = 1024;

impl Env {
    pub(crate) fn now(&self) -> u64 {
        match &self.clock {
            Some(clock) => clock(),
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)),
        }
    }

    fn ask(&self, op: Op, path: &Path, bytes: u64) -> Verdict {
        self.faults
            .as_ref()
            .map_or(Verdict::Go, |faults| faults.before(op, path, bytes))
    }

    fn go(&self, op: Op, path: &Path) -> io::Result<()> {
        match self.ask(op, path, 0) {
            Verdict::Go => Ok(()),
            Verdict::Fail(error) | Verdict::Short(_, error) => Err(error),
        }
    }

    pub(crate) fn create(&self, path: &Path) -> io::Result<File> {
        self.go(Op::Create, path)?;
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
    }

    /// Writes all slices at `offset`, in as few calls as the system allows.
    pub(crate) fn write_at(
        &self,
        file: &File,
        path: &Path,
        slices: &mut [IoSlice<'_>],
        offset: u64,
    ) -> io::Result<()> {
        let total: u64 = slices.iter().map(|s| s.len() as u64).sum();
        match self.ask(Op::Write, path, total) {
            Verdict::Go => write_all_at(file, slices, offset),
            Verdict::Fail(error) => Err(error),
            Verdict::Short(bytes, error) => {
                let mut all: Vec<u8> = slices.iter().flat_map(|s| s.iter().copied()).collect();
                all.truncate(usize::try_from(bytes).unwrap_or(usize::MAX));
                write_all_at(file, &mut [IoSlice::new(&all)], offset)?;
                Err(error)
            }
        }
    }

    pub(crate) fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        self.go(Op::Sync, path)?;
        file.sync_data()
    }

    pub(crate) fn truncate(&self, file: &File, path: &Path, len: u64) -> io::Result<()> {
        self.go(Op::Truncate, path)?;
        file.set_len(len)
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.go(Op::Rename, from)?;
        std::fs::rename(from, to)
    }

    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        self.go(Op::Remove, path)?;
        std::fs::remove_file(path)
    }

    pub(crate) fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.go(Op::SyncDir, dir)?;
        File::open(dir)?.sync_all()
    }
}

fn write_all_at(file: &File, mut slices: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        let some = &slices[..slices.len().min(MAX_SLICES)];
        match rustix::io::pwritev(file, some, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut slices, written);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
