//! Carries the journal to destinations, each from a durable cursor of its own.
//!
//! # What it guarantees
//! The suite in `conformance/` proves these for every destination.
//!
//! - **RESTARTABLE**: everything in the journal arrives at least once. The cursor moves only over
//!   contiguous data that the destination acknowledged; after a restart reading goes on there.
//! - **BOUNDED**: bytes and blocks held, requests in flight, answers read, files open and dead
//!   letters have limits. While a destination is down, one batch is held; the rest stays in the
//!   journal.
//! - **LOSS-COUNTED**: what a destination rejects, and what no longer fits into the dead letters,
//!   is counted in `stella_items_lost_total`. Nothing else is ever given up.
//! - **SEALED-EGRESS**: every socket is opened by [`Connector`], which is `egress`'s.
//! - A refusal that is about the data is narrowed down to the items at fault; they alone are put
//!   aside in a readable dead-letter file, and the rest goes on.
//!
//! # What it does not do
//! It reads nothing but the journal and the sampler's decisions, changes no item, and decides nothing
//! about tenants. Blocks of two tenants never share a request.
//!
//! # How it works
//! ```text
//! journal ─▶ Consumer ─▶ choose ─▶ assemble ─▶ deliver (several at once) ─▶ destination: otlp, file
//!               ▲                                  │ retry, breaker, narrowing ─▶ dead letters
//!               └──── cursor ◀─ ledger ◀───────────┘
//! ```
//! Batching is concatenation (NO-TREE): a batch is a list of blocks, and its body is that list.

mod batch;
mod breaker;
mod choose;
mod config;
#[cfg(test)]
mod conformance;
mod dead_letter;
mod deliver;
mod destination;
mod disk;
pub mod file;
mod ledger;
mod metrics;
mod narrow;
pub mod otlp;
mod shipper;
mod status;

pub use choose::{Clean, Route, Way};
pub use config::{Config, ConfigError, DeadLetterConfig, DestinationConfig};
pub use egress::{ConnectError, Connector, Retry, Seal, Secret, Stream};
pub use metrics::Metrics;
pub use shipper::{Outlet, Shipper};
pub use status::{BreakerState, Status, StatusHandle};
