//! From the text of a JWT to a [`VerifiedToken`].
//!
//! The order is that of RFC 8725: form, header, issuer, key, signature, and only then the claims.
//! Before the signature nothing but `iss` is used of the claims, to find the issuer's keys.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::cache::TokenCache;
use super::claims::VerifiedToken;
use super::error::{JwksError, TokenError};
use super::json;
use super::jwks::Issuer;
use crate::identity::config::Tokens;
use crate::identity::digest::Digest;

/// The longest `kid` that is looked for.
const MAX_KID_BYTES: usize = 256;
/// Later times than this (the year 9999) are no times.
const MAX_TIME: f64 = 253_402_300_800.0;

/// Verifies tokens of the configured issuers and remembers the good ones. A new key set makes a
/// new verifier, which has forgotten what the old keys signed.
pub struct Verifier {
    issuers: Vec<Issuer>,
    max_bytes: usize,
    skew: u64,
    cache: TokenCache,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("issuers", &self.issuers)
            .field("cached", &self.cache.len())
            .finish_non_exhaustive()
    }
}

impl Verifier {
    /// A verifier for the issuers, whose keys have been read.
    ///
    /// # Errors
    /// If two of them are the same.
    pub fn new(config: &Tokens, issuers: Vec<Issuer>) -> Result<Self, JwksError> {
        for (at, issuer) in issuers.iter().enumerate() {
            if issuers
                .iter()
                .take(at)
                .any(|other| other.name == issuer.name)
            {
                return Err(JwksError::SameIssuer);
            }
        }
        Ok(Verifier {
            issuers,
            max_bytes: config.max_bytes.as_usize(),
            skew: config.clock_skew.0.as_secs(),
            cache: TokenCache::new(config.cache_bytes.0),
        })
    }

    /// Verifies a token at `now`, in seconds since the Unix epoch. Of a token that was verified
    /// before, only the times are checked again.
    ///
    /// # Errors
    /// If anything about it is not as it must be.
    pub fn verify(&self, token: &str, now: u64) -> Result<Arc<VerifiedToken>, TokenError> {
        if token.len() > self.max_bytes {
            return Err(TokenError::TooLong);
        }
        let digest = Digest::of(token.as_bytes());
        if let Some(known) = self.cache.get(&digest) {
            return match self.is_now(known.not_before, known.expires, now) {
                Ok(()) => Ok(known),
                Err(error) => {
                    self.cache.remove(&digest);
                    Err(error)
                }
            };
        }
        let verified = Arc::new(self.verify_fully(token, now)?);
        self.cache.insert(digest, Arc::clone(&verified));
        Ok(verified)
    }

    /// About how many bytes the remembered tokens take.
    pub fn cached_bytes(&self) -> u64 {
        self.cache.bytes()
    }

    fn verify_fully(&self, token: &str, now: u64) -> Result<VerifiedToken, TokenError> {
        let mut parts = token.split('.');
        let (Some(head), Some(body), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError::NotCompact);
        };
        let (algorithm, kid) = header(&decode(head)?)?;
        let claims = json::object(&decode(body)?).ok_or(TokenError::Json)?;
        let issuer = claims
            .get("iss")
            .and_then(Value::as_str)
            .and_then(|name| self.issuers.iter().find(|issuer| &*issuer.name == name))
            .ok_or(TokenError::Issuer)?;
        let key = issuer.key(algorithm, kid.as_deref())?;
        // What was signed is the text up to the second dot.
        let signed = token
            .get(..head.len() + 1 + body.len())
            .ok_or(TokenError::NotCompact)?;
        key.verify_sig(signed.as_bytes(), &decode(signature)?)
            .map_err(|_| TokenError::Signature)?;

        if !audience(&claims, &issuer.audiences)? {
            return Err(TokenError::Audience);
        }
        let expires = time(&claims, "exp")?.ok_or(TokenError::Expired)?;
        let not_before = time(&claims, "nbf")?
            .max(time(&claims, "iat")?)
            .unwrap_or(0);
        self.is_now(not_before, expires, now)?;
        let times = (not_before, expires);
        VerifiedToken::new(&issuer.name, issuer.tenant_claim.as_deref(), &claims, times)
    }

    fn is_now(&self, not_before: u64, expires: u64, now: u64) -> Result<(), TokenError> {
        if now >= expires.saturating_add(self.skew) {
            return Err(TokenError::Expired);
        }
        if now.saturating_add(self.skew) < not_before {
            return Err(TokenError::NotYetValid);
        }
        Ok(())
    }
}

/// Canonical base64url without padding (RFC 7515 section 2): the engine refuses padding, other
/// alphabets, white space, and bits behind the last byte.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::NotCompact)
}

/// The algorithm and the key's id.
fn header(bytes: &[u8]) -> Result<(Algorithm, Option<String>), TokenError> {
    let mut header = json::object(bytes).ok_or(TokenError::Json)?;
    // RFC 7515 section 4.1.11: what is critical must be understood, and none of it is. `b64`
    // (RFC 7797) would change what is signed. Keys that come with the token are never looked at.
    if header.contains_key("crit") || header.contains_key("b64") {
        return Err(TokenError::Header);
    }
    // RFC 8725 section 3.11: a token of another kind by the same issuer must not pass.
    match header.get("typ") {
        None => {}
        Some(Value::String(typ)) if is_jwt(typ) => {}
        Some(_) => return Err(TokenError::Header),
    }
    let algorithm = match header.get("alg") {
        Some(Value::String(alg)) => Algorithm::named(alg).ok_or(TokenError::Algorithm)?,
        _ => return Err(TokenError::Algorithm),
    };
    let kid = match header.remove("kid") {
        None => None,
        Some(Value::String(kid)) if kid.len() <= MAX_KID_BYTES => Some(kid),
        Some(_) => return Err(TokenError::Key),
    };
    Ok((algorithm, kid))
}

/// `JWT`, or an access token of RFC 9068.
fn is_jwt(typ: &str) -> bool {
    ["JWT", "at+jwt", "application/at+jwt"]
        .iter()
        .any(|good| typ.eq_ignore_ascii_case(good))
}

/// Whether one of `audiences` is in `aud`, a text or a list of texts.
fn audience(claims: &Map<String, Value>, audiences: &[Box<str>]) -> Result<bool, TokenError> {
    let list = match claims.get("aud") {
        None => return Ok(false),
        Some(Value::Array(list)) => list.as_slice(),
        Some(single) => std::slice::from_ref(single),
    };
    let mut found = false;
    for entry in list {
        let entry = entry.as_str().ok_or(TokenError::Claims)?;
        found |= audiences.iter().any(|audience| &**audience == entry);
    }
    Ok(found)
}

/// A `NumericDate` in whole seconds.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<u64>, TokenError> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    match value.as_f64() {
        Some(seconds) if (0.0..MAX_TIME).contains(&seconds) => Ok(Some(seconds as u64)),
        _ => Err(TokenError::Claims),
    }
}
