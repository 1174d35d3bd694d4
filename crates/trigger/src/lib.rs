//! Signs of trouble in telemetry: a share of errors, a slow quantile, a pattern in logs.
//!
//! A [`Watch`] is shown the journal's blocks in order. For each trigger it counts by tenant and
//! service over a window, and says when a threshold is reached.
//!
//! # What it guarantees
//! - **RESTARTABLE**: what fires follows from the configuration and the blocks of the last window
//!   alone. Time is that of blocks; a watch that is shown a window's blocks again goes on as if it
//!   had never stopped, unless a limit on groups is reached.
//! - **BOUNDED**: 216 bytes and the names for each tenant and service, at most
//!   [`Trigger::max_groups`] of them a trigger. What is not watched for want of room is counted.
//! - **NO-TREE**: spans and records are read on their wire bytes, once for all triggers.
//!
//! # What it does not do
//! No I/O, no clock, no async. It opens no incident and knows of no cool-down: what fires may fire
//! again, once in each twelfth of the window.

mod config;
mod counters;
mod groups;
mod kind;
mod read;
mod tally;
mod watch;

pub use config::{ErrorRate, Latency, LogPattern, MAX_TRIGGERS, Of, Trigger, Wrong, check};
pub use counters::Counters;
pub use watch::{Firing, Seen, Watch};
