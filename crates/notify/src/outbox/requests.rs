//! How a command reaches the outbox of a running gateway: a file in the folder `requests`, which
//! the gateway looks into once a second and which it removes when it has done what it says.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Inner;
use super::entry::FORMAT;
use super::keeper::Which;
use crate::disk::{self, Disk};
use crate::event::Digest;

pub(super) const FOLDER: &str = "requests";
/// The most requests that are looked at in one go, and the largest (BOUNDED).
const MAX_REQUESTS: usize = 100;
const MAX_REQUEST_BYTES: u64 = 4 << 10;

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    format: u32,
    retry: Which,
}

/// Leaves a request, and says in which file.
pub(super) fn leave(root: &Path, which: &Which) -> io::Result<PathBuf> {
    let request = Request {
        format: FORMAT,
        retry: which.clone(),
    };
    let text = serde_json::to_vec(&request)?;
    let path = root
        .join(FOLDER)
        .join(format!("{:032x}.json", rand::random::<u128>()));
    Disk::default().write(&path, &text)?;
    Ok(path)
}

impl Inner {
    /// Does what requests ask for. It blocks.
    pub(super) fn look_for_requests(&self) -> io::Result<()> {
        let dir = self.root.join(FOLDER);
        let names = disk::names(&dir)?;
        let names = names.iter().filter(|name| name.ends_with(".json"));
        for name in names.take(MAX_REQUESTS) {
            let path = dir.join(name);
            let request = disk::read(&path, MAX_REQUEST_BYTES)
                .and_then(|text| serde_json::from_slice(&text).map_err(io::Error::from));
            match request {
                Ok(Request { format, retry }) if format == FORMAT => {
                    let revived = self.revive(&retry)?;
                    tracing::info!(revived, "dead letters were taken back, as asked");
                }
                Ok(Request { format, .. }) => {
                    tracing::warn!(format, "a request to the outbox of an unknown format");
                }
                Err(error) => {
                    tracing::warn!(%error, "a request to the outbox that cannot be read");
                }
            }
            // Done or of no use. Were it to be done again after a crash, nothing would change.
            fs::remove_file(path)?;
        }
        Ok(())
    }

    pub(super) fn revive(&self, which: &Which) -> io::Result<usize> {
        let digest = match which {
            Which::All => None,
            Which::Id(id) => Some(Digest::of(id)),
        };
        let mut revived = 0;
        for slot in &self.slots {
            revived += slot.lock().revive(digest, self.now())?;
            slot.changed.notify_one();
        }
        Ok(revived)
    }
}
