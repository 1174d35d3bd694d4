//! Tail sampling over the journal: which traces go on to long-term storage.
//!
//! The journal already holds every span. A [`Sampler`] reads its blocks in order and keeps for each
//! trace that has lately begun what the policies need to know of it: 36 bytes, and 26 for its id,
//! however many spans the trace has. When the trace's wait is over it is decided; the decision is
//! remembered for late spans. A shipper follows the log by the length of the wait and has each
//! block [`cut`](Sampler::cut): the spans of kept traces are copied on the wire level.
//!
//! # What it guarantees
//! - **RESTARTABLE**: which spans are kept is a function of the journal, the configuration and the
//!   overrides alone. Time is that of blocks; no clock, thread or seed has a say. A sampler that is
//!   rebuilt from a [`Checkpoint`] goes on as if it had never stopped.
//! - **BOUNDED**: every table has the size that the configuration says, and gets no larger.
//! - **LOSS-COUNTED**: whatever a limit does shows in [`Counters`].
//! - **NO-TREE**: spans are looked at once, on their wire bytes, and copied as bytes.
//!
//! # What it does not do
//! No I/O, no clock, no async, no threads. It does not change spans: kept ones keep their trace
//! state as it is.
//!
//! `docs/sampling.md` describes the policies and proves the restart.

mod checkpoint;
pub mod config;
mod counters;
mod decision;
mod generation;
mod limiter;
pub mod metrics;
mod overrides;
mod pace;
mod pass;
mod plan;
mod probability;
mod rare;
mod ring;
mod sampler;
mod scope;
mod selection;
mod simulate;
mod trail;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use counters::{Count, Counters};
pub use decision::{Decision, Reason};
pub use overrides::{MAX_OVERRIDES, MAX_SCOPE_ATTRIBUTES, Override, OverrideError, Scope};
pub use pace::{Pace, Step};
pub use pass::trace_of;
pub use sampler::{
    Cause, CutError, Explanation, InForce, Kept, Recut, Sampler, Selected, State, memory_bytes,
};
pub use selection::Selection;
pub use simulate::{Outcome, SimulateError, Simulation, explain, simulate, spans_of};
