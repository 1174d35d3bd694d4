//! OTLP listeners over gRPC and HTTP in front of the journal.
//!
//! A request is read within limits (BOUNDED), decompressed within limits, proved well formed on
//! its wire bytes (NO-TREE), shown to the [`Guard`] (REDACT-FIRST, TENANT-BY-IDENTITY), appended
//! to the journal, and answered with success only once the journal says that it is safe
//! (ACK-DURABLE). Everything refused is counted with its reason (LOSS-COUNTED).
//!
//! This crate knows nothing of destinations.

mod body;
mod budget;
mod config;
mod connection;
mod decompress;
mod grpc;
mod guard;
mod http;
mod intake;
mod linger;
mod listener;
mod metrics;
mod refusal;
mod rest;
mod rpc_status;
mod server;

pub use config::{BindError, Config, Limits, ListenerConfig};
pub use guard::{Admitted, Guard, Head, OpenGuard, Pass, Peer, Request, Transport};
pub use refusal::{Kind, Refusal};
pub use server::Gateway;
