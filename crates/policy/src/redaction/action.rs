//! What a rule does to a value, and the key that hashes are made with.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::document::Part;

/// The key of a site for `hash` and `tokenize`: equal values give equal hashes, and without the
/// key nobody can guess values and compare. Never shown.
#[derive(Clone)]
pub struct SiteKey {
    id: Box<str>,
    /// The hash with the key already in it.
    keyed: Hmac<Sha256>,
}

/// Why a site key is not taken. It never holds the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SiteKeyError {
    /// The id is not 1 to 32 of `a`–`z`, `0`–`9` and `-`.
    #[error(
        "the id of a site key is 1 to 32 of a-z, 0-9 and `-`\nhint: name it after the day it was made, as in `2026-11`"
    )]
    Id,
    /// Fewer than 16 bytes: hashes of it could be guessed.
    #[error("a site key has at least 16 bytes\nhint: make one with `openssl rand -hex 32`")]
    TooShort,
}

impl SiteKey {
    /// A key with the id that hashes carry, so that old hashes are told from those of a new key.
    ///
    /// # Errors
    /// For an id of other characters and for a key of fewer than 16 bytes.
    pub fn new(id: &str, secret: &[u8]) -> Result<Self, SiteKeyError> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if id.is_empty() || id.len() > 32 || !id.bytes().all(good) {
            return Err(SiteKeyError::Id);
        }
        if secret.len() < 16 {
            return Err(SiteKeyError::TooShort);
        }
        Ok(SiteKey {
            id: id.into(),
            keyed: Hmac::new_from_slice(secret).map_err(|_| SiteKeyError::TooShort)?,
        })
    }

    /// Appends `prefix:id:hash` with the first 128 bits of the HMAC-SHA-256 of `content` in hex.
    fn put(&self, prefix: &str, content: &[u8], out: &mut String) {
        const HEX: [char; 16] = [
            '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
        ];
        let hash = self.keyed.clone().chain_update(content).finalize();
        out.push_str(prefix);
        out.push(':');
        out.push_str(&self.id);
        out.push(':');
        for byte in hash.into_bytes().iter().take(16) {
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        }
    }
}

impl std::fmt::Debug for SiteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SiteKey({})", self.id)
    }
}

/// What happens to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// It stays.
    Keep,
    /// It is cut to this many characters.
    Truncate(usize),
    /// It becomes `hmac:<key id>:<hash>`.
    Hash,
    /// It becomes `<rule>:<key id>:<hash>`.
    Tokenize,
    /// It becomes this text.
    Mask(Box<str>),
    /// It goes, and its key with it.
    Drop,
}

impl Action {
    /// The word in a policy.
    pub fn as_str(&self) -> &'static str {
        match self {
            Action::Keep => "keep",
            Action::Truncate(_) => "truncate",
            Action::Hash => "hash",
            Action::Tokenize => "tokenize",
            Action::Mask(_) => "mask",
            Action::Drop => "drop",
        }
    }

    /// How much less than before is left: an overlay must not come below what it tightens.
    pub(super) fn strictness(&self, part: Part) -> u32 {
        let action = match self {
            Action::Keep => return 0,
            // The fewer characters stay, the stricter; never as strict as a hash.
            Action::Truncate(chars) => 0x1_0000 - (*chars).min(0xffff) as u32,
            Action::Hash | Action::Tokenize => 2 << 16,
            Action::Mask(_) => 3 << 16,
            Action::Drop => 4 << 16,
        };
        action * 2 + u32::from(part == Part::Whole)
    }

    /// Appends what becomes of `content` under the rule of this name.
    pub(super) fn put(&self, rule: &str, key: Option<&SiteKey>, content: &[u8], out: &mut String) {
        match (self, key) {
            (Action::Hash, Some(key)) => key.put("hmac", content, out),
            (Action::Tokenize, Some(key)) => key.put(rule, content, out),
            (Action::Mask(mask), _) => out.push_str(mask),
            // A policy that hashes is not compiled without a key; text to keep or cut is dealt
            // with by those who have it as text.
            _ => {}
        }
    }
}

/// Where the text ends after `chars` characters; `None` if it has no more than that.
pub(super) fn cut(text: &str, chars: usize) -> Option<usize> {
    if text.len() <= chars {
        return None;
    }
    text.char_indices().nth(chars).map(|(at, _)| at)
}
