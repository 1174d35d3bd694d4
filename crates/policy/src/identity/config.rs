//! `identity` in the profile: which proof stands for which tenant.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ident::TenantId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::digest::Digest;
use super::pattern::Pattern;
use super::token::Algorithm;
use crate::units::{Bytes, Time};

/// Who is who. With nothing configured every sender is refused.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// The site's SPIFFE trust domain: `spiffe://<trust_domain>/tenant/<tenant>/…` in a client
    /// certificate is that tenant.
    pub trust_domain: Option<TrustDomain>,
    /// What happens to a tenant that an identity names and `tenants` does not.
    pub unlisted_tenants: Unlisted,
    /// The header with which a forwarder chooses a tenant.
    pub tenant_header: HeaderName,
    /// The tenant of senders that have proven nothing. Without it they are refused.
    pub anonymous: Option<TenantName>,
    /// How bearer tokens are verified.
    pub tokens: Tokens,
    /// Each tenant and what stands for it.
    pub tenants: BTreeMap<TenantName, Tenant>,
    /// Senders that carry data of several tenants and say whose it is.
    pub forwarders: Vec<Forwarder>,
}

/// What is done about a tenant that is not listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unlisted {
    /// It is refused.
    #[default]
    Refuse,
    /// It is a tenant like any other.
    Allow,
}

/// One tenant.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tenant {
    /// A sender of which one of these is proven is this tenant.
    #[serde(rename = "match")]
    pub matches: Vec<Matcher>,
}

/// A sender that may choose among tenants.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Forwarder {
    /// A sender of which one of these is proven is this forwarder.
    #[serde(rename = "match")]
    pub matches: Vec<Matcher>,
    /// The tenants that it may choose: `*` or a list.
    pub tenants: Choice,
    /// The tenant if it chooses none. Without it such a request is refused.
    pub default: Option<TenantName>,
}

/// Tenants to choose among.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "Written")]
pub enum Choice {
    /// `*`: every tenant.
    Any,
    /// These.
    Of(Vec<TenantName>),
}

/// As it is written.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Written {
    Word(String),
    List(Vec<String>),
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Word(word) if word == "*" => Ok(Choice::Any),
            Written::Word(_) => Err(D::Error::custom("write \"*\" or a list of tenants")),
            Written::List(names) => names
                .into_iter()
                .map(|name| name.parse().map(TenantName).map_err(D::Error::custom))
                .collect::<Result<_, _>>()
                .map(Choice::Of),
        }
    }
}

/// One thing that can be proven.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Matcher {
    /// A URI in the certificate, as in `spiffe://site/tenant/acme/**`: `*` is one segment, `**` at
    /// the end one or more.
    San(Pattern),
    /// A DNS name in the certificate, whatever its case.
    Dns(Text),
    /// An e-mail address in the certificate.
    Email(Text),
    /// The certificate's whole subject, as RFC 4514 writes it.
    Subject(Text),
    /// The common name in the certificate's subject.
    CommonName(Text),
    /// SHA-256 of the certificate, as `sha256:<hex>` or as openssl prints it.
    Fingerprint(Digest),
    /// Claims of a signed token; all of them must be there. A claim that is a list must hold the
    /// value.
    Claim(Claims),
    /// An opaque token, by its digest `sha256:<hex>`.
    Token(Digest),
}

/// Names of claims and their values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "BTreeMap<String, String>")]
pub struct Claims(BTreeMap<String, String>);

impl Claims {
    /// The pairs, by name; at least one.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = BTreeMap::<String, String>::deserialize(deserializer)?;
        if pairs.is_empty() || pairs.len() > 8 || pairs.keys().any(String::is_empty) {
            return Err(D::Error::custom(
                "write one to eight claims, as in `org: acme`",
            ));
        }
        Ok(Claims(pairs))
    }
}

/// How bearer tokens are verified.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// Whose tokens are taken.
    pub issuers: Vec<Issuer>,
    /// How far the clocks of issuers may be off.
    pub clock_skew: Time,
    /// The longest token that is looked at.
    pub max_bytes: Bytes,
    /// Verified tokens that are remembered until they expire, so that a signature is verified
    /// once.
    pub cache_bytes: Bytes,
}

impl Default for Tokens {
    fn default() -> Self {
        Tokens {
            issuers: Vec::new(),
            clock_skew: Time(Duration::from_secs(60)),
            max_bytes: Bytes(8 << 10),
            cache_bytes: Bytes(8 << 20),
        }
    }
}

/// One issuer of tokens.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// What the claim `iss` must be.
    pub issuer: Text,
    /// The claim `aud` must hold one of these.
    pub audiences: Vec<Text>,
    /// The file with the issuer's public keys, a JWK set.
    pub jwks: String,
    /// The algorithms that are taken. There is no `none`, and no HMAC.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// The claim that names the tenant, if the issuer may name it.
    pub tenant_claim: Option<Text>,
}

fn algorithms() -> Vec<Algorithm> {
    vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]
}

/// A text that is neither empty nor long.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String")]
pub struct Text(String);

impl Text {
    /// The longest text in bytes.
    pub const MAX_BYTES: usize = 2048;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text.len() > Self::MAX_BYTES {
            return Err(D::Error::custom("write 1 to 2048 bytes of text"));
        }
        Ok(Text(text))
    }
}

/// A SPIFFE trust domain.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct TrustDomain(String);

impl TrustDomain {
    /// The domain.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for TrustDomain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // SPIFFE-ID 2.1.
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
        if text.is_empty() || text.len() > 255 || !text.bytes().all(good) {
            return Err(D::Error::custom(
                "not a trust domain; write it without `spiffe://`, in at most 255 of a-z 0-9 - . _",
            ));
        }
        Ok(TrustDomain(text))
    }
}

/// The name of an HTTP header, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct HeaderName(String);

impl HeaderName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for HeaderName {
    /// The header of Loki, Mimir and Tempo.
    fn default() -> Self {
        HeaderName("x-scope-orgid".to_owned())
    }
}

impl<'de> Deserialize<'de> for HeaderName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?.to_ascii_lowercase();
        // RFC 9110 5.1, without the marks that nobody uses; gRPC takes no others.
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
            return Err(D::Error::custom("not the name of a header"));
        }
        Ok(HeaderName(name))
    }
}

/// A tenant's name in the profile.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String")]
pub struct TenantName(pub TenantId);

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for TenantName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map(TenantName)
            .map_err(D::Error::custom)
    }
}
