//! The traces that began within `wait`, in the order in which they began, each with what its spans
//! have said so far: 36 bytes.
//!
//! A trace stays until its wait is over, even if it is decided before; then or when the ring is
//! full the oldest leaves. So which traces are in the ring depends on those alone that began after
//! them, which is what makes its content the same after a restart (RESTARTABLE).

use std::collections::VecDeque;

use crate::generation::PLACE_BITS;
use crate::pass::Seen;

/// The state of one trace.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Open {
    bits: [u32; 2],
    /// The earliest start; 0 if no span has times.
    start: [u32; 2],
    /// 48 bits: the latest end after `start`, in nanoseconds.
    extent: [u16; 3],
    pub tenant: u16,
    pub spans: u32,
    /// Saturates, as `spans` does.
    pub bytes: u32,
    /// Where its entry is in the tables; see [`Open::place`].
    place: u32,
}

const _: () = assert!(size_of::<Open>() == 36);

const DEAD: u32 = u32::MAX;
/// Longer traces count as this long: 78 hours.
pub(crate) const MAX_EXTENT: u64 = (1 << 48) - 1;

impl Open {
    pub(crate) fn new(tenant: u16, epoch: u64, place: u32) -> Self {
        let mut open = Open {
            tenant,
            ..Open::default()
        };
        open.set_place(epoch, place);
        open
    }

    pub(crate) fn add(&mut self, seen: &Seen<'_>) {
        self.set_bits(self.bits() | seen.bits);
        self.spans = self.spans.saturating_add(1);
        let bytes = u32::try_from(seen.bytes).unwrap_or(u32::MAX);
        self.bytes = self.bytes.saturating_add(bytes);
        if seen.start == 0 {
            return;
        }
        let end = seen.end.max(seen.start);
        let (start, end) = match self.start() {
            0 => (seen.start, end),
            start => (
                start.min(seen.start),
                start.saturating_add(self.extent()).max(end),
            ),
        };
        self.start = [start as u32, (start >> 32) as u32];
        let extent = (end - start).min(MAX_EXTENT);
        self.extent = [extent as u16, (extent >> 16) as u16, (extent >> 32) as u16];
    }

    pub(crate) fn bits(&self) -> u64 {
        u64::from(self.bits[0]) | u64::from(self.bits[1]) << 32
    }

    pub(crate) fn set_bits(&mut self, bits: u64) {
        self.bits = [bits as u32, (bits >> 32) as u32];
    }

    fn start(&self) -> u64 {
        u64::from(self.start[0]) | u64::from(self.start[1]) << 32
    }

    /// From the earliest start to the latest end, in nanoseconds.
    pub(crate) fn extent(&self) -> u64 {
        let [low, middle, high] = self.extent.map(u64::from);
        low | middle << 16 | high << 32
    }

    /// Where its entry is: in the current generation (`false`) or in the one before (`true`).
    /// `None` if it is decided, or if the generation has gone because there was no room to move on
    /// to the next.
    pub(crate) fn place(&self, epoch: u64) -> Option<(bool, u32)> {
        if self.place == DEAD {
            return None;
        }
        // An entry leaves the ring within two epochs, so two bits tell epochs apart.
        let before = match (epoch as u32).wrapping_sub(self.place >> PLACE_BITS) & 3 {
            0 => false,
            1 => true,
            _ => return None,
        };
        Some((before, self.place & ((1 << PLACE_BITS) - 1)))
    }

    pub(crate) fn set_place(&mut self, epoch: u64, place: u32) {
        self.place = (epoch as u32 & 3) << PLACE_BITS | place;
    }

    /// Whether it is decided.
    pub(crate) fn is_closed(&self) -> bool {
        self.place == DEAD
    }

    /// It is decided.
    pub(crate) fn close(&mut self) {
        self.place = DEAD;
    }
}

/// The ring.
#[derive(Debug)]
pub(crate) struct Ring {
    /// Grows to its limit, and then goes round.
    slots: Vec<Open>,
    limit: usize,
    /// The number of the oldest trace; its slot is this modulo the limit.
    head: u64,
    len: usize,
    /// When traces began, oldest first: a time and how many.
    births: VecDeque<(u64, u32)>,
}

impl Ring {
    pub(crate) fn new(limit: usize) -> Self {
        Ring {
            slots: Vec::with_capacity(limit),
            limit,
            head: 0,
            len: 0,
            births: VecDeque::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len == self.limit
    }

    /// Adds a trace to a ring that is not full; its slot.
    pub(crate) fn push(&mut self, open: Open, now: u64) -> u32 {
        let slot = self.slot(self.head + self.len as u64);
        match self.slots.get_mut(slot as usize) {
            Some(place) => *place = open,
            // Slots are used in order the first time round.
            None => self.slots.push(open),
        }
        self.len += 1;
        match self.births.back_mut() {
            Some((at, count)) if *at == now && *count < u32::MAX => *count += 1,
            _ => self.births.push_back((now, 1)),
        }
        slot
    }

    /// When the oldest trace began.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.births.front().map(|(at, _)| *at)
    }

    /// Takes the oldest trace out; its slot, which stays readable until the next push.
    pub(crate) fn pop(&mut self) -> Option<u32> {
        let (_, count) = self.births.front_mut()?;
        *count -= 1;
        if *count == 0 {
            self.births.pop_front();
        }
        let slot = self.slot(self.head);
        self.head += 1;
        self.len -= 1;
        Some(slot)
    }

