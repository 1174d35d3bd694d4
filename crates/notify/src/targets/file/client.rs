//! Writing.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Config, encode};
use crate::target::{Class, Failure, Message, Sending, Target};

/// A file of JSON lines.
pub(crate) struct File {
    config: Config,
}

impl File {
    pub(crate) fn new(config: &Config) -> Self {
        File {
            config: config.clone(),
        }
    }
}

impl Target for File {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        let (config, line) = (self.config.clone(), encode::line(message));
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || append(&config, &line));
            let written = written.await.map_err(io::Error::other).flatten();
            // Whatever it is, somebody may mend it: room, rights, a folder.
            written.map_err(|error| {
                let path = self.config.path.display();
                Failure::new(Class::Transient, format!("{path}: {error}"))
            })
        })
    }
}

fn append(config: &Config, line: &[u8]) -> io::Result<()> {
    let length = fs::metadata(&config.path).map_or(0, |metadata| metadata.len());
    if length > 0 && length + line.len() as u64 > config.rotate_bytes {
        rotate(config)?;
    }
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&config.path)?;
    let length = file.metadata()?.len();
    let mut bytes = Vec::with_capacity(line.len() + 1);
    if length > 0 && !ends_in_a_line_break(&file, length)? {
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(line);
    let written = file.write_all(&bytes).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // No half lines where it can be helped, as on a full disk.
        let _ = file.set_len(length);
        return Err(error);
    }
    if length == 0 {
        let above = config.path.parent().filter(|p| !p.as_os_str().is_empty());
        fs::File::open(above.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

fn ends_in_a_line_break(file: &fs::File, length: u64) -> io::Result<bool> {
    let mut last = [0];
    file.read_exact_at(&mut last, length - 1)?;
    Ok(last == [b'\n'])
}

fn rotate(config: &Config) -> io::Result<()> {
    for number in (1..config.keep).rev() {
        let from = numbered(&config.path, number);
        if from.exists() {
            fs::rename(from, numbered(&config.path, number + 1))?;
        }
    }
    match config.keep {
        0 => fs::remove_file(&config.path),
        _ => fs::rename(&config.path, numbered(&config.path, 1)),
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}
