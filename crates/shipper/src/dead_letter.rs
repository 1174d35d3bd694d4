//! Dead letters: items that a destination refuses, put aside where a person can read them.
//!
//! One JSON object a line: `time`, `destination`, `tenant`, `signal`, `position` (of the item's
//! block in the journal), `items`, `reason`, and `request`: the item as an OTLP JSON export
//! request, which can be sent again as it is once it has been mended. Bytes that are no request
//! are in `request_base64` instead.
//!
//! Files are private (0600), synced before the cursor moves on, closed at a size, and BOUNDED in
//! bytes together: what no longer fits is refused here, and counted as lost by the caller
//! (LOSS-COUNTED). Nothing here ever removes a dead letter; whoever has dealt with one removes its
//! file.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::batch::{Batch, Chunk};
use crate::config::DeadLetterConfig;
use crate::disk::Disk;

#[derive(Serialize)]
struct Letter<'a> {
    time: String,
    destination: &'a str,
    tenant: &'a str,
    signal: &'a str,
    position: String,
    items: u64,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_base64: Option<String>,
}

/// What became of a piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PutAside {
    /// Items in the file.
    pub kept: u64,
    /// Items for which there was no room.
    pub lost: u64,
}

/// The dead letters of one shipper.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    name: String,
    config: DeadLetterConfig,
    disk: Disk,
    /// One writer at a time.
    writing: Mutex<()>,
}

impl DeadLetters {
    pub(crate) fn new(name: &str, config: DeadLetterConfig) -> Self {
        Self::with_disk(name, config, Disk::default())
    }

    pub(crate) fn with_disk(name: &str, config: DeadLetterConfig, disk: Disk) -> Self {
        DeadLetters {
            name: name.to_owned(),
            config,
            disk,
            writing: Mutex::new(()),
        }
    }

    /// Puts a refused piece aside. Blocks the thread.
    pub(crate) fn put(&self, piece: &Batch, reason: &str) -> io::Result<PutAside> {
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut room = self.config.max_bytes.saturating_sub(self.total_bytes()?);
        let mut put = PutAside::default();
        let mut lines = Vec::new();
        for chunk in &piece.chunks {
            let line = self.line(piece, chunk, reason)?;
            match room.checked_sub(line.len() as u64) {
                Some(left) => {
                    room = left;
                    put.kept += chunk.items;
                    lines.extend_from_slice(&line);
                }
                None => put.lost += chunk.items,
            }
        }
        if !lines.is_empty() {
            self.append(&lines)?;
        }
        Ok(put)
    }

    fn line(&self, piece: &Batch, chunk: &Chunk, reason: &str) -> io::Result<Vec<u8>> {
        let mut json = Vec::new();
        let readable = ::otlp::json::encode(piece.signal, &chunk.bytes, &mut json).is_ok();
        let letter = Letter {
            time: jiff::Timestamp::try_from(self.disk.now())
                .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
                .to_string(),
            destination: &self.name,
            tenant: piece.tenant.as_str(),
            signal: piece.signal.as_str(),
            position: chunk.position.to_string(),
            items: chunk.items,
            reason,
            request_base64: (!readable).then(|| STANDARD.encode(&chunk.bytes)),
        };
        let mut line = serde_json::to_vec(&letter)?;
        if readable {
            // As the object's last member, without parsing it again.
            line.pop();
            line.extend_from_slice(b",\"request\":");
            line.extend_from_slice(&json);
            line.push(b'}');
        }
        line.push(b'\n');
        Ok(line)
    }

    fn append(&self, lines: &[u8]) -> io::Result<()> {
        let dir = &self.config.dir;
        self.disk.make_dir(dir)?;
        let path = dir.join(format!("{}.jsonl", self.name));
        let size = fs::metadata(&path).map_or(0, |file| file.len());
        if size > 0 && size + lines.len() as u64 > self.config.rotate_bytes {
            self.disk.close(&path, &self.name, "jsonl")?;
        }
        let file = self.disk.open(&path)?;
        let end = self.cut_torn_line(&file, &path)?;
        let written = self
            .disk
            .write_at(&file, &path, lines, end)
            .and_then(|()| self.disk.sync(&file, &path));
        if written.is_err() {
            // Half a line would make the next one unreadable; if this fails too, the next write
            // cuts it off.
            let _ = self.disk.truncate(&file, &path, end);
        }
        written?;
        self.disk.sync_dir(dir)
    }

    /// Cuts off a line that a crash or a full disk left torn, and returns the file's length. Its
    /// letter is put aside again, since the cursor has not moved.
    fn cut_torn_line(&self, file: &File, path: &Path) -> io::Result<u64> {
        const STEP: usize = 4096;
        let length = file.metadata()?.len();
        let (mut end, mut buffer) = (length, [0; STEP]);
        while end > 0 {
            let from = end.saturating_sub(STEP as u64);
            let piece = buffer.get_mut(..(end - from) as usize).unwrap_or_default();
            file.read_exact_at(piece, from)?;
            if let Some(at) = memchr::memrchr(b'\n', piece) {
                end = from + at as u64 + 1;
                break;
            }
            end = from;
        }
        if end < length {
            self.disk.truncate(file, path, end)?;
        }
        Ok(end)
    }

    /// Bytes of this shipper's files: `NAME.jsonl` and `NAME-<time>.jsonl`.
    fn total_bytes(&self) -> io::Result<u64> {
        let entries = match fs::read_dir(&self.config.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut total = 0;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| self.owns(name)) {
                total += entry.metadata()?.len();
            }
        }
        Ok(total)
    }

    fn owns(&self, file: &str) -> bool {
        let suffix = file
            .strip_prefix(self.name.as_str())
            .and_then(|rest| rest.strip_suffix(".jsonl"));
        match suffix {
            Some("") => true,
            // Another shipper's name may begin with this one's: `a` and `a-b`.
            Some(time) => time.starts_with("-2") && time.ends_with('Z') && time.contains('T'),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests;
