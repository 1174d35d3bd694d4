//! A site's own certificate authority: a folder with a CA, the certificates that it issued, and the
//! list of those that it revoked. Enough for mTLS at a site that no public CA can reach.
//!
//! # What it guarantees
//! - Keys are ECDSA P-256, readable by their owner alone, in folders that are closed to others.
//! - Nothing is written over unless told to; what is written appears whole or not at all.
//! - VERIFY-WITHOUT-US: everything is PEM that `openssl` reads.
//! - A sender's identity is in a URI name, `spiffe://<trust domain>/tenant/<tenant>/<name>`
//!   (SPIFFE ID, sections 2.1 and 2.2), never in free text.
//!
//! # What it does not do
//! No intermediate CAs, no requests from others (CSR), no passwords on keys, no hardware. A site
//! that has a CA uses that instead; the gateway does not care whose certificates they are.
//!
//! The folder:
//! ```text
//! ca.pem  ca.key  ca.crl
//! servers/<name>.pem  servers/<name>.key
//! clients/<tenant>/<name>.pem  clients/<tenant>/<name>.key
//! ```

mod authority;
mod error;
mod files;
mod names;
mod parse;
mod revocation;
mod show;

pub use authority::{Issued, Lifetime, Pki, Renewal, Unlocked};
pub use error::Error;
pub use names::{Holder, TrustDomain, Workload};
pub use revocation::Revoked;
pub use show::{Entry, Kind, State};
