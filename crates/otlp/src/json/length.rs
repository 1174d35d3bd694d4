//! Protobuf output whose lengths are put in at the end.
//!
//! A length stands before what it measures, and is one to five bytes long itself. Making room when
//! the length becomes known would move nested messages once a level; so lengths are noted beside
//! the output and woven in by one last copy, in time that grows with the output alone.

use crate::wire;

pub(super) struct Output {
    /// All but the noted lengths.
    pub(super) bytes: Vec<u8>,
    /// In the order of their places.
    lengths: Vec<Length>,
    /// Bytes that the noted lengths will take, of all that are known so far.
    added: u32,
}

#[derive(Clone, Copy)]
struct Length {
    /// The place in `bytes` before which it belongs.
    at: u32,
    value: u32,
}

/// A length that is not known yet.
#[must_use]
pub(super) struct Open {
    index: usize,
    added: u32,
}

impl Output {
    /// Room for the protobuf form of a document of this length. The whole output must stay below
    /// 4 GiB: see [`super::MAX_JSON_BYTES`].
    pub(super) fn for_json(len: usize) -> Self {
        Output {
            bytes: Vec::with_capacity(len / 3),
            lengths: Vec::with_capacity(len / 48),
            added: 0,
        }
    }

    /// Begins something with a length.
    #[inline]
    pub(super) fn open(&mut self) -> Open {
        let index = self.lengths.len();
        self.lengths.push(Length {
            at: self.bytes.len() as u32,
            value: 0,
        });
        Open {
            index,
            added: self.added,
        }
    }

    /// Ends it.
    #[inline]
    pub(super) fn close(&mut self, open: Open) {
        let end = self.bytes.len() as u32;
        if let Some(length) = self.lengths.get_mut(open.index) {
            length.value = end - length.at + (self.added - open.added);
            self.added += wire::varint_len(u64::from(length.value)) as u32;
        }
    }

    /// The output, lengths and all.
    pub(super) fn finish(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + self.added as usize);
        let mut rest = &self.bytes[..];
        let mut written = 0;
        for length in &self.lengths {
            let (before, after) = rest.split_at((length.at - written) as usize);
            out.extend_from_slice(before);
            wire::put_varint(&mut out, u64::from(length.value));
            rest = after;
            written = length.at;
        }
        out.extend_from_slice(rest);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_the_lengths_inside() {
        let mut output = Output::for_json(0);
        output.bytes.push(b'a');
        let outer = output.open();
        output.bytes.push(b'b');
        let long = output.open();
        output.bytes.extend_from_slice(&[b'c'; 200]);
        output.close(long);
        let empty = output.open();
        output.close(empty);
        output.close(outer);
        let mut expected = vec![b'a', 204 & 0x7f | 0x80, 1, b'b', 200 & 0x7f | 0x80, 1];
        expected.extend_from_slice(&[b'c'; 200]);
        expected.push(0);
        assert_eq!(output.finish(), expected);
    }
}
