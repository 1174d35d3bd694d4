//! Looking at every byte of a journal: every CRC, every digest, every index, every payload.
//!
//! Without `repair` nothing is changed and a gateway may be running. With `repair` the lock is
//! taken; each damaged range is copied to `quarantine/` and a gap block of the same length is put
//! in its place, so that no position moves; index and digest are made again.

mod repair;
mod report;
mod segment;

use std::fs;
use std::path::Path;

pub use report::{Problem, Report, SegmentReport};

use crate::codec::Codecs;
use crate::cursor;
use crate::dir::Dir;
use crate::error::OpenError;
use crate::options::Compression;
use crate::seam::Env;

/// Checks the journal in a directory; with `repair`, mends what can be mended.
///
/// # Errors
/// If there is no journal, if it cannot be read, or, with `repair`, if another process has it open
/// or the disk refuses. What is found wrong is not an error: see [`Report::is_sound`].
pub fn check(dir: &Path, repair: bool) -> Result<Report, OpenError> {
    let root = Dir::new(dir);
    let env = Env::default();
    let list = || {
        root.segment_ids()
            .map_err(OpenError::io("read the journal in", &root.segments()))
    };
    list()?;
    let lock = match repair {
        true => Some(root.lock()?),
        false => None,
    };
    let mut report = Report {
        dir: dir.to_owned(),
        live: lock.is_none() && root.is_locked(),
        ..Report::default()
    };
    let codecs = Codecs::new(Compression::None);
    let ids = list()?;
    for &id in &ids {
        let last = Some(&id) == ids.last();
        let Some(mut seen) = segment::inspect(&root, id, last, report.live, &codecs)? else {
            continue;
        };
        if repair && seen.needs_repair() {
            repair::mend(&root, &env, &mut seen)?;
        }
        report.segments.push(seen.report);
    }
    let mut problems = Vec::new();
    let cursors =
        cursor::read_all(&root, &mut problems).map_err(OpenError::io("list", &root.cursors()))?;
    report.cursors = cursors.len() as u64;
    report.cursor_problems = problems;
    report.quarantined_files = fs::read_dir(root.quarantine()).map_or(0, |d| d.count() as u64);
    Ok(report)
}
