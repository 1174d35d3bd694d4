//! The first look at a value: classes of bytes in blocks of 16, which the compiler turns into
//! vector instructions. It dismisses what most values are, names, routes, host names, small
//! numbers, for a fraction of what the trigrams of [`super::prefilter`] cost.
//!
//! Guarantee: a detector's glances are a necessary condition: what it finds always shows one of
//! them (`tests/detect_oracle.rs` compares with references that know no glances).

/// A set of what is seen at a glance.
pub(super) type Glances = u8;

/// A byte from 1 up to `+` (white space, quotes, parentheses, `&`, `+`) or one of `:;<=>?@`.
pub(super) const SPECIAL: Glances = 1;
/// A capital, and four capitals or digits.
pub(super) const CAPITAL_CODE: Glances = 1 << 1;
/// An underscore, and four capitals or digits.
pub(super) const UNDERSCORE_CODE: Glances = 1 << 2;
/// Three dots and four digits.
pub(super) const DOTTED: Glances = 1 << 3;
pub(super) const DIGITS_7: Glances = 1 << 4;
pub(super) const DIGITS_10: Glances = 1 << 5;

const ALL: Glances = Glances::MAX;

/// No detector finds anything in less: `a@b.co`, `?key=x`, `fe80::`.
const SHORTEST: usize = 6;
/// The least number in which there are [`SHORTEST`] digits: no detector finds anything in fewer.
pub(super) const LEAST_NUMBER: u64 = 10_u64.pow(SHORTEST as u32 - 1);
/// The counts of a lane have a byte: beyond this they could overflow.
const LONGEST: usize = 16 * 250;

const LANES: usize = 16;

/// What is counted, in each lane.
#[derive(Default)]
struct Lanes {
    special: [u8; LANES],
    underscore: [u8; LANES],
    capitals: [u8; LANES],
    digits: [u8; LANES],
    dots: [u8; LANES],
}

impl Lanes {
    #[inline]
    fn add<const N: usize>(&mut self, block: &[u8; N]) {
        for (i, &b) in block.iter().enumerate().take(LANES) {
            self.special[i] |=
                u8::from(b.wrapping_sub(1) < b'+') | u8::from(b.wrapping_sub(b':') <= b'@' - b':');
            self.underscore[i] |= u8::from(b == b'_');
            self.capitals[i] += u8::from(b.wrapping_sub(b'A') <= b'Z' - b'A');
            self.digits[i] += u8::from(b.wrapping_sub(b'0') <= 9);
            self.dots[i] += u8::from(b == b'.');
        }
    }

    /// Less than a block: two halves, the second without what they share.
    #[inline]
    fn add_short(&mut self, value: &[u8]) {
        if let (Some(first), Some(last)) = (value.first_chunk::<8>(), value.last_chunk::<8>()) {
            self.add(first);
            self.add(&end_of(last, value.len() - 8));
        } else {
            let mut block = [0; 8];
            block.iter_mut().zip(value).for_each(|(to, &b)| *to = b);
            self.add(&block);
        }
    }

    #[inline]
    fn glances(&self) -> Glances {
        let (capitals, digits) = (sum(&self.capitals), sum(&self.digits));
        let code = capitals + digits >= 4;
        when(any(&self.special), SPECIAL)
            | when(code && capitals > 0, CAPITAL_CODE)
            | when(code && any(&self.underscore), UNDERSCORE_CODE)
            | when(sum(&self.dots) >= 3 && digits >= 4, DOTTED)
            | when(digits >= 7, DIGITS_7)
            | when(digits >= 10, DIGITS_10)
    }
}

fn any(lanes: &[u8; LANES]) -> bool {
    u128::from_ne_bytes(*lanes) != 0
}

fn sum(lanes: &[u8; LANES]) -> u32 {
    lanes.iter().map(|&n| u32::from(n)).sum()
}

fn when(yes: bool, glance: Glances) -> Glances {
    if yes { glance } else { 0 }
}

/// What is seen of a value at a glance.
#[inline]
pub(super) fn glances(value: &[u8]) -> Glances {
    let mut lanes = Lanes::default();
    if let Some(last) = value.last_chunk::<LANES>() {
        if value.len() > LONGEST {
            return ALL;
        }
        let (blocks, rest) = value.as_chunks::<LANES>();
        for block in blocks {
            lanes.add(block);
        }
        if !rest.is_empty() {
            lanes.add(&end_of(last, rest.len()));
        }
    } else if value.len() < SHORTEST {
        return 0;
    } else {
        lanes.add_short(value);
    }
    lanes.glances()
}

/// The last `len` bytes of a block, with zeros before them, which are nothing. By a mask: moving
/// bytes in a number would go through memory in halves, which takes longer than all the rest.
#[inline]
fn end_of<const N: usize>(block: &[u8; N], len: usize) -> [u8; N] {
    let mut end = *block;
    // `N - len` zeros and `len` ones.
    let mask = MASK.get(LANES - (N - len.min(N))..).unwrap_or_default();
    for (byte, mask) in end
        .iter_mut()
        .zip(mask.first_chunk::<N>().unwrap_or(&[0xff; N]))
    {
        *byte &= mask;
    }
    end
}

/// Zeros and ones.
static MASK: [u8; 2 * LANES] = {
    let mut mask = [0; 2 * LANES];
    let mut i = LANES;
    while i < 2 * LANES {
        mask[i] = 0xff;
        i += 1;
    }
    mask
};

/// Whether the whole value is a UUID, a trace id or a digest in hexadecimal, in which nothing is
/// to be found.
pub(super) fn is_hex_id(value: &[u8]) -> bool {
    let dash = |i: usize| value.get(i) == Some(&b'-');
    let dashes = match value.len() {
        36 if dash(8) && dash(13) && dash(18) && dash(23) => 4,
        32 | 40 | 64 => 0,
        _ => return false,
    };
    // In bytes, which the compiler turns into vectors: there are at most 64.
    let (mut hex, mut dash) = (0u8, 0u8);
    for &b in value {
        hex += u8::from(b.wrapping_sub(b'0') <= 9) + u8::from((b | 0x20).wrapping_sub(b'a') < 6);
        dash += u8::from(b == b'-');
    }
    dash == dashes && usize::from(hex + dash) == value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_block_is_masked() {
        let block: [u8; LANES] = std::array::from_fn(|i| i as u8 + 1);
        for len in 0..=LANES {
            let end = end_of(&block, len);
            assert_eq!(end[..LANES - len], [0; LANES][len..]);
            assert_eq!(end[LANES - len..], block[LANES - len..]);
        }
        let half: [u8; 8] = std::array::from_fn(|i| i as u8 + 1);
        assert_eq!(end_of(&half, 3), [0, 0, 0, 0, 0, 6, 7, 8]);
        assert_eq!(end_of(&half, 0), [0; 8]);
    }
}
