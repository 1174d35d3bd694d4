//! The gateway's own two small ports: metrics and health.
//!
//! Both are HTTP/1.1, in plaintext on loopback or inside TLS, answer `GET` and `HEAD` only, and
//! carry no telemetry.

pub mod process;
pub mod server;
