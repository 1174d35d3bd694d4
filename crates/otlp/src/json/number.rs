//! Numbers: the grammar of JSON, exact integers, doubles.

/// How many bytes at the beginning of `text` are a number by the grammar of JSON, if any are.
#[inline]
pub(super) fn grammar(text: &[u8]) -> Option<usize> {
    let mut at = usize::from(text.first() == Some(&b'-'));
    let whole = digits(text, at);
    // No leading zeros.
    if whole == at || (text[at] == b'0' && whole > at + 1) {
        return None;
    }
    at = whole;
    if text.get(at) == Some(&b'.') {
        let end = digits(text, at + 1);
        if end == at + 1 {
            return None;
        }
        at = end;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = text.get(at) {
            at += 1;
        }
        let end = digits(text, at);
        if end == at {
            return None;
        }
        at = end;
    }
    Some(at)
}

#[inline]
fn digits(text: &[u8], mut at: usize) -> usize {
    while let Some(b'0'..=b'9') = text.get(at) {
        at += 1;
    }
    at
}

/// What a number is as an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Integer {
    /// This one; beyond 64 bits where the number is.
    Exact(i128),
    /// A fraction.
    Fraction,
    /// More than 20 digits.
    TooLarge,
}

/// The integer that `number`, proven by [`grammar`], is; exact, whatever its notation: `1e3`,
/// `1.50e1` and `-0` are integers.
#[inline]
pub(super) fn integer(number: &[u8]) -> Integer {
    let (negative, magnitude) = match number {
        [b'-', magnitude @ ..] => (true, magnitude),
        magnitude => (false, magnitude),
    };
    if magnitude.len() <= 19 {
        // 19 digits fit 64 bits.
        let mut value = 0u64;
        for byte in magnitude {
            if !byte.is_ascii_digit() {
                return notation(negative, magnitude);
            }
            value = value * 10 + u64::from(byte - b'0');
        }
        let value = i128::from(value);
        return Integer::Exact(if negative { -value } else { value });
    }
    notation(negative, magnitude)
}

/// The same for any length, fraction and exponent.
fn notation(negative: bool, magnitude: &[u8]) -> Integer {
    let (mantissa, exponent) = match memchr::memchr2(b'e', b'E', magnitude) {
        Some(at) => (&magnitude[..at], exponent(&magnitude[at + 1..])),
        None => (magnitude, 0),
    };
    let (whole, fraction) = match memchr::memchr(b'.', mantissa) {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &[][..]),
    };
    let digits = whole.len() + fraction.len();
    let zeros = |bytes: &mut dyn Iterator<Item = &u8>| bytes.take_while(|b| **b == b'0').count();
    let leading = zeros(&mut whole.iter().chain(fraction));
    if leading == digits {
        return Integer::Exact(0);
    }
    let trailing = zeros(&mut whole.iter().chain(fraction).rev());
    let scale = exponent - fraction.len() as i64 + trailing as i64;
    let significant = digits - leading - trailing;
    if scale < 0 {
        return Integer::Fraction;
    }
    if significant as i64 + scale > 20 {
        return Integer::TooLarge;
    }
    let mut value = 0i128;
    for byte in whole.iter().chain(fraction).skip(leading).take(significant) {
        value = value * 10 + i128::from(byte - b'0');
    }
    for _ in 0..scale {
        value *= 10;
    }
    Integer::Exact(if negative { -value } else { value })
}

/// The exponent, held within bounds that no length of a document reaches.
fn exponent(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let value = digits.iter().fold(0i64, |value, byte| {
        (value * 10 + i64::from(byte.wrapping_sub(b'0'))).min(1 << 40)
    });
    if negative { -value } else { value }
}

/// The double nearest to `number`, proven by [`grammar`]; `None` if it is beyond the finite ones.
#[inline]
pub(super) fn double(number: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(number).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[0; 2]; 100];
    let mut i = 0;
    while i < 100 {
        pairs[i] = [b'0' + (i / 10) as u8, b'0' + (i % 10) as u8];
        i += 1;
    }
    pairs
};

/// Appends `value` in decimal.
#[inline]
pub(super) fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    let mut buffer = [0; 20];
    let mut at = buffer.len();
    while value >= 10 {
        at -= 2;
        buffer[at..at + 2].copy_from_slice(&PAIRS[(value % 100) as usize]);
        value /= 100;
    }
    if value > 0 || at == buffer.len() {
        at -= 1;
        buffer[at] = b'0' + value as u8;
    }
    out.extend_from_slice(&buffer[at..]);
}

/// Appends `value` in decimal.
#[inline]
pub(super) fn put_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    put_u64(out, value.unsigned_abs());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_that_of_json() {
        for good in ["0", "-0", "10", "1.5", "-1.5e-3", "0e0", "1E+9", "0.0"] {
            assert_eq!(grammar(good.as_bytes()), Some(good.len()), "{good}");
        }
        for bad in [
            "", "-", "01", "-01", "1.", ".5", "1e", "1e+", "+1", "NaN", "1.e5",
        ] {
            assert_eq!(grammar(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(grammar(b"12,"), Some(2));
    }

    #[test]
    fn integers_are_exact_in_any_notation() {
        let exact = |text: &str| integer(text.as_bytes());
        assert_eq!(exact("-0"), Integer::Exact(0));
        assert_eq!(exact("1e3"), Integer::Exact(1000));
        assert_eq!(exact("1.50e1"), Integer::Exact(15));
        assert_eq!(exact("-120e-1"), Integer::Exact(-12));
        assert_eq!(exact("0.000e99999999999999999999"), Integer::Exact(0));
        assert_eq!(exact("1.0000000000000000000000"), Integer::Exact(1));
        assert_eq!(
            exact("18446744073709551615"),
            Integer::Exact(u64::MAX.into())
        );
        assert_eq!(
            exact("-9223372036854775808"),
            Integer::Exact(i64::MIN.into())
        );
        assert_eq!(
            exact("9007199254740993"),
            Integer::Exact(9_007_199_254_740_993)
        );
        assert_eq!(exact("0.5"), Integer::Fraction);
        assert_eq!(exact("1e-99999999999999999999"), Integer::Fraction);
        assert_eq!(exact("1e99999999999999999999"), Integer::TooLarge);
        assert_eq!(exact("123456789012345678901"), Integer::TooLarge);
    }

    #[test]
    fn integers_are_written_as_std_does() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                put_u64(&mut out, value);
                assert_eq!(out, value.to_string().as_bytes());
                out.clear();
                put_i64(&mut out, value as i64);
                assert_eq!(out, (value as i64).to_string().as_bytes());
            }
        }
        for value in 0..1100 {
            let mut out = Vec::new();
            put_u64(&mut out, value);
            assert_eq!(out, value.to_string().as_bytes());
        }
    }
}
