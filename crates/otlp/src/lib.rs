//! OTLP on the wire: check, view, edit, split and join without building trees.
//!
//! Everything here works on the serialized bytes of an `Export{Trace,Metrics,Logs}ServiceRequest`
//! (NO-TREE). [`check()`] proves such bytes well formed at every level; the other parts expect
//! checked bytes and, given others, refuse them or end early: none of them panics.
//!
//! The messages are those of opentelemetry-proto 1.10, laid down once in [`schema`]. What that
//! schema does not name is kept byte for byte.
//!
//! This crate has no I/O, no clock and no async.

pub mod check;
pub mod edit;
pub mod json;
pub mod schema;
pub mod split;
pub mod view;
pub mod wire;

pub use check::{CheckError, ErrorKind, MAX_VALUE_DEPTH, Summary, check};
pub use ident::Signal;
pub use split::join;
