//! What there is, and until when.

use std::path::{Path, PathBuf};

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::Error;
use crate::parse::{self, Certificate};
use crate::revocation::List;

/// From how many days before its end something counts as expiring.
const SOON: Duration = Duration::days(30);
/// The most certificates that are listed (BOUNDED).
const MAX_ENTRIES: usize = 100_000;

/// A certificate of the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// What it is for.
    pub kind: Kind,
    /// The names in it.
    pub names: Vec<String>,
    /// Its serial number in hexadecimal digits.
    pub serial: String,
    /// The last second of its validity, in seconds after 1970.
    pub not_after_unix_seconds: i64,
    /// Whole days until then; less than 0 afterwards.
    pub days_left: i64,
    /// Whether it can be used.
    pub state: State,
    /// Its file.
    pub path: PathBuf,
}

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The CA itself.
    Ca,
    /// What senders connect to.
    Server,
    /// Who sends.
    Client,
}

/// Whether a certificate can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// For more than 30 days.
    Good,
    /// For 30 days at the most.
    Expiring,
    /// No more.
    Expired,
    /// It was revoked.
    Revoked,
    /// Not yet.
    NotYetValid,
    /// Another CA issued it.
    Foreign,
}

impl Kind {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Ca => "ca",
            Kind::Server => "server",
            Kind::Client => "client",
        }
    }
}

impl State {
    /// The words for a person.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Good => "good",
            State::Expiring => "expires soon",
            State::Expired => "expired",
            State::Revoked => "revoked",
            State::NotYetValid => "not valid yet",
            State::Foreign => "of another CA",
        }
    }
}

/// The CA first, then servers and clients by their paths.
pub(crate) fn entries(
    folder: &Path,
    ca_path: &Path,
    crl: &Path,
    now: OffsetDateTime,
) -> Result<Vec<Entry>, Error> {
    let ca = parse::certificate(ca_path)?;
    let list = List::read(crl, &ca)?;
    let mut paths = Vec::new();
    for below in ["servers", "clients"] {
        collect(&folder.join(below), 2, &mut paths)?;
    }
    paths.sort();
    let mut entries = vec![entry(ca_path, &ca, &ca, &list, now)];
    for path in paths {
        let certificate = parse::certificate(&path)?;
        entries.push(entry(&path, &certificate, &ca, &list, now));
    }
    entries.sort_by(|a, b| (a.kind, &a.path).cmp(&(b.kind, &b.path)));
    Ok(entries)
}

fn entry(
    path: &Path,
    certificate: &Certificate,
    ca: &Certificate,
    list: &List,
    now: OffsetDateTime,
) -> Entry {
    let left = certificate.not_after - now;
    let state = if !certificate.is_of(ca) {
        State::Foreign
    } else if list.has(&certificate.serial) {
        State::Revoked
    } else if left < Duration::ZERO {
        State::Expired
    } else if certificate.not_before > now {
        State::NotYetValid
    } else if left <= SOON {
        State::Expiring
    } else {
        State::Good
    };
    Entry {
        kind: match (certificate.ca, certificate.server) {
            (true, _) => Kind::Ca,
            (_, true) => Kind::Server,
            _ => Kind::Client,
        },
        names: certificate.names.iter().map(ToString::to_string).collect(),
        serial: parse::hex(&certificate.serial),
        not_after_unix_seconds: certificate.not_after.unix_timestamp(),
        days_left: left.whole_seconds().div_euclid(24 * 3600),
        state,
        path: path.to_owned(),
    }
}

fn collect(folder: &Path, depth: u32, paths: &mut Vec<PathBuf>) -> Result<(), Error> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io(folder)(error)),
    };
    for entry in entries {
        let path = entry.map_err(Error::io(folder))?.path();
        if path.is_dir() && depth > 1 {
            collect(&path, depth - 1, paths)?;
        } else if path.extension().is_some_and(|end| end == "pem") && paths.len() < MAX_ENTRIES {
            paths.push(path);
        }
    }
    Ok(())
}
