//! How a journal is kept: durability, sizes, limits.

use std::time::Duration;

/// When an append counts as safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// After `fdatasync`: survives power loss.
    #[default]
    Fsync,
    /// After the write to the operating system: survives `kill -9`, not power loss.
    Os,
}

/// What happens when the journal has reached its byte limit and nothing may leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtLimit {
    /// Appends are refused with [`AppendError::Full`](crate::AppendError::Full) until consumers
    /// have caught up.
    #[default]
    PushBack,
    /// The oldest segment leaves although a consumer still needs it; what it loses is counted in
    /// `stella_items_lost_total`.
    DropOldest,
}

/// How a block's payload is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    None,
    /// A zstd frame in one cheap pass that is made for telemetry (see the crate `press`).
    #[default]
    Fast,
    /// libzstd at this level, which may be negative (less work, larger). A payload that would not
    /// get smaller is stored as it is.
    Zstd(i32),
}

/// How a journal is kept. Every limit of the crate is here or a constant beside what it limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// When an append counts as safe.
    pub durability: Durability,
    /// How payloads are stored.
    pub compression: Compression,
    /// A segment is sealed before it grows past this. At most a quarter of `max_bytes` is used.
    pub segment_bytes: u64,
    /// How long everything is kept, read or not. A segment is also sealed when it is an eighth of
    /// this old, so that what leaves is never much older than the window.
    pub window: Duration,
    /// The most bytes that all segment files may have together.
    pub max_bytes: u64,
    /// How many bytes more all segment files may have for those that a [`Hold`](crate::Hold)
    /// covers.
    pub hold_bytes: u64,
    /// What happens at `max_bytes`.
    pub at_limit: AtLimit,
    /// Bytes of recent blocks (uncompressed) kept in memory for readers that keep up. Half as many
    /// more may be kept of what a [`leading`](crate::Reader::leading) reader read from disk.
    pub cache_bytes: usize,
    /// Bytes (uncompressed) that may wait for the group commit.
    pub pending_bytes: usize,
    /// The largest payload of one record.
    pub max_record_bytes: usize,
    /// The least time between two writes of a consumer's cursor file.
    pub cursor_interval: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            durability: Durability::Fsync,
            compression: Compression::default(),
            segment_bytes: 64 << 20,
            window: Duration::from_secs(15 * 60),
            max_bytes: 10 << 30,
            hold_bytes: 0,
            at_limit: AtLimit::PushBack,
            cache_bytes: 32 << 20,
            pending_bytes: 32 << 20,
            max_record_bytes: 32 << 20,
            cursor_interval: Duration::from_secs(1),
        }
    }
}

impl Options {
    pub(crate) fn segment_limit(&self) -> u64 {
        self.segment_bytes.min(self.max_bytes / 4).max(1)
    }

    /// The largest payload that can ever be taken.
    pub(crate) fn record_limit(&self) -> usize {
        let share = usize::try_from(self.max_bytes / 4).unwrap_or(usize::MAX);
        self.max_record_bytes
            .min(self.pending_bytes)
            .min(crate::format::MAX_RAW_BYTES as usize)
            .min(share)
    }

    /// How old the active segment may become.
    pub(crate) fn segment_age(&self) -> Duration {
        (self.window / 8).max(Duration::from_secs(1))
    }
}
