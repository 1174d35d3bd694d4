//! Why something cannot be issued. No text holds anything of a key.

use std::io;
use std::path::PathBuf;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is a file already.
    #[error("{} is there already\nhint: --force writes over it; `renew` keeps its names", .0.display())]
    Exists(PathBuf),
    /// There is no CA in the folder.
    #[error("there is no CA in {}\nhint: make one with `stella telemetry pki init`, or name its folder with --dir", .0.display())]
    NoAuthority(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} {what}", .path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A name that cannot be in a certificate.
    #[error("`{name}` is not a {kind}\nhint: {hint}")]
    Name {
        /// The name.
        name: String,
        /// What it should be.
        kind: &'static str,
        /// What is allowed.
        hint: &'static str,
    },
    /// A server without a name.
    #[error(
        "a server's certificate needs a name\nhint: give --dns or --ip, as senders will write it in their endpoint"
    )]
    Nameless,
    /// The CA's own time is over.
    #[error(
        "the CA has expired\nhint: make a new one in another folder with `stella telemetry pki init`"
    )]
    Expired,
    /// A certificate of another CA.
    #[error("{} was not issued by this CA", .0.display())]
    Foreign(PathBuf),
    /// A certificate that was revoked.
    #[error("{} was revoked\nhint: issue a new one with `stella telemetry pki issue --force`", .0.display())]
    Revoked(PathBuf),
    /// The library refuses.
    #[error("the certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { path, source }
    }
}
