//! Headers that somebody configured to be sent along.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::Secret;

/// What we say we are.
pub const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("stella/", env!("CARGO_PKG_VERSION")));

/// Why a configured header cannot be sent. Its value is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderError {
    /// The header's name, as configured.
    pub name: String,
    /// What is wrong with it, to stand after the name.
    pub what: &'static str,
}

/// The headers of a request, with values that are never shown.
///
/// Refused is what HTTP does not allow, and what whoever sends sets: the headers that frame a
/// request, and those that begin with one of `ours`. `set_by` says so, to stand after the name.
///
/// # Errors
/// For the first that cannot be sent.
pub fn configured(
    headers: &[(String, Secret)],
    ours: &[&str],
    set_by: &'static str,
) -> Result<HeaderMap, HeaderError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let bad = |what| HeaderError {
            name: name.clone(),
            what,
        };
        let key = HeaderName::try_from(name).map_err(|_| bad("is not a header's name"))?;
        if frames(&key) || ours.iter().any(|prefix| key.as_str().starts_with(prefix)) {
            return Err(bad(set_by));
        }
        let mut value = HeaderValue::try_from(value.reveal())
            .map_err(|_| bad("has a value that is not allowed in a header"))?;
        value.set_sensitive(true);
        map.append(key, value);
    }
    Ok(map)
}

/// Headers that would break a request if someone set them.
fn frames(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::HOST
            | header::CONTENT_TYPE
            | header::CONTENT_LENGTH
            | header::CONTENT_ENCODING
            | header::TRANSFER_ENCODING
            | header::CONNECTION
            | header::UPGRADE
            | header::TE
    )
}
