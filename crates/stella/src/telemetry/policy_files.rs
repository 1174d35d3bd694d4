//! The files that redaction policies are made of: read within limits, signed ones where they must
//! be.

use std::cell::RefCell;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use policy::redaction::signature::{self, SignatureError};
use policy::redaction::{Policy, PolicyError, SiteKey, shipped};

use super::told;
use crate::error::{CliError, CliResult, Exit};

/// The files that a policy is made of.
pub struct Files {
    folder: PathBuf,
    public_key: Option<String>,
    /// Why a file that is extended cannot be had.
    failed: RefCell<Option<CliError>>,
}

impl Files {
    /// Those of a policy; what it extends lies beside it. With a public key each must be signed.
    pub fn new(policy: &Path, public_key: Option<&str>) -> CliResult<Self> {
        Ok(Files {
            folder: policy.parent().map(Path::to_owned).unwrap_or_default(),
            public_key: public_key.map(self::public_key).transpose()?,
            failed: RefCell::new(None),
        })
    }

    /// Compiles the policy in `text`, called `name`.
    pub fn compile(
        &self,
        name: &str,
        text: &str,
        key: Option<&SiteKey>,
    ) -> CliResult<Result<Policy, PolicyError>> {
        let compiled = Policy::compile(name, text, &|name| self.resolve(name), key);
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(compiled),
        }
    }

    /// The text of a policy that is extended: a shipped one, or a file beside the first.
    fn resolve(&self, name: &str) -> Option<String> {
        if let Some(text) = shipped(name) {
            return Some(text.to_owned());
        }
        let mut parts = Path::new(name).components();
        let (Some(Component::Normal(_)), None) = (parts.next(), parts.next()) else {
            return None;
        };
        let named = [name.to_owned(), format!("{name}.yaml")];
        let mut paths = named.iter().map(|name| self.folder.join(name));
        let path = paths.find(|path| path.is_file())?;
        match self.read(&path) {
            Ok(text) => Some(text),
            Err(error) => {
                self.failed.borrow_mut().get_or_insert(error);
                None
            }
        }
    }

    /// The text of one file, verified where it must be.
    pub fn read(&self, path: &Path) -> CliResult<String> {
        let text = text(path, profile::MAX_BYTES)?;
        let Some(key) = &self.public_key else {
            return Ok(text);
        };
        let mut signed = path.as_os_str().to_owned();
        signed.push(".minisig");
        let signed = PathBuf::from(signed);
        if !signed.exists() {
            let message = format!(
                "{} is not signed: there is no {}",
                path.display(),
                signed.display()
            );
            return Err(CliError::new(Exit::BadInput, message).hint(format!(
                "`minisign -Sm {}` signs it, with the key of whoever answers for it",
                path.display()
            )));
        }
        let signature = self::text(&signed, signature::MAX_BYTES)?;
        signature::verify(key, &text, &signature).map_err(|error| unverified(&signed, &error))?;
        Ok(text)
    }
}

/// The text of a public key: the key itself, or its file.
fn public_key(given: &str) -> CliResult<String> {
    if signature::is_public_key(given) {
        return Ok(given.to_owned());
    }
    let file = Path::new(given);
    if !file.exists() {
        let message = "the public key is neither a minisign public key nor a file";
        return Err(CliError::new(Exit::Usage, message)
            .hint("give `minisign.pub`, or the line in it that begins with RW"));
    }
    let text = text(file, signature::MAX_BYTES)?;
    if signature::is_public_key(&text) {
        return Ok(text);
    }
    Err(unverified(file, &SignatureError::PublicKey))
}

fn unverified(file: &Path, error: &SignatureError) -> CliError {
    told(Exit::BadInput, &format!("{}: {error}", file.display()))
}

fn text(file: &Path, most: u64) -> CliResult<String> {
    String::from_utf8(limited(file, most)?).map_err(|_| {
        let message = format!("{} is no text (UTF-8)", file.display());
        CliError::new(Exit::BadInput, message)
    })
}

/// The content of a file of at most so many bytes.
pub fn limited(file: &Path, most: u64) -> CliResult<Vec<u8>> {
    let mut content = Vec::new();
    std::fs::File::open(file)
        .and_then(|file| file.take(most + 1).read_to_end(&mut content))
        .map_err(|error| {
            let message = format!("{}: {error}", file.display());
            CliError::new(Exit::BadInput, message)
                .hint("name a file that this user can read; policies that need none are `default`, `forensic`, `airgap`")
        })?;
    if content.len() as u64 > most {
        let message = format!("{} is larger than {most} bytes", file.display());
        return Err(CliError::new(Exit::BadInput, message));
    }
    Ok(content)
}

/// What is wrong with a policy, with the lines around the place.
pub fn wrong(error: PolicyError) -> CliError {
    error.into_document_error().into()
}
