//! The claims of a token whose signature is good, in the form in which they are looked up.

use std::fmt;

use ident::TenantId;
use serde_json::{Map, Value};

use super::error::TokenError;
use crate::identity::proof::MAX_NAMES;

/// Names and values.
pub(in crate::identity) type Pairs = Box<[(Box<str>, Box<str>)]>;

/// A token that was verified. It holds what can be looked up and not the token.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    issuer: Box<str>,
    subject: Option<Box<str>>,
    /// Sorted.
    claims: Pairs,
    tenant: Option<TenantId>,
    pub(super) not_before: u64,
    pub(super) expires: u64,
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .field("tenant", &self.tenant)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl VerifiedToken {
    /// Who signed it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whom it is about.
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// The tenant that it names, where the issuer may name one.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// When it expires, in seconds since the Unix epoch; the clock skew is not in it.
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// Its claims as pairs of texts. A list gives a pair for each of its elements; objects and
    /// nulls, and lists in lists, give none.
    pub fn claims(&self) -> impl Iterator<Item = (&str, &str)> {
        self.claims.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Whether it has this claim.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.claims
            .binary_search_by(|(n, v)| (&**n, &**v).cmp(&(name, value)))
            .is_ok()
    }

    /// About how many bytes of memory it takes.
    pub(super) fn weight(&self) -> u64 {
        let pairs = self
            .claims
            .iter()
            .map(|(name, value)| name.len() + value.len() + 64);
        let subject = self.subject.as_ref().map_or(0, |subject| subject.len());
        (pairs.sum::<usize>() + subject + self.issuer.len() + 256) as u64
    }

    pub(super) fn new(
        issuer: &str,
        tenant_claim: Option<&str>,
        claims: &Map<String, Value>,
        (not_before, expires): (u64, u64),
    ) -> Result<Self, TokenError> {
        let text = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(TokenError::Claims),
        };
        let tenant = tenant_claim.map(text).transpose()?.flatten();
        let tenant = tenant.map(|name| name.parse().map_err(|_| TokenError::Claims));
        Ok(VerifiedToken {
            issuer: issuer.into(),
            subject: text("sub")?.map(Into::into),
            claims: pairs(claims)?,
            tenant: tenant.transpose()?,
            not_before,
            expires,
        })
    }
}

/// The claims that can be looked up. What says when and for whom is checked and then left out.
fn pairs(claims: &Map<String, Value>) -> Result<Pairs, TokenError> {
    let mut pairs = Vec::new();
    for (name, value) in claims {
        if matches!(&**name, "exp" | "nbf" | "iat" | "jti" | "aud") {
            continue;
        }
        let values = match value {
            Value::Array(list) => list.as_slice(),
            single => std::slice::from_ref(single),
        };
        for value in values {
            let text = match value {
                Value::String(text) => text.as_str().into(),
                Value::Bool(_) | Value::Number(_) => value.to_string().into_boxed_str(),
                Value::Null | Value::Array(_) | Value::Object(_) => continue,
            };
            // Leaving out the rest could leave out the one that makes the identity ambiguous.
            if pairs.len() == MAX_NAMES {
                return Err(TokenError::Claims);
            }
            pairs.push((name.as_str().into(), text));
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    Ok(pairs.into_boxed_slice())
}
