//! What can go wrong, told so that a caller can decide and a person can act.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Why a journal, a consumer or a follower could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has the journal open.
    #[error(
        "the journal {} is in use by {}\nhint: stop that process, or choose another directory",
        dir.display(),
        holder(*.pid)
    )]
    Locked {
        /// The journal's directory.
        dir: PathBuf,
        /// The holder's process id, if it could be read.
        pid: Option<u32>,
    },
    /// The operating system refused.
    #[error("cannot {what} {}: {source}\nhint: {}", path.display(), hint(source))]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A segment was written by a newer version of this program.
    #[error(
        "{} has format version {version}; this program reads up to {}\nhint: use the version of stella that wrote it, or a newer one",
        path.display(),
        crate::format::VERSION
    )]
    TooNew {
        /// The segment's file.
        path: PathBuf,
        /// Its version.
        version: u16,
    },
    /// The name cannot name a consumer.
    #[error(
        "`{name}` cannot name a consumer\nhint: use 1 to 64 ASCII letters, digits, `-`, `_` or `.`, not beginning with `.`"
    )]
    BadName {
        /// The name as given.
        name: String,
    },
    /// Another part of this process reads under this name.
    #[error("the consumer `{name}` is already open\nhint: give each destination a name of its own")]
    InUse {
        /// The name.
        name: String,
    },
    /// The journal was closed.
    #[error("the journal is closed\nhint: open it again")]
    Closed,
}

impl OpenError {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| OpenError::Io { what, path, source }
    }
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "give the user that runs stella the right to read and write there"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "mount the file system for writing, or choose another directory"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room on the file system, or choose another directory"
        }
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::NotADirectory => "give a directory, not a file",
        _ => "check the disk and its file system",
    }
}

/// What keeps the journal from writing. It is cleared by the next write that succeeds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {what} {}: {message}", path.display())]
pub struct Trouble {
    /// What was tried.
    pub what: &'static str,
    /// On what.
    pub path: Arc<Path>,
    /// The kind of error, to decide on.
    pub kind: io::ErrorKind,
    /// The operating system's words.
    pub message: Arc<str>,
}

impl Trouble {
    pub(crate) fn new(what: &'static str, path: &Path, error: &io::Error) -> Self {
        Trouble {
            what,
            path: Arc::from(path),
            kind: error.kind(),
            message: Arc::from(error.to_string()),
        }
    }

    /// Whether the cause is a lack of space: disk, quota or file size limit.
    pub fn is_disk_full(&self) -> bool {
        matches!(
            self.kind,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    }
}

/// Why a record was not taken. None of its bytes will be seen by a reader, with one exception:
/// after [`Unavailable`](AppendError::Unavailable) they may, if the process ends before the
/// failed write could be undone. So a retry may lead to a duplicate, never to a loss.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// A limit is reached; the same record may be taken later.
    #[error("the journal is full ({limit}), try again in {retry_after:?}")]
    Full {
        /// When to try again.
        retry_after: Duration,
        /// Which limit: `pending bytes` or `journal bytes`.
        limit: &'static str,
    },
    /// The disk refuses; the journal goes on by itself when it no longer does.
    #[error("the journal cannot write, try again in {retry_after:?}: {reason}")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// What the disk said.
        reason: Trouble,
    },
    /// The record can never be taken.
    #[error("a record of {bytes} bytes is larger than the limit of {limit} bytes")]
    TooLarge {
        /// The payload's length.
        bytes: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

/// Why no block could be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The journal was closed and everything in it was read.
    #[error("the journal is closed")]
    Closed,
    /// The disk refused. Reading may be tried again; the place is kept.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The segment's file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}
