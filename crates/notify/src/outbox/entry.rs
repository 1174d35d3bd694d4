//! What a file of the outbox holds and is called. `docs/formats/outbox.md` describes it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Digest, MAX_DATA_BYTES};
use crate::{Event, TargetName};

/// The version that is written; a later one is not read.
pub(crate) const FORMAT: u32 = 1;
/// No file of the outbox is larger: an event's data, escaped at worst, and what stands around it.
pub(crate) const MAX_FILE_BYTES: u64 = 8 * MAX_DATA_BYTES as u64;

/// A message for one target and how it has fared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    format: u32,
    target: String,
    /// What is told.
    pub event: Event,
    /// Since when it waits: when it was put, or taken back from the dead letters.
    pub since: Timestamp,
    /// How often sending it failed since then.
    pub attempts: u32,
    /// Not before this time it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// Why it failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Why it was given up, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<Dead>,
}

/// A message that was given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dead {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub because: Because,
}

/// Why a message was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// The target will not take this message.
    Refused,
    /// It was tried often enough.
    Attempts,
    /// It waited for too long.
    Age,
    /// It was the oldest, and there was no more room.
    NoRoom,
}

impl Because {
    /// As a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Because::Refused => "refused",
            Because::Attempts => "attempts",
            Because::Age => "age",
            Because::NoRoom => "no_room",
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Entry {
    pub(crate) fn new(target: &TargetName, event: Event, since: Timestamp) -> Entry {
        Entry {
            format: FORMAT,
            target: target.as_str().to_owned(),
            event,
            since,
            attempts: 0,
            retry_at: None,
            last_error: None,
            dead: None,
        }
    }

    /// Its target's name.
    pub fn target(&self) -> &str {
        &self.target
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, String> {
        let mut text = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        text.push(b'\n');
        Ok(text)
    }

    /// Reads what [`encode`](Self::encode) made; a reason where it is not that.
    pub(crate) fn decode(bytes: &[u8], name: FileName) -> Result<Entry, String> {
        let entry: Entry = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if entry.format != FORMAT {
            return Err(format!("format {} is not known", entry.format));
        }
        if entry.event.digest() != name.digest {
            return Err("the name is not that of its event".to_owned());
        }
        Ok(entry)
    }
}

/// `00000000000000000007-<32 hexadecimal digits>.json`: the entry's number among those of its
/// target, and its event's digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileName {
    pub number: u64,
    pub digest: Digest,
}

impl FileName {
    pub(crate) fn parse(text: &str) -> Option<FileName> {
        let (number, digest) = text.strip_suffix(".json")?.split_once('-')?;
        if number.len() != 20 || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(FileName {
            number: number.parse().ok()?,
            digest: Digest::parse(digest)?,
        })
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}-{}.json", self.number, self.digest)
    }
}
