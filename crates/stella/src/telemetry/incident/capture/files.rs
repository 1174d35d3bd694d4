//! The files of a capture. `MANIFEST` comes last, when all others are on the disk: without it a
//! capture is none.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ident::TenantId;
use journal::Block;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::cli::incident::CaptureFormat;
use crate::error::{CliError, CliResult, Exit};

const MANIFEST: &str = "MANIFEST";
const ABOUT: &str = "capture.json";

/// A capture that is being written.
pub struct Files {
    dir: PathBuf,
    formats: Vec<Format>,
    /// By tenant, signal and format, which is their order everywhere.
    data: BTreeMap<(TenantId, &'static str, Format), Data>,
}

/// How requests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Format {
    Json,
    Proto,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Format::Json => "jsonl",
            Format::Proto => "pb",
        }
    }
}

struct Data {
    line: Line,
    sha256: Sha256,
}

/// What `capture.json` says of a file.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Its path in the capture.
    pub file: String,
    pub tenant: String,
    pub signal: &'static str,
    /// What its items are called.
    #[serde(skip)]
    pub unit: &'static str,
    pub requests: u64,
    /// Spans, data points or log records.
    pub items: u64,
    pub bytes: u64,
    /// When the first and the last of it was appended to the journal.
    pub first_unix_nano: u64,
    pub last_unix_nano: u64,
}

impl Files {
    /// Begins a capture in a folder that is new or empty.
    pub fn create(dir: &Path, format: CaptureFormat) -> CliResult<Files> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        let empty = made.and_then(|()| Ok(fs::read_dir(dir)?.next().is_none()));
        match empty {
            Ok(true) => {}
            Ok(false) => {
                let message = format!("{} is not empty", dir.display());
                return Err(CliError::new(Exit::BadInput, message)
                    .hint("a capture goes into a folder of its own"));
            }
            Err(error) => return Err(failed(dir, &error)),
        }
        Ok(Files {
            dir: dir.to_owned(),
            formats: match format {
                CaptureFormat::Proto => vec![Format::Proto],
                CaptureFormat::Json => vec![Format::Json],
                CaptureFormat::Both => vec![Format::Json, Format::Proto],
            },
            data: BTreeMap::new(),
        })
    }

    /// Adds a request of a block. BOUNDED: one file is open at a time.
    pub fn add(&mut self, block: &Block, payload: Bytes, items: u64) -> CliResult<()> {
        for format in self.formats.clone() {
            let mut bytes = Vec::with_capacity(payload.len() + 4);
            match format {
                Format::Proto => {
                    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
                    bytes.extend_from_slice(&length.to_be_bytes());
                    bytes.extend_from_slice(&payload);
                }
                Format::Json => {
                    let encoded = otlp::json::encode(block.signal, &payload, &mut bytes);
                    encoded.map_err(|error| {
                        let at = block.position;
                        let message = format!("the block at {at} of the journal: {error}");
                        CliError::new(Exit::Failure, message)
                    })?;
                    bytes.push(b'\n');
                }
            }
            let key = (block.tenant.clone(), block.signal.as_str(), format);
            let data = match self.data.entry(key) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(place) => {
                    let data = Data::of(block, format);
                    let path = self.dir.join(&data.line.file);
                    make_folder_of(&path).map_err(|error| failed(&path, &error))?;
                    place.insert(data)
                }
            };
            let path = self.dir.join(&data.line.file);
            append(&path, &bytes).map_err(|error| failed(&path, &error))?;
            data.sha256.update(&bytes);
            data.line.requests += 1;
            data.line.items += items;
            data.line.bytes += bytes.len() as u64;
            data.line.last_unix_nano = block.appended_unix_nano;
        }
        Ok(())
    }

    /// What was written until now.
    pub fn lines(&self) -> Vec<Line> {
        self.data.values().map(|data| data.line.clone()).collect()
    }

    /// Makes all of it durable, and writes the manifest, whose digest it returns.
    pub fn finish(&self, about: &impl Serialize) -> CliResult<String> {
        let mut text = serde_json::to_vec_pretty(about).map_err(io::Error::from)?;
        text.push(b'\n');
        self.put(ABOUT, &text)?;
        let mut manifest = format!("{}  {ABOUT}\n", hex(Sha256::digest(&text).as_slice()));
        for data in self.data.values() {
            let path = self.dir.join(&data.line.file);
            let synced = File::open(&path).and_then(|file| file.sync_all());
            synced.map_err(|error| failed(&path, &error))?;
            let digest = data.sha256.clone().finalize();
            manifest.push_str(&format!("{}  {}\n", hex(digest.as_slice()), data.line.file));
        }
        self.put(MANIFEST, manifest.as_bytes())?;
        self.sync_folders()
            .map_err(|error| failed(&self.dir, &error))?;
        Ok(format!(
            "sha256:{}",
            hex(Sha256::digest(manifest.as_bytes()).as_slice())
        ))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> CliResult<()> {
        let path = self.dir.join(name);
        durable::replace(&path, bytes).map_err(|error| failed(&path, &error))
    }

    fn sync_folders(&self) -> io::Result<()> {
        let sync = |path: &Path| File::open(path).and_then(|folder| folder.sync_all());
        for data in self.data.values() {
            if let Some(folder) = self.dir.join(&data.line.file).parent() {
                sync(folder)?;
            }
        }
        if !self.data.is_empty() {
            sync(&self.dir.join("data"))?;
        }
        sync(&self.dir)
    }
}

impl Data {
    fn of(block: &Block, format: Format) -> Data {
        // A tenant's name is fit for a file's.
        let (tenant, signal) = (block.tenant.as_str(), block.signal);
        Data {
            line: Line {
                file: format!("data/{tenant}/{signal}.{}", format.extension()),
                tenant: tenant.to_owned(),
                signal: signal.as_str(),
                unit: signal.items_name(),
                requests: 0,
                items: 0,
                bytes: 0,
                first_unix_nano: block.appended_unix_nano,
                last_unix_nano: block.appended_unix_nano,
            },
            sha256: Sha256::new(),
        }
    }
}

fn make_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    options.open(path)?.write_all(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn failed(path: &Path, error: &io::Error) -> CliError {
    let message = format!("{}: the capture cannot be written: {error}", path.display());
    CliError::new(Exit::Failure, message).hint(
        "remove what is there of it, make room, and take it again: the journal still holds it",
    )
}
