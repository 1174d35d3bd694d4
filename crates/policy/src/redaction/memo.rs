//! What was decided about keys that came before.
//!
//! Senders repeat the same keys in the same order, and many values too. So each entry remembers
//! its key, the decision about it, the last value in which nothing was found, and which entry came
//! next; the usual lookup is one comparison with the entry that is expected. The table has a fixed
//! size and holds nothing of a value in which a detector found something (BOUNDED).

use super::decide::{Decision, Kind};

/// Entries; a power of two.
const ENTRIES: usize = 256;
/// How many places an entry may stand at from where its hash says.
const WAYS: usize = 4;
/// The most bytes of a pair that are remembered.
const BYTES: usize = 184;
/// The most bytes of a key that are remembered: its length is one byte in a pair.
const MAX_KEY: usize = 120;

/// No pair is as long as this and remembered; one can be empty.
const NO_PAIR: u16 = u16::MAX;

/// Which keys are the same: of one policy, in one context, nested alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag(u64);

impl Tag {
    /// No key of any policy: policies begin at 1.
    pub(super) const NONE: Tag = Tag(0);

    /// For a key that stands in no other; [`Tag::with_own`] for others.
    pub(super) const fn new(policy: u32, context: u8) -> Tag {
        Tag((policy as u64) << 32 | context as u64)
    }

    /// For a path of which the last `own` bytes are the key itself.
    pub(super) const fn with_own(self, own: usize) -> Tag {
        Tag(self.0 | ((own + 1) as u64 & 0xffff) << 8)
    }
}

/// Its size is a power of two, so that its place is a shift away.
#[derive(Clone)]
#[repr(align(64))]
struct Entry {
    tag: Tag,
    decision: Decision,
    /// How many of the bytes stand for the key: for a key that is nested the path, else the
    /// beginning of the pair up to the end of the key.
    key_len: u16,
    /// How many of the bytes are a pair in which nothing was found; [`NO_PAIR`] for none.
    pair_len: u16,
    next: u16,
    /// Whether something was found in the key itself.
    key_dirty: bool,
    bytes: [u8; BYTES],
}

const _: () = assert!(size_of::<Entry>() == 256);

/// The table.
pub(super) struct Memo {
    entries: Box<[Entry]>,
    /// The entry that was used last, and the one expected next.
    last: u16,
    next: u16,
    victim: usize,
}

/// How a pair compares with the entry that is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// It is another one.
    Other,
    /// All of it is the same as a pair in which nothing was found.
    Clean,
    /// It has the key of the entry at `at`, and the key's field ends at `end`.
    Key { at: u16, end: usize, kind: Kind },
}

/// What is known about a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) decision: Decision,
    pub(super) key_dirty: bool,
    /// Where it is remembered, if it is.
    pub(super) at: Option<u16>,
}

impl Memo {
    pub(super) fn new() -> Self {
        let entry = Entry {
            tag: Tag::NONE,
            decision: Decision::PASS,
            key_len: 0,
            pair_len: NO_PAIR,
            next: 0,
            key_dirty: false,
            bytes: [0; BYTES],
        };
        Memo {
            entries: vec![entry; ENTRIES].into(),
            last: 0,
            next: 0,
            victim: 0,
        }
    }

    /// Looks at the entry that is expected next, and goes on to it if `pair` has its key.
    #[inline(always)]
    pub(super) fn expect(&mut self, tag: Tag, pair: &[u8]) -> Expected {
        let at = self.next;
        let Some(entry) = self.entries.get(usize::from(at)) else {
            return Expected::Other;
        };
        if entry.tag != tag {
            return Expected::Other;
        }
        let key = usize::from(entry.key_len);
        let clean = usize::from(entry.pair_len);
        let expected = if clean == pair.len() && starts_same(&entry.bytes, pair, clean) {
            Expected::Clean
        } else if starts_same(&entry.bytes, pair, key) {
            Expected::Key {
                at,
                end: key,
                kind: entry.decision.kind,
            }
        } else {
            return Expected::Other;
        };
        self.last = at;
        self.next = entry.next;
        expected
    }

