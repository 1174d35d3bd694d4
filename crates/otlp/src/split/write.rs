//! Writing a part, and knowing beforehand how large it gets.

use super::Part;
use super::index::{Chunk, Index, MAX_LEVELS};
use crate::wire::{put_varint, varint_len};

/// How large a request of the chunks added so far is.
pub(super) struct Sizes<'i, 'a> {
    index: &'i Index<'a>,
    /// The open messages, and the bytes in each without those of the next one.
    open: [(u32, usize); MAX_LEVELS],
    levels: usize,
}

impl<'i, 'a> Sizes<'i, 'a> {
    pub(super) fn new(index: &'i Index<'a>) -> Self {
        Sizes {
            index,
            open: [(0, 0); MAX_LEVELS],
            levels: 0,
        }
    }

    pub(super) fn restart(&mut self) {
        self.levels = 0;
    }

    /// Adds a chunk and tells the size with it.
    pub(super) fn add(&mut self, chunk: &Chunk) -> usize {
        let (path, levels) = self.index.path(chunk);
        let common = common(
            &path[..levels],
            self.open[..self.levels].iter().map(|open| open.0),
        );
        while self.levels > common {
            self.levels -= 1;
            let size = field_size(self.open[self.levels].1);
            if let Some(parent) = self.levels.checked_sub(1) {
                self.open[parent].1 += size;
            }
        }
        for &node in &path[common..levels] {
            self.open[self.levels] = (node, self.index.own_bytes(node));
            self.levels += 1;
        }
        self.open[levels - 1].1 += self.index.field(chunk).len();
        let inner = self.open[1..levels].iter().rev();
        self.open[0].1 + inner.fold(0, |size, (_, bytes)| field_size(bytes + size))
    }
}

/// The size of a message as a field: all tags on the way to an item are one byte.
fn field_size(bytes: usize) -> usize {
    1 + varint_len(bytes as u64) + bytes
}

/// How many messages the chunk's path has in common with the open ones.
fn common(path: &[u32], open: impl Iterator<Item = u32>) -> usize {
    path.iter().zip(open).take_while(|(a, b)| **a == *b).count()
}

/// Writes chunks with all that is around them.
pub(super) struct Writer<'i, 'a> {
    index: &'i Index<'a>,
    part: Part,
    /// The open messages, and where their bodies begin.
    open: [(u32, usize); MAX_LEVELS],
    levels: usize,
}

impl<'i, 'a> Writer<'i, 'a> {
    pub(super) fn new(index: &'i Index<'a>, size: usize) -> Self {
        let part = Part {
            bytes: Vec::with_capacity(size),
            items: 0,
        };
        Writer {
            index,
            part,
            open: [(0, 0); MAX_LEVELS],
            levels: 0,
        }
    }

    pub(super) fn add(&mut self, chunk: &Chunk) {
        let (path, levels) = self.index.path(chunk);
        let common = common(
            &path[..levels],
            self.open[..self.levels].iter().map(|open| open.0),
        );
        while self.levels > common {
            self.close();
        }
        for &node in &path[common..levels] {
            self.open(node);
        }
        self.part.bytes.extend_from_slice(self.index.field(chunk));
        self.part.items += u64::from(chunk.items);
    }

    pub(super) fn finish(mut self) -> Part {
        while self.levels > 0 {
            self.close();
        }
        self.part
    }

    fn open(&mut self, node: u32) {
        let index = self.index;
        let this = index.node(node);
        let out = &mut self.part.bytes;
        if this.depth > 0 {
            out.push(this.tag);
        }
        self.open[self.levels] = (node, out.len());
        self.levels += 1;
        for piece in index.before(node) {
            out.extend_from_slice(piece);
        }
    }

    fn close(&mut self) {
        self.levels -= 1;
        let (node, begin) = self.open[self.levels];
        let index = self.index;
        let this = index.node(node);
        let out = &mut self.part.bytes;
        for piece in index.after(node) {
            out.extend_from_slice(piece);
        }
        if this.depth > 0 {
            // The length is known only now: append it and turn it to the front.
            let len = out.len() - begin;
            put_varint(out, len as u64);
            out[begin..].rotate_right(varint_len(len as u64));
        }
    }
}
