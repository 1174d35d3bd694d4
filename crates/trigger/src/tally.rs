//! Counts over a window that moves with the time of blocks.

/// In how many parts a window moves.
pub(crate) const SLOTS: u64 = 12;

/// Hits of items, of the slot at hand and the eleven before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    slots: [(u32, u32); SLOTS as usize],
    hits: u64,
    items: u64,
    /// The newest slot that was counted in, counted from 1970.
    newest: u64,
    /// The slot in which it last fired.
    pub fired: Option<u64>,
}

impl Tally {
    /// Counts, and says what the window holds: hits, items.
    pub(crate) fn add(&mut self, slot: u64, hits: u32, items: u32) -> (u64, u64) {
        self.move_to(slot);
        if let Some(own) = self.slots.get_mut((slot % SLOTS) as usize) {
            // What no longer fits is not counted on either side of the sum.
            let (more_hits, more_items) = (hits.min(u32::MAX - own.0), items.min(u32::MAX - own.1));
            *own = (own.0 + more_hits, own.1 + more_items);
            self.hits += u64::from(more_hits);
            self.items += u64::from(more_items);
        }
        (self.hits, self.items)
    }

    /// Whether the window holds nothing at this slot.
    pub(crate) fn is_over(&self, slot: u64) -> bool {
        slot >= self.newest.saturating_add(SLOTS)
    }

    fn move_to(&mut self, slot: u64) {
        let steps = slot.saturating_sub(self.newest).min(SLOTS);
        for step in 0..steps {
            let at = (slot - step) % SLOTS;
            if let Some(own) = self.slots.get_mut(at as usize) {
                let (hits, items) = std::mem::take(own);
                self.hits -= u64::from(hits);
                self.items -= u64::from(items);
            }
        }
        self.newest = self.newest.max(slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantees: the sums are those of a naive list, over any steps of time.
    #[test]
    fn it_holds_a_window() {
        let mut seed = 7_u64;
        let mut next = |most: u64| {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (seed >> 33) % most
        };
        for _ in 0..200 {
            let (mut tally, mut all, mut slot) = (Tally::default(), Vec::new(), next(50));
            for _ in 0..100 {
                slot += if next(10) == 0 { next(30) } else { next(2) };
                let (hits, items) = (next(5), 5 + next(5));
                all.push((slot, hits, items));
                let within = all.iter().filter(|(at, ..)| at + SLOTS > slot);
                let sums = within.fold((0, 0), |sum, (_, h, i)| (sum.0 + h, sum.1 + i));
                assert_eq!(tally.add(slot, hits as u32, items as u32), sums);
            }
            assert!(!tally.is_over(slot + SLOTS - 1) && tally.is_over(slot + SLOTS));
        }
    }

    #[test]
    fn it_does_not_overflow() {
        let mut tally = Tally::default();
        for _ in 0..3 {
            tally.add(5, u32::MAX, u32::MAX);
        }
        assert_eq!(tally.add(5 + SLOTS, 0, 1), (0, 1));
    }
}
