//! Values that are sent and never shown.

use std::fmt;

use crate::text::CUT;

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

    /// The value, for whoever sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// `text` without this secret, should a destination have repeated it in an answer. Where the
    /// text was cut short in the middle of it, its beginning is taken out too.
    pub fn scrub(&self, text: String) -> String {
        let words = self.0.split_whitespace();
        words
            .filter(|word| word.len() >= MIN_WORD_BYTES)
            .fold(text, |mut text, word| {
                if text.contains(word) {
                    text = text.replace(word, "[secret]");
                }
                let end = text.trim_end_matches(CUT).len();
                let cut = (1..word.len()).rev().find(|length| {
                    let beginning = word.get(..*length);
                    beginning.is_some_and(|word| {
                        end < text.len() && text.get(..end).is_some_and(|t| t.ends_with(word))
                    })
                });
                if let Some(length) = cut {
                    text.replace_range(end - length.., "[secret]");
                    text.push(CUT);
                }
                text
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

    #[test]
    fn is_not_shown_in_part_either() {
        let token = Secret::new("hunter22");
        for length in 1..8 {
            let said = format!("bad token {}{CUT}", &"hunter22"[..length]);
            assert_eq!(token.scrub(said), "bad token [secret]…");
        }
        assert_eq!(token.scrub("hunt".to_owned()), "hunt", "nothing was cut");
    }
}
