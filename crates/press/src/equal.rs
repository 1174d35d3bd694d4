//! Comparing the input with itself, sixteen bytes an instruction where the machine has one.

use wide::u8x32;

/// Bytes compared at once.
pub(crate) const WINDOW: usize = 32;

/// Bit n tells whether byte n is the same in both.
#[inline(always)]
pub(crate) fn equal_mask(a: &[u8; WINDOW], b: &[u8; WINDOW]) -> u32 {
    u8x32::new(*a).simd_eq(u8x32::new(*b)).to_bitmask()
}

/// `N` bytes from `at` on, if there are as many.
#[inline(always)]
pub(crate) fn part<const N: usize>(src: &[u8], at: usize) -> Option<&[u8; N]> {
    src.get(at..)?.first_chunk()
}

/// Bit n tells whether the four bytes at `needle` stand n bytes after `from` too; 0 if there are
/// not enough bytes.
#[inline(always)]
pub(crate) fn places_of(src: &[u8], needle: usize, from: usize) -> u32 {
    let (Some(needle), Some(around)) = (part::<4>(src, needle), part::<WINDOW>(src, from)) else {
        return 0;
    };
    let around = u8x32::new(*around);
    let places = |n: usize| around.simd_eq(u8x32::splat(needle[n])).to_bitmask() >> n;
    places(0) & places(1) & places(2) & places(3)
}

/// How many bytes from `a` on equal those from `b` on, up to the end; `b` is before `a`.
#[inline(always)]
pub(crate) fn equal_bytes(src: &[u8], a: usize, b: usize) -> usize {
    let ahead = &src[a..];
    let behind = &src[b..][..ahead.len()];
    let (windows, rest) = ahead.as_chunks::<WINDOW>();
    let (windows_behind, rest_behind) = behind.as_chunks::<WINDOW>();
    let mut same = 0;
    for (x, y) in windows.iter().zip(windows_behind) {
        let mask = equal_mask(x, y);
        if mask != u32::MAX {
            return same + mask.trailing_ones() as usize;
        }
        same += WINDOW;
    }
    let equal = rest.iter().zip(rest_behind).take_while(|(x, y)| x == y);
    same + equal.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_bytes_are_found_at_every_place() {
        let mut src = [b'-'; 2 * WINDOW];
        src[..4].copy_from_slice(b"abca");
        assert_eq!(places_of(&src, 0, WINDOW), 0);
        for place in 0..WINDOW - 3 {
            let mut src = src;
            src[WINDOW + place..WINDOW + place + 4].copy_from_slice(b"abca");
            assert_eq!(places_of(&src, 0, WINDOW), 1 << place);
            assert_eq!(places_of(&src, 1, WINDOW), (u32::MAX >> 3) & (2 << place));
        }
        assert_eq!(places_of(&src, 4, WINDOW), u32::MAX >> 3);
        assert_eq!(places_of(&src, 4, WINDOW + 1), 0, "not enough bytes");
    }

    #[test]
    fn a_bit_for_each_equal_byte() {
        let (mut a, b) = ([7u8; WINDOW], [7u8; WINDOW]);
        assert_eq!(equal_mask(&a, &b), u32::MAX);
        for at in 0..WINDOW {
            a[at] = 8;
            assert_eq!(equal_mask(&a, &b), !(1 << at), "{at}");
            a[at] = 7;
        }
    }

    #[test]
    fn equal_bytes_are_counted_up_to_the_end() {
        let mut src = vec![7u8; 3 * WINDOW + 5];
        assert_eq!(equal_bytes(&src, WINDOW, 0), 2 * WINDOW + 5);
        assert_eq!(equal_bytes(&src, 3 * WINDOW, 1), 5);
        for length in 0..2 * WINDOW + 5 {
            src[WINDOW + length] = 8;
            assert_eq!(equal_bytes(&src, WINDOW, 0), length);
            src[WINDOW + length] = 7;
        }
    }
}
