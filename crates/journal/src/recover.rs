//! Opening what an earlier process left, however it ended.
//!
//! An unsealed segment is scanned. What follows its last sound block is a torn write, which nobody
//! was told had succeeded, and is cut off. A range that cannot be read but is *followed* by a sound
//! block is not torn: it stays where it is, is stepped over, reported and counted (LOSS-COUNTED).

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::catalog::{Catalog, Place, Segment, State};
use crate::consumer::ConsumerState;
use crate::cursor;
use crate::dir::{Dir, make_private};
use crate::error::OpenError;
use crate::file::{FileFault, SegmentFile};
use crate::format::{
    BlockHeader, HeaderFault, Index, MAX_BLOCK_HEADER, SEGMENT_HEADER_BYTES, SegmentHeader,
};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::scan::{Found, Range, Scan};
use crate::seam::Env;
use crate::segment::ActiveSegment;
use crate::types::Position;
use crate::walk::known_loss;

/// What was found when the journal was opened. Prints as lines for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// Segment files.
    pub segments: u64,
    /// Blocks in them.
    pub blocks: u64,
    /// Bytes of all segment files.
    pub bytes: u64,
    /// Segments that had no index: the process before did not end in order.
    pub unsealed: u64,
    /// Bytes of torn writes that were cut off; they were never acknowledged.
    pub truncated_bytes: u64,
    /// Ranges between sound blocks that cannot be read.
    pub damaged: Vec<Damage>,
    /// Cursors that could not be used, files that were set aside, and the like.
    pub notes: Vec<String>,
}

/// A range that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Where it begins.
    pub position: Position,
    /// How long it is.
    pub bytes: u64,
    /// How many items are known to have been in it: traces, metrics, logs.
    pub items: [u64; 3],
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} segments, {} blocks, {} bytes",
            self.segments, self.blocks, self.bytes
        )?;
        if self.unsealed > 0 {
            write!(f, "; {} without an index were scanned", self.unsealed)?;
        }
        if self.truncated_bytes > 0 {
            write!(
                f,
                "; {} bytes of a torn write that was never acknowledged were cut off",
                self.truncated_bytes
            )?;
        }
        for damage in &self.damaged {
            write!(
                f,
                "\ndamaged: {} bytes at {}, with {} items known to be lost",
                damage.bytes,
                damage.position,
                damage.items.iter().sum::<u64>()
            )?;
        }
        for note in &self.notes {
            write!(f, "\nnote: {note}")?;
        }
        Ok(())
    }
}

/// What the journal goes on with.
pub(crate) struct Recovered {
    pub catalog: Catalog,
    pub consumers: BTreeMap<String, Arc<ConsumerState>>,
    pub active: Option<ActiveSegment>,
    /// To be sealed by the upkeep thread.
    pub unsealed: Vec<ActiveSegment>,
    pub next_id: u64,
    pub report: Recovery,
}

struct Recoverer<'a> {
    dir: &'a Dir,
    env: &'a Env,
    options: &'a Options,
    metrics: &'a Metrics,
    catalog: Catalog,
    active: Option<ActiveSegment>,
    unsealed: Vec<ActiveSegment>,
    report: Recovery,
}

pub(crate) fn recover(
    dir: &Dir,
    env: &Env,
    options: &Options,
    metrics: &Metrics,
) -> Result<Recovered, OpenError> {
    let ids = dir
        .segment_ids()
        .map_err(OpenError::io("list", &dir.segments()))?;
    // What was made ahead and never begun.
    let _ = fs::remove_file(dir.spare());
    // What an interrupted repair left, which had not yet taken a segment's name.
    for id in &ids {
        let _ = fs::remove_file(dir.segments().join(format!("{id:020}.seg.new")));
    }
    let mut r = Recoverer {
        dir,
        env,
        options,
        metrics,
        catalog: Catalog::default(),
        active: None,
        unsealed: Vec::new(),
        report: Recovery::default(),
    };
    for id in &ids {
        r.segment(*id, Some(id) == ids.last())?;
    }
    let cursors = cursor::read_all(dir, &mut r.report.notes)
        .map_err(OpenError::io("list", &dir.cursors()))?;
    // Numbers are never used twice, so that a cursor can never mean another segment.
    let used = cursors.values().flatten().map(|at| at.segment);
    let next_id = ids.iter().copied().chain(used).max().unwrap_or(0) + 1;
    if r.active.as_ref().is_some_and(|a| a.id + 1 != next_id) {
        r.unsealed.extend(r.active.take());
        if let Some(info) = r.catalog.segments.values_mut().next_back() {
            info.state = State::Closed;
        }
    }
    // What is counted here is not counted again by a reader that meets it.
    for damage in &r.report.damaged {
        let at = damage.position;
        r.catalog.note_damage(at.segment, at.offset);
    }
    let mut consumers = BTreeMap::new();
    for (name, stored) in cursors {
        let (at, moved) = r.settle(&name, stored)?;
        let state = ConsumerState::new(name.clone(), at, moved);
        consumers.insert(name, Arc::new(state));
    }
    let stats = r.catalog.stats();
    r.report.segments = stats.segments;
    r.report.blocks = stats.blocks;
    r.report.bytes = stats.bytes;
    Ok(Recovered {
        catalog: r.catalog,
        consumers,
        active: r.active,
        unsealed: r.unsealed,
        next_id,
        report: r.report,
    })
}

