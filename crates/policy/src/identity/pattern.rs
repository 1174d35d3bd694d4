//! Patterns for names made of segments: URIs by `/`, DNS names by `.`.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{Deserialize, Deserializer, Error};

/// A URI to match: whole segments between slashes, of which one may be `*` for exactly one
/// segment, and the last may be `**` for one or more. No part of a segment is ever a wildcard, so
/// `acme*` cannot come to mean `acme-evil`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct Pattern(Box<str>);

impl Pattern {
    /// The most segments of a pattern, and of a name that is matched (BOUNDED).
    pub const MAX_SEGMENTS: usize = 32;
    /// The longest pattern in bytes. SPIFFE IDs have at most 2048.
    pub const MAX_BYTES: usize = 2048;
    /// The most wildcards in one pattern. It bounds what a lookup has to follow: of a name of
    /// [`MAX_SEGMENTS`](Self::MAX_SEGMENTS), no more than a few thousand partial matches, and with
    /// patterns as people write them, one or two.
    pub const MAX_WILDCARDS: usize = 3;

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has wildcards.
    pub fn is_glob(&self) -> bool {
        self.0.split('/').any(|segment| segment.contains('*'))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParsePatternError {
    /// Nothing.
    #[error("a pattern is empty")]
    Empty,
    /// Over [`Pattern::MAX_BYTES`] or [`Pattern::MAX_SEGMENTS`].
    #[error(
        "a pattern is too long\nhint: at most {} bytes in {} segments",
        Pattern::MAX_BYTES,
        Pattern::MAX_SEGMENTS
    )]
    TooLong,
    /// No `scheme://authority`, or a wildcard there.
    #[error(
        "a pattern does not begin with `scheme://authority/`\nhint: as in spiffe://site.example/tenant/acme/**"
    )]
    NotAUri,
    /// A wildcard that is not a whole segment, or `**` before the end.
    #[error(
        "a wildcard is not a whole segment\nhint: `*` stands for one segment, `**` at the end for one or more"
    )]
    PartialWildcard,
    /// More than [`Pattern::MAX_WILDCARDS`].
    #[error("a pattern has more than {} wildcards", Pattern::MAX_WILDCARDS)]
    TooManyWildcards,
}

impl std::str::FromStr for Pattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, ParsePatternError> {
        if text.is_empty() {
            return Err(ParsePatternError::Empty);
        }
        let segments = text.split('/').count();
        if text.len() > Self::MAX_BYTES || segments > Self::MAX_SEGMENTS {
            return Err(ParsePatternError::TooLong);
        }
        let (scheme, rest) = text.split_once("://").ok_or(ParsePatternError::NotAUri)?;
        let authority = rest.split('/').next().unwrap_or_default();
        if scheme.is_empty()
            || authority.is_empty()
            || (scheme.contains('*') || authority.contains('*'))
        {
            return Err(ParsePatternError::NotAUri);
        }
        let mut wildcards = 0;
        for (at, segment) in text.split('/').enumerate() {
            match segment {
                "*" => wildcards += 1,
                "**" if at + 1 == segments => wildcards += 1,
                other if other.contains('*') => return Err(ParsePatternError::PartialWildcard),
                _ => {}
            }
        }
        if wildcards > Self::MAX_WILDCARDS {
            return Err(ParsePatternError::TooManyWildcards);
        }
        Ok(Pattern(text.into()))
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_whole_segments() {
        let parse = |text: &str| text.parse::<Pattern>().map(|p| p.is_glob());
        assert_eq!(parse("spiffe://site/tenant/acme/*"), Ok(true));
        assert_eq!(parse("spiffe://site/tenant/acme/**"), Ok(true));
        assert_eq!(parse("spiffe://site/tenant/acme/agent"), Ok(false));
        use ParsePatternError::*;
        assert_eq!(parse(""), Err(Empty));
        assert_eq!(parse("acme"), Err(NotAUri));
        assert_eq!(parse("spiffe://*/tenant/acme"), Err(NotAUri));
        assert_eq!(parse("spiffe://site*/tenant/acme"), Err(NotAUri));
        assert_eq!(parse("spiffe://site/acme*"), Err(PartialWildcard));
        assert_eq!(parse("spiffe://site/**/acme"), Err(PartialWildcard));
        assert_eq!(parse("a://b/*/*/*/*"), Err(TooManyWildcards));
        assert_eq!(parse(&format!("a://b{}", "/x".repeat(40))), Err(TooLong));
    }
}
