//! Which segments leave, and when.
//!
//! A segment leaves when its last block is older than the window **and** every consumer has passed
//! it. At the byte limit (or on a full disk) segments that every consumer has passed leave earlier.
//! If that is not enough, the options say: push back, or drop the oldest and count what is lost.
//! Always the oldest first; never the active one; never one that a hold covers.

use std::sync::atomic::Ordering;

use crate::append::full_journal;
use crate::catalog::{Segment, State};
use crate::error::AppendError;
use crate::file::SegmentFile;
use crate::format::SEGMENT_HEADER_BYTES;
use crate::options::AtLimit;
use crate::shared::{Shared, lock};
use crate::types::Position;

/// The oldest segment, as far as it may leave.
struct Candidate {
    id: u64,
    bytes: u64,
    last_appended: u64,
    data_end: u64,
    /// Every consumer has passed it.
    passed: bool,
}

/// Removes what is older than the window and passed.
pub(crate) fn expire(shared: &Shared) {
    let _one = lock(&shared.deciding);
    let window = u64::try_from(shared.options.window.as_nanos()).unwrap_or(u64::MAX);
    while let Some(oldest) = candidate(shared) {
        let over = oldest.last_appended.saturating_add(window) < shared.now();
        if !oldest.passed || !over || !remove(shared, &oldest) {
            break;
        }
    }
}

/// Makes room for so many more bytes under the byte limit.
pub(crate) fn make_room(shared: &Shared, bytes: u64) -> Result<(), AppendError> {
    let fits = || {
        let (total, held) = total_and_held(shared);
        let limit = shared.options.max_bytes;
        total.saturating_add(bytes) <= limit.saturating_add(held.min(shared.options.hold_bytes))
    };
    if fits() {
        return Ok(());
    }
    let _one = lock(&shared.deciding);
    while !fits() {
        let gone = match candidate(shared) {
            Some(oldest) if oldest.passed => leave_early(shared, &oldest),
            Some(oldest) if shared.options.at_limit == AtLimit::DropOldest => {
                drop_unread(shared, &oldest)
            }
            _ => false,
        };
        if !gone {
            if shared.full.swap(bytes.max(1), Ordering::Relaxed) == 0 {
                tracing::warn!(
                    limit = shared.options.max_bytes,
                    "the journal has reached its byte limit; senders are told to wait"
                );
            }
            return Err(full_journal());
        }
    }
    Ok(())
}

/// On a full disk: removes passed segments of at least so many bytes. `false` if none could go.
pub(crate) fn relieve(shared: &Shared, bytes: u64) -> bool {
    let _one = lock(&shared.deciding);
    let mut freed = 0;
    while freed < bytes {
        match candidate(shared) {
            Some(oldest) if oldest.passed && leave_early(shared, &oldest) => freed += oldest.bytes,
            _ => break,
        }
    }
    freed > 0
}

/// While the limit refuses appends: tries again, so that they go on by themselves.
pub(crate) fn retry_full(shared: &Shared) {
    let needed = shared.full.load(Ordering::Relaxed);
    if needed > 0 && make_room(shared, needed).is_ok() {
        shared.full.store(0, Ordering::Relaxed);
        tracing::info!("the journal has room again");
    }
}

/// Bytes of all segments, and of those that a hold covers.
pub(crate) fn total_and_held(shared: &Shared) -> (u64, u64) {
    let holds: Vec<(u64, u64)> = lock(&shared.holds).values().copied().collect();
    let catalog = lock(&shared.catalog);
    let held = |segment: &&Segment| holds.iter().any(|hold| covers(*hold, segment));
    let held = catalog.segments.values().filter(held);
    (
        catalog.total_bytes(),
        held.map(|held| held.file_bytes).sum(),
    )
}

fn covers((from, to): (u64, u64), segment: &Segment) -> bool {
    let summary = &segment.summary;
    summary.first_appended_unix_nano <= to && summary.last_appended_unix_nano >= from
}

fn candidate(shared: &Shared) -> Option<Candidate> {
    let floor = floor(shared);
    let held: Vec<(u64, u64)> = lock(&shared.holds).values().copied().collect();
    let catalog = lock(&shared.catalog);
    let (&id, info) = catalog.segments.first_key_value()?;
    let summary = &info.summary;
    if info.state == State::Active || held.iter().any(|hold| covers(*hold, info)) {
        return None;
    }
    Some(Candidate {
        id,
        bytes: info.file_bytes,
        last_appended: summary.last_appended_unix_nano,
        data_end: info.data_end,
        passed: floor.is_none_or(|floor| catalog.passed(id, floor)),
    })
}

/// The place of the slowest consumer.
fn floor(shared: &Shared) -> Option<Position> {
    lock(&shared.consumers)
        .values()
        .map(|c| c.committed())
        .min()
}

fn leave_early(shared: &Shared, segment: &Candidate) -> bool {
    let gone = remove(shared, segment);
    if gone {
        shared.metrics.window_shortened.inc();
    }
    gone
}

/// LOSS-COUNTED: what the slowest consumer had still to read is counted by signal, from the index.
fn drop_unread(shared: &Shared, segment: &Candidate) -> bool {
    let unread_from = match floor(shared) {
        Some(floor) if floor.segment == segment.id => floor.offset,
        _ => SEGMENT_HEADER_BYTES,
    };
    let items = unread_items(shared, segment, unread_from);
    if !remove(shared, segment) {
        return false;
    }
    shared.metrics.window_shortened.inc();
    shared.metrics.lose(items, "journal_limit");
    tracing::error!(
        segment = segment.id,
        items = items.iter().sum::<u64>(),
        "the journal has reached its byte limit and dropped its oldest segment unread"
    );
    let next = lock(&shared.catalog).oldest();
    let consumers: Vec<_> = lock(&shared.consumers).values().cloned().collect();
    consumers.iter().for_each(|c| c.advance(next));
    true
}

fn unread_items(shared: &Shared, segment: &Candidate, from: u64) -> [u64; 3] {
    let whole = || {
        lock(&shared.catalog)
            .segments
            .get(&segment.id)
            .map_or([0; 3], |info| info.summary.items)
    };
    if from <= SEGMENT_HEADER_BYTES {
        return whole();
    }
    let index = SegmentFile::open(&shared.dir.segment(segment.id))
        .ok()
        .and_then(|file| {
            let trailer = file.trailer().ok()??;
            file.index(&trailer).ok()?
        });
    let Some(index) = index else { return whole() };
    let mut items = [0; 3];
    for entry in index.entries.iter().filter(|e| e.offset >= from) {
        if let Some(count) = usize::from(entry.signal)
            .checked_sub(1)
            .and_then(|signal| items.get_mut(signal))
        {
            *count += entry.items;
        }
    }
    debug_assert!(segment.data_end >= from);
    items
}

fn remove(shared: &Shared, segment: &Candidate) -> bool {
    let path = shared.dir.segment(segment.id);
    match shared.env.remove(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "a segment cannot be removed");
            return false;
        }
    }
    lock(&shared.catalog).segments.remove(&segment.id);
    tracing::debug!(segment = segment.id, "a segment left the journal");
    true
}
