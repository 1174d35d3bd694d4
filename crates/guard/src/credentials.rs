//! What a request's head and its connection prove of the sender.

use std::sync::Arc;

use gateway::Peer;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use policy::identity::Proof;
use policy::identity::token::{TokenError, VerifiedToken, opaque};

/// Why a credential that was shown is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CredentialError {
    /// Two `authorization` headers, one that is not text, or one of another scheme.
    #[error("the authorization header is not one bearer token")]
    Scheme,
    /// A token with our prefix that was never made by us.
    #[error("the opaque token is damaged")]
    Damaged,
    /// A signed token.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl CredentialError {
    /// The word in metrics and in the audit log.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            CredentialError::Scheme => "authorization_scheme",
            CredentialError::Damaged => "token_damaged",
            CredentialError::Token(error) => error.reason(),
        }
    }
}

/// Collects what is proven; `verify` is asked about a signed token alone. A sender that shows nothing proves nothing; one that shows a bad
/// credential is refused, whatever else it has.
pub(crate) fn proof(
    peer: &Peer,
    headers: &HeaderMap,
    verify: impl FnOnce(&str) -> Result<Arc<VerifiedToken>, TokenError>,
) -> Result<Proof, CredentialError> {
    let mut proof = Proof {
        certificate: peer.certificate.clone(),
        ..Proof::NOTHING
    };
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = shown.next() else {
        return Ok(proof);
    };
    let text = value.to_str().map_err(|_| CredentialError::Scheme)?;
    let (scheme, token) = text.split_once(' ').ok_or(CredentialError::Scheme)?;
    if shown.next().is_some() || !scheme.eq_ignore_ascii_case("bearer") {
        return Err(CredentialError::Scheme);
    }
    let token = token.trim_matches(' ');
    if opaque::is_opaque(token) {
        proof.opaque = Some(opaque::digest(token).ok_or(CredentialError::Damaged)?);
    } else {
        proof.token = Some(verify(token)?);
    }
    Ok(proof)
}
