//! Reads a policy: a shipped one or files, signed ones if they must be.

use std::path::Path;

use policy::redaction::{Policy, SiteKey, shipped};

use crate::cli::redact;
use crate::error::{CliError, CliResult, Exit};
use crate::telemetry::policy_files::{Files, limited, wrong};

/// The longest file of a site's key.
const KEY_BYTES: u64 = 4 << 10;

/// The policy as it is asked for, tightened by its overlay. Every file of it is verified where a
/// public key is given.
pub fn policy(args: &redact::Policy, key: Option<&SiteKey>) -> CliResult<Policy> {
    let files = Files::new(&args.policy, args.public_key.as_deref())?;
    let name = args.policy.display().to_string();
    let text = match args.policy.to_str().and_then(shipped) {
        Some(_) if args.public_key.is_some() && args.overlay.is_none() => {
            let message = format!("--public-key: `{name}` is part of this binary and not signed");
            return Err(CliError::new(Exit::Usage, message)
                .hint(format!("leave it out; a file of this name is `./{name}`")));
        }
        Some(text) => text.to_owned(),
        None => files.read(&args.policy)?,
    };
    let policy = files.compile(&name, &text, key)?.map_err(|error| {
        let anyway = files.compile(&name, &text, throwaway_key().as_ref());
        let wrong = wrong(error);
        match (key, anyway) {
            (None, Ok(Ok(_))) => wrong.hint(
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
