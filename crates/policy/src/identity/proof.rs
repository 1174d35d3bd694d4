//! What a connection or a request has proven of its sender.

use std::fmt;
use std::sync::Arc;

use ident::Certificate;

use super::digest::Digest;
use super::token::VerifiedToken;

/// The most names of one certificate, or claims of one token, that are looked up (BOUNDED).
pub const MAX_NAMES: usize = 64;

/// What is proven. A credential that was shown and is not good is not proof of anything: the
/// caller refuses the request and does not go on without it.
#[derive(Clone, Debug, Default)]
pub struct Proof {
    /// The client certificate that TLS has verified.
    pub certificate: Option<Arc<Certificate>>,
    /// A signed token that [`Verifier::verify`](super::token::Verifier::verify) took.
    pub token: Option<Arc<VerifiedToken>>,
    /// The digest of an opaque token, as [`opaque::digest`](super::token::opaque::digest) makes
    /// it. Whether anybody knows it is for the directory to say.
    pub opaque: Option<Digest>,
}

impl Proof {
    /// A sender that has proven nothing, such as a process on the same machine.
    pub const NOTHING: Proof = Proof {
        certificate: None,
        token: None,
        opaque: None,
    };

    /// Whether nothing is proven.
    pub fn is_nothing(&self) -> bool {
        self.certificate.is_none() && self.token.is_none() && self.opaque.is_none()
    }
}

impl fmt::Display for Proof {
    /// For the audit log: who, without anything secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut any = false;
        if let Some(certificate) = &self.certificate {
            write!(f, "certificate {:?}", certificate.fingerprint)?;
            any = true;
        }
        if let Some(token) = &self.token {
            let comma = if any { ", " } else { "" };
            write!(f, "{comma}token of {:?}", token.issuer())?;
            if let Some(subject) = token.subject() {
                write!(f, " for {subject:?}")?;
            }
            any = true;
        }
        if let Some(digest) = &self.opaque {
            let comma = if any { ", " } else { "" };
            write!(f, "{comma}opaque token {digest:?}")?;
            any = true;
        }
        if any { Ok(()) } else { f.write_str("nothing") }
    }
}
