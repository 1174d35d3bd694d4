//! Whom data belongs to.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A tenant's name, valid wherever a tenant is named: in Loki's and Mimir's `X-Scope-OrgID`, in
/// a file name, in a label.
///
/// The rules are Grafana Mimir's ("About tenant IDs"): at most 150 bytes of ASCII letters, digits
/// and `! - _ . * ' ( )`; `.`, `..` and `__mimir_cluster` are reserved.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// The longest name in bytes.
    pub const MAX_BYTES: usize = 150;

    /// The tenant of a site that has not named any.
    pub fn default_tenant() -> Self {
        TenantId(Arc::from("default"))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a word cannot name a tenant. It does not repeat the word, which a sender chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseTenantError {
    /// No characters at all.
    Empty,
    /// Longer than [`TenantId::MAX_BYTES`]; holds the length in bytes.
    TooLong(usize),
    /// A character that is not allowed, at this byte.
    BadCharacter(usize),
    /// A name with a meaning of its own, such as `..`.
    Reserved,
}

impl fmt::Display for ParseTenantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a tenant's name is empty"),
            Self::TooLong(len) => {
                write!(
                    f,
                    "a tenant's name has {len} bytes, at most {} are allowed",
                    TenantId::MAX_BYTES
                )
            }
            Self::BadCharacter(at) => write!(
                f,
                "a tenant's name has a character at byte {at} that is not an ASCII letter, a digit or one of ! - _ . * ' ( )"
            ),
            Self::Reserved => f.write_str("a tenant's name is reserved"),
        }
    }
}

impl std::error::Error for ParseTenantError {}

impl FromStr for TenantId {
    type Err = ParseTenantError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name.is_empty() {
            return Err(ParseTenantError::Empty);
        }
        if name.len() > Self::MAX_BYTES {
            return Err(ParseTenantError::TooLong(name.len()));
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!-_.*'()".contains(&b);
        if let Some(at) = name.bytes().position(|b| !allowed(b)) {
            return Err(ParseTenantError::BadCharacter(at));
        }
        if matches!(name, "." | ".." | "__mimir_cluster") {
            return Err(ParseTenantError::Reserved);
        }
        Ok(TenantId(Arc::from(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_loki_and_mimir_take() {
        for good in ["acme", "a.b-c_d", "(it's)!*", &"x".repeat(150)] {
            assert_eq!(
                good.parse::<TenantId>().map(|t| t.to_string()).as_deref(),
                Ok(good)
            );
        }
    }

    #[test]
    fn refuses_what_they_refuse() {
        let parse = |name: &str| name.parse::<TenantId>();
        assert_eq!(parse(""), Err(ParseTenantError::Empty));
        assert_eq!(parse(&"x".repeat(151)), Err(ParseTenantError::TooLong(151)));
        assert_eq!(parse("a/b"), Err(ParseTenantError::BadCharacter(1)));
        assert_eq!(parse("ä"), Err(ParseTenantError::BadCharacter(0)));
        for reserved in [".", "..", "__mimir_cluster"] {
            assert_eq!(parse(reserved), Err(ParseTenantError::Reserved));
        }
        // A list of tenants, as Mimir federates queries, names none.
        assert_eq!(parse("a|b"), Err(ParseTenantError::BadCharacter(1)));
    }
}
