//! One generation of known traces: those with spans in one epoch. It grows with them, up to its
//! limit, and is emptied as a whole.
//!
//! Traces stand in the order in which they came, 20 bytes each, so that what is asked about in that
//! order (deciding, cutting) is read in a row. A hash table of their places leads to them: 5 bytes
//! a bucket, at most 7/8 of them in use; it alone is made anew when it gets too small. So places
//! stay the same, and others may hold on to them. What is found does not depend on the seed, which
//! differs in each process so that a sender cannot choose ids that collide. The limit alone decides
//! whether a trace finds room (RESTARTABLE).

use std::hash::{BuildHasher, RandomState};

/// Places have so many bits: there are no more than 2^28.
pub(crate) const PLACE_BITS: u32 = 29;
/// Buckets that are looked at together.
const GROUP: usize = 8;
const HIGH: u64 = 0x8080_8080_8080_8080;
const LOW: u64 = 0x0101_0101_0101_0101;
/// Traces that memory is taken for at once.
const CHUNK: usize = 1 << 12;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed([u64; 2]);

impl Seed {
    pub(crate) fn random() -> Self {
        let state = RandomState::new();
        Seed([1u8, 2].map(|n| state.hash_one(n)))
    }

    /// The hash of a trace's id. Traces of one id in several tenants have the same.
    #[inline]
    pub(crate) fn hash(&self, id: &[u8; 16]) -> u64 {
        let id = u128::from_le_bytes(*id);
        let [a, b] = self.0;
        fold(
            fold(id as u64 ^ a, (id >> 64) as u64 ^ b) ^ a,
            0x9e37_79b9_7f4a_7c15,
        )
    }
}

fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// The trace id and the entry.
type Trace = [u32; 5];

#[derive(Debug)]
pub(crate) struct Generation {
    seed: Seed,
    chunks: Vec<Box<[Trace]>>,
    len: usize,
    limit: usize,
    index: Index,
    /// Groups that were looked at: the work done.
    #[cfg(test)]
    pub(crate) probes: std::cell::Cell<u64>,
}

/// Places by hash.
#[derive(Debug)]
struct Index {
    /// 0 for an empty bucket, else the high bit and 7 bits of the hash.
    tags: Box<[[u8; GROUP]]>,
    places: Box<[[u32; GROUP]]>,
}

impl Generation {
    /// Room for so many traces.
    pub(crate) fn new(seed: Seed, limit: usize) -> Self {
        Generation {
            seed,
            chunks: Vec::new(),
            len: 0,
            limit,
            index: Index::new(limit.min(CHUNK)),
            #[cfg(test)]
            probes: Default::default(),
        }
    }

    /// What it takes with so many traces.
    pub(crate) fn bytes(limit: usize) -> usize {
        limit.next_multiple_of(CHUNK) * size_of::<Trace>() + groups(limit) * GROUP * 5
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Empties it; about so many traces are to come. It keeps the memory that these need.
    pub(crate) fn clear(&mut self, expected: usize) {
        self.chunks.truncate(expected.div_ceil(CHUNK));
        let size = (expected + expected / 4).max(CHUNK).min(self.limit);
        if self.index.tags.len() != groups(size) {
            // The old one goes before the new one comes.
            self.index = Index::new(0);
            self.index = Index::new(size);
        } else if self.len > 0 {
            self.index.tags.fill([0; GROUP]);
        }
        self.len = 0;
    }

    /// Brings what [`find`](Self::find) reads first nearer to the processor, as the caller asks
    /// about several traces in a row: their ways to memory are then under way side by side.
    #[inline]
    pub(crate) fn approach(&self, hash: u64) {
        std::hint::black_box(self.index.tags[self.index.group(hash)]);
    }

    /// The same for what `find` or [`insert`](Self::insert) comes to next. The entry that is
    /// probably the trace's, if there is one.
    #[inline]
    pub(crate) fn come_closer(&self, hash: u64) -> Option<u32> {
        let group = self.index.group(hash);
        let tags = u64::from_le_bytes(self.index.tags[group]);
        let equal = zeros(tags ^ (u64::from(tag(hash)) * LOW));
        if equal != 0 {
            let place = self.index.places[group][first(equal)];
            return Some(self.entry(place));
        }
        std::hint::black_box(self.index.places[group][0]);
        None
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
        let mut group = self.index.group(hash);
        loop {
            #[cfg(test)]
            self.probes.set(self.probes.get() + 1);
            let tags = u64::from_le_bytes(self.index.tags[group]);
            let mut equal = zeros(tags ^ (u64::from(tag) * LOW));
            while equal != 0 {
                let place = self.index.places[group][first(equal)];
                let [a, b, c, d, entry] = *self.trace(place);
                if [a, b, c, d] == wanted && is_tenants(entry) {
                    return Some(place);
                }
                equal &= equal - 1;
            }
            if !tags & HIGH != 0 {
                return None;
            }
            group = self.index.after(group);
        }
    }

    /// Adds a trace that is not in it; `None` if it is full.
    pub(crate) fn insert(&mut self, hash: u64, id: &[u8; 16], entry: u32) -> Option<u32> {
        if self.len >= self.limit {
            return None;
        }
        if self.len >= self.index.room() {
            self.grow();
        }
        let place = self.len;
        if place == self.chunks.len() * CHUNK {
            self.chunks.push(vec![[0; 5]; CHUNK].into());
        }
        let [a, b, c, d] = words(id);
        self.chunks[place / CHUNK][place % CHUNK] = [a, b, c, d, entry];
        self.index.insert(hash, place as u32);
        self.len += 1;
        Some(place as u32)
    }

    /// The entry in a place that was found.
    #[inline]
    pub(crate) fn entry(&self, place: u32) -> u32 {
        self.trace(place)[4]
    }

    #[inline]
    pub(crate) fn set(&mut self, place: u32, entry: u32) {
        let place = place as usize;
        self.chunks[place / CHUNK][place % CHUNK][4] = entry;
    }

    /// The trace id in a place that was found.
    pub(crate) fn id(&self, place: u32) -> [u8; 16] {
        let mut id = [0; 16];
        for (bytes, word) in id.chunks_exact_mut(4).zip(self.trace(place)) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        id
    }

    #[inline]
    fn trace(&self, place: u32) -> &Trace {
        let place = place as usize;
        &self.chunks[place / CHUNK][place % CHUNK]
    }

    /// Doubles the index, or makes it as large as it may get.
    #[cold]
    fn grow(&mut self) {
        let mut index = Index::new((2 * self.len).min(self.limit));
        for place in 0..self.len as u32 {
            index.insert(self.seed.hash(&self.id(place)), place);
        }
        self.index = index;
    }
}

impl Index {
    fn new(room: usize) -> Self {
        Index {
            tags: vec![[0; GROUP]; groups(room)].into(),
            places: vec![[0; GROUP]; groups(room)].into(),
        }
    }

