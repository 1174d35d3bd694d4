//! The checked names that every other crate speaks of: which signal, whose data, which member of a
//! cluster, what a certificate says.
//!
//! A value of these types has been parsed once, at the edge; nothing behind it checks again.
//! This crate has no I/O and depends on nothing of ours.

mod certificate;
mod member;
mod signal;
mod tenant;

pub use certificate::{Certificate, Fingerprint};
pub use member::{MemberName, ParseMemberError};
pub use signal::{ParseSignalError, Signal};
pub use tenant::{ParseTenantError, TenantId};
