//! Secrets that are kept in files.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use egress::Secret;

use crate::config::ConfigError;
use crate::disk;

/// No password or key is longer.
const MAX_BYTES: u64 = 4 << 10;

/// Reads a secret from a file that nobody else can read. The last line break is left out.
pub(crate) fn read(path: &Path) -> Result<Secret, ConfigError> {
    let wrong = |what: String, hint| ConfigError::SecretFile {
        path: path.to_owned(),
        what,
        hint,
    };
    let readable = "name a file that this user can read";
    let metadata = std::fs::metadata(path).map_err(|e| wrong(e.to_string(), readable))?;
    if !metadata.is_file() {
        return Err(wrong("not a regular file".to_owned(), readable));
    }
    if metadata.mode() & 0o077 != 0 {
        let what = format!("others can read it (mode {:03o})", metadata.mode() & 0o777);
        return Err(wrong(what, "close it with `chmod 600`"));
    }
    let bytes = disk::read(path, MAX_BYTES).map_err(|e| wrong(e.to_string(), readable))?;
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| wrong("not UTF-8".to_owned(), "write one line of text"))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() || secret.contains(['\r', '\n', '\0']) {
        let what = "not one line of text".to_owned();
        return Err(wrong(what, "write one line of text"));
    }
    Ok(Secret::new(secret))
}
