//! Check digits: what tells a number from a number that only looks like it. Pure arithmetic on
//! ASCII digits and capital letters that the scanners have already made sure of.

pub(super) mod ids;

/// The value of an ASCII digit.
fn digit(byte: u8) -> u32 {
    u32::from(byte.wrapping_sub(b'0'))
}

/// Luhn's check (ISO/IEC 7812-1, annex B) over all digits, the check digit last.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &byte)| match (i % 2, digit(byte)) {
            (0, value) => value,
            (_, value) if value > 4 => 2 * value - 9,
            (_, value) => 2 * value,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether an issuer's prefix and the length belong together: Visa, Mastercard, American Express,
/// Discover, Diners Club, JCB, UnionPay, Maestro, Mir.
pub(super) fn of_issuer(digits: &[u8]) -> bool {
    let prefix = digits
        .iter()
        .take(4)
        .fold(0, |n, &byte| n * 10 + digit(byte));
    let len = digits.len();
    match prefix {
        4000..=4999 => matches!(len, 13 | 16 | 19),
        5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => (13..=19).contains(&len),
        5100..=5599 | 2221..=2720 => len == 16,
        3400..=3499 | 3700..=3799 => len == 15,
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => (14..=19).contains(&len),
        6011 | 6200..=6299 | 6440..=6599 | 3528..=3589 | 2200..=2204 => (16..=19).contains(&len),
        _ => false,
    }
}

/// The check of ISO 7064 mod 97-10 as an IBAN uses it: the first four characters go last, letters
/// count from 10, and the remainder is 1.
pub(super) fn mod97(iban: &[u8]) -> bool {
    let (head, tail) = iban.split_at(iban.len().min(4));
    let remainder = tail.iter().chain(head).fold(0, |rest, &byte| {
        if byte.is_ascii_digit() {
            (rest * 10 + digit(byte)) % 97
        } else {
            (rest * 100 + u32::from(byte.wrapping_sub(b'A')) + 10) % 97
        }
    });
    remainder == 1
}
