//! The gateway's own small ports: metrics, health, the admin API, remote sampling.
//!
//! All are HTTP/1.1, in plaintext on loopback or inside TLS, and carry no telemetry.

pub mod process;
pub mod server;