    #[inline]
    pub(crate) fn at(&self, slot: u32) -> &Open {
        &self.slots[slot as usize]
    }

    /// Brings the trace in a slot nearer to the processor.
    #[inline]
    pub(crate) fn approach(&self, slot: u32) {
        if let Some(open) = self.slots.get(slot as usize) {
            std::hint::black_box(open.bits[0]);
        }
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, slot: u32) -> &mut Open {
        &mut self.slots[slot as usize]
    }

    /// The number of the trace in a slot, which tells it from later ones there.
    pub(crate) fn number(&self, slot: u32) -> u64 {
        let limit = self.limit as u64;
        let behind = (u64::from(slot) + limit - self.head % limit) % limit;
        self.head + behind
    }

    /// The slot of a numbered trace, if it is still there.
    pub(crate) fn find(&self, number: u64) -> Option<u32> {
        let there = number.wrapping_sub(self.head) < self.len as u64;
        there.then(|| self.slot(number))
    }

    /// When the trace in a slot began.
    pub(crate) fn born(&self, slot: u32) -> Option<u64> {
        let mut behind = self.number(slot).checked_sub(self.head)?;
        for (at, count) in &self.births {
            match behind.checked_sub(u64::from(*count)) {
                Some(rest) => behind = rest,
                None => return Some(*at),
            }
        }
        None
    }

    fn slot(&self, number: u64) -> u32 {
        (number % self.limit as u64) as u32
    }
}

/// The traces whose root has ended, in that order, for those that are decided before their wait is
/// over.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    numbers: VecDeque<u32>,
    /// When, and how many.
    times: VecDeque<(u64, u32)>,
}

impl Quiet {
    pub(crate) fn push(&mut self, ring: &Ring, slot: u32, now: u64) {
        // Each trace in the ring is in here once at the most, so half of this is stale (BOUNDED).
        if self.numbers.len() >= 2 * ring.limit {
            self.compact(ring);
        }
        self.numbers.push_back(ring.number(slot) as u32);
        match self.times.back_mut() {
            Some((at, count)) if *at == now && *count < u32::MAX => *count += 1,
            _ => self.times.push_back((now, 1)),
        }
    }

    pub(crate) fn oldest(&self) -> Option<u64> {
        self.times.front().map(|(at, _)| *at)
    }

    /// Takes the oldest out; its slot, if the trace is still in the ring.
    pub(crate) fn pop(&mut self, ring: &Ring) -> Option<u32> {
        let (_, count) = self.times.front_mut()?;
        *count -= 1;
        if *count == 0 {
            self.times.pop_front();
        }
        let number = self.numbers.pop_front()?;
        ring.find(whole(number, ring.head))
    }

    fn compact(&mut self, ring: &Ring) {
        let mut numbers = std::mem::take(&mut self.numbers).into_iter();
        for (_, count) in &mut self.times {
            let before = self.numbers.len();
            let group = numbers.by_ref().take(*count as usize);
            let stays = |number: &u32| ring.find(whole(*number, ring.head)).is_some();
            self.numbers.extend(group.filter(stays));
            *count = (self.numbers.len() - before) as u32;
        }
        self.times.retain(|(_, count)| *count > 0);
    }
}

/// The number of which the low half is kept: the one nearest to `head`.
fn whole(low: u32, head: u64) -> u64 {
    let off = low.wrapping_sub(head as u32) as i32;
    head.wrapping_add_signed(i64::from(off))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_leaves_first_and_numbers_tell_traces_apart() {
        let mut ring = Ring::new(3);
        let mut quiet = Quiet::default();
        for n in 0..3 {
            let slot = ring.push(Open::new(n, 0, 0), u64::from(n) * 10);
            quiet.push(&ring, slot, u64::from(n) * 10 + 5);
        }
        assert!(ring.is_full());
        assert_eq!(ring.oldest(), Some(0));
        assert_eq!(ring.pop(), Some(0));
        let slot = ring.push(Open::new(3, 0, 0), 30);
        assert_eq!((slot, ring.number(slot), ring.born(slot)), (0, 3, Some(30)));
        assert_eq!(quiet.pop(&ring), None, "the first trace has gone");
        assert_eq!(quiet.oldest(), Some(15));
        assert_eq!(quiet.pop(&ring), Some(1));
        assert_eq!(quiet.pop(&ring), Some(2));
        assert_eq!((quiet.pop(&ring), quiet.oldest()), (None, None));
    }

    /// BOUNDED: what has left the ring does not stay in the queue for ever.
    #[test]
    fn the_quiet_queue_forgets_what_has_left_the_ring() {
        let mut ring = Ring::new(4);
        let mut quiet = Quiet::default();
        for n in 0..1000u64 {
            if ring.is_full() {
                ring.pop();
            }
            let slot = ring.push(Open::default(), n);
            quiet.push(&ring, slot, n);
            assert!(quiet.numbers.len() <= 8);
            let counted: u32 = quiet.times.iter().map(|(_, count)| count).sum();
            assert_eq!(counted as usize, quiet.numbers.len());
        }
        while quiet.oldest() < Some(996) {
            assert_eq!(quiet.pop(&ring), None);
        }
        assert!(quiet.pop(&ring).is_some());
    }
}
