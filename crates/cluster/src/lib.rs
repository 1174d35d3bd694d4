//! Several gateways behind a load balancer share the traces: each trace has one owner, which
//! decides it, and the others forward its spans.
//!
//! # What it guarantees
//! - A trace's spans come together at one gateway, whichever they came in at, also while members
//!   come and go, under the conditions in `docs/scale-out.md`; so they meet one decision.
//! - **ACK-DURABLE**: nothing changes for senders. A span is journaled where it comes in, and
//!   forwarded from there, at least once, from a durable cursor.
//! - **RESTARTABLE**: where a span goes depends on the journal and on the stored history of lists
//!   alone.
//! - **BOUNDED**: members, epochs, traces that stay, and names on a span have limits; two members
//!   whose journals are full with what is for each other do not stand still.
//! - **TENANT-BY-IDENTITY**, **REDACT-FIRST**: see [`Door`].
//! - **SEALED-EGRESS**: members are reached, and names resolved, through [`egress::Connector`].
//!
//! # What it does not do
//! It keeps no second copy of a span for the case that a member's disk is lost, and elects nobody:
//! lists of members come from a file, from DNS or from the profile.
//!
//! # How it works
//! ```text
//! senders ─▶ Door ─▶ journal ─┬─▶ own ─▶ sampler ─▶ shippers
//! members ─▶ Door ─▶    "     └─▶ others' ─▶ lane (a shipper) for each member
//! ```
//! `docs/decisions/2026-11-25-scale-out.md` has the protocol and the proof.

mod cluster;
mod door;
mod history;
mod lanes;
mod marks;
mod member;
mod metrics;
mod pick;
mod rehome;
mod run;
mod source;
mod stay;
mod store;
mod told;

pub use cluster::{Cluster, OpenError, Options};
pub use door::Door;
pub use history::{At, Epoch, History, Next, Route};
pub use lanes::{Forwarding, cursor_of, is_cursor};
pub use marks::{clean, sent_bytes};
pub use member::{Member, Members, MembersError, TraceId};
pub use run::Runner;
pub use source::{Source, SourceError};
pub use stay::Stay;
