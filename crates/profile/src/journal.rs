//! `journal`: how long and how safely data is kept.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Bytes, Time};

/// How the journal keeps what was taken.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    /// What a success answer means: `fsync` survives power loss, `os` only a crash of the gateway.
    pub durability: Durability,
    /// How long everything is kept, shipped or not: the flight recorder.
    pub window: Time,
    /// The most that the journal may take on disk.
    pub max_bytes: Bytes,
    /// What happens at `max_bytes` when nothing that was shipped is left to remove.
    pub at_limit: AtLimit,
    /// The size at which a segment is sealed and the next one begun.
    pub segment_bytes: Bytes,
    /// Recent blocks kept in memory, so that a shipper that keeps up never reads the disk.
    pub cache_bytes: Bytes,
}

impl Default for Journal {
    fn default() -> Self {
        Journal {
            durability: Durability::Fsync,
            window: Time(Duration::from_secs(15 * 60)),
            max_bytes: Bytes(10 << 30),
            at_limit: AtLimit::PushBack,
            segment_bytes: Bytes(64 << 20),
            cache_bytes: Bytes(16 << 20),
        }
    }
}

/// What a success answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// The bytes are on the disk: they survive `kill -9` and power loss.
    Fsync,
    /// The operating system has the bytes: they survive `kill -9`.
    Os,
}

/// What happens when the journal is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AtLimit {
    /// Senders are told to wait.
    PushBack,
    /// The oldest data is dropped and counted as lost.
    DropOldest,
}
