//! What was decided about keys that came before.
//!
//! Senders repeat the same keys in the same order, and many values too. So each entry remembers
//! its key, the decision about it, the last value in which nothing was found, and which entry came
//! next. Entries stand in the order in which their keys were first seen, so that the next one is
//! mostly the neighbour, and looking at it need not wait for the one before: the usual lookup is
//! one comparison with the entry that is expected. The table has a fixed size, the oldest entry
//! makes room, and it holds nothing of a value in which a detector found something that a rule
//! does not keep (BOUNDED).

use otlp::wire::{Fields, Raw};

use super::decide::{Decision, Kind};
use super::value::{is_usual_scalar, is_usual_value, usual_text};

/// Entries; a power of two.
const ENTRIES: usize = 512;
/// Places in the index by hash; a power of two.
const PLACES: usize = 4 * ENTRIES;
/// How many places an entry may stand at from where its hash says.
const WAYS: usize = 4;
/// The most bytes of a pair that are remembered.
const BYTES: usize = 224;
/// The most bytes of a key that are remembered: its length is one byte in a pair.
const MAX_KEY: usize = 120;

/// No pair is as long as this and remembered; one can be empty.
const NO_PAIR: u16 = u16::MAX;

/// No entry.
pub(super) const NOWHERE: u16 = u16::MAX;

/// A value that is never the same as the last is not worth being remembered each time: after as
/// many misses, only every so many.
const MISSES: u8 = 8;
const EVERY: u8 = 16;

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
    /// The entry that came after this one.
    next: u16,
    /// Whether something was found in the key itself.
    key_dirty: bool,
    /// How often another value came than the one remembered.
    misses: u8,
    bytes: [u8; BYTES],
}

const _: () = assert!(size_of::<Entry>() == 256);

