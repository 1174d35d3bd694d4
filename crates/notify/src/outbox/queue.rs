//! What of one target's messages is sent next, and what makes room. Pure: no I/O, and the time is
//! given, in milliseconds since 1970.

use std::collections::{BTreeMap, HashSet};

use crate::event::Digest;

/// No wait is longer, whatever a clock that was set back makes of it: an hour that a target may ask
/// for, and what jitter may add to our own longest.
pub(crate) const MAX_WAIT_MS: u64 = 3600 * 1000;

/// A message that waits. Its event is in its file.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub digest: Digest,
    pub subject: String,
    pub bytes: u64,
    pub since_ms: u64,
    pub attempts: u32,
    pub due_ms: u64,
    pub in_flight: bool,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Send this one.
    Send(u64),
    /// Nothing before this time, unless something is put.
    Wait(u64),
    /// Nothing.
    Idle,
}

/// The messages of one target that wait, by their numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    waiting: BTreeMap<u64, Waiting>,
    bytes: u64,
    /// Failures of the target in a row, whatever was sent.
    pub failures: u32,
    /// Until when the target is left alone.
    pub not_before_ms: u64,
}

impl Queue {
    pub(crate) fn insert(&mut self, number: u64, waiting: Waiting) {
        self.bytes += waiting.bytes;
        if let Some(old) = self.waiting.insert(number, waiting) {
            self.bytes -= old.bytes;
        }
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<Waiting> {
        let gone = self.waiting.remove(&number)?;
        self.bytes -= gone.bytes;
        Some(gone)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Waiting> {
        self.waiting.get_mut(&number)
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Since when the oldest waits.
    pub(crate) fn oldest_ms(&self) -> Option<u64> {
        self.waiting.values().map(|waiting| waiting.since_ms).min()
    }

    /// The next to send. Only the first of each subject may be sent, so that order is kept within a
    /// subject; of these the one that failed least, so that one message that always fails does not
    /// keep the others from going.
    pub(crate) fn next(&self, now_ms: u64) -> Next {
        let mut subjects = HashSet::new();
        let firsts = self
            .waiting
            .iter()
            .filter(|(_, waiting)| subjects.insert(waiting.subject.as_str()))
            .filter(|(_, waiting)| !waiting.in_flight);
        let firsts: Vec<_> = firsts.collect();
        let soon = |at_ms: u64| at_ms.min(now_ms + MAX_WAIT_MS);
        let open_ms = soon(self.not_before_ms);
        let due = |waiting: &Waiting| soon(waiting.due_ms).max(open_ms);
        let ready = firsts
            .iter()
            .filter(|(_, waiting)| due(waiting) <= now_ms)
            .min_by_key(|(number, waiting)| (waiting.attempts, **number));
        if let Some((number, _)) = ready {
            return Next::Send(**number);
        }
        let first = firsts.iter().map(|(_, waiting)| due(waiting)).min();
        first.map_or(Next::Idle, Next::Wait)
    }

    /// Those that have waited for longer than `max_age_ms`.
    pub(crate) fn too_old(&self, now_ms: u64, max_age_ms: u64) -> Vec<u64> {
        let old = self.waiting.iter().filter(|(_, waiting)| {
            !waiting.in_flight && now_ms.saturating_sub(waiting.since_ms) > max_age_ms
        });
        old.map(|(number, _)| *number).collect()
    }

    /// The oldest that have to go so that one of so many bytes fits.
    pub(crate) fn in_the_way(&self, bytes: u64, max_entries: usize, max_bytes: u64) -> Vec<u64> {
        let (mut entries_left, mut bytes_left) = (self.len(), self.bytes);
        let mut going = Vec::new();
        for (number, waiting) in &self.waiting {
            if entries_left < max_entries && bytes_left + bytes <= max_bytes {
                break;
            }
            if waiting.in_flight {
                continue;
            }
            going.push(*number);
            entries_left -= 1;
            bytes_left -= waiting.bytes;
        }
        going
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(subject: &str) -> Waiting {
        Waiting {
            digest: Digest::of(subject),
            subject: subject.to_owned(),
            bytes: 10,
            since_ms: 0,
            attempts: 0,
            due_ms: 0,
            in_flight: false,
        }
    }

    fn queue(subjects: &[&str]) -> Queue {
        let mut queue = Queue::default();
        for (number, subject) in subjects.iter().enumerate() {
            queue.insert(number as u64, waiting(subject));
        }
        queue
    }

    /// Guarantees: a later message of a subject waits behind the earlier; those of others do not.
    #[test]
    fn order_is_kept_within_a_subject() {
        let mut queue = queue(&["a", "a", "b"]);
        assert_eq!(queue.next(0), Next::Send(0));
        queue.get_mut(0).unwrap().due_ms = 100;
        assert_eq!(queue.next(0), Next::Send(2));
        queue.get_mut(2).unwrap().in_flight = true;
        assert_eq!(queue.next(0), Next::Wait(100));
        queue.remove(0);
        assert_eq!(queue.next(0), Next::Send(1));
    }

    /// Guarantees: one that fails again and again does not keep the others from going.
    #[test]
    fn the_one_that_failed_least_goes_first() {
        let mut queue = queue(&["a", "b"]);
        queue.get_mut(0).unwrap().attempts = 3;
        assert_eq!(queue.next(0), Next::Send(1));
    }

    /// Guarantees: a target that asked to be left alone is, and a clock that is set back holds
    /// nothing up for longer than an hour.
    #[test]
    fn waits_are_kept_and_bounded() {
        let mut queue = queue(&["a"]);
        queue.not_before_ms = 500;
        assert_eq!(queue.next(499), Next::Wait(500));
        assert_eq!(queue.next(500), Next::Send(0));
        queue.get_mut(0).unwrap().due_ms = u64::MAX;
        assert_eq!(queue.next(500), Next::Wait(500 + MAX_WAIT_MS));
        assert_eq!(Queue::default().next(0), Next::Idle);
    }

    /// Guarantees: BOUNDED; the oldest make room, in entries and in bytes, never one in flight.
    #[test]
    fn the_oldest_make_room() {
        let mut queue = queue(&["a", "b", "c"]);
        assert!(queue.in_the_way(10, 4, 1000).is_empty());
        assert_eq!(queue.in_the_way(10, 3, 1000), [0]);
        assert_eq!(queue.in_the_way(10, 10, 25), [0, 1]);
        queue.get_mut(0).unwrap().in_flight = true;
        assert_eq!(queue.in_the_way(10, 3, 1000), [1]);
        assert_eq!((queue.len(), queue.bytes()), (3, 30));
    }
}
