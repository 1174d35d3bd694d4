//! Files that appear whole, with the right permissions from the start.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use crate::Error;

/// The largest file that is read.
const MAX_BYTES: u64 = 16 << 20;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Its owner: a key.
    Owner,
    /// Everyone who gets as far as the folder: a certificate.
    All,
}

/// Makes a folder, and those above it, closed to others.
pub(crate) fn folder(path: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(path);
    made.map_err(Error::io(path))
}

/// Writes a file, over one that is there only where `force` says so.
pub(crate) fn write(path: &Path, text: &[u8], access: Access, force: bool) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(format!(".{}.new", std::process::id()));
    let fresh = Path::new(&fresh);
    let failed = |path: &Path| Error::io(path.to_owned());
    let written = (|| {
        let mode = match access {
            Access::Owner => 0o600,
            Access::All => 0o644,
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(fresh)
            .map_err(failed(fresh))?;
        file.write_all(text).map_err(failed(fresh))?;
        file.sync_all().map_err(failed(fresh))?;
        if force {
            return std::fs::rename(fresh, path).map_err(failed(path));
        }
        // A link, unlike a rename, fails where there is a file already.
        std::fs::hard_link(fresh, path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Error::Exists(path.to_owned()),
            _ => failed(path)(error),
        })
    })();
    if !force || written.is_err() {
        let _ = std::fs::remove_file(fresh);
    }
    written?;
    let folder_file = File::open(folder).map_err(failed(folder))?;
    folder_file.sync_all().map_err(failed(folder))
}

/// Reads a file whole.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    use std::io::Read;
    let file = File::open(path).map_err(Error::io(path))?;
    let length = file.metadata().map_err(Error::io(path))?.len();
    if length > MAX_BYTES {
        return Err(Error::Content {
            path: path.to_owned(),
            what: "is too large for what it should be",
        });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
    let read = file.take(MAX_BYTES).read_to_end(&mut bytes);
    read.map_err(Error::io(path))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn nothing_is_written_over_unless_told_to() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        folder(&inner).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&inner), 0o700);
        let file = inner.join("key");
        write(&file, b"1", Access::Owner, false).unwrap();
        assert_eq!(mode(&file), 0o600);
        let again = write(&file, b"2", Access::Owner, false);
        assert!(matches!(again, Err(Error::Exists(_))));
        assert_eq!(read(&file).unwrap().as_slice(), b"1");
        write(&file, b"3", Access::Owner, true).unwrap();
        assert_eq!(read(&file).unwrap().as_slice(), b"3");
        assert_eq!(std::fs::read_dir(&inner).unwrap().count(), 1);
    }
}
