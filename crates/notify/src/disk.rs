//! The rim: the file operations that change something. Each is one step, durable when it returns,
//! and a test may make any of them the last one of the process.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// Asked before each step, with what it is; an error is its result, and nothing is done. Between
/// the parts of a step it is asked too, so that a step may end half done.
pub(crate) type Fault = dyn Fn(&'static str, &Path) -> io::Result<()> + Send + Sync;

/// The disk, or a disk with faults.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    pub fault: Option<Arc<Fault>>,
}

impl Disk {
    fn ask(&self, step: &'static str, path: &Path) -> io::Result<()> {
        self.fault
            .as_ref()
            .map_or(Ok(()), |fault| fault(step, path))
    }

    /// Makes a folder and those above it, private ones whose names survive a crash.
    pub(crate) fn make_dir(&self, path: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = path
            .ancestors()
            .take_while(|dir| !dir.as_os_str().is_empty() && !dir.is_dir())
            .collect();
        for dir in missing.into_iter().rev() {
            self.ask("make folder", dir)?;
            match DirBuilder::new().mode(0o700).create(dir) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
                made => made?,
            }
            self.sync_parent(dir)?;
        }
        Ok(())
    }

    /// Gives the file `path` this content, wholly or not at all. Private to this user.
    pub(crate) fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let fresh = path.with_extension("new");
        self.ask("open", &fresh)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        file.write_all(first)?;
        self.ask("write", &fresh)?;
        file.write_all(rest)?;
        self.ask("sync", &fresh)?;
        file.sync_all()?;
        self.ask("rename", path)?;
        fs::rename(&fresh, path)?;
        self.sync_parent(path)
    }

    /// Moves a file. Both folders' entries are durable afterwards.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask("rename", to)?;
        fs::rename(from, to)?;
        self.sync_parent(to)?;
        self.sync_parent(from)
    }

    /// Removes a file; that it is gone already is well.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        self.ask("remove", path)?;
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Makes a file empty.
    pub(crate) fn empty(&self, path: &Path) -> io::Result<()> {
        self.ask("truncate", path)?;
        OpenOptions::new().write(true).open(path)?.set_len(0)
    }

    fn sync_parent(&self, path: &Path) -> io::Result<()> {
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        let above = above.unwrap_or(Path::new("."));
        self.ask("sync folder", above)?;
        File::open(above)?.sync_all()
    }
}

/// The content of a file of at most `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let what = format!("larger than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(bytes)
}

/// The names in a folder; none where there is no folder.
pub(crate) fn names(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}