    /// So many places may be in it: one bucket in eight stays empty.
    fn room(&self) -> usize {
        self.tags.len() * (GROUP - 1)
    }

    /// There is room, so some group has an empty bucket.
    fn insert(&mut self, hash: u64, place: u32) {
        let mut group = self.group(hash);
        let empty = loop {
            let empty = !u64::from_le_bytes(self.tags[group]) & HIGH;
            if empty != 0 {
                break first(empty);
            }
            group = self.after(group);
        };
        self.tags[group][empty] = tag(hash);
        self.places[group][empty] = place;
    }

    #[inline]
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

fn groups(room: usize) -> usize {
    room.div_ceil(GROUP - 1).max(1)
}

/// The low bits of the hash: the high ones choose the group.
fn tag(hash: u64) -> u8 {
    hash as u8 | 0x80
}

/// The bucket of the lowest bit that is set.
fn first(bits: u64) -> usize {
    (bits.trailing_zeros() / 8) as usize
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

    fn id(n: u64) -> [u8; 16] {
        (u128::from(n) << 60 | 7).to_le_bytes()
    }

    /// Guarantees: it takes as many traces as its limit says, whatever was expected, and no more;
    /// all are found at the places that they were given, also after it has grown.
    #[test]
    fn places_stay_while_it_grows_to_its_limit() {
        let seed = Seed::random();
        for (limit, expected) in [(1, 0), (7, 1), (8, 100), (100, 9), (20_000, 500)] {
            let mut generation = Generation::new(seed, limit);
            for _ in 0..2 {
                for n in 0..limit as u64 {
                    let hash = seed.hash(&id(n));
                    assert_eq!(generation.find(hash, &id(n), |_| true), None);
                    let place = generation.insert(hash, &id(n), n as u32);
                    assert_eq!(place, Some(n as u32));
                }
                assert_eq!(generation.insert(1, &id(1 << 40), 0), None);
                assert_eq!(generation.len(), limit);
                for n in 0..limit as u64 {
                    let hash = seed.hash(&id(n));
                    let at = n as u32;
                    assert_eq!(generation.find(hash, &id(n), |e| e == at), Some(at));
                    let others = generation.find(hash, &id(n), |_| false);
                    assert_eq!(others, None, "another tenant's");
                    assert_eq!((generation.entry(at), generation.id(at)), (at, id(n)));
                    generation.set(at, at + 1);
                    assert_eq!(generation.entry(at), at + 1);
                }
                generation.clear(expected);
                assert_eq!(generation.len(), 0);
                assert_eq!(generation.find(seed.hash(&id(0)), &id(0), |_| true), None);
            }
        }
    }

    /// Guarantees: traces of one id in several tenants are told apart.
    #[test]
    fn tenants_with_the_same_id_have_places_of_their_own() {
        let seed = Seed::random();
        let mut generation = Generation::new(seed, 100);
        let hash = seed.hash(&id(1));
        for tenant in 0..100 {
            assert_eq!(generation.find(hash, &id(1), |entry| entry == tenant), None);
            generation.insert(hash, &id(1), tenant).expect("has room");
        }
        for tenant in 0..100 {
            let found = generation.find(hash, &id(1), |entry| entry == tenant);
            assert_eq!(found, Some(tenant));
        }
    }

    /// BOUNDED: what it keeps follows what came lately.
    #[test]
    fn memory_is_given_back() {
        let seed = Seed::random();
        let mut generation = Generation::new(seed, 1 << 20);
        for n in 0..40_000 {
            generation.insert(seed.hash(&id(n)), &id(n), 0);
        }
        assert_eq!(generation.chunks.len(), 10);
        generation.clear(20_000);
        assert_eq!(
            (generation.chunks.len(), generation.index.room() / 1000),
            (5, 25)
        );
        generation.clear(0);
        assert_eq!(
            (generation.chunks.len(), generation.index.room() / 1000),
            (0, 4)
        );
    }

    /// Guarantees: at any load, finding costs few steps, on average.
    #[test]
    fn probes_stay_few_in_a_full_table() {
        let seed = Seed::random();
        let mut generation = Generation::new(seed, 50_000);
        for n in 0..50_000 {
            generation.insert(seed.hash(&id(n)), &id(n), 0);
        }
        for n in 0..100_000 {
            generation.find(seed.hash(&id(n)), &id(n), |_| true);
        }
        let probes = generation.probes.get();
        assert!(probes < 100_000 * 4, "{probes}");
    }
}
