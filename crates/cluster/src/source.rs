//! Where the list of members comes from.

use std::io::Read;
use std::path::{Path, PathBuf};

use egress::Connector;
use ident::MemberName;
use serde::Deserialize;
use url::Url;

use crate::member::{Member, Members, MembersError};

/// Where the list comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// It is this and stays this.
    Fixed(Members),
    /// A YAML file: a list of `name` and `endpoint`. Read again when it is looked at.
    File(PathBuf),
    /// The addresses of a name. A member's name is its address.
    Dns {
        /// The name.
        host: String,
        /// The port of OTLP/gRPC, the same for all.
        port: u16,
        /// `http`, or `https` where there is TLS.
        scheme: &'static str,
    },
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file cannot be read.
    #[error("the list of members {path} cannot be read: {source}\nhint: name a YAML file with `name` and `endpoint` of each member", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no list.
    #[error("{0}")]
    Text(Box<document::Error>),
    /// A name in it.
    #[error("{path}: `{name}` names no member: {why}\nhint: write it as in gw-1", path = .path.display())]
    Name {
        /// The file.
        path: PathBuf,
        /// The word.
        name: String,
        /// What is wrong with it.
        why: ident::ParseMemberError,
    },
    /// An endpoint in it.
    #[error("{path}: the endpoint of `{name}` {why}\nhint: write it as in http://gw-1:4317", path = .path.display())]
    Endpoint {
        /// The file.
        path: PathBuf,
        /// Whose.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The members do not go together.
    #[error("{at}: {error}")]
    Members {
        /// The file or the name.
        at: String,
        /// What is wrong.
        error: MembersError,
    },
    /// The name has no addresses.
    #[error(transparent)]
    Dns(#[from] egress::ConnectError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    endpoint: String,
}

impl Source {
    /// The list as it is now.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub async fn read(&self, connector: &Connector) -> Result<Members, SourceError> {
        match self {
            Source::Fixed(members) => Ok(members.clone()),
            Source::File(path) => of_file(path),
            Source::Dns { host, port, scheme } => {
                let found = connector.resolve(host, *port).await?;
                let members = found.into_iter().filter_map(|at| {
                    Some(Member {
                        name: MemberName::of_address(at.ip()),
                        endpoint: format!("{scheme}://{at}").parse().ok()?,
                    })
                });
                let members = members.collect();
                Members::new(members).map_err(|error| SourceError::Members {
                    at: host.clone(),
                    error,
                })
            }
        }
    }

    /// Whether it may change, and whether an answer may be a passing one, to be heard twice.
    pub(crate) fn moves(&self) -> (bool, bool) {
        match self {
            Source::Fixed(_) => (false, false),
            Source::File(_) => (true, false),
            Source::Dns { .. } => (true, true),
        }
    }
}

fn of_file(path: &Path) -> Result<Members, SourceError> {
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(document::MAX_BYTES + 1).read_to_string(&mut text))
        .map_err(|source| SourceError::File {
            path: path.to_owned(),
            source,
        })?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<Members, SourceError> {
    let name = path.display().to_string();
    let entries: Vec<Entry> = document::parse("list of members", &name, text)
        .map_err(|error| SourceError::Text(Box::new(error)))?;
    let member = |entry: Entry| {
        let endpoint = endpoint(&entry.endpoint).map_err(|why| SourceError::Endpoint {
            path: path.to_owned(),
            name: entry.name.clone(),
            why,
        })?;
        let name = entry.name.parse().map_err(|why| SourceError::Name {
            path: path.to_owned(),
            name: entry.name.clone(),
            why,
        })?;
        Ok(Member { name, endpoint })
    };
    let members: Result<Vec<Member>, SourceError> = entries.into_iter().map(member).collect();
    Members::new(members?).map_err(|error| SourceError::Members { at: name, error })
}

/// The text may hold a password by mistake, so no error repeats it.
fn endpoint(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    match () {
        () if !matches!(url.scheme(), "http" | "https") => Err("is neither http:// nor https://"),
        () if url.host_str().is_none_or(str::is_empty) => Err("names no host"),
        () if !url.username().is_empty() || url.password().is_some() => Err("holds credentials"),
        () if !matches!(url.path(), "" | "/") || url.query().is_some() => {
            Err("has a path; OTLP/gRPC has none")
        }
        () => Ok(url),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    /// Guarantees: a list that cannot be one is refused with its reason, and never half taken.
    #[test]
    fn lists_in_files_are_checked() {
        let read = |text: &str| parse(Path::new("m.yaml"), text).map_err(|e| e.to_string());
        let good = "- { name: gw-2, endpoint: 'https://b:4317' }\n- { name: gw-1, endpoint: 'http://[::1]:4317/' }\n";
        assert_eq!(read(good).unwrap().count(), 2);
        for (text, says) in [
            ("[]", "empty"),
            ("- { name: a, endpoint: nowhere }", "is not a URL"),
            ("- { name: a, endpoint: 'ftp://h' }", "neither"),
            ("- { name: a, endpoint: 'http://h/x' }", "has a path"),
            ("- { name: a, endpoint: 'http://u:p@h' }", "credentials"),
            ("- { name: 'a b', endpoint: 'http://h' }", "names no member"),
            (
                "- { name: a, endpoint: 'http://h' }\n- { name: a, endpoint: 'http://i' }",
                "two members",
            ),
            ("- { name: a }", "endpoint"),
            ("- { nam: a, endpoint: 'http://h' }", "nam"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
