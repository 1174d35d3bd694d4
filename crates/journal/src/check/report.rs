//! What a check found, for people (`Display`) and programs (`Serialize`).

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// What [`check`](super::check()) found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The journal's directory.
    pub dir: PathBuf,
    /// Another process had it open: the newest segment was still being written.
    pub live: bool,
    /// Every segment, in order.
    pub segments: Vec<SegmentReport>,
    /// Cursors that were looked at.
    pub cursors: u64,
    /// Cursors that cannot be used. Their consumers will begin again at the oldest block.
    pub cursor_problems: Vec<String>,
    /// Files that were set aside earlier or now. Nothing reads them again.
    pub quarantined_files: u64,
}

/// What a check found in one segment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SegmentReport {
    /// Its number.
    pub id: u64,
    /// Its file.
    pub path: PathBuf,
    /// The file's length.
    pub bytes: u64,
    /// It ends in an index and a digest.
    pub sealed: bool,
    /// Sound blocks.
    pub blocks: u64,
    /// Items in them: traces, metrics, logs.
    pub items: [u64; 3],
    /// Blocks that an earlier repair put over damage.
    pub gaps: u64,
    /// The SHA-256 of a sealed segment as it was computed now, in hex.
    pub sha256: Option<String>,
    /// Bytes behind the last sound block of an unsealed segment: a write that is under way, or
    /// that was torn and will be cut off at the next start.
    pub tail_bytes: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// The problems were mended.
    pub repaired: bool,
}

/// One thing that is wrong with a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where it begins in the file.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
    /// What is wrong.
    pub what: String,
    /// Items known to be lost by it: traces, metrics, logs.
    pub items: [u64; 3],
    /// The file that the damaged bytes were copied to.
    pub set_aside: Option<PathBuf>,
}

impl Report {
    /// Nothing is wrong, or all that was is mended.
    pub fn is_sound(&self) -> bool {
        let sound = |s: &SegmentReport| s.repaired || s.problems.is_empty();
        self.segments.iter().all(sound) && self.cursor_problems.is_empty()
    }

    /// Items known to be lost to damage: traces, metrics, logs.
    pub fn items_lost(&self) -> [u64; 3] {
        let problems = self.segments.iter().flat_map(|s| &s.problems);
        problems.fold([0; 3], |[a, b, c], p| {
            [a + p.items[0], b + p.items[1], c + p.items[2]]
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |of: fn(&SegmentReport) -> u64| self.segments.iter().map(of).sum::<u64>();
        for segment in self.segments.iter().filter(|s| !s.problems.is_empty()) {
            write!(f, "{segment}")?;
        }
        for problem in &self.cursor_problems {
            writeln!(f, "{problem}")?;
        }
        writeln!(
            f,
            "{}: {} segments ({} sealed), {} blocks, {} items, {} bytes, {} cursors{}",
            self.dir.display(),
            self.segments.len(),
            sum(|s| u64::from(s.sealed)),
            sum(|s| s.blocks),
            sum(|s| s.items.iter().sum()),
            sum(|s| s.bytes),
            self.cursors,
            if self.live { "; in use" } else { "" },
        )?;
        let tail = sum(|s| s.tail_bytes);
        if tail > 0 {
            let why = match self.live {
                true => "a write is under way",
                false => "a torn write; the next start cuts it off",
            };
            writeln!(f, "{tail} bytes behind the last block: {why}")?;
        }
        if self.quarantined_files > 0 {
            writeln!(f, "{} files in quarantine/", self.quarantined_files)?;
        }
        let problems = sum(|s| s.problems.len() as u64) + self.cursor_problems.len() as u64;
        let lost: u64 = self.items_lost().iter().sum();
        match (problems, self.is_sound()) {
            (0, _) => write!(f, "sound"),
            (n, true) => write!(
                f,
                "{n} problems, all repaired; {lost} items known to be lost"
            ),
            (n, false) => write!(
                f,
                "{n} problems; {lost} items known to be lost\nhint: stop the gateway and run `stella telemetry journal check --repair`"
            ),
        }
    }
}

impl fmt::Display for SegmentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            write!(
                f,
                "{}: {} at byte {} ({} bytes",
                self.path.display(),
                problem.what,
                problem.offset,
                problem.bytes
            )?;
            match problem.items.iter().sum::<u64>() {
                0 => write!(f, ")")?,
                items => write!(f, ", {items} items)")?,
            }
            if let Some(to) = &problem.set_aside {
                write!(f, ", copied to {}", to.display())?;
            }
            writeln!(f, "{}", if self.repaired { ", repaired" } else { "" })?;
        }
        Ok(())
    }
}