/// The table.
pub(super) struct Memo {
    entries: Box<[Entry]>,
    /// Where entries stand, by the hash of tag and key. A place may name an entry that has made
    /// room for another.
    index: Box<[u16]>,
    /// The entry that was used last, and the one expected next.
    last: u16,
    next: u16,
    /// Where the next new entry goes.
    fill: u16,
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
            misses: 0,
            bytes: [0; BYTES],
        };
        Memo {
            entries: vec![entry; ENTRIES].into(),
            index: vec![NOWHERE; PLACES].into(),
            last: 0,
            next: 0,
            fill: 0,
        }
    }

    /// How many bytes of `rest` are attributes, each with the tag `field`, that are as expected and
    /// of which it is known what becomes. They stay, where nothing was found in the same pair or
    /// nothing is done to values of its key, or `is_clean` says that there is nothing to find in its
    /// text; or they go by their key: then `drop` is told the rule, where in `rest` the field begins
    /// and ends, and the pair. If the one behind them has the expected key too, its entry is given;
    /// [`NOWHERE`] if not. (Two numbers: a larger answer would go through memory.)
    #[inline(always)]
    pub(super) fn settled(
        &mut self,
        tag: Tag,
        field: u8,
        rest: &[u8],
        mut is_clean: impl FnMut(&[u8]) -> bool,
        mut drop: impl FnMut(u16, usize, usize, &[u8]),
    ) -> (usize, u16) {
        let mut behind = rest;
        let mut at = self.next;
        let expected = loop {
            let Some((pair, after)) = short_pair(field, behind) else {
                break match behind.first() {
                    Some(first) if *first == field => self.expected(at, tag, field, behind),
                    _ => NOWHERE,
                };
            };
            let Some(entry) = self.entries.get(usize::from(at)) else {
                break NOWHERE;
            };
            if entry.tag != tag {
                break NOWHERE;
            }
            let end = usize::from(entry.key_len);
            let next = entry.next;
            let clean = usize::from(entry.pair_len) == pair.len()
                && starts_same(&entry.bytes, pair, pair.len());
            if !clean {
                if !starts_same(&entry.bytes, pair, end) {
                    break NOWHERE;
                }
                match entry.decision.kind {
                    Kind::Pass if is_usual_scalar(pair, end) => {}
                    Kind::Drop if is_usual_value(pair, end) => drop(
                        entry.decision.rule,
                        rest.len() - behind.len(),
                        rest.len() - after.len(),
                        pair,
                    ),
                    Kind::Look
                        if !entry.key_dirty && usual_text(pair, end).is_some_and(&mut is_clean) =>
                    {
                        self.clean(at, pair);
                    }
                    _ => break at,
                }
            }
            self.last = at;
            let neighbour = at.wrapping_add(1);
            at = if next == neighbour {
                neighbour
            } else {
                elsewhere(next)
            };
            behind = after;
        };
        self.next = at;
        if expected != NOWHERE {
            self.pass_over(expected);
        }
        (rest.len() - behind.len(), expected)
    }

    /// Goes on behind this entry.
    #[inline(always)]
    fn pass_over(&mut self, at: u16) {
        if let Some(entry) = self.entries.get(usize::from(at)) {
            self.last = at;
            self.next = entry.next;
        }
    }

    /// The entry at a place, if it has the key of the attribute at the beginning of `rest`, of any
    /// length.
    #[inline(never)]
    fn expected(&self, at: u16, tag: Tag, field: u8, rest: &[u8]) -> u16 {
        let read = Fields::new(rest)
            .next()
            .map(|read| (read.number, read.value));
        match (read, self.entries.get(usize::from(at))) {
            (Some((number, Raw::Bytes(pair))), Some(entry))
                if number == u32::from(field >> 3)
                    && entry.tag == tag
                    && starts_same(&entry.bytes, pair, usize::from(entry.key_len)) =>
            {
                at
            }
            _ => NOWHERE,
        }
    }

    /// The least that is needed of an entry: what there is to do by which rule, where the key ends
    /// in a pair, and whether something was found in it.
    #[inline(always)]
    pub(super) fn brief(&self, at: u16) -> Option<(Kind, u16, usize, bool)> {
        let entry = self.entries.get(usize::from(at))?;
        let Decision { kind, rule, .. } = entry.decision;
        Some((kind, rule, usize::from(entry.key_len), entry.key_dirty))
    }

    /// What an entry knows, and where its key ends in a pair.
    #[inline(always)]
    pub(super) fn known(&self, at: u16) -> Option<(Known, usize)> {
        let entry = self.entries.get(usize::from(at))?;
        let known = Known {
            decision: entry.decision,
            key_dirty: entry.key_dirty,
            at: Some(at),
        };
        Some((known, usize::from(entry.key_len)))
    }

    /// What is known about a key, given as in [`Entry::key_len`].
    pub(super) fn find(&mut self, tag: Tag, key: &[u8]) -> Option<Known> {
        let start = place(tag, key);
        for way in 0..WAYS {
            let at = *self.index.get((start + way) & (PLACES - 1))?;
            let Some(entry) = self.entries.get(usize::from(at)) else {
                continue;
            };
            if entry.tag == tag && entry.bytes.get(..usize::from(entry.key_len))? == key {
                self.follow(at);
                return self.known(at).map(|(known, _)| known);
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
        let at = self.fill;
        self.fill = (at + 1) & (ENTRIES - 1) as u16;
        let Some(entry) = self.entries.get_mut(usize::from(at)) else {
            return;
        };
        entry.tag = tag;
        entry.decision = known.decision;
        entry.key_dirty = known.key_dirty;
        entry.key_len = key.len() as u16;
        entry.pair_len = NO_PAIR;
        entry.next = at + 1;
        entry.misses = 0;
        entry.bytes[..key.len()].copy_from_slice(key);
        known.at = Some(at);
        self.follow(at);
        // A place that is free or named this entry before; else one whose entry is then found by
        // being expected alone.
        let start = place(tag, key);
        let mut places = (0..WAYS).map(|way| (start + way) & (PLACES - 1));
        let free = places.find(|place| {
            let named = self.index.get(*place).copied().unwrap_or(NOWHERE);
            named == NOWHERE || named == at
        });
        let place = free.unwrap_or((start + usize::from(at) % WAYS) & (PLACES - 1));
        if let Some(place) = self.index.get_mut(place) {
            *place = at;
        }
    }

    /// Remembers that nothing was found in a pair that has the key of this entry.
    #[inline]
    pub(super) fn clean(&mut self, at: u16, pair: &[u8]) {
        if let Some(entry) = self.entries.get_mut(usize::from(at)) {
            entry.misses = entry.misses.wrapping_add(1);
            if (entry.misses < MISSES || entry.misses.is_multiple_of(EVERY))
                && let Some(bytes) = entry.bytes.get_mut(..pair.len())
            {
                bytes.copy_from_slice(pair);
                entry.pair_len = pair.len() as u16;
            }
        }
    }
}

/// The body of a field at the beginning, if it has this tag and fewer than 128 bytes.
#[inline(always)]
fn short_pair(field: u8, rest: &[u8]) -> Option<(&[u8], &[u8])> {
    match rest {
        [tag, len, behind @ ..] if *tag == field && *len < 0x80 => {
            behind.split_at_checked(usize::from(*len))
        }
        _ => None,
    }
}

/// The next entry where it is not the neighbour. A call, so that the processor guesses that there
/// is none and does not wait to know.
#[cold]
#[inline(never)]
fn elsewhere(next: u16) -> u16 {
    next
}

fn place(tag: Tag, key: &[u8]) -> usize {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = tag.0 ^ (key.len() as u64) << 48;
    let (words, rest) = key.as_chunks::<8>();
    for word in words {
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(*word)).wrapping_mul(K);
    }
    for byte in rest {
        hash = (hash.rotate_left(9) ^ u64::from(*byte)).wrapping_mul(K);
    }
    (hash >> 48) as usize & (PLACES - 1)
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
        33..=64 => ends::<32>(a, b),
        65..=128 => match (a.split_at_checked(64), b.split_at_checked(64)) {
            (Some((a_begin, _)), Some((b_begin, _))) => {
                let (a_end, b_end) = (&a[a.len() - 64..], &b[b.len() - 64..]);
                ends::<32>(a_begin, b_begin) && ends::<32>(a_end, b_end)
            }
            _ => false,
        },
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
mod tests;
