//! One generation of known traces: a hash table of fixed size, of which nothing is ever removed
//! but everything at once.
//!
//! 21 bytes a bucket, at most 7/8 of them in use: 24 bytes a trace when full. Places stay the same
//! until the table is cleared, so that others may hold on to them. What is found does not depend
//! on the seed, which differs in each process so that a sender cannot choose ids that collide.

use std::hash::{BuildHasher, RandomState};

/// Buckets that are looked at together.
const GROUP: usize = 8;
const HIGH: u64 = 0x8080_8080_8080_8080;
const LOW: u64 = 0x0101_0101_0101_0101;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed([u64; 3]);

impl Seed {
    pub(crate) fn random() -> Self {
        let state = RandomState::new();
        Seed([1u8, 2, 3].map(|n| state.hash_one(n)))
    }

    /// The hash of a tenant's trace.
    #[inline]
    pub(crate) fn hash(&self, tenant: u16, id: &[u8; 16]) -> u64 {
        let id = u128::from_le_bytes(*id);
        let [a, b, c] = self.0;
        let hash = fold(id as u64 ^ a, (id >> 64) as u64 ^ b);
        fold(hash ^ u64::from(tenant), c | 1)
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[derive(Debug)]
pub(crate) struct Generation {
    /// 0 for an empty bucket, else the high bit and 7 bits of the hash.
    tags: Box<[[u8; GROUP]]>,
    /// The trace id and the entry.
    buckets: Box<[[u32; 5]]>,
    len: usize,
    limit: usize,
    /// Groups that were looked at: the work done.
    #[cfg(test)]
    pub(crate) probes: std::cell::Cell<u64>,
}

impl Generation {
    /// A table for so many traces.
    pub(crate) fn new(limit: usize) -> Self {
        let groups = groups(limit);
        Generation {
            tags: vec![[0; GROUP]; groups].into(),
            buckets: vec![[0; 5]; groups * GROUP].into(),
            len: 0,
            limit,
            #[cfg(test)]
            probes: Default::default(),
        }
    }

    /// What a table for so many traces takes.
    pub(crate) fn bytes(limit: usize) -> usize {
        groups(limit) * GROUP * 21
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn clear(&mut self) {
        if self.len > 0 {
            self.tags.fill([0; GROUP]);
            self.len = 0;
        }
    }

    /// The place of a trace. `is_tenants` says whether an entry is of the tenant asked for.
    #[inline]
    pub(crate) fn find(
        &self,
        hash: u64,
        id: &[u8; 16],
        is_tenants: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let wanted = words(id);
        let tag = tag(hash);
        let mut group = self.group(hash);
        loop {
            #[cfg(test)]
            self.probes.set(self.probes.get() + 1);
            let tags = u64::from_le_bytes(self.tags[group]);
            let mut equal = zeros(tags ^ (u64::from(tag) * LOW));
            while equal != 0 {
                let place = group * GROUP + (equal.trailing_zeros() / 8) as usize;
                let [a, b, c, d, entry] = self.buckets[place];
                if [a, b, c, d] == wanted && is_tenants(entry) {
                    return Some(place as u32);
                }
                equal &= equal - 1;
            }
            if !tags & HIGH != 0 {
                return None;
            }
            group = self.after(group);
        }
    }

    /// Adds a trace that is not in the table; `None` if the table is full.
    pub(crate) fn insert(&mut self, hash: u64, id: &[u8; 16], entry: u32) -> Option<u32> {
        if self.len >= self.limit {
            return None;
        }
        let mut group = self.group(hash);
        // There is room, so some group has an empty bucket.
        let empty = loop {
            let empty = !u64::from_le_bytes(self.tags[group]) & HIGH;
            if empty != 0 {
                break (empty.trailing_zeros() / 8) as usize;
            }
            group = self.after(group);
        };
        self.tags[group][empty] = tag(hash);
        let place = group * GROUP + empty;
        let [a, b, c, d] = words(id);
        self.buckets[place] = [a, b, c, d, entry];
        self.len += 1;
        Some(place as u32)
    }

    /// The entry in a place that was found.
    #[inline]
    pub(crate) fn entry(&self, place: u32) -> u32 {
        self.buckets[place as usize][4]
    }

    pub(crate) fn set(&mut self, place: u32, entry: u32) {
        self.buckets[place as usize][4] = entry;
    }

    /// The trace id in a place that was found.
    pub(crate) fn id(&self, place: u32) -> [u8; 16] {
        let bucket = &self.buckets[place as usize];
        let mut id = [0; 16];
        for (bytes, word) in id.chunks_exact_mut(4).zip(bucket) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        id
    }

    fn group(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.tags.len() as u128) >> 64) as usize
    }

    fn after(&self, group: usize) -> usize {
        if group + 1 == self.tags.len() {
            0
        } else {
            group + 1
        }
    }
}

fn groups(limit: usize) -> usize {
    (limit * 8).div_ceil(7).div_ceil(GROUP).max(1)
}

/// The low bits of the hash: the high ones choose the group.
fn tag(hash: u64) -> u8 {
    hash as u8 | 0x80
}

fn words(id: &[u8; 16]) -> [u32; 4] {
    let (words, _) = id.as_chunks::<4>();
    [0, 1, 2, 3].map(|at| u32::from_le_bytes(words[at]))
}

/// The high bit of each byte that is zero, and maybe of one above it that is 1.
fn zeros(bytes: u64) -> u64 {
    bytes.wrapping_sub(LOW) & !bytes & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn id(n: u64) -> [u8; 16] {
        (u128::from(n) << 60 | 7).to_le_bytes()
    }

    #[test]
    fn all_that_was_put_in_is_found_until_it_is_full() {
        for limit in [1, 7, 8, 100, 5000] {
            let seed = Seed::random();
            let mut table = Generation::new(limit);
            let mut places = HashMap::new();
            for n in 0..limit as u64 {
                let hash = seed.hash(n as u16 % 3, &id(n));
                assert_eq!(table.find(hash, &id(n), |_| true), None);
                places.insert(n, table.insert(hash, &id(n), n as u32).expect("has room"));
            }
            assert_eq!(table.insert(1, &id(1 << 40), 0), None);
            for (n, place) in &places {
                let hash = seed.hash(*n as u16 % 3, &id(*n));
                assert_eq!(table.find(hash, &id(*n), |e| e == *n as u32), Some(*place));
                assert_eq!(
                    table.find(hash, &id(*n), |_| false),
                    None,
                    "another tenant's"
                );
                assert_eq!((table.entry(*place), table.id(*place)), (*n as u32, id(*n)));
            }
            table.clear();
            assert_eq!(table.len(), 0);
            assert_eq!(table.find(seed.hash(0, &id(0)), &id(0), |_| true), None);
        }
    }

    /// Guarantees: at any load, finding costs few steps, on average.
    #[test]
    fn probes_stay_few_in_a_full_table() {
        let seed = Seed::random();
        let mut table = Generation::new(50_000);
        for n in 0..50_000 {
            table.insert(seed.hash(0, &id(n)), &id(n), 0);
        }
        for n in 0..100_000 {
            table.find(seed.hash(0, &id(n)), &id(n), |_| true);
        }
        assert!(table.probes.get() < 100_000 * 4, "{}", table.probes.get());
    }
}
