//! Which blocks are dealt with, and how far the cursor may move.
//!
//! RESTARTABLE: the cursor moves only over contiguous blocks that are dealt with, whatever the
//! order in which requests end.

use std::collections::{BTreeSet, VecDeque};

use journal::Position;

#[derive(Debug)]
struct Entry {
    position: Position,
    next: Position,
    done: bool,
}

/// The blocks after the cursor that were read, in the order of the journal.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: VecDeque<Entry>,
    /// The number of the first entry.
    first: u64,
    /// Dealt with before a rewind: not to be sent again. BOUNDED by the entries there were.
    done_ahead: BTreeSet<Position>,
}

impl Ledger {
    /// Notes a block that was read. Returns its number, or `None` if it is dealt with already.
    pub(crate) fn add(&mut self, position: Position, next: Position) -> Option<u64> {
        let done = self.done_ahead.remove(&position);
        let number = self.first + self.entries.len() as u64;
        self.entries.push_back(Entry {
            position,
            next,
            done,
        });
        (!done).then_some(number)
    }

    /// A block is dealt with.
    pub(crate) fn done(&mut self, number: u64) {
        let at = number
            .checked_sub(self.first)
            .and_then(|at| usize::try_from(at).ok());
        if let Some(entry) = at.and_then(|at| self.entries.get_mut(at)) {
            entry.done = true;
        }
    }

    /// How far the cursor may move now, if it may.
    pub(crate) fn advance(&mut self) -> Option<Position> {
        let mut upto = None;
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.done) {
            self.first += 1;
            upto = Some(entry.next);
        }
        upto
    }

    /// Forgets what is not dealt with: reading begins at the cursor again.
    pub(crate) fn rewind(&mut self) {
        self.first += self.entries.len() as u64;
        let done = self.entries.drain(..).filter(|entry| entry.done);
        self.done_ahead.extend(done.map(|entry| entry.position));
    }

    /// Blocks that are not dealt with, or wait for such before them.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() + self.done_ahead.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Position {
        Position { segment: 1, offset }
    }

    fn add(ledger: &mut Ledger, offset: u64) -> Option<u64> {
        ledger.add(at(offset), at(offset + 1))
    }

    /// Guarantees: RESTARTABLE; nothing is committed past a block that is not dealt with.
    #[test]
    fn moves_only_over_contiguous_blocks() {
        let mut ledger = Ledger::default();
        let numbers: Vec<u64> = (0..4).filter_map(|i| add(&mut ledger, i)).collect();
        ledger.done(numbers[1]);
        ledger.done(numbers[3]);
        assert_eq!(ledger.advance(), None);
        ledger.done(numbers[0]);
        assert_eq!(ledger.advance(), Some(at(2)));
        assert_eq!(ledger.advance(), None);
        ledger.done(numbers[2]);
        assert_eq!(ledger.advance(), Some(at(4)));
        assert_eq!(ledger.len(), 0);
    }

    #[test]
    fn what_was_dealt_with_before_a_rewind_is_not_sent_again() {
        let mut ledger = Ledger::default();
        let numbers: Vec<u64> = (0..3).filter_map(|i| add(&mut ledger, i)).collect();
        ledger.done(numbers[1]);
        ledger.rewind();
        ledger.done(numbers[0]); // a straggler; its block is read again
        assert_eq!(ledger.advance(), None);

        let first = add(&mut ledger, 0).unwrap();
        assert!(!numbers.contains(&first));
        assert_eq!(add(&mut ledger, 1), None);
        let third = add(&mut ledger, 2).unwrap();
        ledger.done(first);
        assert_eq!(ledger.advance(), Some(at(2)));
        ledger.done(third);
        assert_eq!(ledger.advance(), Some(at(3)));
        assert_eq!(ledger.len(), 0);
    }
}
