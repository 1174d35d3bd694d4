//! The durable log of telemetry: blocks, segments, group commit, cursors, recovery.
//!
//! # What it guarantees
//! - **ACK-DURABLE**: [`Journal::append`] resolves with success only when the record is on disk
//!   (`fdatasync`, unless [`Durability::Os`]) and survives `kill -9` and power loss.
//! - **RESTARTABLE**: [`Journal::open`] finds every acknowledged record again; a torn tail is cut
//!   off, damage in the middle is stepped over, reported and counted (**LOSS-COUNTED**).
//! - **BOUNDED**: bytes waiting, bytes cached and bytes on disk have limits; at a limit the
//!   sender is told to wait ([`AppendError::Full`]).
//! - One tenant and one signal a block; a reader gets a block's payload as one buffer.
//!
//! # What it does not do
//! It knows nothing of OTLP's meaning: a payload is opaque, except that the payloads of one tenant
//! and signal may be concatenated. It decides nothing about tenants; it keeps what the guard set.
//!
//! The bytes on disk are described in `docs/formats/journal.md`.
//!
//! # How it works
//! ```text
//! append ─▶ (compress) ─▶ queue ─▶ committer thread: one write, one fdatasync ─▶ waiters
//!                                        │
//!                                        ├─▶ cache of recent blocks ─▶ readers and consumers
//!                                        └─▶ segment file ─▶ upkeep thread: seal, cursors, retention
//! ```

mod append;
mod cache;
mod catalog;
pub mod check;
mod codec;
mod commit;
mod consumer;
mod cursor;
mod dir;
mod error;
mod file;
mod follower;
mod format;
mod handle;
mod metrics;
mod options;
mod reader;
mod recover;
mod retention;
mod scan;
#[doc(hidden)]
pub mod seam;
mod segment;
mod shared;
mod types;
mod upkeep;
mod walk;

pub use consumer::Consumer;
pub use error::{AppendError, OpenError, ReadError, Trouble};
pub use follower::Follower;
pub use handle::{Hold, Journal};
pub use options::{AtLimit, Compression, Durability, Options};
pub use reader::Reader;
pub use recover::{Damage, Recovery};
pub use types::{Block, ConsumerStatus, Filter, Position, Record, Start, Stats};
