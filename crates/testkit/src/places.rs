//! Where `cargo xtask test` puts what the tests need, and where the tests look for it.
//!
//! Shared source: the `testkit` crate has it as a module and `xtask`, which has no dependencies,
//! includes the file by path. Standard library only.
//!
//! Each thing lies in `<cache>/<name>-<key>`, where the key is a digest of the files that pin its
//! versions. So a changed pin is a new folder, two clones at different commits share one cache,
//! and a test never runs against a server that its own commit did not ask for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Written last into a folder that is complete.
pub const DONE: &str = ".complete";

/// What the tests need besides Rust crates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The upstream OpenTelemetry Collector.
    Collector,
    /// Prometheus' Alertmanager.
    Alertmanager,
    /// A virtual environment with the OpenTelemetry SDK for Python, and a mail server.
    SdkPython,
    /// A `node_modules` with the OpenTelemetry SDK for Node.js.
    SdkJs,
}

impl Tool {
    /// Every tool.
    pub const ALL: [Tool; 4] = [
        Tool::Collector,
        Tool::Alertmanager,
        Tool::SdkPython,
        Tool::SdkJs,
    ];

    fn name(self) -> &'static str {
        match self {
            Tool::Collector => "collector",
            Tool::Alertmanager => "alertmanager",
            Tool::SdkPython => "sdk-python",
            Tool::SdkJs => "sdk-js",
        }
    }

    /// The files in the repository that pin the tool's versions.
    pub fn pins(self) -> &'static [&'static str] {
        match self {
            Tool::Collector => &[
                "tests/servers/collector/manifest.yaml",
                "tests/servers/collector/otlpencodingextension/go.mod",
                "tests/servers/collector/otlpencodingextension/doc.go",
                "tests/servers/collector/xprofile/go.mod",
                "tests/servers/collector/xprofile/ottlfuncs/doc.go",
                "tests/servers/collector/xprofile/ottlprofile/doc.go",
            ],
            Tool::Alertmanager => &["tests/servers/alertmanager/version"],
            Tool::SdkPython => &["tests/sdk/python/requirements.txt"],
            Tool::SdkJs => &[
                "tests/sdk/js/package.json",
                "tests/sdk/js/package-lock.json",
            ],
        }
    }

    /// The program (or, for [`Tool::SdkJs`], the folder) within the tool's folder.
    pub fn entry(self) -> &'static str {
        match self {
            Tool::Collector => "out/otelcol",
            Tool::Alertmanager => "bin/alertmanager",
            Tool::SdkPython => "bin/python",
            Tool::SdkJs => "",
        }
    }

    /// The tool's folder for the pins in `repository`, whether or not it exists.
    pub fn dir(self, repository: &Path) -> io::Result<PathBuf> {
        let mut key = Fnv::new();
        for pin in self.pins() {
            let path = repository.join(pin);
            let content = fs::read(&path).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?;
            key.add(pin.as_bytes());
            key.add(&content);
        }
        Ok(cache_dir()?.join(format!("{}-{:016x}", self.name(), key.0)))
    }

    /// Whether the tool's folder is complete.
    pub fn is_ready(self, repository: &Path) -> io::Result<bool> {
        Ok(self.dir(repository)?.join(DONE).is_file())
    }
}

/// `${XDG_CACHE_HOME:-$HOME/.cache}/stella-telemetry`.
pub fn cache_dir() -> io::Result<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("stella-telemetry"))
        .ok_or_else(|| io::Error::other("neither XDG_CACHE_HOME nor HOME is an absolute path"))
}

/// FNV-1a: tells versions of our own files apart; nothing rests on it against an attacker.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
