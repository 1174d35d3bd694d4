//! Little-endian loads, and the backward bitstream of RFC 8878, section 4.1.

/// Eight bytes from `at`; 0 if there are not as many.
#[inline(always)]
pub(crate) fn load8(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => 0,
    }
}

/// Bits appended low to high. A reader starts at the end.
pub(crate) struct BitWriter<'a> {
    out: &'a mut [u8],
    at: usize,
    held: u64,
    count: u32,
}

impl<'a> BitWriter<'a> {
    /// Writes into `out`, which must have eight bytes more than are written.
    pub(crate) fn new(out: &'a mut [u8]) -> Self {
        BitWriter {
            out,
            at: 0,
            held: 0,
            count: 0,
        }
    }

    /// The low `count` bits of `value`, whose other bits must be 0. At most 56 bits may be added
    /// between two [`flush`](Self::flush).
    #[inline(always)]
    pub(crate) fn add(&mut self, value: u64, count: u32) {
        debug_assert!(value >> count == 0 && self.count + count < 64);
        self.held |= value << self.count;
        self.count += count;
    }

    /// Writes the whole bytes. What does not fit is left out; [`close`](Self::close) tells.
    #[inline(always)]
    pub(crate) fn flush(&mut self) {
        if let Some(room) = self
            .out
            .get_mut(self.at..)
            .and_then(|r| r.first_chunk_mut())
        {
            *room = self.held.to_le_bytes();
        }
        let bytes = self.count / 8;
        self.at += bytes as usize;
        self.held >>= bytes * 8;
        self.count %= 8;
    }

    /// Ends the stream with the bit that marks its end. Gives its bytes; `None` if they did not
    /// fit.
    pub(crate) fn close(mut self) -> Option<usize> {
        self.add(1, 1);
        self.flush();
        let end = self.at + usize::from(self.count > 0);
        (end + 8 <= self.out.len()).then(|| {
            if self.count > 0
                && let Some(last) = self.out.get_mut(self.at)
            {
                *last = self.held as u8;
            }
            end
        })
    }
}