impl Recoverer<'_> {
    fn segment(&mut self, id: u64, last: bool) -> Result<(), OpenError> {
        let path = self.dir.segment(id);
        let io = |what| OpenError::io(what, &path);
        let file = match SegmentFile::open(&path) {
            Ok(file) if file.header.id == id => file.forgiving(),
            Ok(_) => return self.set_aside(&path, "it is another segment's file"),
            Err(FileFault::Io(error)) => return Err(io("read")(error)),
            Err(FileFault::Header(HeaderFault::TooNew(version))) => {
                return Err(OpenError::TooNew { path, version });
            }
            Err(FileFault::Header(HeaderFault::Damaged)) => match self.lost_header(id, &path)? {
                Some(file) => file.forgiving(),
                None => return Ok(()),
            },
        };
        let file_bytes = file.len().map_err(io("read"))?;
        if let Some(trailer) = file.trailer().map_err(io("read"))? {
            let summary = match file.index(&trailer).map_err(io("read"))? {
                Some(index) => index.summary,
                None => {
                    let note =
                        format!("the index of segment {id} is damaged; its blocks were scanned");
                    self.report.notes.push(note);
                    self.scan(&file, trailer.index_offset)?.0.summary
                }
            };
            let info = Segment::new(State::Sealed, trailer.index_offset, file_bytes, summary);
            self.catalog.segments.insert(id, info);
            return Ok(());
        }
        self.unsealed_segment(&file, file_bytes, last)
    }

    fn unsealed_segment(
        &mut self,
        file: &SegmentFile,
        file_bytes: u64,
        last: bool,
    ) -> Result<(), OpenError> {
        let io = |what| OpenError::io(what, &file.path);
        let id = file.header.id;
        let (index, end, damaged) = self.scan(file, file_bytes)?;
        self.report.unsealed += 1;
        let writable = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&file.path)
            .map_err(io("open"))?;
        if end < file_bytes {
            self.report.truncated_bytes += file_bytes - end;
            self.metrics.truncated_bytes.inc_by(file_bytes - end);
            self.env
                .truncate(&writable, &file.path, end)
                .and_then(|()| self.env.sync(&writable, &file.path))
                .map_err(io("cut the torn end of"))?;
        }
        let summary = index.summary;
        let index_bytes = index.encoded_bytes();
        let segment = ActiveSegment::resume(writable, file.path.clone(), file.header, end, index);
        let full = end >= self.options.segment_limit();
        let state = if last && !damaged && !full {
            self.active = Some(segment);
            State::Active
        } else {
            self.unsealed.push(segment);
            State::Closed
        };
        let file_bytes = match state {
            State::Active => end,
            State::Closed | State::Sealed => end + index_bytes,
        };
        self.catalog
            .segments
            .insert(id, Segment::new(state, end, file_bytes, summary));
        Ok(())
    }

    /// The index of what is sound before `end`, where the last sound block ends, and whether
    /// something before it is damaged.
    fn scan(&mut self, file: &SegmentFile, end: u64) -> Result<(Index, u64, bool), OpenError> {
        let mut index = Index::default();
        let mut sound_end = SEGMENT_HEADER_BYTES;
        let mut damaged = false;
        let mut scan = Scan::new(file, SEGMENT_HEADER_BYTES, end);
        while let Some(found) = scan.next().map_err(OpenError::io("read", &file.path))? {
            match found {
                Found::Block(header) => {
                    sound_end = header.offset + header.total_bytes();
                    index.add(&header);
                }
                Found::Damaged(range) => {
                    damaged = true;
                    self.note_damage(file.header.id, known_loss(file, range));
                }
                Found::Tail(_) => {}
            }
        }
        Ok((index, sound_end, damaged))
    }

    fn note_damage(&mut self, segment: u64, range: Range) {
        self.metrics.damaged_bytes.inc_by(range.bytes);
        self.metrics.damaged_ranges.inc();
        self.metrics.lose(range.items, "journal_damaged");
        self.report.damaged.push(Damage {
            position: Position {
                segment,
                offset: range.offset,
            },
            bytes: range.bytes,
            items: range.items,
        });
    }

    /// A segment whose header cannot be read: removed if it never held a block, read all the same
    /// if its first block tells the salt, else set aside.
    fn lost_header(&mut self, id: u64, path: &Path) -> Result<Option<SegmentFile>, OpenError> {
        let io = |what| OpenError::io(what, path);
        let bytes = fs::metadata(path).map_err(io("read"))?.len();
        if bytes <= SEGMENT_HEADER_BYTES {
            // A header is synced before the first block is written.
            self.env.remove(path).map_err(io("remove the empty"))?;
            return Ok(None);
        }
        match salvage_header(path, id).map_err(io("read"))? {
            Some(file) => {
                let note =
                    format!("the header of segment {id} is damaged; its blocks are readable");
                self.report.notes.push(note);
                Ok(Some(file))
            }
            None => {
                self.set_aside(path, "its header is damaged and its first block too")?;
                self.metrics.damaged_bytes.inc_by(bytes);
                Ok(None)
            }
        }
    }

    fn set_aside(&mut self, path: &Path, why: &str) -> Result<(), OpenError> {
        let quarantine = self.dir.quarantine();
        make_private(&quarantine).map_err(OpenError::io("make", &quarantine))?;
        let name = path.file_name().unwrap_or_default();
        let to = quarantine.join(name);
        self.env
            .rename(path, &to)
            .map_err(OpenError::io("set aside", path))?;
        self.report.notes.push(format!(
            "{} was moved to {}: {why}",
            path.display(),
            to.display()
        ));
        Ok(())
    }

    /// A cursor's place as the journal can serve it. Rather earlier than too late.
    fn settle(&mut self, name: &str, at: Option<Position>) -> Result<(Position, bool), OpenError> {
        let Some(at) = at else {
            return Ok((self.catalog.oldest(), true));
        };
        let Some(info) = self.catalog.segments.get(&at.segment) else {
            return Ok((at, false));
        };
        if at.offset > info.data_end {
            let to = Position {
                segment: at.segment,
                offset: info.data_end,
            };
            self.report.notes.push(format!(
                "the cursor of `{name}` stood at {at}, behind the last block; it goes on at {to}"
            ));
            return Ok((to, true));
        }
        let Place::Inside { data_end } = self.catalog.place(at) else {
            return Ok((at, false));
        };
        let path = self.dir.segment(at.segment);
        let sound = SegmentFile::open(&path)
            .ok()
            .and_then(|file| file.block_header(at.offset, data_end).ok()?)
            .is_some();
        if sound || info.damage.contains(&at.offset) {
            return Ok((at, false));
        }
        let to = Position {
            segment: at.segment,
            offset: SEGMENT_HEADER_BYTES,
        };
        self.report.notes.push(format!(
            "the cursor of `{name}` stood at {at}, where no block begins; it goes on at {to}"
        ));
        Ok((to, true))
    }
}

/// The file with a header made from what its first block says.
pub(crate) fn salvage_header(path: &Path, id: u64) -> io::Result<Option<SegmentFile>> {
    use std::os::unix::fs::FileExt;
    let mut bytes = [0; MAX_BLOCK_HEADER];
    let read = File::open(path)?.read_at(&mut bytes, SEGMENT_HEADER_BYTES)?;
    let Some(salt) = bytes[..read].get(4..16).and_then(|s| s.try_into().ok()) else {
        return Ok(None);
    };
    let Some(first) = BlockHeader::decode(&bytes[..read], &salt, SEGMENT_HEADER_BYTES) else {
        return Ok(None);
    };
    let header = SegmentHeader {
        id,
        created_unix_nano: first.appended_unix_nano,
        salt,
    };
    SegmentFile::with_header(path, header).map(Some)
}
