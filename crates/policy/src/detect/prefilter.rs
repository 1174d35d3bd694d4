//! One pass over a value's bytes that says which detectors are worth running. Almost always: none.
//!
//! The pass gathers *signs*, one bit each: trigrams (is there `eyJ`?) and counts of bytes (is
//! there an `@`, are there 13 digits?). A trigram is three byte sets in a row. For each byte a
//! table has the trigrams of which it may be the first, the second and the third byte; one is
//! seen where the three masks of neighbouring bytes agree. The three masks share one word, the
//! counts another, so that a byte costs two loads and no branch, whatever the value holds and
//! however many trigrams there are.
//!
//! Guarantee: a detector's signs are a necessary condition, so that leaving it out never loses a
//! finding (`tests/detect_oracle.rs` compares with references that know no prefilter).

/// A set of signs.
pub(super) type Signs = u32;

macro_rules! signs {
    ($($(#[$doc:meta])* $name:ident)*) => { signs!(@ 0u32; $($(#[$doc])* $name)*); };
    (@ $n:expr; $(#[$doc:meta])* $name:ident $($rest:tt)*) => {
        $(#[$doc])* pub(super) const $name: Signs = 1 << $n;
        signs!(@ $n + 1; $($rest)*);
    };
    (@ $n:expr;) => {};
}

signs! {
    // Trigrams, at most `TRIGRAM_BITS`. Some share a sign, where what they then also stand for
    // is rare.
    JWT BEARER BASIC AWS_GOOGLE GITHUB GITLAB SLACK STRIPE DASHES
    PASS_PWD SECRET_TOKEN KEY_CREDENTIAL
    SELECT_DELETE INTO UPDATE USER
    DIGIT_DOT_DIGIT NORTH_AMERICAN PARENTHESIS PLUS_DIGIT UPPER_UPPER_DIGIT
    // Counts.
    AT EQUALS EQUALS_OR_COLON QUOTE_OR_DIGIT DOTS_3 COLONS_2 DIGITS_7 DIGITS_10 DIGITS_13
    /// `?` or `&`.
    QUERY
    CAPITALS_2
}

const DIGITS: &[u8] = b"0123456789";
const UPPERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";

const TRIGRAMS: &[(Signs, [&[u8]; 3])] = &[
    (JWT, [b"e", b"y", b"J"]),
    (BEARER, [b"rR", b"eE", b"rR"]),
    // Basic; sig
    (BASIC, [b"sS", b"iI", b"cCgG"]),
    // AKIA, ASIA, ABIA, ACCA; AIza
    (AWS_GOOGLE, [b"KSBCI", b"ICz", b"Aa"]),
    // ghp_ and its kin; github_pat_
    (GITHUB, [b"ha", b"pousrt", b"_"]),
    (GITLAB, [b"g", b"l", b"pdrscfiao"]),
    // xox; xapp-; slack.com
    (SLACK, [b"xk", b"oa.", b"xpc"]),
    // sk_live_ and its kin; whsec_
    (STRIPE, [b"kh", b"_s", b"lte"]),
    (DASHES, [b"-", b"-", b"-"]),
    (PASS_PWD, [b"pP", b"aAwW", b"sSdD"]),
    (SECRET_TOKEN, [b"eEoO", b"cCkK", b"rReE"]),
    (KEY_CREDENTIAL, [b"kKeE", b"eEdD", b"yYeE"]),
    (SELECT_DELETE, [b"eE", b"lL", b"eE"]),
    (INTO, [b"nN", b"tT", b"oO"]),
    (UPDATE, [b"pP", b"dD", b"aA"]),
    (USER, [b"uU", b"sS", b"eE"]),
    (DIGIT_DOT_DIGIT, [DIGITS, b".", DIGITS]),
    (NORTH_AMERICAN, [DIGITS, b".-", b"23456789"]),
    (PARENTHESIS, [DIGITS, DIGITS, b")"]),
    (PLUS_DIGIT, [b"+", b"123456789", b"0123456789 .-()"]),
    (UPPER_UPPER_DIGIT, [UPPERS, UPPERS, DIGITS]),
];

/// The trigrams: each takes a bit of a third of a word.
const TRIGRAM_BITS: u32 = 21;
const TRIGRAM_MASK: u64 = (1 << TRIGRAM_BITS) - 1;
const _: () = assert!(TRIGRAMS.len() <= TRIGRAM_BITS as usize);

/// What is counted: each takes a byte of a word.
const COUNTED: [&[u8]; 8] = [DIGITS, b".", b":", b"=", b"@", b"'\"", b"?&", UPPERS];

/// After so many bytes the counts are taken out of their word, lest they overflow.
const COUNTED_AT_ONCE: usize = 255;

#[derive(Clone, Copy)]
struct Row {
    /// The trigrams of which this byte may be the first (low), the second, the third (high).
    trigrams: u64,
    /// What this byte adds to the counts.
    counts: u64,
}

static TABLE: [Row; 256] = table();

const fn table() -> [Row; 256] {
    let nothing = Row {
        trigrams: 0,
        counts: 0,
    };
    let mut rows = [nothing; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        let mut counter = 0;
        while counter < COUNTED.len() {
            if contains(COUNTED[counter], b) {
                rows[byte].counts |= 1 << (8 * counter);
            }
            counter += 1;
        }
        let mut i = 0;
        while i < TRIGRAMS.len() {
            let (sign, sets) = TRIGRAMS[i];
            let mut place = 0;
            while place < 3 {
                if contains(sets[place], b) {
                    rows[byte].trigrams |= (sign as u64) << (TRIGRAM_BITS * place as u32);
                }
                place += 1;
            }
            i += 1;
        }
        byte += 1;
    }
    rows
}

const fn contains(set: &[u8], byte: u8) -> bool {
    let mut i = 0;
    while i < set.len() {
        if set[i] == byte {
            return true;
        }
        i += 1;
    }
    false
}

/// The signs of a value.
#[inline]
pub(super) fn signs(value: &[u8]) -> Signs {
    let mut seen = 0;
    // The words of the last two bytes, moved so that their masks stand where the third's does.
    let (mut first, mut second) = (0u64, 0u64);
    let mut totals = [0u32; 8];
    for chunk in value.chunks(COUNTED_AT_ONCE) {
        let mut counts = 0;
        for &byte in chunk {
            let row = &TABLE[byte as usize];
            seen |= first & second & row.trigrams;
            // The second's first mask, one place on.
            first = second << TRIGRAM_BITS;
            second = row.trigrams << TRIGRAM_BITS;
            counts += row.counts;
        }
        for (total, count) in totals.iter_mut().zip(counts.to_le_bytes()) {
            *total = total.saturating_add(u32::from(count));
        }
    }
    let trigrams = (seen >> (2 * TRIGRAM_BITS)) & TRIGRAM_MASK;
    let [digits, dots, colons, equals, ats, quotes, query, capitals] = totals;
    trigrams as Signs
        | when(ats > 0, AT)
        | when(equals > 0, EQUALS)
        | when(equals | colons != 0, EQUALS_OR_COLON)
        | when(quotes | digits != 0, QUOTE_OR_DIGIT)
        | when(dots >= 3, DOTS_3)
        | when(colons >= 2, COLONS_2)
        | when(digits >= 7, DIGITS_7)
        | when(digits >= 10, DIGITS_10)
        | when(digits >= 13, DIGITS_13)
        | when(query > 0, QUERY)
        | when(capitals >= 2, CAPITALS_2)
}

const fn when(yes: bool, sign: Signs) -> Signs {
    if yes { sign } else { 0 }
}
