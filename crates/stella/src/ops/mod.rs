//! The gateway's own two small ports: metrics and health.
//!
//! Both are plain HTTP/1.1 on loopback, answer `GET` and `HEAD` only, and carry no telemetry.

pub mod process;
pub mod server;
