//! The rim: the file operations that change something, each of which a test may make fail as a disk
//! would, and the clock that files are named and aged by.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

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

/// Says what time it is.
pub(crate) type Clock = dyn Fn() -> SystemTime + Send + Sync;

/// The disk and the clock, or a disk with faults and a clock that a test sets.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub fault: Option<Arc<Fault>>,
    pub clock: Option<Arc<Clock>>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    pub(crate) fn now(&self) -> SystemTime {
        self.clock
            .as_ref()
            .map_or_else(SystemTime::now, |now| now())
    }

    fn ask(&self, op: Op, path: &Path) -> Result<(), (io::Error, usize)> {
        match self.fault.as_ref().and_then(|fault| fault(op, path)) {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
    }

    fn go(&self, op: Op, path: &Path) -> io::Result<()> {
        self.ask(op, path).map_err(|(error, _)| error)
    }

    /// Makes a folder and those above it, private ones whose names survive a crash.
    pub(crate) fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.go(Op::MakeDir, path)?;
        let missing: Vec<&Path> = path
            .ancestors()
            .take_while(|dir| !dir.as_os_str().is_empty() && !dir.is_dir())
            .collect();
        for dir in missing.into_iter().rev() {
            match DirBuilder::new().mode(0o700).create(dir) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
                made => made?,
            }
            let above = dir.parent().filter(|above| !above.as_os_str().is_empty());
            self.sync_dir(above.unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }

    /// Opens a private file for reading and writing, and for nobody else who asks here; makes it if
    /// need be.
    pub(crate) fn open(&self, path: &Path) -> io::Result<File> {
        self.go(Op::Open, path)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        match file.try_lock() {
            // Some network file systems have no locks; they must not keep us from writing.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use()),
        }
        // Its last writer may have closed and renamed it before the lock was free.
        let (ours, named) = (file.metadata()?, fs::metadata(path)?);
        match (ours.dev(), ours.ino()) == (named.dev(), named.ino()) {
            true => Ok(file),
            false => Err(in_use()),
        }
    }

    pub(crate) fn write_at(
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

    pub(crate) fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        self.go(Op::Sync, path)?;
        file.sync_data()
    }

    pub(crate) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.go(Op::Sync, path)?;
        File::open(path)?.sync_all()
    }

    pub(crate) fn truncate(&self, file: &File, path: &Path, length: u64) -> io::Result<()> {
        self.go(Op::Truncate, path)?;
        file.set_len(length)
    }

    /// Gives a file that is closed the time into its name, as in
    /// `NAME-2026-11-24T05-02-14.173205123Z.EXTENSION`. Never replaces another. Names sort by time
    /// as long as the clock does not go back.
    pub(crate) fn close(&self, file: &Path, name: &str, extension: &str) -> io::Result<()> {
        self.go(Op::Rename, file)?;
        let mut time = jiff::Timestamp::try_from(self.now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        loop {
            let stamp = time.strftime("%Y-%m-%dT%H-%M-%S%.9fZ");
            let to = file.with_file_name(format!("{name}-{stamp}.{extension}"));
            if !to.try_exists()? {
                return fs::rename(file, to);
            }
            // Files are closed far less often than once a nanosecond, so this ends soon.
            time = time
                .checked_add(jiff::SignedDuration::from_nanos(1))
                .map_err(io::Error::other)?;
        }
    }

    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        self.go(Op::Remove, path)?;
        fs::remove_file(path)
    }
}

fn in_use() -> io::Error {
    io::Error::new(
        io::ErrorKind::ResourceBusy,
        "in use by another shipper or process",
    )
}
