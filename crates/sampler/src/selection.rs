//! Which items of a block stay: what cutting comes to, small enough to be stored.

use ident::Signal;
use otlp::edit::{Edited, retain};

/// Which items of one block stay, in the order in which they stand in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    items: u32,
    kept: u32,
    /// A bit an item, the first the lowest of the first byte.
    bits: Vec<u8>,
}

impl Selection {
    /// Nothing stays of so many items.
    pub fn none(items: u32) -> Selection {
        Selection {
            items,
            kept: 0,
            bits: vec![0; items.div_ceil(8) as usize],
        }
    }

    /// Forgets all, to be filled anew.
    pub fn clear(&mut self) {
        (self.items, self.kept) = (0, 0);
        self.bits.clear();
    }

    /// The next item stays, or not.
    pub fn push(&mut self, stays: bool) {
        let at = self.items % 8;
        if at == 0 {
            self.bits.push(0);
        }
        if let Some(last) = self.bits.last_mut() {
            *last |= u8::from(stays) << at;
        }
        self.items += 1;
        self.kept += u32::from(stays);
    }

    /// The next items stay, or not: so many.
    pub fn push_all(&mut self, items: u32, stays: bool) {
        for _ in 0..items {
            self.push(stays);
        }
    }

    /// Items in the block.
    pub fn items(&self) -> u32 {
        self.items
    }

    /// Items that stay.
    pub fn kept(&self) -> u32 {
        self.kept
    }

    /// Whether nothing goes.
    pub fn is_whole(&self) -> bool {
        self.kept == self.items
    }

    /// Whether an item stays.
    pub fn stays(&self, item: u32) -> bool {
        let byte = self.bits.get((item / 8) as usize).copied().unwrap_or(0);
        byte >> (item % 8) & 1 == 1
    }

    /// What must be stored beside both counts: nothing where all stay or none do.
    pub fn bitmap(&self) -> &[u8] {
        match self.kept == 0 || self.is_whole() {
            true => &[],
            false => &self.bits,
        }
    }

    /// A selection from what was stored; `None` if that does not fit together.
    pub fn from_stored(items: u32, kept: u32, bitmap: &[u8]) -> Option<Selection> {
        let bytes = items.div_ceil(8) as usize;
        let bits = match kept {
            0 if bitmap.is_empty() => vec![0; bytes],
            _ if kept == items && bitmap.is_empty() => {
                let mut bits = vec![0xff; bytes];
                if let (Some(last), 1..) = (bits.last_mut(), items % 8) {
                    *last = (1 << (items % 8)) - 1;
                }
                bits
            }
            _ => bitmap.to_vec(),
        };
        let found: u32 = bits.iter().map(|byte| byte.count_ones()).sum();
        let good = bits.len() == bytes && found == kept;
        good.then_some(Selection { items, kept, bits })
    }

    /// Takes out what another selection of the same block keeps.
    pub fn remove(&mut self, other: &Selection) {
        for (byte, theirs) in self.bits.iter_mut().zip(&other.bits) {
            *byte &= !theirs;
        }
        self.kept = self.bits.iter().map(|byte| byte.count_ones()).sum();
    }

    /// Copies the items that stay to `out`, which is cleared first; resources and scopes go where
    /// none of their items stays. `false` if nothing was written because the payload is the result.
    ///
    /// # Errors
    /// If the payload is malformed.
    pub fn cut(
        &self,
        signal: Signal,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<bool, otlp::CheckError> {
        out.clear();
        let mut at = 0;
        let edited = retain(signal, payload, out, |_| {
            let stays = self.stays(at);
            at += 1;
            stays
        })?;
        Ok(edited != Edited::Unchanged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back_and_nothing_else() {
        for items in 0..40u32 {
            for step in 1..5 {
                let mut selection = Selection::default();
                (0..items).for_each(|at| selection.push(at % step == 0));
                let stored = (selection.kept(), selection.bitmap().to_vec());
                let read = Selection::from_stored(items, stored.0, &stored.1).unwrap();
                assert_eq!(read, selection);
                assert!((0..items).all(|at| read.stays(at) == (at % step == 0)));
                assert!(!read.stays(items));
                if !stored.1.is_empty() {
                    assert_eq!(Selection::from_stored(items, stored.0 + 1, &stored.1), None);
                    assert_eq!(
                        Selection::from_stored(items, stored.0, &stored.1[1..]),
                        None
                    );
                }
            }
        }
        assert_eq!(Selection::from_stored(9, 3, &[]), None);
    }

    #[test]
    fn what_another_keeps_is_taken_out() {
        let mut all = Selection::from_stored(11, 11, &[]).unwrap();
        let mut some = Selection::default();
        (0..11).for_each(|at| some.push(at % 3 == 0));
        all.remove(&some);
        assert_eq!(all.kept(), 7);
        assert!((0..11).all(|at| all.stays(at) == (at % 3 != 0)));
        let again = all.clone();
        all.remove(&again);
        assert_eq!((all.kept(), all.bitmap().len()), (0, 0));
    }
}
