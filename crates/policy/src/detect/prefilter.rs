//! One pass over a value's bytes that says which detectors are worth running. Almost always: none.
//!
//! The pass gathers *signs*, one bit each: classes of bytes (is there a `@`?), trigrams (is there
//! `eyJ`?), and counts (are there 13 digits?). A trigram is three byte sets in a row. For each
//! byte the table holds the signs of which it may be the first, second and third byte; a sign is
//! seen where the three masks of neighbouring bytes agree. That costs one table row a byte and
//! no branch, whatever the value holds and however many trigrams there are.
//!
//! Guarantee: a detector's signs are a necessary condition, so that leaving it out never loses a
//! finding (`tests/detect_oracle.rs` compares with references that know no prefilter).

/// A set of signs.
pub(super) type Signs = u64;

/// The values above which counts could overflow their fields: all signs are taken as seen.
const LONGEST_COUNTED: usize = 1 << 20;

macro_rules! signs {
    ($($(#[$doc:meta])* $name:ident)*) => { signs!(@ 0u32; $($(#[$doc])* $name)*); };
    (@ $n:expr; $(#[$doc:meta])* $name:ident $($rest:tt)*) => {
        $(#[$doc])* pub(super) const $name: Signs = 1 << $n;
        signs!(@ $n + 1; $($rest)*);
    };
    (@ $n:expr;) => {};
}

signs! {
    // Classes of bytes.
    AT
    EQUALS
    EQUALS_OR_COLON
    QUOTE_OR_DIGIT
    /// Anything but hexadecimal digits and dashes.
    NOT_HEX
    // Trigrams: secrets.
    JWT SCHEME BEARER BASIC AWS GOOGLE KEY_ID GITHUB GITHUB_PAT GITLAB SLACK SLACK_APP SLACK_HOOK
    STRIPE STRIPE_HOOK DASHES
    // Trigrams: names of secrets.
    PASS PWD SECRET TOKEN KEY CREDENTIAL SIG AUTH SESSION JWT_NAME
    // Trigrams: SQL.
    SELECT_DELETE INSERT UPDATE REPLACE MERGE USER ROLE
    // Trigrams: numbers.
    DIGIT_DOT_DIGIT DIGIT_SEPARATOR_DIGIT PLUS_DIGITS UPPER_UPPER_DIGIT
    UPPER_UPPER
    // Counts.
    DOTS_3 COLONS_2 DIGITS_7 DIGITS_10 DIGITS_13
    /// Ten digits and a digit's separator.
    NORTH_AMERICAN
}

/// Signs that one byte is enough for.
const CLASSES: Signs = AT | EQUALS | EQUALS_OR_COLON | QUOTE_OR_DIGIT | NOT_HEX;

const DIGITS: &[u8] = b"0123456789";
const UPPERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const UPPERS_DIGITS_SPACE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ";

const TRIGRAMS: &[(Signs, [&[u8]; 3])] = &[
    (JWT, [b"e", b"y", b"J"]),
    (SCHEME, [b":", b"/", b"/"]),
    (BEARER, [b"rR", b"eE", b"rR"]),
    (BASIC, [b"sS", b"iI", b"cC"]),
    (AWS, [b"KSBC", b"IC", b"A"]),
    (GOOGLE, [b"I", b"z", b"a"]),
    (KEY_ID, [b"yY", b"_-iI", b"iIdD"]),
    (GITHUB, [b"h", b"pousr", b"_"]),
    (GITHUB_PAT, [b"b", b"_", b"p"]),
    (GITLAB, [b"g", b"l", b"pdrscfiao"]),
    (SLACK, [b"x", b"o", b"x"]),
    (SLACK_APP, [b"p", b"p", b"-"]),
    (SLACK_HOOK, [b"k", b".", b"c"]),
    (STRIPE, [b"k", b"_", b"lt"]),
    (STRIPE_HOOK, [b"h", b"s", b"e"]),
    (DASHES, [b"-", b"-", b"-"]),
    (PASS, [b"pP", b"aA", b"sS"]),
    (PWD, [b"pP", b"wW", b"dD"]),
    (SECRET, [b"eE", b"cC", b"rR"]),
    (TOKEN, [b"oO", b"kK", b"eE"]),
    (KEY, [b"kK", b"eE", b"yY"]),
    (CREDENTIAL, [b"eE", b"dD", b"eE"]),
    (SIG, [b"sS", b"iI", b"gG"]),
    (AUTH, [b"uU", b"tT", b"hH"]),
    (SESSION, [b"eE", b"sS", b"sS"]),
    (JWT_NAME, [b"jJ", b"wW", b"tT"]),
    (SELECT_DELETE, [b"eE", b"lL", b"eE"]),
    (INSERT, [b"nN", b"sS", b"eE"]),
    (UPDATE, [b"pP", b"dD", b"aA"]),
    (REPLACE, [b"eE", b"pP", b"lL"]),
    (MERGE, [b"eE", b"rR", b"gG"]),
    (USER, [b"uU", b"sS", b"eE"]),
    (ROLE, [b"oO", b"lL", b"eE"]),
    (DIGIT_DOT_DIGIT, [DIGITS, b".", DIGITS]),
    (DIGIT_SEPARATOR_DIGIT, [DIGITS, b".-", DIGITS]),
    (PLUS_DIGITS, [b"+", DIGITS, b"0123456789 .-()"]),
    (UPPER_UPPER_DIGIT, [UPPERS, UPPERS, DIGITS]),
    (UPPER_UPPER, [UPPERS, UPPERS, UPPERS_DIGITS_SPACE]),
];

/// Counts share a word: digits, dots, colons.
const COUNT_BITS: u32 = 21;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

#[derive(Clone, Copy)]
struct Row {
    /// The signs of which this byte may be the first, the second, the third.
    first: Signs,
    second: Signs,
    third: Signs,
    /// What this byte adds to the counts.
    count: u64,
}

/// What stands after the end: it completes no trigram.
const AFTER_END: Row = Row {
    first: 0,
    second: CLASSES,
    third: CLASSES,
    count: 0,
};

static TABLE: [Row; 256] = table();

const fn table() -> [Row; 256] {
    let mut rows = [AFTER_END; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        let digit = b.is_ascii_digit();
        let row = &mut rows[byte];
        row.first = when(b == b'@', AT)
            | when(b == b'=', EQUALS)
            | when(b == b'=' || b == b':', EQUALS_OR_COLON)
            | when(b == b'\'' || b == b'"' || digit, QUOTE_OR_DIGIT)
            | when(!b.is_ascii_hexdigit() && b != b'-', NOT_HEX);
        row.count = when(digit, 1)
            | when(b == b'.', 1 << COUNT_BITS)
            | when(b == b':', 1 << (2 * COUNT_BITS));
        byte += 1;
    }
    let mut i = 0;
    while i < TRIGRAMS.len() {
        let (sign, sets) = TRIGRAMS[i];
        let mut k = 0;
        while k < sets[0].len() {
            rows[sets[0][k] as usize].first |= sign;
            k += 1;
        }
        k = 0;
        while k < sets[1].len() {
            rows[sets[1][k] as usize].second |= sign;
            k += 1;
        }
        k = 0;
        while k < sets[2].len() {
            rows[sets[2][k] as usize].third |= sign;
            k += 1;
        }
        i += 1;
    }
    rows
}

const fn when(yes: bool, value: u64) -> u64 {
    if yes { value } else { 0 }
}

/// The signs of a value.
pub(super) fn signs(value: &[u8]) -> Signs {
    if value.len() > LONGEST_COUNTED {
        return Signs::MAX;
    }
    let (mut seen, mut counts) = (0, 0);
    // What the last byte, and the last two bytes, may begin.
    let (mut one, mut two) = (0, 0);
    for &byte in value {
        let row = &TABLE[byte as usize];
        seen |= two & row.third;
        two = one & row.second;
        one = row.first;
        counts += row.count;
    }
    seen |= (two | one) & CLASSES;
    let digits = counts & COUNT_MASK;
    let dots = (counts >> COUNT_BITS) & COUNT_MASK;
    let colons = counts >> (2 * COUNT_BITS);
    seen | when(dots >= 3, DOTS_3)
        | when(colons >= 2, COLONS_2)
        | when(digits >= 7, DIGITS_7)
        | when(digits >= 10, DIGITS_10)
        | when(digits >= 13, DIGITS_13)
        | when(
            digits >= 10 && seen & DIGIT_SEPARATOR_DIGIT != 0,
            NORTH_AMERICAN,
        )
}

/// Whether the whole value is a UUID, a trace id or a digest in hexadecimal, in which nothing is
/// to be found. `signs` are the value's own.
pub(super) fn is_hex_id(value: &[u8], signs: Signs) -> bool {
    if signs & NOT_HEX != 0 {
        return false;
    }
    match value.len() {
        36 => {
            let dash = |i: usize| value.get(i) == Some(&b'-');
            dash(8) && dash(13) && dash(18) && dash(23)
        }
        32 | 40 | 64 => !value.contains(&b'-'),
        _ => false,
    }
}
