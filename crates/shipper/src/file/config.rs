//! Which folder, in which format, and when a file is closed.

use std::path::PathBuf;
use std::time::Duration;

/// Files in a folder.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder. It is made if it is not there.
    pub path: PathBuf,
    /// What is written.
    pub format: Format,
    /// How it is compressed.
    pub compression: Compression,
    /// A file is closed before it grows past this, unless one write alone does.
    pub rotate_bytes: u64,
    /// A file is closed when it is this old.
    pub rotate_age: Duration,
    /// How many closed files are kept of each tenant and signal; `None` means all.
    pub keep_files: Option<usize>,
    /// How long closed files are kept; `None` means for ever.
    pub keep_age: Option<Duration>,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// OTLP JSON, one request a line.
    #[default]
    Json,
    /// OTLP protobuf, each request after its length (four bytes, big-endian).
    Proto,
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Zstandard, a frame for each write.
    Zstd,
}

impl Config {
    /// JSON lines with every default: closed at 100 MiB or a day, all of them kept.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Config {
            path: path.into(),
            format: Format::Json,
            compression: Compression::None,
            rotate_bytes: 100 << 20,
            rotate_age: Duration::from_secs(24 * 3600),
            keep_files: None,
            keep_age: None,
        }
    }

    /// For people.
    pub fn describe(&self) -> String {
        let format = match self.format {
            Format::Json => "OTLP JSON lines",
            Format::Proto => "length-delimited OTLP protobuf",
        };
        let compressed = match self.compression {
            Compression::None => "",
            Compression::Zstd => " with zstd",
        };
        format!("file: {format}{compressed} in {}", self.path.display())
    }

    /// What file names end in.
    pub(super) fn extension(&self) -> &'static str {
        match (self.format, self.compression) {
            (Format::Json, Compression::None) => "jsonl",
            (Format::Json, Compression::Zstd) => "jsonl.zst",
            (Format::Proto, Compression::None) => "binpb",
            (Format::Proto, Compression::Zstd) => "binpb.zst",
        }
    }
}
