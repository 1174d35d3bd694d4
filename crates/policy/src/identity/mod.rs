//! Who a sender is, and so whose its data is (TENANT-BY-IDENTITY).
//!
//! What a connection or a request has proven ([`Proof`]: a client certificate, a token) is looked
//! up in a [`Directory`], compiled once from the profile. [`Directory::resolve`] answers with the
//! tenant or with a [`Denied`]; a header never decides, unless the sender is a forwarder that may
//! choose. [`token`] turns the text of a bearer token into proof.
//!
//! Guarantees: one identity has one tenant or none, whatever the order of the configuration; the
//! cost of an answer does not grow with the number of tenants; no answer and no error holds a
//! token or a part of one.
//!
//! Not here: TLS, certificate chains and revocation (the gateway gives facts of certificates that
//! it has verified), reading files, the clock.

pub mod config;
mod denied;
mod digest;
mod directory;
mod load;
mod pattern;
mod proof;
mod resolve;
pub mod token;
mod trie;

pub use config::Identity;
pub use denied::{Denied, DeniedKind};
pub use digest::{Digest, ParseDigestError};
pub use directory::Directory;
pub use load::LoadError;
pub use pattern::{ParsePatternError, Pattern};
pub use proof::{MAX_NAMES, Proof};
pub use resolve::{Resolved, TenantAttribute};
