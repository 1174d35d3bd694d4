//! Mending one segment: damaged ranges are copied aside and covered by gap blocks of the same
//! length, so that every position keeps its meaning; then index and digest are made again.
//!
//! The new file is complete and synced before it takes the old one's name.

use std::fs;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use super::segment::Inspection;
use crate::dir::{Dir, make_private};
use crate::error::OpenError;
use crate::file::SegmentFile;
use crate::format::{
    BlockHeader, Codec, Index, MIN_BLOCK_HEADER, SEGMENT_HEADER_BYTES, SegmentHeader,
};
use crate::scan::{Found, Range};
use crate::seam::Env;
use crate::segment::ActiveSegment;

/// The longest gap that one block covers.
const MAX_GAP: u64 = 64 << 20;
const PIECE: usize = 256 << 10;

pub(super) fn mend(dir: &Dir, env: &Env, seen: &mut Inspection) -> Result<(), OpenError> {
    let path = seen.report.path.clone();
    let failed = |error| OpenError::io("repair", &path)(error);
    let quarantine = dir.quarantine();
    make_private(&quarantine).map_err(OpenError::io("make", &quarantine))?;
    let Some(file) = seen.file.take() else {
        return set_whole_aside(dir, env, seen).map_err(failed);
    };
    if seen.altered {
        let to = free_name(&quarantine, &format!("{:020}-altered.seg", seen.report.id));
        fs::copy(&path, &to).map_err(failed)?;
        seen.report
            .problems
            .iter_mut()
            .for_each(|p| p.set_aside = Some(to.clone()));
    }
    if seen
        .parts
        .iter()
        .any(|part| too_short(part, seen.report.sealed))
    {
        return Ok(());
    }
    rewrite(dir, env, seen, &file).map_err(failed)?;
    seen.report.repaired = true;
    Ok(())
}

/// Not even the salt is known: no block of it can be told from noise.
fn set_whole_aside(dir: &Dir, env: &Env, seen: &mut Inspection) -> io::Result<()> {
    let to = free_name(&dir.quarantine(), &format!("{:020}.seg", seen.report.id));
    env.rename(&seen.report.path, &to)?;
    env.sync_dir(&dir.segments())?;
    seen.report
        .problems
        .iter_mut()
        .for_each(|p| p.set_aside = Some(to.clone()));
    seen.report.repaired = true;
    Ok(())
}

fn rewrite(dir: &Dir, env: &Env, seen: &mut Inspection, old: &SegmentFile) -> io::Result<()> {
    let id = seen.report.id;
    let new_path = dir.segments().join(format!("{id:020}.seg.new"));
    let _ = fs::remove_file(&new_path);
    let new = env.create(&new_path)?;
    let header = SegmentHeader { id, ..old.header };
    env.write_at(&new, &new_path, &mut [IoSlice::new(&header.encode())], 0)?;
    let mut index = Index::default();
    let mut end = SEGMENT_HEADER_BYTES;
    for part in &seen.parts {
        match part {
            Found::Block(block) => {
                copy(env, old, &new, &new_path, block.offset, block.total_bytes())?;
                index.add(block);
                end = block.offset + block.total_bytes();
            }
            // The torn end of a segment without a trailer.
            Found::Tail(_) if !seen.report.sealed => {}
            Found::Damaged(range) | Found::Tail(range) => {
                let to = keep_copy(dir, old, id, range)?;
                for problem in &mut seen.report.problems {
                    if problem.offset == range.offset {
                        problem.set_aside = Some(to.clone());
                    }
                }
                for gap in gaps(range) {
                    let mut bytes = Vec::new();
                    gap.encode(&header.salt, &mut bytes);
                    bytes.resize(gap.total_bytes() as usize, 0);
                    env.write_at(&new, &new_path, &mut [IoSlice::new(&bytes)], gap.offset)?;
                    end = gap.offset + gap.total_bytes();
                    index.add(&gap);
                }
            }
        }
    }
    let mut segment = ActiveSegment::resume(new, new_path.clone(), header, end, index);
    segment
        .seal(env, true)
        .map_err(|trouble| io::Error::new(trouble.kind, trouble.to_string()))?;
    env.rename(&new_path, &seen.report.path)?;
    env.sync_dir(&dir.segments())
}

fn copy(
    env: &Env,
    old: &SegmentFile,
    new: &fs::File,
    new_path: &Path,
    mut at: u64,
    bytes: u64,
) -> io::Result<()> {
    let end = at + bytes;
    let mut piece = vec![0; PIECE];
    while at < end {
        let want = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
        let read = old.read(&mut piece[..want], at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        env.write_at(new, new_path, &mut [IoSlice::new(&piece[..read])], at)?;
        at += read as u64;
    }
    Ok(())
}

/// Copies a damaged range to the quarantine, durably.
fn keep_copy(dir: &Dir, old: &SegmentFile, id: u64, range: &Range) -> io::Result<PathBuf> {
    let name = format!("{id:020}-{}-{}.bin", range.offset, range.bytes);
    let to = free_name(&dir.quarantine(), &name);
    let real = Env::default();
    let file = real.create(&to)?;
    let mut at = 0;
    let mut piece = vec![0; PIECE];
    while at < range.bytes {
        let want = usize::try_from(range.bytes - at)
            .unwrap_or(PIECE)
            .min(PIECE);
        let read = old.read(&mut piece[..want], range.offset + at)?;
        if read == 0 {
            break;
        }
        real.write_at(&file, &to, &mut [IoSlice::new(&piece[..read])], at)?;
        at += read as u64;
    }
    file.sync_all()?;
    real.sync_dir(&dir.quarantine())?;
    Ok(to)
}

/// A damaged range held at least one block, so it is never too short for a gap's header. One that
/// is cannot have come from us; its segment stays as it is.
fn too_short(part: &Found, sealed: bool) -> bool {
    match part {
        Found::Block(_) => false,
        Found::Tail(_) if !sealed => false,
        Found::Damaged(range) | Found::Tail(range) => range.bytes < MIN_BLOCK_HEADER as u64,
    }
}

/// The gap blocks that cover a range.
fn gaps(range: &Range) -> Vec<BlockHeader> {
    let shortest = MIN_BLOCK_HEADER as u64;
    let mut gaps = Vec::new();
    let (mut at, mut rest) = (range.offset, range.bytes);
    while rest >= shortest {
        let mut length = rest.min(MAX_GAP);
        if rest - length > 0 && rest - length < shortest {
            length -= shortest;
        }
        let payload = length - shortest;
        gaps.push(BlockHeader {
            codec: Codec::Gap,
            owner: None,
            records: 0,
            stored_bytes: payload as u32,
            raw_bytes: 0,
            payload_crc: crc32c::crc32c(&vec![0; payload as usize]),
            items: 0,
            min_time_unix_nano: 0,
            max_time_unix_nano: 0,
            appended_unix_nano: 0,
            offset: at,
        });
        at += length;
        rest -= length;
    }
    gaps
}

fn free_name(dir: &Path, name: &str) -> PathBuf {
    let mut path = dir.join(name);
    let mut number = 1;
    while path.exists() {
        path = dir.join(format!("{name}.{number}"));
        number += 1;
    }
    path
}
