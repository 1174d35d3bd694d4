//! What goes in and what comes out: records, blocks, positions, filters.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use ident::{Signal, TenantId};
use serde::{Deserialize, Serialize};

/// A place in the journal: a segment and a byte offset in its file. Later places are greater.
///
/// The place after a segment's last block and the start of the next segment are the same place to
/// every reader.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct Position {
    /// The segment's number, counted from 1, never used twice.
    pub segment: u64,
    /// The byte offset in the segment's file.
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.offset)
    }
}

/// What a sender hands over: one request's payload, after the guard.
#[derive(Clone, Debug)]
pub struct Record {
    /// Whose it is.
    pub tenant: TenantId,
    /// Which signal it carries.
    pub signal: Signal,
    /// How many spans, points or log records.
    pub items: u64,
    /// The least time of an item; 0 if none has one.
    pub min_time_unix_nano: u64,
    /// The greatest time of an item; 0 if none has one.
    pub max_time_unix_nano: u64,
    /// The bytes. They may be concatenated with others of the same tenant and signal. The journal
    /// keeps this very buffer in its cache: it should not be a small part of a large allocation.
    pub payload: Bytes,
}

/// One durable block: one or more records of one tenant and signal.
#[derive(Clone, Debug)]
pub struct Block {
    /// Where it is.
    pub position: Position,
    /// The place after it: what to commit once it is dealt with.
    pub next: Position,
    /// Whose it is.
    pub tenant: TenantId,
    /// Which signal it carries.
    pub signal: Signal,
    /// How many spans, points or log records.
    pub items: u64,
    /// How many appended records its payload is made of.
    pub records: u32,
    /// The least time of an item; 0 if none has one.
    pub min_time_unix_nano: u64,
    /// The greatest time of an item; 0 if none has one.
    pub max_time_unix_nano: u64,
    /// When it was appended by the journal's clock, which never goes back.
    pub appended_unix_nano: u64,
    /// The uncompressed payload: the appended payloads, one after the other.
    pub payload: Bytes,
}

/// Where to begin reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest block that is kept.
    Oldest,
    /// After the newest block: only what comes from now on.
    Newest,
    /// At a known place. If it has left the journal, at the oldest block after it.
    At(Position),
}

/// Which blocks a reader wants. The default wants all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// These signals; `None` means all.
    pub signals: Option<Vec<Signal>>,
    /// This tenant alone; `None` means all.
    pub tenant: Option<TenantId>,
    /// Blocks with an item at or after this time. A block whose items have no time counts with the
    /// time it was appended.
    pub from_unix_nano: Option<u64>,
    /// Blocks with an item at or before this time.
    pub to_unix_nano: Option<u64>,
}

impl Filter {
    /// A filter for one signal.
    pub fn signal(signal: Signal) -> Self {
        Filter {
            signals: Some(vec![signal]),
            ..Filter::default()
        }
    }

    pub(crate) fn wants(
        &self,
        signal: Signal,
        tenant: &str,
        (min, max): (u64, u64),
        appended: u64,
    ) -> bool {
        let (min, max) = if max == 0 {
            (appended, appended)
        } else {
            (min, max)
        };
        self.signals.as_ref().is_none_or(|s| s.contains(&signal))
            && self.tenant.as_ref().is_none_or(|t| t.as_str() == tenant)
            && self.from_unix_nano.is_none_or(|from| max >= from)
            && self.to_unix_nano.is_none_or(|to| min <= to)
    }

    pub(crate) fn wants_block(&self, block: &Block) -> bool {
        self.wants(
            block.signal,
            block.tenant.as_str(),
            (block.min_time_unix_nano, block.max_time_unix_nano),
            block.appended_unix_nano,
        )
    }
}

/// How far a consumer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerStatus {
    /// Its name.
    pub name: String,
    /// Up to here everything is acknowledged.
    pub position: Position,
    /// Bytes on disk (compressed) that it has not acknowledged.
    pub lag_bytes: u64,
    /// The age of the oldest block that it has not acknowledged; zero if there is none.
    pub lag: Duration,
    /// Whether something in this process is reading under this name.
    pub live: bool,
}

/// What the journal holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Segment files.
    pub segments: u64,
    /// Bytes of all segment files.
    pub bytes: u64,
    /// Blocks in them.
    pub blocks: u64,
    /// Items in them.
    pub items: u64,
    /// When the oldest block was appended; 0 if there is none.
    pub oldest_unix_nano: u64,
    /// When the newest block was appended; 0 if there is none.
    pub newest_unix_nano: u64,
    /// The place of the oldest block.
    pub oldest: Position,
    /// The place after the newest durable block.
    pub newest: Position,
    /// Bytes that wait for the group commit.
    pub pending_bytes: u64,
}
