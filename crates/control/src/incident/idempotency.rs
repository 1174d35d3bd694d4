//! Idempotency keys: the same request twice opens one incident.

use policy::identity::Digest;
use serde::{Deserialize, Serialize};

/// The longest key in bytes.
const MAX_BYTES: usize = 128;

/// A key that the caller chose, and a digest of what it asked for with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The key.
    pub key: String,
    /// `sha256:…` of the request.
    pub request: String,
}

impl Key {
    /// The key with what was asked for; `None` if it is not 1 to 128 printable ASCII characters.
    pub fn new(key: &str, request: &[u8]) -> Option<Key> {
        let good =
            (1..=MAX_BYTES).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        good.then(|| Key {
            key: key.to_owned(),
            request: Digest::of(request).to_string(),
        })
    }
}
