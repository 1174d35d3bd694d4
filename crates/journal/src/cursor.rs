//! Cursor files: one small JSON file a consumer, replaced as a whole.
//!
//! A cursor that cannot be read leads to duplicates, never to loss: its consumer begins again at
//! the oldest block.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use crate::consumer::ConsumerState;
use crate::dir::Dir;
use crate::error::{OpenError, ReadError};
use crate::seam::Env;
use crate::shared::{Shared, lock};
use crate::types::Position;

const VERSION: u32 = 1;
const MAX_NAME: usize = 64;
const MAX_FILE: u64 = 4096;

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    version: u32,
    consumer: String,
    segment: u64,
    offset: u64,
    /// CRC32C of `<consumer>:<segment>:<offset>`, eight hex digits.
    crc32c: String,
}

pub(crate) fn check_name(name: &str) -> Result<(), OpenError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let good = !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with('.')
        && name.bytes().all(allowed);
    match good {
        true => Ok(()),
        false => Err(OpenError::BadName {
            name: name.chars().take(MAX_NAME).collect(),
        }),
    }
}

fn digest(name: &str, at: Position) -> String {
    let text = format!("{name}:{}:{}", at.segment, at.offset);
    format!("{:08x}", crc32c::crc32c(text.as_bytes()))
}

fn encode(name: &str, at: Position) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(&Stored {
        version: VERSION,
        consumer: name.to_owned(),
        segment: at.segment,
        offset: at.offset,
        crc32c: digest(name, at),
    })?;
    text.push(b'\n');
    Ok(text)
}

fn decode(name: &str, text: &[u8]) -> Result<Position, String> {
    let stored: Stored = serde_json::from_slice(text).map_err(|e| e.to_string())?;
    let at = Position {
        segment: stored.segment,
        offset: stored.offset,
    };
    match stored {
        Stored { version, .. } if version != VERSION => Err(format!("its version is {version}")),
        Stored { consumer, .. } if consumer != name => {
            Err(format!("it belongs to the consumer `{consumer}`"))
        }
        Stored { crc32c, .. } if crc32c != digest(name, at) => {
            Err("its checksum does not hold".to_owned())
        }
        _ => Ok(at),
    }
}

/// Reads all cursors; a damaged one gives `None` and a line for the report.
pub(crate) fn read_all(
    dir: &Dir,
    problems: &mut Vec<String>,
) -> io::Result<BTreeMap<String, Option<Position>>> {
    let mut cursors = BTreeMap::new();
    for entry in fs::read_dir(dir.cursors())? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
        let Some(name) = name.strip_suffix(".json") else {
            continue;
        };
        if check_name(name).is_err() {
            continue;
        }
        let read = read_small(&path)
            .map_err(|e| e.to_string())
            .and_then(|text| decode(name, &text));
        match read {
            Ok(at) => cursors.insert(name.to_owned(), Some(at)),
            Err(why) => {
                problems.push(format!(
                    "the cursor of `{name}` cannot be used ({why}); it begins again at the oldest block"
                ));
                cursors.insert(name.to_owned(), None)
            }
        };
    }
    Ok(cursors)
}

fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut text = Vec::new();
    fs::File::open(path)?
        .take(MAX_FILE)
        .read_to_end(&mut text)?;
    Ok(text)
}

/// Writes the cursors that have moved. Errors leave them to be written next time.
pub(crate) fn write_moved(shared: &Shared) -> io::Result<()> {
    let moved: Vec<Arc<ConsumerState>> = lock(&shared.consumers)
        .values()
        .filter(|c| c.dirty.load(Ordering::Acquire))
        .cloned()
        .collect();
    if moved.is_empty() {
        return Ok(());
    }
    for state in &moved {
        replace(shared, state)?;
    }
    match shared.sync() {
        true => shared.env.sync_dir(&shared.dir.cursors()),
        false => Ok(()),
    }
}

/// Writes one cursor now.
pub(crate) fn write_one(shared: &Shared, state: &ConsumerState) -> Result<(), ReadError> {
    if shared.is_closed() {
        // The lock may be another process's by now. Closing wrote every cursor.
        return Ok(());
    }
    replace(shared, state)
        .and_then(|()| match shared.sync() {
            true => shared.env.sync_dir(&shared.dir.cursors()),
            false => Ok(()),
        })
        .map_err(|source| ReadError::Io {
            path: shared.dir.cursors().join(format!("{}.json", state.name)),
            source,
        })
}

fn replace(shared: &Shared, state: &ConsumerState) -> io::Result<()> {
    // One writer at a time: the temporary file has one name.
    let _one = lock(&shared.jobs.cursor_files);
    state.dirty.store(false, Ordering::Release);
    let done = replace_file(shared, &state.name, state.committed());
    if done.is_err() {
        state.dirty.store(true, Ordering::Release);
    }
    done
}

fn replace_file(shared: &Shared, name: &str, at: Position) -> io::Result<()> {
    let env: &Env = &shared.env;
    let path = shared.dir.cursors().join(format!("{name}.json"));
    let new = shared.dir.cursors().join(format!("{name}.json.tmp"));
    let _ = fs::remove_file(&new);
    let file = env.create(&new)?;
    let text = encode(name, at)?;
    env.write_at(&file, &new, &mut [IoSlice::new(&text)], 0)?;
    if shared.sync() {
        env.sync(&file, &new)?;
    }
    env.rename(&new, &path)
}

pub(crate) fn remove(shared: &Shared, name: &str) -> io::Result<()> {
    let _one = lock(&shared.jobs.cursor_files);
    let path = shared.dir.cursors().join(format!("{name}.json"));
    match shared.env.remove(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => shared.env.sync_dir(&shared.dir.cursors()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_file_round_trips_and_every_flipped_bit_is_noticed() {
        let at = Position {
            segment: 12,
            offset: 3456,
        };
        let text = encode("otlp", at).unwrap();
        assert_eq!(decode("otlp", &text), Ok(at));
        assert!(decode("file", &text).is_err());
        for bit in 0..text.len() * 8 {
            let mut bad = text.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            // Either it is refused, or the change was in white space.
            let read = decode("otlp", &bad);
            assert!(read.is_err() || read == Ok(at), "bit {bit}");
        }
    }

    #[test]
    fn names_that_could_leave_the_directory_are_refused() {
        for bad in ["", ".", "..", ".x", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_name("otlp-eu.1_x").is_ok());
    }
}
