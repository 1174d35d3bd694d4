//! Looking at one segment.

use std::fmt::Write as _;
use std::fs::File;
use std::io;

use sha2::Digest;

use super::report::{Problem, SegmentReport};
use crate::codec::Codecs;
use crate::dir::Dir;
use crate::error::OpenError;
use crate::file::{FileFault, SegmentFile};
use crate::format::{Codec, HeaderFault, Index, SEGMENT_HEADER_BYTES, TRAILER_BYTES, Trailer};
use crate::recover::salvage_header;
use crate::scan::{Found, Range, Scan};
use crate::segment::hash_file;
use crate::walk::known_loss;

/// A segment, taken apart.
pub(super) struct Inspection {
    /// `None` if not even its salt is known.
    pub file: Option<SegmentFile>,
    pub parts: Vec<Found>,
    pub report: SegmentReport,
    /// The digest does not hold although every CRC does.
    pub altered: bool,
    /// Sealed, or to be sealed: not the segment that a gateway goes on writing.
    pub finished: bool,
}

impl Inspection {
    pub(super) fn needs_repair(&self) -> bool {
        !self.report.problems.is_empty() || (self.finished && !self.report.sealed)
    }

    fn problem(&mut self, offset: u64, bytes: u64, what: impl Into<String>) {
        self.report.problems.push(Problem {
            offset,
            bytes,
            what: what.into(),
            ..Problem::default()
        });
    }
}

/// Looks at a segment. `None` if it has left the journal meanwhile.
pub(super) fn inspect(
    dir: &Dir,
    id: u64,
    last: bool,
    live: bool,
    codecs: &Codecs,
) -> Result<Option<Inspection>, OpenError> {
    let path = dir.segment(id);
    let failed = |error| OpenError::io("read", &path)(error);
    let mut seen = Inspection {
        file: None,
        parts: Vec::new(),
        report: SegmentReport {
            id,
            path: path.clone(),
            ..SegmentReport::default()
        },
        altered: false,
        finished: !last && !live,
    };
    let file = match SegmentFile::open(&path) {
        Ok(file) => file,
        Err(FileFault::Io(e)) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(FileFault::Io(error)) => return Err(failed(error)),
        Err(FileFault::Header(HeaderFault::TooNew(version))) => {
            return Err(OpenError::TooNew { path, version });
        }
        Err(FileFault::Header(HeaderFault::Damaged)) => {
            let bytes = std::fs::metadata(&path).map_err(failed)?.len();
            seen.report.bytes = bytes;
            if bytes < SEGMENT_HEADER_BYTES && last {
                seen.report.tail_bytes = bytes;
                return Ok(Some(seen));
            }
            match salvage_header(&path, id).map_err(failed)? {
                Some(file) => {
                    seen.problem(0, SEGMENT_HEADER_BYTES, "the segment's header is damaged");
                    file
                }
                None => {
                    seen.problem(0, bytes, "the segment's header and first block are damaged");
                    return Ok(Some(seen));
                }
            }
        }
    };
    let file = file.forgiving();
    if file.header.id != id {
        seen.problem(0, SEGMENT_HEADER_BYTES, "it is another segment's file");
    }
    look_inside(&mut seen, &file, live, codecs).map_err(failed)?;
    seen.file = Some(file);
    Ok(Some(seen))
}

fn look_inside(
    seen: &mut Inspection,
    file: &SegmentFile,
    live: bool,
    codecs: &Codecs,
) -> io::Result<()> {
    let bytes = file.len()?;
    let trailer = file.trailer()?;
    seen.report.bytes = bytes;
    seen.report.sealed = trailer.is_some();
    seen.finished |= trailer.is_some();
    let end = trailer.as_ref().map_or(bytes, |t| t.index_offset);
    let scanned = scan(seen, file, end, codecs)?;
    if let Some(trailer) = trailer {
        check_index(seen, file, &trailer, &scanned)?;
        check_digest(seen, &trailer)?;
        return Ok(());
    }
    // The rest behind the last block of a segment that is not sealed.
    if let Some(Found::Tail(range)) = seen.parts.last().cloned() {
        seen.report.tail_bytes = range.bytes;
        if begins_index(file, &range)? && !live {
            seen.problem(range.offset, range.bytes, "the index or trailer is damaged");
        }
    }
    Ok(())
}

