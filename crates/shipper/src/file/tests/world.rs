//! A folder on a disk with faults, as a world of the conformance suite.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use ident::Signal;
use tempfile::TempDir;

use crate::conformance::items::{self, Item};
use crate::conformance::{Fault, Taken, World};
use crate::destination::Destination;
use crate::disk::{Disk, Op};
use crate::file::{Compression, Config, Files, Format};

/// How an operation fails, and how many bytes a write writes before.
pub(super) type Failing = (io::ErrorKind, usize);

#[derive(Default)]
struct State {
    script: VecDeque<Fault>,
    always: Option<Fault>,
    sync_fails: bool,
    /// What the disk was asked to do.
    log: Vec<(Op, PathBuf)>,
    /// Operations of a kind fail like this, for as long as it stands here.
    failing: Vec<(Op, Failing)>,
    now: Option<SystemTime>,
}

/// A folder, and the disk under it.
pub(super) struct FileWorld {
    pub config: Config,
    pub dir: TempDir,
    state: Arc<Mutex<State>>,
}

impl FileWorld {
    pub(super) fn new(format: Format, compression: Compression) -> Self {
        let dir = tempfile::tempdir().unwrap();
        FileWorld {
            config: Config {
                format,
                compression,
                ..Config::new(dir.path().join("deep/out"))
            },
            dir,
            state: Arc::default(),
        }
    }

    /// For the suite, which waits for its worlds.
    pub(super) async fn ready(format: Format, compression: Compression) -> Self {
        Self::new(format, compression)
    }

    /// The destination, as a start makes it.
    pub(super) fn files(&self) -> Files {
        Files::with_disk(&self.config, self.disk())
    }

    pub(super) fn disk(&self) -> Disk {
        let (asked, timed) = (Arc::clone(&self.state), Arc::clone(&self.state));
        Disk {
            fault: Some(Arc::new(move |op, path| {
                asked.lock().unwrap().ask(op, path)
            })),
            clock: Some(Arc::new(move || {
                timed.lock().unwrap().now.unwrap_or_else(SystemTime::now)
            })),
        }
    }

    /// Operations of this kind fail from now on.
    pub(super) fn fail(&self, op: Op, failing: Failing) {
        self.state.lock().unwrap().failing.push((op, failing));
    }

    /// The disk is well again.
    pub(super) fn heal(&self) {
        self.state.lock().unwrap().failing.clear();
    }

    /// What the disk was asked to do since the last call.
    pub(super) fn log(&self) -> Vec<(Op, PathBuf)> {
        std::mem::take(&mut self.state.lock().unwrap().log)
    }

    /// Stops the clock at this time.
    pub(super) fn set_time(&self, now: SystemTime) {
        self.state.lock().unwrap().now = Some(now);
    }

    /// The folder of a tenant.
    pub(super) fn tenant(&self, tenant: &str) -> PathBuf {
        self.config.path.join(tenant)
    }

    /// The file that is written to.
    pub(super) fn current(&self, tenant: &str, signal: Signal) -> PathBuf {
        let name = format!("{signal}.{}", self.config.extension());
        self.tenant(tenant).join(name)
    }

    /// The names of a tenant's files, sorted.
    pub(super) fn names(&self, tenant: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.tenant(tenant))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl State {
    fn ask(&mut self, op: Op, path: &Path) -> Option<(io::Error, usize)> {
        self.log.push((op, path.to_owned()));
        if let Some((_, (kind, bytes))) = self.failing.iter().find(|(failing, _)| *failing == op) {
            return Some(((*kind).into(), *bytes));
        }
        if op == Op::Sync && std::mem::take(&mut self.sync_fails) {
            return Some((io::ErrorKind::Other.into(), 0));
        }
        if op != Op::Write {
            return None;
        }
        match self.script.pop_front().or(self.always)? {
            Fault::Refuse => Some((io::ErrorKind::StorageFull.into(), 0)),
            Fault::Hang => Some((io::ErrorKind::TimedOut.into(), 0)),
            Fault::Half => Some((io::ErrorKind::StorageFull.into(), 40)),
            Fault::Misconfigured => Some((io::ErrorKind::ReadOnlyFilesystem.into(), 0)),
            Fault::AnswerLost => {
                self.sync_fails = true;
                None
            }
        }
    }
}

impl World for FileWorld {
    fn destination(&self) -> Box<dyn Destination> {
        Box::new(self.files())
    }

    fn next(&self, faults: &[Fault]) {
        self.state.lock().unwrap().script.extend(faults);
    }

    fn always(&self, fault: Option<Fault>) {
        self.state.lock().unwrap().always = fault;
    }

    /// From the files, closed ones included.
    fn taken(&self) -> Vec<Taken> {
        let tenants = fs::read_dir(&self.config.path).into_iter().flatten();
        let mut taken = Vec::new();
        for tenant in tenants {
            let tenant = tenant.unwrap();
            for file in fs::read_dir(tenant.path()).unwrap() {
                let file = file.unwrap();
                let name = file.file_name().into_string().unwrap();
                let signal = name.split(['.', '-']).next().unwrap().parse().unwrap();
                let bytes = fs::read(file.path()).unwrap();
                for items in read(&bytes, signal, self.config.format, self.config.compression) {
                    let owner = tenant.file_name().into_string().unwrap();
                    assert!(items.iter().all(|item| item.tenant() == owner), "{name}");
                    taken.push(Taken { signal, items });
                }
            }
        }
        taken
    }
}

/// The requests of a file, read without any code of the destination.
pub(super) fn read(
    bytes: &[u8],
    signal: Signal,
    format: Format,
    compression: Compression,
) -> Vec<Vec<Item>> {
    let plain = match compression {
        Compression::None => bytes.to_vec(),
        // A file that was made and not written to yet holds no frame at all.
        Compression::Zstd if bytes.is_empty() => Vec::new(),
        Compression::Zstd => ::zstd::stream::decode_all(bytes).unwrap(),
    };
    match format {
        Format::Json => {
            assert!(plain.is_empty() || plain.ends_with(b"\n"));
            let lines = std::str::from_utf8(&plain).unwrap().lines();
            lines
                .map(|line| items::json_items(signal, line.as_bytes()).unwrap())
                .collect()
        }
        Format::Proto => {
            let mut rest = plain.as_slice();
            let mut requests = Vec::new();
            while let Some((length, after)) = rest.split_first_chunk::<4>() {
                let (message, after) = after.split_at(u32::from_be_bytes(*length) as usize);
                requests.push(items::items(signal, message).unwrap());
                rest = after;
            }
            assert!(rest.is_empty(), "{} bytes are left over", rest.len());
            requests
        }
    }
}
