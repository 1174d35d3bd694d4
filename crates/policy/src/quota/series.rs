//! Which series a tenant has, exactly, with a bound.
//!
//! Two sets of 64-bit fingerprints: those that came in this epoch, and those that came in the last
//! one. A series of the last epoch that comes again moves to this one; at an epoch's end what did
//! not come is forgotten. So a series that comes at least once an epoch is never refused once it
//! was taken, a series is forgotten between one and two epochs after it stops, and both sets
//! together never count more than the limit.
//!
//! No filter would do: a Bloom or cuckoo filter that takes a new series for a known one is over the
//! limit, a cuckoo filter that is full refuses known ones, and neither can age. The set can take
//! two series for one with a chance of n/2⁶⁴, which lets one series too many pass and never refuses
//! one.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// What a series is to the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// It came before.
    Known,
    /// It is new and there is room.
    New,
    /// It is new and there is no room.
    Refused,
}

/// The active series of one tenant.
#[derive(Clone, Debug, Default)]
pub struct SeriesSet {
    current: Set,
    previous: Set,
    /// How many of `previous` are not in `current`.
    left: usize,
    /// When the epoch ends, in nanoseconds; 0 before the first.
    end: u64,
}

/// Fingerprints come from a keyed hash; they need no hashing again.
type Set = HashSet<u64, BuildHasherDefault<AsItIs>>;

#[derive(Clone, Copy, Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }
}

impl SeriesSet {
    /// Goes to `now`, in nanoseconds, with epochs of this length. Call it before
    /// [`admit`](Self::admit), once a request.
    pub fn advance(&mut self, now: u64, epoch: u64) {
        if now < self.end {
            return;
        }
        let idle = self.end == 0 || now - self.end >= epoch;
        let current = std::mem::take(&mut self.current);
        self.previous = if idle { Set::default() } else { current };
        self.left = self.previous.len();
        self.end = now.saturating_add(epoch).max(1);
    }

    /// Takes a series, or refuses it if it is new and there are `limit` already.
    pub fn admit(&mut self, fingerprint: u64, limit: usize) -> Series {
        if self.current.contains(&fingerprint) {
            return Series::Known;
        }
        if self.previous.contains(&fingerprint) {
            self.current.insert(fingerprint);
            self.left = self.left.saturating_sub(1);
            return Series::Known;
        }
        if self.active() >= limit {
            return Series::Refused;
        }
        self.current.insert(fingerprint);
        Series::New
    }

    /// Whether no series is active any more.
    pub fn is_forgotten(&mut self, now: u64, epoch: u64) -> bool {
        if self.end != 0 {
            self.advance(now, epoch);
        }
        self.active() == 0
    }

    /// How many series are active.
    pub fn active(&self) -> usize {
        self.current.len() + self.left
    }
}
