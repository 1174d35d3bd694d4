//! Reads a policy: a shipped one or files, signed ones if they must be.

use std::cell::RefCell;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use policy::redaction::signature::{self, SignatureError};
use policy::redaction::{Policy, PolicyError, SiteKey, shipped};

use crate::cli::redact;
use crate::error::{CliError, CliResult, Exit};
use crate::telemetry::told;

/// The longest file of a site's key.
const KEY_BYTES: u64 = 4 << 10;

/// The policy as it is asked for, tightened by its overlay. Every file of it is verified where a
/// public key is given.
pub fn policy(args: &redact::Policy, key: Option<&SiteKey>) -> CliResult<Policy> {
    let files = Files {
        folder: args.policy.parent().map(Path::to_owned).unwrap_or_default(),
        public_key: args.public_key.as_deref().map(public_key).transpose()?,
        failed: RefCell::new(None),
    };
    let name = args.policy.display().to_string();
    let text = match args.policy.to_str().and_then(shipped) {
        Some(_) if files.public_key.is_some() && args.overlay.is_none() => {
            let message = format!("--public-key: `{name}` is part of this binary and not signed");
            return Err(CliError::new(Exit::Usage, message)
                .hint(format!("leave it out; a file of this name is `./{name}`")));
        }
        Some(text) => text.to_owned(),
        None => files.read(&args.policy)?,
    };
    let resolve = |name: &str| files.resolve(name);
    let compiled = Policy::compile(&name, &text, &resolve, key);
    if let Some(error) = files.failed.take() {
        return Err(error);
    }
    let policy = compiled.map_err(|error| {
        let anyway = Policy::compile(&name, &text, &resolve, throwaway_key().as_ref());
        let wrong = wrong(error);
        match (key, anyway) {
            (None, Ok(_)) => wrong.hint(
                "give --key FILE, a file of at least 16 bytes, such as `openssl rand -hex 32` \
                 writes; hashes are those of the site if the key is",
            ),
            _ => wrong,
        }
    })?;
    let Some(overlay) = &args.overlay else {
        return Ok(policy);
    };
    let text = files.read(overlay)?;
    policy
        .tightened(&overlay.display().to_string(), &text)
        .map_err(wrong)
}

/// A key for commands that hash nothing.
pub fn throwaway_key() -> Option<SiteKey> {
    SiteKey::new("none", &[0; 16]).ok()
}

/// The site's key.
pub fn site_key(file: &Path, id: &str) -> CliResult<SiteKey> {
    let mut secret = limited(file, KEY_BYTES)?;
    while let Some(b'\r' | b'\n') = secret.last() {
        secret.pop();
    }
    SiteKey::new(id, &secret).map_err(|error| {
        let message = format!("{}: {error}", file.display());
        CliError::new(Exit::BadInput, message).hint("`openssl rand -hex 32` writes a good key")
    })
}

/// The files that a policy is made of.
struct Files {
    folder: PathBuf,
    public_key: Option<String>,
    /// Why a file that is extended cannot be had.
    failed: RefCell<Option<CliError>>,
}

impl Files {
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

    fn read(&self, path: &Path) -> CliResult<String> {
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
        let message = "--public-key: neither a minisign public key nor a file";
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

fn limited(file: &Path, most: u64) -> CliResult<Vec<u8>> {
    let mut content = Vec::new();
    std::fs::File::open(file)
        .and_then(|file| file.take(most + 1).read_to_end(&mut content))
        .map_err(|error| {
            let message = format!("{}: {error}", file.display());
            CliError::new(Exit::BadInput, message)
        })?;
    if content.len() as u64 > most {
        let message = format!("{} is larger than {most} bytes", file.display());
        return Err(CliError::new(Exit::BadInput, message));
    }
    Ok(content)
}

fn wrong(error: PolicyError) -> CliError {
    error.into_document_error().into()
}
