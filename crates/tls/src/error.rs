//! Why files cannot be used. No text holds anything of a key.

use std::path::PathBuf;

/// Why TLS cannot be had from the files that were named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("the {what} {} cannot be read: {why}\nhint: the file must exist and be readable by the user that runs this", .path.display())]
    Read {
        /// What it is for.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// A file is larger than any of its kind.
    #[error("the {what} {} has more than {most} bytes\nhint: is it the right file?", .path.display())]
    TooLarge {
        /// What it is for.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// The most that is read.
        most: u64,
    },
    /// A private key that others can read or change.
    #[error("the key {} can be read or changed by others (mode {mode:04o}, owner {owner})\nhint: chmod 0600 {}; a key that root owns may be 0640", .path.display(), .path.display())]
    Permissions {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The user id that owns it.
        owner: u32,
    },
    /// A private key that belongs to another user.
    #[error("the key {} belongs to user {owner}, neither to the user that runs this ({user}) nor to root\nhint: chown it", .path.display())]
    Owner {
        /// Which.
        path: PathBuf,
        /// The user id that owns it.
        owner: u32,
        /// The user id of this process.
        user: u32,
    },
    /// A file without what was looked for.
    #[error("the {what} {} {why}\nhint: {hint}", .path.display())]
    Content {
        /// What it is for.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
        /// What could be done.
        hint: &'static str,
    },
    /// The key is not that of the certificate.
    #[error("the key {} does not belong to the certificate {}\nhint: both come from the same request; the server's own certificate comes first in its file", .key.display(), .cert.display())]
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// Parts that make no sense together.
    #[error("{what}\nhint: {hint}")]
    Combination {
        /// Which.
        what: &'static str,
        /// What could be done.
        hint: &'static str,
    },
    /// The library refuses what was put together.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

impl From<rustls::Error> for Error {
    fn from(error: rustls::Error) -> Self {
        Error::Setup(error.to_string())
    }
}
