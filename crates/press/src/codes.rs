//! Literal length and match length codes (RFC 8878, section 3.1.1.3.2.1.1).

/// A length as a code and extra bits.
pub(crate) struct Code {
    pub code: u8,
    pub bits: u8,
    pub base: u32,
}

impl Code {
    const fn new(code: u8, bits: u8, base: u32) -> Self {
        Code { code, bits, base }
    }
}

const LITERAL_STEPS: [(u32, u8); 20] = [
    (16, 1),
    (18, 1),
    (20, 1),
    (22, 1),
    (24, 2),
    (28, 2),
    (32, 3),
    (40, 3),
    (48, 4),
    (64, 6),
    (128, 7),
    (256, 8),
    (512, 9),
    (1024, 10),
    (2048, 11),
    (4096, 12),
    (8192, 13),
    (16384, 14),
    (32768, 15),
    (65536, 16),
];

const MATCH_STEPS: [(u32, u8); 21] = [
    (35, 1),
    (37, 1),
    (39, 1),
    (41, 1),
    (43, 2),
    (47, 2),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 5),
    (131, 7),
    (259, 8),
    (515, 9),
    (1027, 10),
    (2051, 11),
    (4099, 12),
    (8195, 13),
    (16387, 14),
    (32771, 15),
    (65539, 16),
];

/// Codes of the lengths below 256, looked up; longer ones are computed.
const TABLED: usize = 256;
static LITERALS: [Code; TABLED] = tabled(&LITERAL_STEPS, 16, 0);
static MATCHES: [Code; TABLED] = tabled(&MATCH_STEPS, 32, 3);

const fn tabled<const N: usize>(steps: &[(u32, u8); N], direct: u32, least: u32) -> [Code; TABLED] {
    let mut table = [const { Code::new(0, 0, 0) }; TABLED];
    let mut length = least;
    while (length as usize) < TABLED {
        table[length as usize] = if length - least < direct {
            Code::new((length - least) as u8, 0, length)
        } else {
            let mut step = 0;
            while step + 1 < N && steps[step + 1].0 <= length {
                step += 1;
            }
            Code::new(direct as u8 + step as u8, steps[step].1, steps[step].0)
        };
        length += 1;
    }
    table
}

/// The code of a literal length below 2^17.
#[inline(always)]
pub(crate) fn literals(length: u32) -> Code {
    match LITERALS.get(length as usize) {
        Some(known) => Code::new(known.code, known.bits, known.base),
        None => {
            let bits = length.ilog2();
            Code::new(bits as u8 + 19, bits as u8, 1 << bits)
        }
    }
}

/// The code of a match length from 3 to 131 074.
#[inline(always)]
pub(crate) fn matched(length: u32) -> Code {
    match MATCHES.get(length as usize) {
        Some(known) => Code::new(known.code, known.bits, known.base),
        None => {
            let bits = (length - 3).ilog2();
            Code::new(bits as u8 + 36, bits as u8, (1 << bits) + 3)
        }
    }
}
