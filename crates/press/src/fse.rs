//! The format's predefined tables for sequence codes (RFC 8878, section 3.1.1.3.2.2), turned into
//! tables for encoding when this is compiled (section 4.1, read backward).

use crate::bits::BitWriter;

/// More than any of the alphabets has.
const MAX_SYMBOLS: usize = 64;

/// Encodes symbols of one distribution over `SIZE` states.
pub(crate) struct Table<const SYMBOLS: usize, const SIZE: usize> {
    /// State to go to, in the order of symbols and of their states.
    next: [u16; SIZE],
    /// A power of two of them, so that no look-up needs a check.
    symbols: [Symbol; MAX_SYMBOLS],
}

#[derive(Clone, Copy)]
struct Symbol {
    /// `(state + bits) >> 16` is how many bits of the state are written.
    bits: u32,
    /// Added to what is left of the state: the place in `next`.
    place: i32,
}

pub(crate) static LITERAL_LENGTHS: Table<36, 64> = Table::new(&[
    4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1,
    -1, -1, -1, -1,
]);
pub(crate) static MATCH_LENGTHS: Table<53, 64> = Table::new(&[
    1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
]);
/// Offset codes up to 28: distances below 2^29.
pub(crate) static OFFSETS: Table<29, 32> = Table::new(&[
    1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
]);

impl<const SYMBOLS: usize, const SIZE: usize> Table<SYMBOLS, SIZE> {
    const LOG: u32 = SIZE.trailing_zeros();

    const fn new(counts: &[i16; SYMBOLS]) -> Self {
        let owners = spread::<SYMBOLS, SIZE>(counts);
        let mut symbols = [Symbol { bits: 0, place: 0 }; MAX_SYMBOLS];
        let mut first = [0; SYMBOLS];
        let mut total = 0;
        let mut symbol = 0;
        while symbol < SYMBOLS {
            let count = counts[symbol].unsigned_abs() as u32;
            first[symbol] = total;
            let most = match count {
                1 => Self::LOG,
                _ => Self::LOG - (count - 1).ilog2(),
            };
            symbols[symbol] = Symbol {
                bits: (most << 16) - (count << most),
                place: total as i32 - count as i32,
            };
            total += count;
            symbol += 1;
        }
        let mut next = [0; SIZE];
        let mut state = 0;
        while state < SIZE {
            let owner = owners[state] as usize;
            next[first[owner] as usize] = (SIZE + state) as u16;
            first[owner] += 1;
            state += 1;
        }
        Table { next, symbols }
    }

    /// The state before the last symbol.
    pub(crate) fn start(&self, symbol: u8) -> u32 {
        let Symbol { bits, place } = self.symbol(symbol);
        let count = (bits + (1 << 15)) >> 16;
        let value = (count << 16) - bits;
        self.go(value >> count, place)
    }

    /// Writes what leads from the state for `symbol` to `state`.
    #[inline(always)]
    pub(crate) fn encode(&self, state: u32, symbol: u8, out: &mut BitWriter<'_>) -> u32 {
        let Symbol { bits, place } = self.symbol(symbol);
        let count = (state + bits) >> 16;
        out.add(u64::from(state & ((1 << count) - 1)), count);
        self.go(state >> count, place)
    }

    /// Writes the first state, with which a reader begins.
    pub(crate) fn finish(&self, state: u32, out: &mut BitWriter<'_>) {
        out.add(u64::from(state) & (SIZE as u64 - 1), Self::LOG);
    }

    #[inline(always)]
    fn symbol(&self, symbol: u8) -> Symbol {
        debug_assert!((symbol as usize) < SYMBOLS);
        self.symbols[symbol as usize % MAX_SYMBOLS]
    }

    #[inline(always)]
    fn go(&self, rest: u32, place: i32) -> u32 {
        u32::from(self.next[rest.wrapping_add_signed(place) as usize & (SIZE - 1)])
    }
}

/// Which symbol each state of the decoding table belongs to.
const fn spread<const SYMBOLS: usize, const SIZE: usize>(counts: &[i16; SYMBOLS]) -> [u8; SIZE] {
    let mut owners = [0; SIZE];
    let mut high = SIZE;
    let mut symbol = 0;
    while symbol < SYMBOLS {
        if counts[symbol] == -1 {
            high -= 1;
            owners[high] = symbol as u8;
        }
        symbol += 1;
    }
    let step = (SIZE >> 1) + (SIZE >> 3) + 3;
    let mut at = 0;
    symbol = 0;
    while symbol < SYMBOLS {
        let mut left = counts[symbol];
        while left > 0 {
            owners[at] = symbol as u8;
            at = (at + step) & (SIZE - 1);
            while at >= high {
                at = (at + step) & (SIZE - 1);
            }
            left -= 1;
        }
        symbol += 1;
    }
    owners
}
