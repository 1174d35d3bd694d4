//! E-mail over SMTP, with STARTTLS or TLS from the start.
//!
//! `lettre` writes the message and speaks SMTP; the connection comes from the one connector
//! (SEALED-EGRESS), and TLS is `tls`', spoken before lettre sees the stream.

mod client;
mod config;
mod encode;
mod starttls;
#[cfg(test)]
mod tests;

pub(crate) use client::Smtp;
pub use config::{Config, Login, Security};
