//! Incidents: declared periods in which everything in a scope is kept.
//!
//! # What it guarantees
//! - An incident that was answered with success is on the disk, and in force again after a restart
//!   at any instant (**RESTARTABLE**). It expires by itself.
//! - A repeated request with the same idempotency key opens nothing a second time.
//! - **BOUNDED**: open and kept incidents, lengths of time, texts, timelines and the disk that an
//!   incident may hold have limits, and what a limit refuses is told with its numbers.
//! - Who may ask is settled before anything is read ([`access`]).
//!
//! # What it does not do
//! It opens no sockets, reads no journal and samples nothing: what an incident does to the gateway
//! stands behind the traits in [`seam`], which the binary implements.
//!
//! # How it works
//! ```text
//! api (HTTP in, HTTP out) ─▶ register (one lock) ─▶ incident (pure transitions)
//!                                │
//!                                ├─▶ store: one file an incident, replaced as a whole
//!                                └─▶ seam: sampling, retention, notifications
//! ```

pub mod access;
pub mod api;
mod automatic;
mod config;
mod estimate;
mod firing;
pub mod incident;
mod metrics;
mod register;
pub mod remote;
pub mod seam;
mod store;

pub use config::{Admin, Alertmanager, Config, RemoteSampling};
pub use estimate::Estimate;
pub use firing::Outcome;
pub use register::{Failure, Opened, Register, Seams};
pub use store::{Damaged, Loaded, Store, StoreError};
