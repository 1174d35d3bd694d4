//! Runs the sampler over the journal: one for a process, whose decisions every shipper follows.
//!
//! # What it guarantees
//! - **RESTARTABLE**: which items are shipped depends on the journal, the configuration and the
//!   overrides alone. Decisions are stored; after a crash those that were not are made again, and
//!   are the same.
//! - **BOUNDED**: beside the sampler's tables it holds two blocks a signal and some KiB of decisions.
//!   A shipper that is behind costs nothing: decisions wait for it on disk, a bit an item, as long
//!   as the journal keeps the block.
//! - **LOSS-COUNTED**: `stella_sampler_items_total` says what is not shipped.
//! - An override is in force and durable when [`Control::keep_all`] returns.
//!
//! # What it does not do
//! It ships nothing and cuts nothing: a shipper applies a decision to the block that it reads.
//!
//! # How it works
//! ```text
//! journal ─▶ observe ─▶ sampler ─▶ decide, a wait later ─▶ decision files ─▶ shippers, each at
//!                          │                                                 its own place
//!                          └─▶ checkpoint, at each end of `remember`
//! ```
//! `docs/decisions/2026-11-25-one-sampler.md` says why.

mod control;
mod decisions;
mod format;
mod lookback;
mod metrics;
mod open;
mod ownership;
mod stage;
mod store;

pub use control::{Control, ControlError, InForce, KeepAll, Progress};
pub use decisions::{DecisionReader, Decisions, Look, Unknown, stored};
pub use lookback::Lookback;
pub use open::{OpenError, Sampling};
pub use ownership::{Own, Ownership};
pub use sampler::Scope;
