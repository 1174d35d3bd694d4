//! What was decided, on disk: written once by the sampler, read by each shipper at its own place.
//!
//! A decision costs a bit an item and 28 bytes a block, so it is kept for as long as its block is.
//! A shipper that is behind reads old decisions as it reads old blocks: nothing waits for it, and
//! nothing is held in memory for it (BOUNDED).

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use journal::{Block, Position};
use sampler::Selection;
use tokio::sync::watch;

use crate::format::{self, Entry, HEAD, Parsed};

/// How much is read of a file at once.
const READ: usize = 64 << 10;
const SUFFIX: &str = ".dec";

/// How far is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Every block before this is decided.
    pub until: Position,
    /// None after it will be.
    pub complete: bool,
}

/// The decisions about the blocks of one signal.
#[derive(Clone, Debug)]
pub struct Decisions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    /// What a block without a decision stands for.
    unknown: Unknown,
    reach: watch::Sender<Reach>,
}

/// What a block without a decision stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// It was appended before sampling began, or its decision is damaged: all of it goes on.
    Whole,
    /// It is none of those asked for: nothing of it goes on.
    Nothing,
}

/// What is known of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// These of its items go on.
    Decided(Selection),
    /// Nothing yet: [`DecisionReader::changed`] tells when to ask again.
    Undecided,
    /// There is no decision about it, and there will be none.
    Unknown(Unknown),
    /// It and all after it are beyond what will be decided.
    Ended,
}

impl Decisions {
    /// A reader, to begin anywhere.
    pub fn reader(&self) -> DecisionReader {
        DecisionReader {
            reach: self.0.reach.subscribe(),
            shared: Arc::clone(&self.0),
            open: None,
        }
    }

    pub(crate) fn complete(&self) {
        self.0.reach.send_modify(|reach| reach.complete = true);
    }
}

/// Reads what a process has stored in its folder about the blocks of a signal, whether it runs or
/// not. A block that is not decided is unknown to it.
pub fn stored(dir: &Path, signal: ident::Signal) -> DecisionReader {
    let whole = Reach {
        until: Position {
            segment: u64::MAX,
            offset: u64::MAX,
        },
        complete: true,
    };
    let shared = Shared {
        dir: crate::store::Store::new(dir).decisions(signal.as_str()),
        unknown: Unknown::Whole,
        reach: watch::Sender::new(whole),
    };
    Decisions(Arc::new(shared)).reader()
}

fn path_of(dir: &Path, segment: u64) -> PathBuf {
    dir.join(format!("{segment:016x}{SUFFIX}"))
}

fn segments(dir: &Path) -> io::Result<BTreeSet<u64>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        found.extend(stem.and_then(|stem| u64::from_str_radix(stem, 16).ok()));
    }
    Ok(found)
}

/// Reads decisions, best in the order of the journal.
#[derive(Debug)]
pub struct DecisionReader {
    shared: Arc<Shared>,
    reach: watch::Receiver<Reach>,
    open: Option<Opened>,
}

impl DecisionReader {
    /// What is known of the block at a place. Reads a small file, which is mostly in memory.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn look_up(&mut self, at: Position) -> io::Result<Look> {
        let reach = *self.reach.borrow_and_update();
        if at >= reach.until {
            return Ok(match reach.complete {
                true => Look::Ended,
                false => Look::Undecided,
            });
        }
        let follows =
            |open: &Opened| open.segment == at.segment && open.passed.is_none_or(|p| p < at.offset);
        if !self.open.as_ref().is_some_and(follows) {
            self.open = Opened::open(&self.shared.dir, at.segment)?;
        }
        let found = match &mut self.open {
            Some(open) => open.find(at.offset)?,
            None => None,
        };
        Ok(match found {
            Some(selection) => Look::Decided(selection),
            None => Look::Unknown(self.shared.unknown),
        })
    }

    /// Waits until more is decided than at the last [`look_up`](Self::look_up). Cancel-safe.
    pub async fn changed(&mut self) {
        if self.reach.changed().await.is_err() {
            // Nobody decides any more.
            std::future::pending::<()>().await;
        }
    }
}

/// A file that is read.
#[derive(Debug)]
struct Opened {
    segment: u64,
    file: File,
    /// What was read and not used: `buffer[start..]`, which ends at `offset` of the file.
    buffer: Vec<u8>,
    start: usize,
    offset: u64,
    /// The offset of the last block that was given out.
    passed: Option<u64>,
}

