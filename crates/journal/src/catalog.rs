//! Which segments there are and how far each is readable.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::{SEGMENT_HEADER_BYTES, Summary};
use crate::types::{Position, Stats};

/// What a segment may have done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Is written.
    Active,
    /// Has its last block, waits for its index.
    Closed,
    /// Has index and trailer.
    Sealed,
}

#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub state: State,
    /// Where its blocks end: nothing behind it is read.
    pub data_end: u64,
    /// The length of its file.
    pub file_bytes: u64,
    pub summary: Summary,
    /// Offsets of damaged ranges that were already counted; bounded by [`MAX_DAMAGE`].
    pub damage: BTreeSet<u64>,
}

const MAX_DAMAGE: usize = 4096;

impl Segment {
    pub(crate) fn new(state: State, data_end: u64, file_bytes: u64, summary: Summary) -> Self {
        Segment {
            state,
            data_end,
            file_bytes,
            summary,
            damage: BTreeSet::new(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Catalog {
    pub segments: BTreeMap<u64, Segment>,
}

/// Where a position stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A block begins here, in a segment whose blocks end at this offset.
    Inside { data_end: u64 },
    /// Everything before is read; go on here.
    GoTo(Position),
    /// Nothing has been written here yet.
    End,
}

impl Catalog {
    pub(crate) fn total_bytes(&self) -> u64 {
        self.segments.values().map(|s| s.file_bytes).sum()
    }

    pub(crate) fn oldest(&self) -> Position {
        let segment = self.segments.keys().next().copied().unwrap_or(1);
        Position {
            segment,
            offset: SEGMENT_HEADER_BYTES,
        }
    }

    /// The place after the newest block.
    pub(crate) fn newest(&self) -> Position {
        match self.segments.last_key_value() {
            Some((&segment, info)) => Position {
                segment,
                offset: info.data_end,
            },
            None => self.oldest(),
        }
    }

    /// Where the first segment begins that has a block which was appended at a time or later.
    pub(crate) fn position_at(&self, unix_nano: u64) -> Position {
        let all_before = |info: &Segment| {
            info.summary.blocks > 0 && info.summary.last_appended_unix_nano < unix_nano
        };
        // The last one is still written.
        let last = self.segments.last_key_value();
        let found = self.segments.iter().find(|(_, info)| !all_before(info));
        match found.or(last) {
            Some((&segment, _)) => Position {
                segment,
                offset: SEGMENT_HEADER_BYTES,
            },
            None => self.oldest(),
        }
    }

    pub(crate) fn place(&self, at: Position) -> Place {
        let start = |segment: u64| {
            Place::GoTo(Position {
                segment,
                offset: SEGMENT_HEADER_BYTES,
            })
        };
        match self.segments.get(&at.segment) {
            Some(info) if at.offset < SEGMENT_HEADER_BYTES => {
                debug_assert!(info.data_end >= SEGMENT_HEADER_BYTES);
                start(at.segment)
            }
            Some(info) if at.offset < info.data_end => Place::Inside {
                data_end: info.data_end,
            },
            _ => match self.segments.range(at.segment.saturating_add(1)..).next() {
                Some((&later, _)) => start(later),
                None => Place::End,
            },
        }
    }

    /// Whether everything in the segment lies before `at`.
    pub(crate) fn passed(&self, segment: u64, at: Position) -> bool {
        match self.segments.get(&segment) {
            Some(info) => {
                at >= Position {
                    segment,
                    offset: info.data_end,
                }
            }
            None => true,
        }
    }

    /// Bytes of blocks from `at` on.
    pub(crate) fn bytes_after(&self, at: Position) -> u64 {
        self.segments
            .range(at.segment..)
            .map(|(&id, info)| {
                let from = match id == at.segment {
                    true => at.offset.max(SEGMENT_HEADER_BYTES),
                    false => SEGMENT_HEADER_BYTES,
                };
                info.data_end.saturating_sub(from)
            })
            .sum()
    }

    /// Remembers damage; `false` if it was known.
    pub(crate) fn note_damage(&mut self, segment: u64, offset: u64) -> bool {
        match self.segments.get_mut(&segment) {
            Some(info) if info.damage.len() < MAX_DAMAGE => info.damage.insert(offset),
            _ => false,
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let filled = || self.segments.values().filter(|s| s.summary.blocks > 0);
        Stats {
            segments: self.segments.len() as u64,
            bytes: self.total_bytes(),
            blocks: self.segments.values().map(|s| s.summary.blocks).sum(),
            items: filled().map(|s| s.summary.total_items()).sum(),
            oldest_unix_nano: filled()
                .next()
                .map_or(0, |s| s.summary.first_appended_unix_nano),
            newest_unix_nano: filled()
                .next_back()
                .map_or(0, |s| s.summary.last_appended_unix_nano),
            oldest: self.oldest(),
            newest: self.newest(),
            pending_bytes: 0,
        }
    }
}
