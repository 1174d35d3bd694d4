//! Files in a folder as a destination. See the README beside this file for layout and formats.

mod client;
mod config;
mod encode;
mod recover;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use config::{Compression, Config, Format};

use crate::batch::Batch;
use crate::destination::{Accepted, Answering, Class, Destination, Failure};
use crate::disk::Disk;
use client::Folder;
use encode::EncodeError;

/// Files in a folder.
pub(crate) struct Files {
    path: PathBuf,
    folder: Arc<Mutex<Folder>>,
}

impl Files {
    pub(crate) fn new(config: &Config) -> Self {
        Self::with_disk(config, Disk::default())
    }

    pub(crate) fn with_disk(config: &Config, disk: Disk) -> Self {
        let folder = Folder::new(config.clone(), disk);
        Files {
            path: config.path.clone(),
            folder: Arc::new(Mutex::new(folder)),
        }
    }

    async fn write(&self, batch: &Batch) -> Result<Accepted, Failure> {
        let folder = Arc::clone(&self.folder);
        let batch = batch.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut folder = folder.lock().unwrap_or_else(PoisonError::into_inner);
            folder.append(&batch)
        });
        match written.await {
            Ok(Ok(())) => Ok(Accepted::default()),
            Ok(Err(EncodeError::Malformed(error))) => Err(Failure::new(
                Class::Refused,
                "malformed",
                &error.to_string(),
            )),
            Ok(Err(EncodeError::Io(error))) => Err(failure(&self.path, &error)),
            Err(_) => Err(Failure::new(Class::Transient, "", "the writer was stopped")),
        }
    }
}

/// A disk that refuses does so whatever the data is.
fn failure(path: &Path, error: &io::Error) -> Failure {
    let class = match error.kind() {
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::ResourceBusy => Class::Misconfigured,
        _ => Class::Transient,
    };
    let hint = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            " (hint: make room on its file system)"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            " (hint: give the user that runs stella the right to write there)"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            " (hint: there is a file where a folder should be; move it, or choose another folder)"
        }
        io::ErrorKind::ResourceBusy => " (hint: give each shipper a folder of its own)",
        _ => "",
    };
    let text = format!("cannot write in {}: {error}{hint}", path.display());
    Failure::new(class, "", &text)
}

impl Destination for Files {
    fn send<'a>(&'a self, batch: &'a Batch) -> Answering<'a> {
        Box::pin(self.write(batch))
    }

    /// One writer, which syncs once for a whole batch.
    fn max_in_flight(&self) -> usize {
        1
    }

    fn tick(&self) {
        if let Ok(mut folder) = self.folder.try_lock() {
            folder.tick();
        }
    }
}
