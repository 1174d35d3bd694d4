//! From YAML text to a type.

use serde::de::DeserializeOwned;
use serde_saphyr::Error as Yaml;

use crate::Error;

/// The largest text that is read: a profile of ten thousand tenants, with names and quotas for
/// each, has a few MiB.
pub const MAX_BYTES: u64 = 16 << 20;

/// A value that knows where it stands.
pub type Located<T> = serde_saphyr::Spanned<T>;

/// The line and column, from 1, of a located value; `None` where the reader did not tell.
pub fn place_of<T>(located: &Located<T>) -> Option<(usize, usize)> {
    place(&located.referenced)
}

fn place(location: &serde_saphyr::Location) -> Option<(usize, usize)> {
    let at = |n: u64| usize::try_from(n).ok().filter(|n| *n > 0);
    Some((at(location.line())?, at(location.column())?))
}

/// Reads `text`; `name` stands for it in errors, `what` says in a word what it should be.
///
/// # Errors
/// What is wrong first, with its place.
pub fn parse<T: DeserializeOwned>(what: &str, name: &str, text: &str) -> Result<T, Error> {
    parse_within(MAX_BYTES, what, name, text)
}

/// The same for a text of at most `max_bytes`.
///
/// # Errors
/// As [`parse`].
pub fn parse_within<T: DeserializeOwned>(
    max_bytes: u64,
    what: &str,
    name: &str,
    text: &str,
) -> Result<T, Error> {
    if text.len() as u64 > max_bytes {
        let message = format!("the {what} is larger than {max_bytes} bytes");
        let hint = "leave out what is as it would be without".to_owned();
        return Err(Error::whole(name, message, Some(hint)));
    }
    serde_saphyr::from_str(text).map_err(|error| from_yaml(name, text, &error))
}

fn from_yaml(name: &str, text: &str, error: &Yaml) -> Error {
    let inner = error.without_snippet();
    let (message, hint, length) = match inner {
        Yaml::SerdeUnknownField {
            field, expected, ..
        } => (
            format!("unknown key `{field}`"),
            nearest(field, expected),
            field.len(),
        ),
        Yaml::SerdeUnknownVariant {
            variant, expected, ..
        } => (
            format!("unknown value `{variant}`"),
            nearest(variant, expected),
            variant.len(),
        ),
        Yaml::SerdeMissingField { field, .. } => {
            let hint = format!("add `{field}:` here");
            (format!("the key `{field}` is missing"), Some(hint), 1)
        }
        other => (plain(other), None, 1),
    };
    match inner.location().as_ref().and_then(place) {
        Some(at) => Error::at(name, text, at, length, message, hint),
        None => Error::whole(name, message, hint),
    }
}

/// The error's text without the place, which stands before it already.
fn plain(error: &Yaml) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}

/// A hint that names the known word nearest to `word`, and all that are known.
pub fn nearest(word: &str, known_words: &[&str]) -> Option<String> {
    let best = known_words
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate))
        .min_by_key(|(distance, _)| *distance)?;
    let all = known(known_words);
    if best.0 <= word.len().max(3) / 2 {
        Some(format!("did you mean `{}`? Known here: {all}", best.1))
    } else {
        Some(format!("known here: {all}"))
    }
}

/// The words, quoted, as a list.
pub fn known(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}
