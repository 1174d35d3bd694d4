//! Values that must never be shown.

use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

/// Where a secret comes from: the value itself, `${env:NAME}` or `${file:PATH}`.
///
/// It prints as `[secret]`, whatever it holds, and so does what [`reveal`](Secret::reveal) was
/// not called on.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "String")]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Why a secret could not be had. It never holds the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// `${env:NAME}` where `NAME` is not set or not UTF-8.
    #[error(
        "the environment variable `{0}` is not set (or not UTF-8)\nhint: set it for the gateway's process"
    )]
    Env(String),
    /// `${file:PATH}` that cannot be read.
    #[error(
        "the secret's file `{path}` cannot be read: {source}\nhint: name a file that this user can read"
    )]
    File {
        /// The path as written.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// `${…}` of a kind that is not known.
    #[error(
        "a secret is written as its value, as `${{env:NAME}}` or as `${{file:PATH}}`\nhint: write it in one of these three ways"
    )]
    Kind,
}

impl Secret {
    /// The value, read from where it is kept. The last line break of a file is left out.
    pub fn reveal(&self) -> Result<String, SecretError> {
        let Some(place) = self
            .0
            .strip_prefix("${")
            .and_then(|rest| rest.strip_suffix('}'))
        else {
            return Ok(self.0.clone());
        };
        match place.split_once(':') {
            Some(("env", name)) => {
                std::env::var(name).map_err(|_| SecretError::Env(name.to_owned()))
            }
            Some(("file", path)) => match std::fs::read_to_string(Path::new(path)) {
                Ok(text) => Ok(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(source) => Err(SecretError::File {
                    path: path.to_owned(),
                    source,
                }),
            },
            _ => Err(SecretError::Kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_shown_and_is_read_from_where_it_is_kept() {
        let plain = Secret("hunter2".to_owned());
        assert_eq!(format!("{plain:?}"), "[secret]");
        assert_eq!(plain.reveal().unwrap(), "hunter2");

        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret\n").unwrap();
        let kept = Secret(format!("${{file:{}}}", file.path().display()));
        assert_eq!(kept.reveal().unwrap(), "s3cret");

        let missing = Secret("${env:STELLA_NO_SUCH_VARIABLE}".to_owned());
        assert!(matches!(missing.reveal(), Err(SecretError::Env(_))));
        assert!(matches!(
            Secret("${vault:x}".to_owned()).reveal(),
            Err(SecretError::Kind)
        ));
    }
}