/// All blocks and what lies between them. Gives the index that the sound blocks would have.
fn scan(seen: &mut Inspection, file: &SegmentFile, end: u64, codecs: &Codecs) -> io::Result<Index> {
    let mut index = Index::default();
    let mut scan = Scan::new(file, SEGMENT_HEADER_BYTES, end);
    while let Some(mut found) = scan.next()? {
        if let Found::Block(header) = &found
            && header.codec == Codec::Zstd
            && file.payload(header, codecs)?.is_none()
        {
            found = Found::Damaged(Range::of(header));
        }
        match &found {
            Found::Block(header) => {
                index.add(header);
                match header.codec {
                    Codec::Gap => seen.report.gaps += 1,
                    Codec::None | Codec::Zstd => seen.report.blocks += 1,
                }
            }
            Found::Damaged(range) => damaged(seen, file, *range),
            Found::Tail(range) if seen.report.sealed => damaged(seen, file, *range),
            Found::Tail(_) => {}
        }
        seen.parts.push(found);
    }
    seen.report.items = index.summary.items;
    Ok(index)
}

fn damaged(seen: &mut Inspection, file: &SegmentFile, range: Range) {
    let known = known_loss(file, range);
    seen.report.problems.push(Problem {
        offset: range.offset,
        bytes: range.bytes,
        what: "no block can be read".to_owned(),
        items: known.items,
        set_aside: None,
    });
}

fn check_index(
    seen: &mut Inspection,
    file: &SegmentFile,
    trailer: &Trailer,
    scanned: &Index,
) -> io::Result<()> {
    let (at, bytes) = (trailer.index_offset, trailer.index_bytes);
    let whole = seen.report.problems.is_empty();
    match file.index(trailer)? {
        None => seen.problem(at, bytes, "the index is damaged"),
        Some(index) => {
            let known = |e| index.entries.contains(e);
            let same = match whole {
                true => index.entries == scanned.entries && index.summary == scanned.summary,
                // Of a damaged segment the sound blocks must be in it. Tenants are numbered in
                // order of appearance, so entries are compared without them.
                false => index.entries.len() >= scanned.entries.len(),
            };
            let same = same && (!whole || scanned.entries.iter().all(known));
            if !same || (whole && index.tenants != scanned.tenants) {
                seen.problem(at, bytes, "the index does not agree with the blocks");
            }
        }
    }
    Ok(())
}

fn check_digest(seen: &mut Inspection, trailer: &Trailer) -> io::Result<()> {
    let before = seen.report.bytes - TRAILER_BYTES;
    let digest: [u8; 32] = match hash_file(&mut File::open(&seen.report.path)?, before) {
        Ok(sha) => sha.finalize().into(),
        // Bytes that the disk cannot give have been reported as damage.
        Err(_) if !seen.report.problems.is_empty() => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut hex = String::new();
    for byte in digest {
        let _ = write!(hex, "{byte:02x}");
    }
    seen.report.sha256 = Some(hex);
    if digest != trailer.sha256 && seen.report.problems.is_empty() {
        seen.altered = true;
        seen.problem(
            0,
            before,
            "the SHA-256 does not hold although every CRC does: the file was altered",
        );
    }
    Ok(())
}

fn begins_index(file: &SegmentFile, range: &Range) -> io::Result<bool> {
    let mut word = [0; 16];
    let read = file.read(&mut word, range.offset)?;
    Ok(read == 16 && Index::marker(&file.header.salt) == word)
}