    /// What an entry knows.
    pub(super) fn known(&self, at: u16) -> Known {
        match self.entries.get(usize::from(at)) {
            Some(entry) => Known {
                decision: entry.decision,
                key_dirty: entry.key_dirty,
                at: Some(at),
            },
            // There is no such entry, and no way to an index of one.
            None => Known {
                decision: Decision::PASS,
                key_dirty: false,
                at: None,
            },
        }
    }

    /// What is known about a key, given as in [`Entry::key_len`].
    pub(super) fn find(&mut self, tag: Tag, key: &[u8]) -> Option<Known> {
        let start = slot(tag, key);
        for way in 0..WAYS {
            let at = (start + way) & (ENTRIES - 1);
            let entry = self.entries.get(at)?;
            if entry.tag == tag && entry.bytes.get(..usize::from(entry.key_len))? == key {
                self.follow(at as u16);
                return Some(self.known(at as u16));
            }
        }
        None
    }

    /// Remembers that this entry came after the last one.
    fn follow(&mut self, at: u16) {
        if let Some(last) = self.entries.get_mut(usize::from(self.last)) {
            last.next = at;
        }
        self.last = at;
        if let Some(entry) = self.entries.get(usize::from(at)) {
            self.next = entry.next;
        }
    }

    /// Remembers what is known about a key.
    pub(super) fn put(&mut self, tag: Tag, key: &[u8], known: &mut Known) {
        // Every pair begins with an empty key's bytes: it must never be the one expected.
        if key.is_empty() || key.len() > MAX_KEY {
            return;
        }
        let start = slot(tag, key);
        let free = (0..WAYS)
            .map(|way| (start + way) & (ENTRIES - 1))
            .find(|at| self.entries.get(*at).is_some_and(|e| e.tag == Tag::NONE));
        self.victim = self.victim.wrapping_add(1);
        let at = free.unwrap_or((start + self.victim % WAYS) & (ENTRIES - 1));
        let Some(entry) = self.entries.get_mut(at) else {
            return;
        };
        entry.tag = tag;
        entry.decision = known.decision;
        entry.key_dirty = known.key_dirty;
        entry.key_len = key.len() as u16;
        entry.pair_len = NO_PAIR;
        entry.bytes[..key.len()].copy_from_slice(key);
        known.at = Some(at as u16);
        self.follow(at as u16);
    }

    /// Remembers that nothing was found in a pair that has the key of this entry.
    #[inline]
    pub(super) fn clean(&mut self, at: Option<u16>, pair: &[u8]) {
        if let Some(at) = at
            && let Some(entry) = self.entries.get_mut(usize::from(at))
            && let Some(bytes) = entry.bytes.get_mut(..pair.len())
        {
            bytes.copy_from_slice(pair);
            entry.pair_len = pair.len() as u16;
        }
    }
}

fn slot(tag: Tag, key: &[u8]) -> usize {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = tag.0 ^ (key.len() as u64) << 48;
    let (words, rest) = key.as_chunks::<8>();
    for word in words {
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(K);
    }
    for byte in rest {
        hash = (hash.rotate_left(9) ^ u64::from(*byte)).wrapping_mul(K);
    }
    (hash >> 48) as usize & (ENTRIES - 1)
}

/// Whether two slices begin with the same `len` bytes.
#[inline(always)]
fn starts_same(a: &[u8], b: &[u8], len: usize) -> bool {
    match (a.get(..len), b.get(..len)) {
        (Some(a), Some(b)) => same(a, b),
        _ => false,
    }
}

/// Whether two slices of the same length are the same: without a call for those of usual lengths.
#[inline(always)]
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match a.len() {
        16..=32 => ends::<16>(a, b),
        8..16 => ends::<8>(a, b),
        33..=64 => {
            let ((a, a_end), (b, b_end)) = (a.split_at(32), b.split_at(32));
            let whole = |s: &[u8]| s.first_chunk::<32>().copied();
            if whole(a) != whole(b) {
                return false;
            }
            a_end == b_end
        }
        _ => a == b,
    }
}

/// Whether the first and the last `N` bytes are the same.
#[inline(always)]
fn ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
    match (
        a.first_chunk::<N>(),
        b.first_chunk::<N>(),
        a.last_chunk::<N>(),
        b.last_chunk::<N>(),
    ) {
        (Some(a), Some(b), Some(a_end), Some(b_end)) => a == b && a_end == b_end,
        _ => false,
    }
}