impl Opened {
    fn open(dir: &Path, segment: u64) -> io::Result<Option<Opened>> {
        match File::open(path_of(dir, segment)) {
            Ok(file) => Ok(Some(Opened {
                segment,
                file,
                buffer: Vec::new(),
                start: 0,
                offset: HEAD as u64,
                passed: None,
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn find(&mut self, block: u64) -> io::Result<Option<Selection>> {
        while let Some((entry, length)) = self.peek()? {
            if entry.offset > block {
                return Ok(None);
            }
            self.start += length;
            self.passed = Some(entry.offset);
            if entry.offset == block {
                return Ok(Some(entry.selection));
            }
        }
        Ok(None)
    }

    /// The next entry and its length; `None` at the end, or where the file is damaged.
    fn peek(&mut self) -> io::Result<Option<(Entry, usize)>> {
        loop {
            match format::parse(&self.buffer[self.start..]) {
                Parsed::Entry(entry, length) => return Ok(Some((entry, length))),
                Parsed::Damaged => return Ok(None),
                Parsed::More(needed) => {
                    self.buffer.drain(..self.start);
                    self.start = 0;
                    let had = self.buffer.len();
                    self.buffer.resize(needed.max(had + READ), 0);
                    let read = self.file.read_at(&mut self.buffer[had..], self.offset)?;
                    self.buffer.truncate(had + read);
                    self.offset += read as u64;
                    if read == 0 {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

/// Writes decisions.
#[derive(Debug)]
pub(crate) struct Writer {
    decisions: Decisions,
    file: Option<Writing>,
    /// Not written yet: decisions about blocks of `segment`.
    buffer: Vec<u8>,
    segment: u64,
    until: Position,
}

#[derive(Debug)]
struct Writing {
    segment: u64,
    file: File,
    length: u64,
    dirty: bool,
}

impl Writer {
    /// Goes on where the decisions in a folder end; where there are none, at `begin`. What a crash
    /// left torn is cut off.
    pub(crate) fn open(dir: &Path, begin: Position, unknown: Unknown) -> io::Result<Writer> {
        make_dir(dir)?;
        let mut until = begin;
        let mut file = None;
        for segment in segments(dir)?.into_iter().rev() {
            let path = path_of(dir, segment);
            match sound(dir, segment)? {
                Some((length, last)) => {
                    let writing = OpenOptions::new().read(true).write(true).open(&path)?;
                    writing.set_len(length)?;
                    until = last;
                    file = Some(Writing {
                        segment,
                        file: writing,
                        length,
                        dirty: true,
                    });
                    break;
                }
                None => fs::remove_file(&path)?,
            }
        }
        let complete = false;
        let shared = Shared {
            dir: dir.to_owned(),
            unknown,
            reach: watch::Sender::new(Reach { until, complete }),
        };
        Ok(Writer {
            decisions: Decisions(Arc::new(shared)),
            file,
            buffer: Vec::new(),
            segment: until.segment,
            until,
        })
    }

    pub(crate) fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// The place after the last block that is decided, written or not.
    pub(crate) fn until(&self) -> Position {
        self.until
    }

    /// Bytes that are not written.
    pub(crate) fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// Notes a decision. Blocks come in the order of the journal.
    pub(crate) fn push(&mut self, block: &Block, selection: &Selection) -> io::Result<()> {
        if block.position.segment != self.segment {
            // What belongs to a segment is safe before the next one begins.
            self.sync()?;
            self.segment = block.position.segment;
        }
        let length = block.next.offset.saturating_sub(block.position.offset);
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        format::put(&mut self.buffer, block.position.offset, length, selection);
        self.until = block.next;
        Ok(())
    }

    /// Writes what waits and lets readers see it. After an error it can be called again.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            let writing = match &mut self.file {
                Some(writing) if writing.segment == self.segment => writing,
                _ => {
                    let made = create(&self.decisions.0.dir, self.segment)?;
                    self.file.insert(made)
                }
            };
            writing.file.write_all_at(&self.buffer, writing.length)?;
            writing.length += self.buffer.len() as u64;
            writing.dirty = true;
            self.buffer.clear();
        }
        let until = self.until;
        self.decisions.0.reach.send_if_modified(|reach| {
            let more = until > reach.until;
            reach.until = reach.until.max(until);
            more
        });
        Ok(())
    }

    /// Writes what waits and makes all of it durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        if let Some(writing) = &mut self.file
            && writing.dirty
        {
            writing.file.sync_data()?;
            writing.dirty = false;
        }
        Ok(())
    }

    /// Removes decisions about segments that have left the journal.
    pub(crate) fn prune(&mut self, oldest_segment: u64) -> io::Result<()> {
        let dir = &self.decisions.0.dir;
        let kept = self.file.as_ref().map(|writing| writing.segment);
        for segment in segments(dir)?.range(..oldest_segment) {
            if Some(*segment) != kept {
                fs::remove_file(path_of(dir, *segment))?;
            }
        }
        Ok(())
    }
}

pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

fn create(dir: &Path, segment: u64) -> io::Result<Writing> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path_of(dir, segment))?;
    file.write_all_at(&format::head(segment), 0)?;
    File::open(dir)?.sync_all()?;
    Ok(Writing {
        segment,
        file,
        length: HEAD as u64,
        dirty: true,
    })
}

/// How long the sound part of a file is, and the place after its last block; `None` if there is
/// no sound decision in it.
fn sound(dir: &Path, segment: u64) -> io::Result<Option<(u64, Position)>> {
    let Some(mut open) = Opened::open(dir, segment)? else {
        return Ok(None);
    };
    let mut head = [0; HEAD];
    let read = open.file.read_at(&mut head, 0)?;
    if read < HEAD || head != format::head(segment) {
        return Ok(None);
    }
    let (mut length, mut last) = (HEAD as u64, None);
    while let Some((entry, bytes)) = open.peek()? {
        open.start += bytes;
        length += bytes as u64;
        last = Some(Position {
            segment,
            offset: entry.offset + u64::from(entry.length),
        });
    }
    Ok(last.map(|last| (length, last)))
}

#[cfg(test)]
mod tests;
