//! Narrowing down a refused batch to the items at fault: batch → block → items, by halves.
//!
//! Depth first, so that no more than a few times the batch is held (BOUNDED). A batch that is too
//! large to be sent is cut up in the same way.

use bytes::Bytes;

use crate::batch::{Batch, Chunk};

/// The most requests that narrowing one batch may take. One item at fault among 2^17 needs 2 × 17;
/// where more than this is needed, what is refused from then on is put aside without being
/// narrowed further.
pub(crate) const MAX_REQUESTS: u32 = 512;

/// How often a batch is tried before an unclear refusal leads to narrowing.
const WHOLE_TRIES: u32 = 3;

/// What is left of a batch.
#[derive(Debug)]
pub(crate) struct Narrowing {
    /// The last comes first.
    pieces: Vec<Piece>,
    max_bytes: usize,
    splits: u32,
}

/// A part of the batch, and what is known of it.
#[derive(Debug)]
pub(crate) struct Piece {
    pub batch: Batch,
    /// Unclear refusals so far.
    tries: u32,
    /// How many requests the destination had accepted at the first of them.
    accepted: u64,
}

impl Piece {
    fn new(batch: Batch) -> Self {
        Piece {
            batch,
            tries: 0,
            accepted: 0,
        }
    }
}

/// What becomes of a refused piece.
#[derive(Debug)]
pub(crate) enum Narrowed {
    /// Its halves, or other pieces, come next.
    GoOn,
    /// It comes again, after a wait.
    Wait,
    /// It cannot, or must not, be split further: it is what is put aside.
    Culprit(Batch),
}

impl Narrowing {
    pub(crate) fn new(batch: Batch, max_bytes: usize) -> Self {
        Narrowing {
            pieces: vec![Piece::new(batch)],
            max_bytes,
            splits: 0,
        }
    }

    /// Whether nothing was refused so far.
    pub(crate) fn is_whole(&self) -> bool {
        self.splits == 0
    }

    /// The next piece to send: no larger than the limit, unless it is a single item.
    pub(crate) fn next(&mut self) -> Option<Piece> {
        loop {
            let piece = self.pieces.pop()?;
            if piece.batch.bytes() <= self.max_bytes {
                return Some(piece);
            }
            match halves(&piece.batch) {
                Some(halves) => self.push(halves),
                None => return Some(piece),
            }
        }
    }

    /// A piece was refused for what it holds.
    pub(crate) fn refused(&mut self, piece: Piece) -> Narrowed {
        if self.splits >= MAX_REQUESTS / 2 {
            return Narrowed::Culprit(piece.batch);
        }
        match halves(&piece.batch) {
            Some(halves) => {
                self.splits += 1;
                self.push(halves);
                Narrowed::GoOn
            }
            None => Narrowed::Culprit(piece.batch),
        }
    }

    /// A piece was refused, and it is unclear whether for what it holds. It is split, which harms
    /// nothing; but a single item is put aside only if the destination has `accepted` more requests
    /// since its first refusal, so that a destination in trouble turns no good data into dead
    /// letters.
    pub(crate) fn unclear(&mut self, mut piece: Piece, accepted: u64) -> Narrowed {
        let whole = self.is_whole();
        let others_pass = piece.tries > 0 && accepted > piece.accepted;
        if piece.tries == 0 {
            piece.accepted = accepted;
        }
        piece.tries += 1;
        if whole && piece.tries < WHOLE_TRIES {
            self.pieces.push(piece);
            return Narrowed::Wait;
        }
        let halves = match self.splits < MAX_REQUESTS / 2 {
            true => halves(&piece.batch),
            false => None,
        };
        if let Some(halves) = halves {
            self.splits += 1;
            self.push(halves);
            return Narrowed::GoOn;
        }
        if others_pass {
            return Narrowed::Culprit(piece.batch);
        }
        // Behind all others: if they pass, it is this one.
        self.pieces.insert(0, piece);
        match self.pieces.last() {
            Some(next) if next.tries == 0 || accepted > next.accepted => Narrowed::GoOn,
            _ => Narrowed::Wait,
        }
    }

    fn push(&mut self, halves: Vec<Batch>) {
        self.pieces.extend(halves.into_iter().rev().map(Piece::new));
    }
}

/// Two or more smaller pieces in order; `None` if it is one item, or cannot be taken apart.
fn halves(piece: &Batch) -> Option<Vec<Batch>> {
    match piece.chunks.as_slice() {
        [] => None,
        [chunk] => halves_of_chunk(piece, chunk),
        chunks => {
            let (head, tail) = chunks.split_at(chunks.len() / 2);
            Some(vec![piece.with(head.to_vec()), piece.with(tail.to_vec())])
        }
    }
}

fn halves_of_chunk(piece: &Batch, chunk: &Chunk) -> Option<Vec<Batch>> {
    if chunk.items < 2 {
        return None;
    }
    // The journal holds checked bytes; if these are not, they are put aside as they are.
    let parts =
        ::otlp::split::by_items(piece.signal, &chunk.bytes, chunk.items.div_ceil(2)).ok()?;
    if parts.len() < 2 {
        return None;
    }
    let parts = parts.into_iter().map(|part| {
        piece.with(vec![Chunk {
            bytes: Bytes::from(part.bytes),
            items: part.items,
            ..chunk.clone()
        }])
    });
    Some(parts.collect())
}
