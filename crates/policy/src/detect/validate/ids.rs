//! National identifiers without their separators, each with what its issuer lays down.

use super::digit;

/// United States: area, group and serial number that can have been issued (SSA, since 2011 random
/// otherwise). There is no check digit.
pub(in crate::detect) fn us_ssn(text: &[u8]) -> bool {
    let area = number(&text[..3]);
    area != 0 && area != 666 && area < 900 && number(&text[3..5]) != 0 && number(&text[5..]) != 0
}

/// Germany: 11 digits, not beginning with 0; of the first ten, one occurs two or three times and
/// no other more than once; ISO 7064 mod 11,10.
pub(in crate::detect) fn de_steuer_id(text: &[u8]) -> bool {
    let mut counts = [0u8; 10];
    for &byte in &text[..10] {
        counts[digit(byte) as usize % 10] += 1;
    }
    let repeated = counts.iter().filter(|&&n| n > 1).count();
    if text[0] == b'0' || repeated != 1 || counts.iter().any(|&n| n > 3) {
        return false;
    }
    let mut product = 10;
    for &byte in &text[..10] {
        let sum = match (digit(byte) + product) % 10 {
            0 => 10,
            sum => sum,
        };
        product = 2 * sum % 11;
    }
    (11 - product) % 10 == digit(text[10])
}

/// United Kingdom: letters and prefixes that are issued (HMRC NIM39110). There is no check digit.
pub(in crate::detect) fn uk_nino(text: &[u8]) -> bool {
    const NEVER: [&[u8]; 7] = [b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"];
    !b"DFIQUV".contains(&text[0])
        && !b"DFIQUVO".contains(&text[1])
        && !NEVER.contains(&&text[..2])
        && matches!(text[8], b'A'..=b'D')
}

/// France: sex, month, department (2A and 2B count as 19 and 18), key = 97 - n mod 97.
pub(in crate::detect) fn fr_nir(text: &[u8]) -> bool {
    let mut digits = [0; 15];
    digits.copy_from_slice(text);
    match &text[5..7] {
        b"2A" => digits[5..7].copy_from_slice(b"19"),
        b"2B" => digits[5..7].copy_from_slice(b"18"),
        department if !department[1].is_ascii_digit() => return false,
        _ => {}
    }
    let month = number(&digits[3..5]);
    matches!(text[0], b'1' | b'2')
        && matches!(month, 1..=12 | 20..=42 | 50..=99)
        && 97 - number(&digits[..13]) % 97 == number(&digits[13..])
}

/// Spain: the number modulo 23 gives the letter; an NIE's X, Y, Z count as 0, 1, 2.
pub(in crate::detect) fn es_dni(text: &[u8]) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let lead = match text[0] {
        b'X' => 0,
        b'Y' => 1,
        b'Z' => 2,
        byte if byte.is_ascii_digit() => u64::from(digit(byte)),
        _ => return false,
    };
    let n = lead * 10_000_000 + number(&text[1..8]);
    LETTERS[(n % 23) as usize] == text[8]
}

/// Italy: digits may be replaced by letters (omocodia); the month's letter; the check letter.
pub(in crate::detect) fn it_cf(text: &[u8]) -> bool {
    /// What a digit, or a letter from A on, counts at an odd place.
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let digits_fit = [6, 7, 9, 10, 12, 13, 14]
        .iter()
        .all(|&i| text[i].is_ascii_digit() || b"LMNPQRSTUV".contains(&text[i]));
    if !digits_fit || !b"ABCDEHLMPRST".contains(&text[8]) {
        return false;
    }
    let sum: u32 = text[..15]
        .iter()
        .enumerate()
        .map(|(i, &byte)| {
            let value = if byte.is_ascii_digit() {
                digit(byte)
            } else {
                u32::from(byte - b'A')
            };
            // Places are counted from 1.
            if i % 2 == 0 {
                ODD[value as usize % 26]
            } else {
                value
            }
        })
        .sum();
    sum % 26 == u32::from(text[15] - b'A')
}

/// Poland: a date (the century is coded into the month) and the weighted check digit.
pub(in crate::detect) fn pl_pesel(text: &[u8]) -> bool {
    const WEIGHTS: [u32; 11] = [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1];
    let month = number(&text[2..4]) % 20;
    let day = number(&text[4..6]);
    (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && weighted(text, &WEIGHTS).is_multiple_of(10)
}

/// Netherlands: the elfproef, 9 to 2 and minus 1; not all zeros.
pub(in crate::detect) fn nl_bsn(text: &[u8]) -> bool {
    const WEIGHTS: [u32; 8] = [9, 8, 7, 6, 5, 4, 3, 2];
    number(text) != 0 && weighted(&text[..8], &WEIGHTS) % 11 == digit(text[8])
}

/// Brazil: two check digits, mod 11; numbers of one repeated digit are never issued.
pub(in crate::detect) fn br_cpf(text: &[u8]) -> bool {
    let check = |len: usize| {
        let sum: u32 = (2..)
            .zip(text[..len].iter().rev())
            .map(|(w, &b)| w * digit(b))
            .sum();
        match sum % 11 {
            0 | 1 => 0,
            rest => 11 - rest,
        }
    };
    text.iter().any(|byte| byte != &text[0])
        && check(9) == digit(text[9])
        && check(10) == digit(text[10])
}

/// India: does not begin with 0 or 1; Verhoeff's check.
pub(in crate::detect) fn in_aadhaar(text: &[u8]) -> bool {
    /// The permutation, for places 0 to 7 from the right.
    const PERMUTATION: [[u8; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    let check = text.iter().rev().enumerate().fold(0, |check, (i, &byte)| {
        dihedral(check, PERMUTATION[i % 8][digit(byte) as usize % 10])
    });
    matches!(text[0], b'2'..=b'9') && check == 0
}

/// The product in the dihedral group of ten elements: 0 to 4 turn, 5 to 9 turn and flip.
fn dihedral(a: u8, b: u8) -> u8 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b - 5) % 5,
        (false, true) => 5 + (a - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    }
}

fn number(digits: &[u8]) -> u64 {
    digits
        .iter()
        .fold(0, |n, &byte| n * 10 + u64::from(digit(byte)))
}

fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits
        .iter()
        .zip(weights)
        .map(|(&byte, weight)| digit(byte) * weight)
        .sum()
}
