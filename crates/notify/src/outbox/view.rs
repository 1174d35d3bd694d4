//! What is in the outbox, read without its lock: also while a gateway changes it.

use std::io;
use std::path::Path;

use super::entry::{Entry, FileName, MAX_FILE_BYTES};
use super::shelf::{DAMAGED, DEAD, PENDING};
use crate::disk;

/// An entry and where it is.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its target.
    pub target: String,
    /// Its number among those of its target: the order of sending.
    pub number: u64,
    /// What it says.
    pub entry: Entry,
}

/// What is in the outbox.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// What waits, by target and number.
    pub pending: Vec<Listed>,
    /// What was given up, by target and number.
    pub dead: Vec<Listed>,
    /// Files that cannot be read, and those that were moved away for that.
    pub damaged: usize,
}

/// Reads the outbox in `root`; an empty one where there is none. What moves in the meantime may be
/// missing or be seen twice.
///
/// # Errors
/// If the disk refuses.
pub fn list(root: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    let (pending, damaged) = read(root, PENDING)?;
    let (dead, also_damaged) = read(root, DEAD)?;
    listing.pending = pending;
    listing.dead = dead;
    listing.damaged = damaged + also_damaged;
    for target in disk::names(&root.join(DAMAGED))? {
        listing.damaged += disk::names(&root.join(DAMAGED).join(target))?.len();
    }
    Ok(listing)
}

fn read(root: &Path, folder: &str) -> io::Result<(Vec<Listed>, usize)> {
    let (mut entries, mut damaged) = (Vec::new(), 0);
    for target in disk::names(&root.join(folder))? {
        let dir = root.join(folder).join(&target);
        for text in disk::names(&dir)? {
            let Some(name) = FileName::parse(&text) else {
                continue;
            };
            let bytes = match disk::read(&dir.join(text), MAX_FILE_BYTES) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    damaged += 1;
                    continue;
                }
                bytes => bytes?,
            };
            match Entry::decode(&bytes, name) {
                Ok(entry) => entries.push(Listed {
                    target: target.clone(),
                    number: name.number,
                    entry,
                }),
                Err(_) => damaged += 1,
            }
        }
    }
    Ok((entries, damaged))
}
