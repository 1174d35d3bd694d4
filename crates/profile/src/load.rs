//! From YAML text to a checked profile.

use std::io::Read;
use std::path::Path;

use serde_saphyr::Error as Yaml;

use crate::{Error, OtlpDestination, Profile};

/// The largest profile that is read.
pub const MAX_BYTES: u64 = 1 << 20;

/// Reads the profile in the file `path`.
pub fn load(path: &Path) -> Result<Profile, Error> {
    let name = path.display().to_string();
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| {
            let hint = "the profile is a YAML file that this user can read";
            Error::whole(
                &name,
                format!("the profile cannot be read: {error}"),
                Some(hint.to_owned()),
            )
        })?;
    parse(&name, &text)
}

/// Reads a profile from its text; `name` stands for the file in errors.
pub fn parse(name: &str, text: &str) -> Result<Profile, Error> {
    if text.len() as u64 > MAX_BYTES {
        return Err(Error::whole(
            name,
            format!("the profile is larger than {MAX_BYTES} bytes"),
            None,
        ));
    }
    let profile: Profile =
        serde_saphyr::from_str(text).map_err(|error| from_yaml(name, text, &error))?;
    check(name, text, &profile)?;
    Ok(profile)
}

/// What the types alone cannot say.
fn check(name: &str, text: &str, profile: &Profile) -> Result<(), Error> {
    let mut seen = std::collections::BTreeSet::new();
    for ship in &profile.ship {
        let ship_name = ship.name.as_str();
        let wrong = |message: String, hint: &str| {
            let at = place_of_name(text, ship_name);
            Error::at(
                name,
                text,
                at,
                ship_name.len(),
                message,
                Some(hint.to_owned()),
            )
        };
        if !seen.insert(ship_name) {
            return Err(wrong(
                format!("two destinations are named `{ship_name}`"),
                "each destination has a cursor of its own, so each needs a name of its own",
            ));
        }
        if ship.destination().is_none() {
            return Err(wrong(
                format!("the destination `{ship_name}` is not exactly one thing"),
                "give it either `otlp:` or `file:`",
            ));
        }
        if let Some((what, hint)) = ship.otlp.as_ref().and_then(OtlpDestination::wrong_tls) {
            return Err(wrong(format!("the destination `{ship_name}` {what}"), hint));
        }
        if ship.signals.is_empty() {
            return Err(wrong(
                format!("the destination `{ship_name}` takes no signals"),
                "leave `signals` out to take all of them",
            ));
        }
        if !(1..=64).contains(&ship.in_flight) {
            return Err(wrong(
                format!(
                    "the destination `{ship_name}` has {} requests in flight",
                    ship.in_flight
                ),
                "`in_flight` goes from 1 to 64",
            ));
        }
        if !(4096..=(64 << 20)).contains(&ship.batch_max_bytes.0) {
            return Err(wrong(
                format!(
                    "the destination `{ship_name}` has batches of {}",
                    ship.batch_max_bytes
                ),
                "`batch_max_bytes` goes from 4KiB to 64MiB",
            ));
        }
    }
    if let Err((message, hint)) = profile.tls.check() {
        let (at, hint) = (place_of(text, "tls:"), Some(hint.to_owned()));
        return Err(Error::at(name, text, at, 3, message, hint));
    }
    let journal = &profile.journal;
    let smallest = 2 * journal.segment_bytes.0;
    if !((1 << 20)..=(4 << 30)).contains(&journal.segment_bytes.0) {
        let hint = "`journal.segment_bytes` goes from 1MiB to 4GiB";
        let at = place_of(text, "segment_bytes");
        let message = format!("a segment of {}", journal.segment_bytes);
        return Err(Error::at(
            name,
            text,
            at,
            13,
            message,
            Some(hint.to_owned()),
        ));
    }
    if journal.max_bytes.0 < smallest {
        let hint = "the journal needs room for two segments (`journal.segment_bytes`) at the least";
        let at = place_of(text, "max_bytes");
        let message = format!("a journal of {} is too small", journal.max_bytes);
        return Err(Error::at(name, text, at, 9, message, Some(hint.to_owned())));
    }
    Ok(())
}

/// The line and column of the first place where `word` stands, for errors found after parsing.
fn place_of(text: &str, word: &str) -> (usize, usize) {
    text.lines()
        .enumerate()
        .find_map(|(line, content)| content.find(word).map(|column| (line + 1, column + 1)))
        .unwrap_or((1, 1))
}

/// The line and column of the value of the first `name:` that is `name`.
fn place_of_name(text: &str, name: &str) -> (usize, usize) {
    let column = |line: &str| {
        line.match_indices("name:").find_map(|(at, key)| {
            let value = line[at + key.len()..].trim_start_matches([' ', '\'', '"']);
            let rest = value.strip_prefix(name)?;
            let ends = !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "-_".contains(c));
            ends.then(|| line.len() - value.len() + 1)
        })
    };
    text.lines()
        .enumerate()
        .find_map(|(line, content)| column(content).map(|column| (line + 1, column)))
        .unwrap_or((1, 1))
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
    match inner.location() {
        Some(at) if at.line() > 0 => {
            let usize_of = |n: u64| usize::try_from(n).unwrap_or(1);
            let at = (usize_of(at.line()), usize_of(at.column()));
            Error::at(name, text, at, length, message, hint)
        }
        _ => Error::whole(name, message, hint),
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

fn nearest(word: &str, known: &[&str]) -> Option<String> {
    let best = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate))
        .min_by_key(|(distance, _)| *distance)?;
    let all = known
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if best.0 <= word.len().max(3) / 2 {
        Some(format!("did you mean `{}`? Known here: {all}", best.1))
    } else {
        Some(format!("known here: {all}"))
    }
}
