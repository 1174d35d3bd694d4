//! The journal's directory: names, the lock, what is in it.
//!
//! ```text
//! LOCK                            the holder's process id; locked with flock
//! segments/00000000000000000001.seg
//! next                            the header of the segment to come, made ahead; holds no block
//! cursors/<consumer>.json
//! quarantine/                     what was set aside, never read again by us
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::OpenError;
use crate::seam::Env;

const LOCK_TRIES: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

#[derive(Clone, Debug)]
pub(crate) struct Dir {
    pub root: PathBuf,
}

impl Dir {
    pub(crate) fn new(root: &Path) -> Self {
        Dir {
            root: root.to_owned(),
        }
    }

    pub(crate) fn segments(&self) -> PathBuf {
        self.root.join("segments")
    }

    pub(crate) fn cursors(&self) -> PathBuf {
        self.root.join("cursors")
    }

    pub(crate) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    pub(crate) fn segment(&self, id: u64) -> PathBuf {
        self.segments().join(format!("{id:020}.seg"))
    }

    /// Where the next segment is made ahead. Not a segment until it is renamed.
    pub(crate) fn spare(&self) -> PathBuf {
        self.root.join("next")
    }

    /// Makes what is missing, for this user's eyes alone.
    pub(crate) fn make(&self, env: &Env) -> Result<(), OpenError> {
        let new = !self.root.exists();
        for dir in [self.root.clone(), self.segments(), self.cursors()] {
            make_private(&dir).map_err(OpenError::io("make the directory", &dir))?;
        }
        if new && let Some(parent) = self.root.parent().filter(|p| !p.as_os_str().is_empty()) {
            // So that the directory itself survives a power loss. Not every parent may be opened.
            let _ = env.sync_dir(parent);
        }
        env.sync_dir(&self.root)
            .map_err(OpenError::io("sync the directory", &self.root))
    }

    /// Takes the lock, which the returned file holds until it is closed.
    pub(crate) fn lock(&self) -> Result<File, OpenError> {
        let path = self.root.join("LOCK");
        let io = |what| OpenError::io(what, &path);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io("open the lock"))?;
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // A check holds it for an instant, a process that is just ending a little longer.
                Err(TryLockError::WouldBlock) if tries < LOCK_TRIES => {
                    tries += 1;
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(OpenError::Locked {
                        dir: self.root.clone(),
                        pid: read_pid(&mut file),
                    });
                }
                Err(TryLockError::Error(error)) => return Err(io("lock")(error)),
            }
        }
        // The process id is for people; the journal works without it.
        let _ = write_pid(&mut file);
        Ok(file)
    }

    /// Whether some process holds the lock.
    pub(crate) fn is_locked(&self) -> bool {
        match OpenOptions::new().read(true).open(self.root.join("LOCK")) {
            Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
            Err(_) => false,
        }
    }

    /// The numbers of all segments, in order.
    pub(crate) fn segment_ids(&self) -> io::Result<Vec<u64>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(self.segments())? {
            let name = entry?.file_name();
            if let Some(id) = name.to_str().and_then(segment_id) {
                ids.push(id);
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }
}

/// Makes a directory that only this user may look into, unless it is there.
pub(crate) fn make_private(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

fn segment_id(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    let plain = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}
