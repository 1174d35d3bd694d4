//! From YAML text to a checked profile.

use std::io::Read;
use std::path::Path;

use document::{Error, MAX_BYTES};

use crate::{OtlpDestination, Profile};

/// Reads the profile in the file `path`.
pub fn load(path: &Path) -> Result<Profile, Error> {
    let (name, text) = read(path)?;
    parse(&name, &text)
}

/// Reads `sampling` from a file: a profile that has it, or what stands under that key alone.
///
/// # Errors
/// What is wrong first, with its place.
pub fn load_sampling(path: &Path) -> Result<crate::Sampling, Error> {
    let (name, text) = read(path)?;
    let begins = |line: &str| {
        line.trim_start_matches('{')
            .trim_start()
            .starts_with("sampling:")
    };
    if text.lines().any(begins) {
        let profile = parse(&name, &text)?;
        return profile.sampling.ok_or_else(|| {
            let hint = "give it policies, or name another file".to_owned();
            Error::whole(
                &name,
                "the profile has no `sampling`".to_owned(),
                Some(hint),
            )
        });
    }
    let sampling: crate::Sampling = document::parse("sampling policy", &name, &text)?;
    crate::sampling::check(&name, &text, &sampling)?;
    Ok(sampling)
}

fn read(path: &Path) -> Result<(String, String), Error> {
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
    Ok((name, text))
}

/// Reads a profile from its text; `name` stands for the file in errors.
pub fn parse(name: &str, text: &str) -> Result<Profile, Error> {
    let profile: Profile = document::parse("profile", name, text)?;
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
        if let Some(metrics) = &ship.metrics {
            check_metrics(name, text, ship_name, metrics)?;
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
    if let Err((message, hint, at)) = profile.notify.check() {
        let at = at.unwrap_or_else(|| place_of(text, "notify:"));
        return Err(Error::at(name, text, at, 1, message, Some(hint.to_owned())));
    }
    let incidents = profile.incidents.check();
    let wrong = incidents.and_then(|()| profile.remote_sampling.check());
    if let Err((key, message, hint)) = wrong {
        let (at, hint) = (place_of_key(text, key), Some(hint.to_owned()));
        return Err(Error::at(name, text, at, key.len(), message, hint));
    }
    if let Some(sampling) = &profile.sampling {
        crate::sampling::check(name, text, sampling)?;
    }
    if let Err((key, message, hint)) = crate::cluster::check_profile(profile) {
        let at = place_in_cluster(text, key);
        return Err(Error::at(name, text, at, key.len(), message, Some(hint)));
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

/// Compiles a destination's filter of metrics, as the shipper will.
fn check_metrics(
    name: &str,
    text: &str,
    ship: &str,
    metrics: &crate::Metrics,
) -> Result<(), Error> {
    use sampler::metrics::{Filter, Passing};
    let Err(error) = Filter::new(metrics, Passing::default()) else {
        return Ok(());
    };
    let told = error.to_string();
    let (what, hint) = told.split_once("\nhint: ").unwrap_or((&told, ""));
    let word = match error.word() {
        "" => "metrics:",
        word => word,
    };
    let message = format!("the destination `{ship}`: {what}");
    let (at, hint) = (place_of(text, word), Some(hint.to_owned()));
    Err(Error::at(name, text, at, word.len(), message, hint))
}

/// The line and column of the first place where `word` stands, for errors found after parsing.
pub(crate) fn place_of(text: &str, word: &str) -> (usize, usize) {
    text.lines()
        .enumerate()
        .find_map(|(line, content)| content.find(word).map(|column| (line + 1, column + 1)))
        .unwrap_or((1, 1))
}

/// The line and column of the first place where `key` stands as a key, not as a part of one.
fn place_of_key(text: &str, key: &str) -> (usize, usize) {
    let column = |line: &str| {
        line.match_indices(key).find_map(|(at, _)| {
            let before = line[..at].chars().next_back();
            let whole = before.is_none_or(|c| c.is_whitespace() || "{,'\"".contains(c));
            let after = line[at + key.len()..].trim_start_matches(['\'', '"', ' ']);
            (whole && after.starts_with(':')).then(|| line[..at].chars().count() + 1)
        })
    };
    text.lines()
        .enumerate()
        .find_map(|(line, content)| column(content).map(|column| (line + 1, column)))
        .unwrap_or((1, 1))
}

/// The line and column of a key after `cluster:`; of that, if the key stands nowhere.
fn place_in_cluster(text: &str, key: &str) -> (usize, usize) {
    let (line, column) = place_of_key(text, "cluster");
    let rest: Vec<&str> = text.lines().skip(line - 1).collect();
    match place_of_key(&rest.join("\n"), key) {
        _ if key == "cluster" => (line, column),
        (1, 1) => (line, column),
        (further, column) => (line + further - 1, column),
    }
}

/// The line and column of the value of the first `name:` that is `name`.
pub(crate) fn place_of_name(text: &str, name: &str) -> (usize, usize) {
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
