//! Where the file is, and how large it may grow.

use std::path::PathBuf;

/// A file of JSON lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The file. It is made for this user alone (0600); its folder must be there.
    pub path: PathBuf,
    /// The size from which on it is renamed to `NAME.1`, that to `NAME.2` and so on, and a new one
    /// begun.
    pub rotate_bytes: u64,
    /// How many of those are kept.
    pub keep: u32,
}

impl Config {
    /// For people.
    pub fn describe(&self) -> String {
        format!("file {}", self.path.display())
    }
}
