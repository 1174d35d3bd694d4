//! The traces that are known: with spans in this epoch, or in the one before.

use crate::decision::{Decision, Entry};
use crate::sampler::state::Traces;

/// Where a known trace's entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// In the generation of the epoch before.
    pub before: bool,
    pub place: u32,
}

/// What the tables say to a trace's next span.
pub(crate) enum Found {
    /// It is known.
    Known(Place),
    /// It is not, and now has a place in the current generation.
    New(Place),
    /// It is not, and there is no room.
    NoRoom,
}

impl Traces {
    /// The place of a trace that has a span now. It moves on to the current generation, if there
    /// is room: which traces are there depends on the spans of this epoch alone.
    pub(crate) fn touch(&mut self, tenant: u16, id: &[u8; 16], hash: u64) -> Found {
        if let Some((last_tenant, last_id, place)) = &self.last
            && *last_tenant == tenant
            && last_id == id
        {
            return Found::Known(*place);
        }
        let is_tenants = |entry| self.is_tenants(tenant, entry);
        if let Some(place) = self.current.find(hash, id, is_tenants) {
            let place = Place {
                before: false,
                place,
            };
            self.last = Some((tenant, *id, place));
            return Found::Known(place);
        }
        let before = self.previous.find(hash, id, is_tenants);
        let now = self.current.insert(hash, id, 0);
        let here = |place| Place {
            before: false,
            place,
        };
        let found = match (before, now) {
            (None, None) => return Found::NoRoom,
            (None, Some(place)) => Found::New(here(place)),
            (Some(place), None) => Found::Known(Place {
                before: true,
                place,
            }),
            (Some(from), Some(to)) => {
                self.carry(from, to);
                Found::Known(here(to))
            }
        };
        if let Found::Known(place) | Found::New(place) = found {
            self.last = Some((tenant, *id, place));
        }
        found
    }

    /// Moves an entry on to the current generation.
    fn carry(&mut self, from: u32, to: u32) {
        let mut entry = Entry::unpack(self.previous.entry(from));
        match &mut entry {
            Entry::Open(slot) => self.ring.at_mut(*slot).set_place(self.epoch, to),
            Entry::Decided { epoch, .. } => {
                let this = self.epoch as u8 & 3;
                if *epoch != this {
                    // Decided before this epoch began: a checkpoint must tell it.
                    *epoch = this.wrapping_sub(1) & 3;
                    self.carried.push(to);
                }
            }
            // Of the current generation nothing has moved on when it becomes the previous one, and
            // what moves on is found in the next from then on.
            Entry::Moved(_) => return,
        }
        self.current.set(to, entry.pack());
        // Who has noted the old place finds the new one.
        self.previous.set(from, Entry::Moved(to).pack());
    }

    /// Brings what looking at these traces reads nearer, one kind of place after the other. The
    /// tables are far larger than the processor's caches, so each place is a way to memory; those
    /// of several traces are under way at once.
    pub(crate) fn approach(&self, hashes: &[u64]) {
        for hash in hashes {
            self.current.approach(*hash);
            self.previous.approach(*hash);
        }
        for hash in hashes {
            let entry = self.current.come_closer(*hash);
            let entry = entry.or_else(|| self.previous.come_closer(*hash));
            if let Some(Entry::Open(slot)) = entry.map(Entry::unpack) {
                self.ring.approach(slot);
            }
        }
    }

    /// What is said at a place that was noted in an epoch; `None` if its generation has gone.
    #[inline]
    pub(crate) fn noted(&self, epoch: u64, place: u32) -> Option<Entry> {
        if epoch == self.epoch {
            return Some(Entry::unpack(self.current.entry(place)));
        }
        if epoch + 1 != self.epoch {
            return None;
        }
        match Entry::unpack(self.previous.entry(place)) {
            Entry::Moved(to) => Some(Entry::unpack(self.current.entry(to))),
            entry => Some(entry),
        }
    }

    /// The entry of a trace, without touching it.
    pub(crate) fn look_up(&self, tenant: u16, id: &[u8; 16]) -> Option<Entry> {
        let hash = self.seed.hash(id);
        let is_tenants = |entry| self.is_tenants(tenant, entry);
        let found = match self.current.find(hash, id, is_tenants) {
            Some(place) => self.current.entry(place),
            None => {
                let place = self.previous.find(hash, id, is_tenants)?;
                self.previous.entry(place)
            }
        };
        Some(Entry::unpack(found))
    }

    pub(crate) fn entry(&self, at: Place) -> Entry {
        let table = if at.before {
            &self.previous
        } else {
            &self.current
        };
        Entry::unpack(table.entry(at.place))
    }

    pub(crate) fn set_entry(&mut self, at: Place, entry: Entry) {
        let table = if at.before {
            &mut self.previous
        } else {
            &mut self.current
        };
        table.set(at.place, entry.pack());
    }

    /// Puts a decision over what is there, in whichever generation it is.
    pub(crate) fn overlay(&mut self, tenant: u16, id: &[u8; 16], decision: Decision) {
        let hash = self.seed.hash(id);
        let is_tenants = |entry| self.is_tenants(tenant, entry);
        let Some(place) = self.previous.find(hash, id, is_tenants) else {
            return;
        };
        let old = Entry::unpack(self.previous.entry(place));
        if let Entry::Open(slot) = old {
            self.ring.at_mut(slot).close();
        }
        let epoch = (self.epoch as u8).wrapping_sub(1) & 3;
        let new = Entry::Decided {
            tenant,
            decision,
            epoch,
        };
        self.previous.set(place, new.pack());
    }

    #[inline]
    fn is_tenants(&self, tenant: u16, entry: u32) -> bool {
        match Entry::unpack(entry) {
            Entry::Open(slot) => self.ring.at(slot).tenant == tenant,
            Entry::Decided { tenant: whose, .. } => whose == tenant,
            // Asked about another tenant's trace of the same id.
            Entry::Moved(to) => match Entry::unpack(self.current.entry(to)) {
                Entry::Open(slot) => self.ring.at(slot).tenant == tenant,
                Entry::Decided { tenant: whose, .. } => whose == tenant,
                Entry::Moved(_) => false,
            },
        }
    }
}