/// The last texts of fields in which nothing was found.
pub(super) struct CleanTexts {
    policy: u32,
    texts: Box<[(u16, [u8; Self::BYTES])]>,
}

impl CleanTexts {
    const BYTES: usize = 126;

    pub(super) fn new(fields: usize) -> Self {
        CleanTexts {
            policy: 0,
            texts: vec![(0, [0; Self::BYTES]); fields].into(),
        }
    }

    /// Forgets everything if it was remembered for another policy.
    pub(super) fn begin(&mut self, policy: u32) {
        if self.policy != policy {
            self.policy = policy;
            for (len, _) in &mut self.texts {
                *len = 0;
            }
        }
    }

    #[inline(always)]
    pub(super) fn has(&self, field: usize, text: &[u8]) -> bool {
        match self.texts.get(field) {
            Some((len, bytes)) => bytes
                .get(..usize::from(*len))
                .is_some_and(|known| same(known, text)),
            None => false,
        }
    }

    pub(super) fn put(&mut self, field: usize, text: &[u8]) {
        if let Some((len, bytes)) = self.texts.get_mut(field)
            && let Some(bytes) = bytes.get_mut(..text.len())
        {
            bytes.copy_from_slice(text);
            *len = text.len() as u16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_is_equality_at_every_length() {
        for len in 0..100 {
            let a = vec![7; len];
            let mut b = a.clone();
            assert!(same(&a, &b));
            for at in 0..len {
                b[at] = 8;
                assert!(!same(&a, &b), "{at} of {len}");
                b[at] = 7;
            }
            assert!(!same(&a, &vec![7; len + 1]));
        }
    }

    #[test]
    fn remembers_by_tag_and_key_and_forgets_when_full() {
        let mut memo = Memo::new();
        let known = |rule| Known {
            decision: Decision::dropped(rule),
            key_dirty: false,
            at: None,
        };
        let (a, b) = (Tag::new(1, 0), Tag::new(2, 0));
        memo.put(a, b"key", &mut known(1));
        memo.put(b, b"key", &mut known(2));
        let rule = |found: Option<Known>| found.map(|known| known.decision.rule);
        assert_eq!(rule(memo.find(a, b"key")), Some(1));
        assert_eq!(rule(memo.find(b, b"key")), Some(2));
        assert_eq!(rule(memo.find(a, b"kez")), None);
        assert_eq!(rule(memo.find(a.with_own(3), b"key")), None);
        for i in 0..10_000u32 {
            memo.put(a, &i.to_le_bytes(), &mut known(i as u16));
            let found = rule(memo.find(a, &i.to_le_bytes()));
            assert_eq!(found, Some(i as u16));
        }
        assert_eq!(memo.entries.len(), ENTRIES);
    }

    #[test]
    fn expects_what_came_after_the_last_time() {
        let mut memo = Memo::new();
        let tag = Tag::new(1, 0);
        let pairs: [&[u8]; 3] = [
            b"\x0a\x01a\x12\x00",
            b"\x0a\x01b\x12\x00",
            b"\x0a\x01c\x12\x00",
        ];
        for (rule, pair) in pairs.iter().enumerate() {
            let mut known = Known {
                decision: Decision::dropped(rule as u16),
                key_dirty: false,
                at: None,
            };
            memo.put(tag, &pair[..3], &mut known);
            memo.clean(known.at, pair);
        }
        assert!(memo.find(tag, &pairs[0][..3]).is_some());
        for pair in [1, 2] {
            assert_eq!(memo.expect(tag, pairs[pair]), Expected::Clean);
        }
        assert!(memo.find(tag, &pairs[0][..3]).is_some());
        let other_value = memo.expect(tag, b"\x0a\x01b\x12\x02\x10\x01");
        let Expected::Key { at, end, kind } = other_value else {
            panic!("{other_value:?}");
        };
        assert_eq!((end, kind), (3, Kind::Drop));
        assert_eq!(memo.known(at).decision.rule, 1);
        assert_eq!(memo.expect(tag, b"\x0a\x01x\x12\x00"), Expected::Other);
        assert_eq!(
            memo.expect(tag, b""),
            Expected::Other,
            "an empty pair is not clean"
        );
    }
}
