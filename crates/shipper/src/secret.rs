//! Values that are sent and never shown.

use std::fmt;

/// A header's value, such as a token. It prints as `[secret]`, whatever it holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Shorter words of a secret are too common to be looked for in texts.
const MIN_WORD_BYTES: usize = 6;

impl Secret {
    /// Takes a value into custody.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` without this secret, should a destination have repeated it in an answer.
    pub(crate) fn scrub(&self, text: String) -> String {
        let words = self.0.split_whitespace();
        words
            .filter(|word| word.len() >= MIN_WORD_BYTES)
            .fold(text, |text, word| {
                if text.contains(word) {
                    text.replace(word, "[secret]")
                } else {
                    text
                }
            })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_shown() {
        let token = Secret::new("Bearer hunter22");
        assert_eq!(format!("{token:?}"), "[secret]");
        let said = "bad token `hunter22` for Bearer".to_owned();
        assert_eq!(token.scrub(said), "bad token `[secret]` for [secret]");
    }
}
