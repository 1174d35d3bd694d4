//! Where the traces of blocks that are not cut yet stand in the tables.
//!
//! Observing a span finds its trace's place; `wait` later, cutting asks for it again. A place stays
//! the same for as long as its generation does, so it is noted: 4 bytes for up to eight spans in a
//! row of one trace. A block that is noted is cut without being walked, and without a search.
//!
//! It is a short cut only: what is not noted is looked up, with the same result. BOUNDED: beyond
//! its limit nothing is noted, until something is cut.

use std::collections::VecDeque;

use journal::{Block, Position};

use crate::generation::PLACE_BITS;

/// Spans that one note can stand for.
const LONGEST: u32 = 8;
/// One block needs as much as so many notes.
const BLOCK: usize = size_of::<Noted>() / size_of::<u32>();

#[derive(Clone, Copy, Debug)]
struct Noted {
    at: Position,
    appended_unix_nano: u64,
    /// The generation that all of its places are in.
    epoch: u64,
    spans: u32,
    notes: u32,
}

/// The notes of blocks, in the order of the log.
#[derive(Debug)]
pub(crate) struct Trail {
    blocks: VecDeque<Noted>,
    /// A place, and above it how many spans follow in the same.
    notes: VecDeque<u32>,
    limit: usize,
    /// The block that is being observed, unless it cannot be noted.
    open: Option<Noted>,
}

/// The notes of one block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub epoch: u64,
    /// Its first note and the one after its last, for [`Trail::note`].
    pub first: usize,
    pub end: usize,
}

impl Trail {
    pub(crate) fn new(limit: usize) -> Self {
        Trail {
            blocks: VecDeque::new(),
            notes: VecDeque::with_capacity(limit),
            limit,
            open: None,
        }
    }

    /// What the notes of a limit take, beside a little for each block.
    pub(crate) fn bytes(limit: usize) -> usize {
        limit * size_of::<u32>()
    }

    /// A block is observed in an epoch. Those that cannot be cut any more, since it came `wait`
    /// after them or later, are forgotten.
    pub(crate) fn begin(&mut self, block: &Block, now: u64, epoch: u64, wait: u64) {
        while let Some(first) = self.blocks.front()
            && first.appended_unix_nano.saturating_add(wait) <= now
        {
            self.forget_first();
        }
        self.open = Some(Noted {
            at: block.position,
            appended_unix_nano: block.appended_unix_nano,
            epoch,
            spans: 0,
            notes: 0,
        });
    }

    /// The next span's trace is at this place of the current generation; `None` if it is not.
    #[inline]
    pub(crate) fn push(&mut self, place: Option<u32>) {
        let Some(open) = &mut self.open else { return };
        let Some(place) = place else {
            return self.give_up();
        };
        open.spans += 1;
        if open.notes > 0
            && let Some(last) = self.notes.back_mut()
            && *last & ((1 << PLACE_BITS) - 1) == place
            && *last >> PLACE_BITS < LONGEST - 1
        {
            *last += 1 << PLACE_BITS;
            return;
        }
        if self.notes.len() + (self.blocks.len() + 1) * BLOCK >= self.limit {
            return self.give_up();
        }
        open.notes += 1;
        self.notes.push_back(place);
    }

    /// The block was observed. It is noted if that went as far as its items do.
    pub(crate) fn end(&mut self, items: u64) {
        match &self.open {
            Some(open) if u64::from(open.spans) == items => self.blocks.extend(self.open.take()),
            _ => self.give_up(),
        }
    }

    fn give_up(&mut self) {
        if let Some(open) = self.open.take() {
            let left = self.notes.len().saturating_sub(open.notes as usize);
            self.notes.truncate(left);
        }
    }

    /// The notes of a block, which is being cut: those before it are forgotten.
    pub(crate) fn find(&mut self, block: &Block) -> Option<Found> {
        while self.blocks.front()?.at < block.position {
            self.forget_first();
        }
        let first = self.blocks.front()?;
        let same = first.at == block.position
            && first.appended_unix_nano == block.appended_unix_nano
            && u64::from(first.spans) == block.items;
        same.then_some(Found {
            epoch: first.epoch,
            first: 0,
            end: first.notes as usize,
        })
    }

    /// A place, and of how many spans in a row.
    #[inline]
    pub(crate) fn note(&self, at: usize) -> Option<(u32, u32)> {
        let note = self.notes.get(at)?;
        Some((note & ((1 << PLACE_BITS) - 1), (note >> PLACE_BITS) + 1))
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.blocks.pop_front() {
            self.notes.drain(..first.notes as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ident::{Signal, TenantId};

    fn block(number: u64, items: u64) -> Block {
        let at = |offset| Position { segment: 1, offset };
        Block {
            position: at(number),
            next: at(number + 1),
            tenant: TenantId::default_tenant(),
            signal: Signal::Traces,
            items,
            records: 1,
            min_time_unix_nano: 0,
            max_time_unix_nano: 0,
            appended_unix_nano: number * 10,
            payload: Default::default(),
        }
    }

    fn observe(trail: &mut Trail, block: &Block, places: &[Option<u32>]) {
        trail.begin(block, block.appended_unix_nano, 7, 100);
        places.iter().for_each(|place| trail.push(*place));
        trail.end(block.items);
    }

    fn places(trail: &mut Trail, block: &Block) -> Option<Vec<u32>> {
        let found = trail.find(block)?;
        let notes = (found.first..found.end).filter_map(|at| trail.note(at));
        Some(
            notes
                .flat_map(|(place, spans)| (0..spans).map(move |_| place))
                .collect(),
        )
    }

    #[test]
    fn what_is_noted_is_found_until_it_is_too_late() {
        let mut trail = Trail::new(1000);
        let wanted = |n: u64| -> Vec<u32> { (0..40).map(|at| (at / (n as u32 + 1)) % 5).collect() };
        for n in 0..20 {
            let places: Vec<_> = wanted(n).into_iter().map(Some).collect();
            observe(&mut trail, &block(n, 40), &places);
        }
        assert_eq!(places(&mut trail, &block(9, 40)), None, "100 later than it");
        for n in [10, 10, 11, 15, 19] {
            assert_eq!(places(&mut trail, &block(n, 40)), Some(wanted(n)), "{n}");
        }
        assert_eq!(places(&mut trail, &block(12, 40)), None, "before the last");
        trail.begin(&block(1000, 0), 10_000, 7, 100);
        assert_eq!((trail.blocks.len(), trail.notes.len()), (0, 0));
    }

    /// BOUNDED; and what could not be noted leaves nothing behind.
    #[test]
    fn a_block_is_noted_wholly_or_not_at_all() {
        let mut trail = Trail::new(3 * BLOCK + 10);
        observe(&mut trail, &block(1, 3), &[Some(1), None, Some(2)]);
        observe(&mut trail, &block(2, 3), &[Some(1), Some(2)]);
        let many: Vec<_> = (0..1000).map(Some).collect();
        observe(&mut trail, &block(3, 1000), &many);
        assert_eq!((trail.blocks.len(), trail.notes.len()), (0, 0));
        observe(&mut trail, &block(4, 2), &[Some(5), Some(6)]);
        assert_eq!(places(&mut trail, &block(3, 1000)), None);
        assert_eq!(places(&mut trail, &block(4, 3)), None, "of other items");
        assert_eq!(places(&mut trail, &block(4, 2)), Some(vec![5, 6]));
    }
}
