//! Files read whole, within limits, and as one: what they hold and a digest over all of them.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Error;

/// The largest file that is read: a system's bundle of all public CAs has a quarter of it.
const MAX_BYTES: u64 = 1 << 20;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Certificate,
    Key,
    Ca,
    Crl,
}

impl Role {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Role::Certificate => "certificate",
            Role::Key => "key",
            Role::Ca => "CA bundle",
            Role::Crl => "revocation list",
        }
    }
}

/// A file by its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub role: Role,
    pub path: PathBuf,
}

/// What a file held, or why that cannot be told. It may be a key, so it is wiped.
type Content = Result<Zeroizing<Vec<u8>>, Error>;

/// What files held at one moment.
pub(crate) struct Snapshot {
    files: Vec<(Source, Content)>,
    digest: [u8; 32],
}

impl Snapshot {
    /// Reads all of them. That one cannot be read is a state like another, with a digest too.
    pub(crate) fn read(sources: &[Source]) -> Self {
        let mut digest = Sha256::new();
        let read = |source: &Source| {
            let content = read(source);
            match &content {
                Ok(bytes) => {
                    digest.update([0]);
                    digest.update((bytes.len() as u64).to_le_bytes());
                    digest.update(bytes.as_slice());
                }
                Err(error) => {
                    digest.update([1]);
                    digest.update(error.to_string());
                }
            }
            (source.clone(), content)
        };
        let files = sources.iter().map(read).collect();
        Snapshot {
            files,
            digest: digest.finalize().into(),
        }
    }

    /// SHA-256 over everything.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The files of a role, in the order in which they were named.
    pub(crate) fn of(&self, role: Role) -> Result<Vec<(&Path, &[u8])>, Error> {
        let of_role = self.files.iter().filter(|(source, _)| source.role == role);
        of_role
            .map(|(source, content)| match content {
                Ok(bytes) => Ok((source.path.as_path(), bytes.as_slice())),
                Err(error) => Err(error.clone()),
            })
            .collect()
    }
}

fn read(source: &Source) -> Content {
    let failed = |error: std::io::Error| Error::Read {
        what: source.role.as_str(),
        path: source.path.clone(),
        why: error.to_string(),
    };
    // Asked before it is opened, since opening a pipe waits for someone to write.
    if !std::fs::metadata(&source.path).map_err(failed)?.is_file() {
        return Err(failed(std::io::Error::other("not a regular file")));
    }
    let file = File::open(&source.path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if source.role == Role::Key {
        // Asked of the open file, so that it cannot be another by the time it is read.
        let user = rustix::process::geteuid().as_raw();
        guarded(&source.path, metadata.mode(), metadata.uid(), user)?;
    }
    let too_large = || Error::TooLarge {
        what: source.role.as_str(),
        path: source.path.clone(),
        most: MAX_BYTES,
    };
    if metadata.len() > MAX_BYTES {
        return Err(too_large());
    }
    // With room from the start, so that no half of a key is left behind in a buffer that grew.
    let room = usize::try_from(metadata.len()).unwrap_or(0) + 1;
    let mut content = Zeroizing::new(Vec::with_capacity(room));
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut content)
        .map_err(failed)?;
    if content.len() as u64 > MAX_BYTES {
        return Err(too_large());
    }
    Ok(content)
}

/// PostgreSQL's rule for keys: owned by us and closed to all others, or owned by root and at most
/// readable by its group, which is how orchestrators hand out secrets.
fn guarded(path: &Path, mode: u32, owner: u32, user: u32) -> Result<(), Error> {
    const ROOT: u32 = 0;
    if owner != user && owner != ROOT {
        return Err(Error::Owner {
            path: path.to_owned(),
            owner,
            user,
        });
    }
    let forbidden = if owner == ROOT { 0o037 } else { 0o077 };
    if mode & forbidden != 0 {
        return Err(Error::Permissions {
            path: path.to_owned(),
            mode: mode & 0o7777,
            owner,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_closed_to_others() {
        let check = |mode, owner| guarded(Path::new("k"), mode, owner, 1000);
        assert_eq!(check(0o100_600, 1000), Ok(()));
        assert_eq!(check(0o100_400, 1000), Ok(()));
        assert_eq!(check(0o100_640, 0), Ok(()));
        assert_eq!(check(0o100_440, 0), Ok(()));
        for (mode, owner) in [
            (0o640, 1000),
            (0o604, 1000),
            (0o620, 1000),
            (0o644, 0),
            (0o660, 0),
            (0o650, 0),
        ] {
            let Err(error) = check(mode, owner) else {
                panic!("{mode:o} of {owner} was taken")
            };
            assert!(error.to_string().contains("hint: chmod 0600 k"), "{error}");
        }
        assert!(matches!(check(0o600, 7), Err(Error::Owner { .. })));
    }

    #[test]
    fn a_digest_tells_contents_apart_and_files_from_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let source = |name: &str| Source {
            role: Role::Ca,
            path: dir.path().join(name),
        };
        let both = [source("a"), source("b")];
        let put = |a: &str, b: &str| {
            std::fs::write(dir.path().join("a"), a).unwrap();
            std::fs::write(dir.path().join("b"), b).unwrap();
            Snapshot::read(&both).digest()
        };
        let first = put("xy", "z");
        assert_ne!(first, put("x", "yz"));
        assert_eq!(first, put("xy", "z"));
        std::fs::remove_file(dir.path().join("b")).unwrap();
        let gone = Snapshot::read(&both);
        assert_ne!(first, gone.digest());
        assert!(matches!(gone.of(Role::Ca), Err(Error::Read { .. })));
    }

    #[test]
    fn what_is_no_file_or_too_large_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let large = dir.path().join("large");
        std::fs::write(&large, vec![b'x'; 1 + usize::try_from(MAX_BYTES).unwrap()]).unwrap();
        let read = |path: &Path| {
            let sources = [Source {
                role: Role::Crl,
                path: path.to_owned(),
            }];
            Snapshot::read(&sources).of(Role::Crl).map(|_| ())
        };
        assert!(matches!(read(&large), Err(Error::TooLarge { .. })));
        assert!(matches!(read(dir.path()), Err(Error::Read { .. })));
    }
}
