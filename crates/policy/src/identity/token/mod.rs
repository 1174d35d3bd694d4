//! Bearer tokens: signed ones (JWT, RFC 7519) and opaque ones of our own making.
//!
//! [`Verifier`] takes a JWT in the compact form of RFC 7515 if a known issuer signed it with a key
//! that it published, by an algorithm that both the configuration and the key allow, for this
//! audience, and for now. [`opaque`] makes and reads tokens that mean nothing by themselves and are
//! kept as digests.
//!
//! Guarantees: `none` and HMAC cannot even be named; a key serves the algorithms of its own type
//! alone; what two parsers could read differently (a key twice in an object, base64 that is not
//! canonical, critical headers) is refused; no error and no `Debug` shows a token.
//!
//! Not here: fetching or reloading key sets, encrypted tokens, introspection, revocation.

mod algorithm;
mod cache;
mod claims;
mod error;
mod json;
mod jwks;
pub mod opaque;
mod verify;

pub use algorithm::Algorithm;
pub(super) use claims::Pairs;
pub use claims::VerifiedToken;
pub use error::{JwksError, TokenError};
pub use jwks::{Issuer, MAX_JWKS_BYTES, MAX_KEYS};
pub use verify::Verifier;
