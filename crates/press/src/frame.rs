//! Frames and blocks (RFC 8878, sections 3.1.1.1 and 3.1.1.2).

use crate::bits::BitWriter;
use crate::codes;
use crate::fse::{LITERAL_LENGTHS, MATCH_LENGTHS, OFFSETS};
use crate::matcher::{Distances, Matcher, Sequence};

const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
/// A single segment whose content length is given in four bytes; no checksum, no dictionary.
const DESCRIPTOR: u8 = 0b1010_0000;
const FRAME_HEADER: usize = 9;
const BLOCK_HEADER: usize = 3;
const LITERALS_HEADER: usize = 3;
/// The most content of a block.
const BLOCK: usize = 128 << 10;
/// Fewer sequences than this have their number in two bytes.
const LONG_COUNT: usize = 0x7F00;

/// Makes frames. Keep it: its tables are used again.
pub struct Compressor {
    matcher: Matcher,
    sequences: Vec<Sequence>,
    bits: Box<[u8]>,
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

impl Compressor {
    /// A compressor of about 300 KiB.
    pub fn new() -> Self {
        Compressor {
            matcher: Matcher::new(),
            sequences: Vec::new(),
            bits: vec![0; BLOCK / 2].into_boxed_slice(),
        }
    }

    /// The most bytes of the frame of `raw` bytes.
    pub fn bound(raw: usize) -> usize {
        FRAME_HEADER + raw + (raw / BLOCK + 1) * BLOCK_HEADER
    }

    /// Appends the frame of `raw` to `out`; `false`, and `out` as it was, if `raw` has 4 GiB or
    /// more.
    pub fn compress(&mut self, raw: &[u8], out: &mut Vec<u8>) -> bool {
        let Ok(length) = u32::try_from(raw.len()) else {
            return false;
        };
        out.reserve(Self::bound(raw.len()));
        out.extend_from_slice(&MAGIC);
        out.push(DESCRIPTOR);
        out.extend_from_slice(&length.to_le_bytes());
        self.matcher.reset();
        let mut distances = Distances::INITIAL;
        let mut start = 0;
        loop {
            let end = raw.len().min(start + BLOCK);
            let last = end == raw.len();
            self.block(raw, (start, end), last, &mut distances, out);
            if last {
                return true;
            }
            start = end;
        }
    }

    fn block(
        &mut self,
        raw: &[u8],
        (start, end): (usize, usize),
        last: bool,
        distances: &mut Distances,
        out: &mut Vec<u8>,
    ) {
        let header = out.len();
        let before = *distances;
        out.extend_from_slice(&[0; BLOCK_HEADER + LITERALS_HEADER]);
        self.sequences.clear();
        self.matcher
            .split(raw, (start, end), distances, &mut self.sequences, out);
        let body = header + BLOCK_HEADER;
        let literals = out.len() - body - LITERALS_HEADER;
        let stored = match self.sequences.is_empty() {
            true => None,
            false => encode(&self.sequences, &mut self.bits),
        };
        if let Some(bits) = stored
            && LITERALS_HEADER + literals + 4 + bits < end - start
        {
            // Raw literals, their length in 20 bits.
            let literals = (literals as u32) << 4 | 0b1100;
            out[body..body + LITERALS_HEADER].copy_from_slice(&literals.to_le_bytes()[..3]);
            push_count(self.sequences.len(), out);
            // All three codes with the predefined tables.
            out.push(0);
            out.extend_from_slice(&self.bits[..bits]);
            let length = out.len() - body;
            set_header(&mut out[header..body], last, 2, length);
        } else {
            out.truncate(body);
            out.extend_from_slice(&raw[start..end]);
            set_header(&mut out[header..body], last, 0, end - start);
            // A raw block leaves the distances as they were.
            *distances = before;
        }
    }
}

fn set_header(header: &mut [u8], last: bool, kind: u32, length: usize) {
    let value = (length as u32) << 3 | kind << 1 | u32::from(last);
    header.copy_from_slice(&value.to_le_bytes()[..BLOCK_HEADER]);
}

fn push_count(count: usize, out: &mut Vec<u8>) {
    if count < 128 {
        out.push(count as u8);
    } else if count < LONG_COUNT {
        out.extend_from_slice(&[(count >> 8) as u8 + 128, count as u8]);
    } else {
        out.push(255);
        out.extend_from_slice(&((count - LONG_COUNT) as u16).to_le_bytes());
    }
}

/// The bitstream of the sequences, last to first; `None` if it does not fit into `out`.
fn encode(sequences: &[Sequence], out: &mut [u8]) -> Option<usize> {
    let mut bits = BitWriter::new(out);
    let mut backward = sequences.iter().rev();
    let first = backward.next()?;
    let (literals, matched, offset) = codes_of(first);
    let mut of_state = OFFSETS.start(offset);
    let mut ml_state = MATCH_LENGTHS.start(matched.code);
    let mut ll_state = LITERAL_LENGTHS.start(literals.code);
    extra(&mut bits, first, &literals, &matched, offset);
    for sequence in backward {
        let (literals, matched, offset) = codes_of(sequence);
        of_state = OFFSETS.encode(of_state, offset, &mut bits);
        ml_state = MATCH_LENGTHS.encode(ml_state, matched.code, &mut bits);
        ll_state = LITERAL_LENGTHS.encode(ll_state, literals.code, &mut bits);
        extra(&mut bits, sequence, &literals, &matched, offset);
    }
    MATCH_LENGTHS.finish(ml_state, &mut bits);
    OFFSETS.finish(of_state, &mut bits);
    LITERAL_LENGTHS.finish(ll_state, &mut bits);
    bits.close()
}

#[inline(always)]
fn codes_of(sequence: &Sequence) -> (codes::Code, codes::Code, u8) {
    (
        codes::literals(sequence.literals),
        codes::matched(sequence.length),
        sequence.offset_value.ilog2() as u8,
    )
}

/// What the codes leave open. With the states before: 7 + 17 + 32 bits, then at most 7 + 28.
#[inline(always)]
fn extra(
    bits: &mut BitWriter<'_>,
    sequence: &Sequence,
    literals: &codes::Code,
    matched: &codes::Code,
    offset: u8,
) {
    bits.add(
        u64::from(sequence.literals - literals.base),
        u32::from(literals.bits),
    );
    bits.add(
        u64::from(sequence.length - matched.base),
        u32::from(matched.bits),
    );
    bits.flush();
    // Mostly the last distance again, which needs none.
    if offset > 0 {
        let offset = u32::from(offset);
        bits.add(u64::from(sequence.offset_value) - (1 << offset), offset);
        bits.flush();
    }
}
