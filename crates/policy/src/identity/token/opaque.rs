//! Opaque tokens: random, meaningless, and kept as digests.
//!
//! `stella_`, 64 hexadecimal digits of 32 random bytes, 8 of a checksum: the first four bytes of
//! SHA-256 over all before it. The prefix lets scanners find a leaked token, the checksum lets them
//! be sure, and us refuse a typing error without a look-up. Only tokens made here are read, so
//! every token has 256 bits of chance and a plain SHA-256 is enough to keep it: there is nothing to
//! guess. The profile has `sha256:<hex>`, which `printf %s "$TOKEN" | sha256sum` prints as well.

use std::fmt;

use crate::identity::digest::Digest;

/// What a token begins with.
pub const PREFIX: &str = "stella_";
/// How long a token is.
pub const BYTES: usize = PREFIX.len() + 64 + 8;

/// A token just made, to be shown once.
#[derive(Clone)]
pub struct NewToken(String);

impl NewToken {
    /// Makes a token. `random` must come from the system's generator and serve nothing else.
    pub fn new(random: [u8; 32]) -> Self {
        let mut text = String::with_capacity(BYTES);
        text.push_str(PREFIX);
        hex(&mut text, &random);
        let checksum = checksum(text.as_bytes());
        hex(&mut text, &checksum);
        NewToken(text)
    }

    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the profile holds of it.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Whether a bearer token is meant to be one of ours, good or not, and so no JWT.
pub fn is_opaque(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// The digest of a token that was made here; `None` for anything else.
pub fn digest(token: &str) -> Option<Digest> {
    let digits = token.strip_prefix(PREFIX)?.as_bytes();
    let (_, sum) = token.as_bytes().split_last_chunk::<8>()?;
    let good = |b: &u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if token.len() != BYTES || !digits.iter().all(good) {
        return None;
    }
    let mut expected = String::with_capacity(8);
    hex(&mut expected, &checksum(token.as_bytes().get(..BYTES - 8)?));
    (expected.as_bytes() == sum).then(|| Digest::of(token.as_bytes()))
}

fn checksum(text: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = *Digest::of(text).as_bytes();
    [a, b, c, d]
}

fn hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_token_is_read_and_a_changed_one_is_not() {
        let token = NewToken::new([0xa7; 32]);
        assert_eq!(token.reveal().len(), BYTES);
        assert_eq!(digest(token.reveal()), Some(token.digest()));
        assert_eq!(format!("{token:?}"), "[secret]");
        for at in 0..BYTES {
            let mut changed = token.reveal().as_bytes().to_vec();
            changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
            assert_eq!(digest(std::str::from_utf8(&changed).unwrap()), None, "{at}");
        }
        for bad in [
            "",
            "stella_",
            &token.reveal()[..BYTES - 1],
            &token.reveal().to_uppercase(),
        ] {
            assert_eq!(digest(bad), None, "{bad}");
        }
    }
}
