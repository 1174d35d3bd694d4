//! Why a token or a key set is not taken.

/// Why a token is not taken. It says nothing of what the token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than `tokens.max_bytes`.
    #[error("the token is longer than is taken here")]
    TooLong,
    /// Not three parts with dots between them, each canonical base64url without padding.
    #[error("the token is not a signed JWT in the compact form")]
    NotCompact,
    /// A header or claims that are not one JSON object, or in which a name comes twice.
    #[error("the token's JSON is malformed or ambiguous")]
    Json,
    /// A header with `crit` or `b64`, or of another type than a JWT.
    #[error("the token's header asks for something that is not supported here")]
    Header,
    /// `none`, HMAC, or another algorithm that the issuer's tokens may not have.
    #[error("the token's algorithm is not allowed")]
    Algorithm,
    /// No configured issuer.
    #[error("the token's issuer is not known here")]
    Issuer,
    /// No key with this `kid` for this algorithm, or no `kid` and no single key.
    #[error("the token's key is not in the issuer's key set")]
    Key,
    /// The signature does not fit.
    #[error("the token's signature is wrong")]
    Signature,
    /// For somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// `exp` is missing or past.
    #[error("the token has expired, or does not say when it does")]
    Expired,
    /// `nbf` or `iat` lies ahead.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// A claim of the wrong type, a tenant that can be none, or more claims than are looked at.
    #[error("the token has claims of a form that is not taken")]
    Claims,
}

impl TokenError {
    /// The word in metrics and in the audit log.
    pub const fn reason(self) -> &'static str {
        match self {
            TokenError::TooLong => "token_too_long",
            TokenError::NotCompact => "token_not_compact",
            TokenError::Json => "token_json",
            TokenError::Header => "token_header",
            TokenError::Algorithm => "token_algorithm",
            TokenError::Issuer => "token_issuer",
            TokenError::Key => "token_key",
            TokenError::Signature => "token_signature",
            TokenError::Audience => "token_audience",
            TokenError::Expired => "token_expired",
            TokenError::NotYetValid => "token_not_yet_valid",
            TokenError::Claims => "token_claims",
        }
    }
}

/// Why an issuer's key set or configuration is not taken. Keys are numbered from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Over [`MAX_JWKS_BYTES`](super::MAX_JWKS_BYTES) or [`MAX_KEYS`](super::MAX_KEYS).
    #[error("the key set is too large")]
    TooLarge,
    /// Not a JSON object with an array `keys` of objects.
    #[error("the key set is not a JWK set\nhint: a JSON object with a list `keys` (RFC 7517)")]
    NotAKeySet,
    /// A secret in a file that is meant to be public.
    #[error(
        "key {0} is secret: symmetric, or with its private part\nhint: publish the public part alone, and treat this key as leaked"
    )]
    Secret(usize),
    /// A member that is missing, malformed or contradicts another.
    #[error("key {key}: `{member}` is missing or wrong")]
    Member {
        /// Which key.
        key: usize,
        /// Its member.
        member: &'static str,
    },
    /// Two keys that a token could mean at once.
    #[error("key {0} has the `kid` of another key for the same algorithm")]
    SameKid(usize),
    /// Nothing that could verify a token.
    #[error("the key set has no key for the allowed algorithms")]
    NoKey,
    /// `algorithms` or `audiences` is empty.
    #[error(
        "the issuer has no algorithms or no audiences\nhint: a token for anybody would be a token for everybody"
    )]
    NothingAllowed,
    /// One issuer twice.
    #[error("two issuers are the same\nhint: put all keys of an issuer into one set")]
    SameIssuer,
}
