//! TLS for listeners and destinations, from PEM files that may change at any time.
//!
//! # What it guarantees
//! - TLS 1.2 and 1.3 only, with one provider of cryptography (aws-lc-rs).
//! - A file that changes takes effect without a restart and without dropping a connection; one
//!   that cannot be used changes nothing, is logged and shows as a metric ([`Keeper`]).
//! - A sender whose certificate expires, is revoked, or is no longer of a CA that is trusted loses
//!   its open connections too, in order: requests under way finish ([`Trust`]).
//! - BOUNDED: files, names in certificates, handshakes at a time and the time for each have limits.
//! - A key that others on the machine can read is not used.
//! - Every handshake that fails is counted by its reason ([`Reason`]).
//!
//! # What it does not do
//! It opens no sockets (SEALED-EGRESS: it is given streams), decides nothing about tenants, asks no
//! OCSP responder, and trusts no certificate store of the system unless its file is named.

mod client;
mod error;
mod expiry;
mod facts;
mod files;
mod keeper;
mod material;
mod metrics;
mod reason;
mod reload;
mod server;
mod settle;
mod trust;
mod verifier;

pub use client::{Client, ClientFiles, ClientStream, ConnectError};
pub use error::Error;
pub use facts::FactsError;
pub use keeper::Keeper;
pub use material::Identity;
pub use reason::Reason;
pub use server::{ClientAuth, Refused, Server, ServerFiles, ServerStream, Session};
pub use trust::Trust;

use std::sync::Arc;

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

/// What is offered or expected as the protocol inside (ALPN, RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// HTTP/2 alone, as gRPC asks.
    H2,
    /// HTTP/1.1 alone.
    Http1,
    /// Either; a listener's choice is HTTP/2.
    Either,
    /// What has no name in ALPN, such as SMTP.
    None,
}

impl Alpn {
    fn protocols(self) -> Vec<Vec<u8>> {
        let (h2, http1) = (b"h2".to_vec(), b"http/1.1".to_vec());
        match self {
            Alpn::H2 => vec![h2],
            Alpn::Http1 => vec![http1],
            Alpn::Either => vec![h2, http1],
            Alpn::None => Vec::new(),
        }
    }
}

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
}

impl MinVersion {
    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
        match self {
            MinVersion::Tls12 => &BOTH,
            MinVersion::Tls13 => &BOTH[..1],
        }
    }
}

/// The one provider of cryptography.
fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
