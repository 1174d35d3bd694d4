//! Consistent probability sampling.
//!
//! Rules: OpenTelemetry specification, "TraceState: Probability Sampling" and "TraceState
//! Handling". A trace has 56 bits of randomness: the explicit `rv` of its trace state, or the last
//! 7 bytes of its trace id. It is sampled if they are not below the rejection threshold. As an
//! equalizing sampler downstream, this one never undoes a greater threshold `th` that an earlier
//! stage has applied.

/// 2^56, the number of thresholds.
const MAX: u64 = 1 << 56;

/// The rejection threshold of a percentage; `None` samples nothing.
pub(crate) fn threshold(percentage: f64) -> Option<u64> {
    let probability = percentage / 100.0;
    if probability >= 1.0 {
        return Some(0);
    }
    // The spec's least probability is 2^-56.
    let accepted = (probability * MAX as f64).round();
    (accepted >= 1.0).then(|| MAX - accepted as u64)
}

/// The randomness of a trace id.
pub(crate) fn randomness(trace_id: &[u8; 16]) -> u64 {
    u128::from_be_bytes(*trace_id) as u64 & (MAX - 1)
}

/// What OpenTelemetry's member of a trace state says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OtelState {
    /// Explicit randomness.
    pub rv: Option<u64>,
    /// The threshold that was applied.
    pub th: Option<u64>,
}

/// Reads `rv` and `th`; what is malformed is as if it were missing.
pub(crate) fn otel_state(trace_state: &[u8]) -> OtelState {
    let mut state = OtelState::default();
    let Some(list) = member(trace_state, b"ot").filter(|list| list.len() <= 256) else {
        return state;
    };
    for pair in list.split(|byte| *byte == b';') {
        match pair {
            [b'r', b'v', b':', digits @ ..] if digits.len() == 14 => state.rv = hex(digits),
            [b't', b'h', b':', digits @ ..] if (1..=14).contains(&digits.len()) => {
                // Trailing zeros are left out.
                state.th = hex(digits).map(|th| th << (4 * (14 - digits.len())));
            }
            _ => {}
        }
    }
    state
}

/// The value of a member of a W3C trace state: the first of that key.
pub(crate) fn member<'a>(trace_state: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let mut rest = trace_state;
    loop {
        let (member, after) = match memchr::memchr(b',', rest) {
            Some(at) => (&rest[..at], Some(&rest[at + 1..])),
            None => (rest, None),
        };
        let value = member.trim_ascii().strip_prefix(key);
        if let Some(value) = value.and_then(|value| value.strip_prefix(b"=")) {
            return Some(value);
        }
        rest = after?;
    }
}

fn hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    })
}

/// The greatest hash that upstream's salted sampler takes: the product of 2^64 - 1 and the
/// probability, rounded to 64 bits as Go's `big.Float` does, and cut off.
pub(crate) fn hash_limit(percentage: f64) -> u64 {
    let ratio = percentage / 100.0;
    if ratio >= 1.0 {
        return u64::MAX;
    }
    if ratio.is_nan() || ratio <= 0.0 {
        return 0;
    }
    let bits = ratio.to_bits();
    let exponent = (bits >> 52) as i32;
    let mantissa = if exponent == 0 {
        bits & ((1 << 52) - 1)
    } else {
        bits & ((1 << 52) - 1) | 1 << 52
    };
    // ratio = mantissa * 2^shift
    let shift = exponent.max(1) - 1075;
    let mut product = u128::from(u64::MAX) * u128::from(mantissa);
    let mut scale = shift;
    let excess = (128 - product.leading_zeros()).saturating_sub(64);
    if excess > 0 {
        let half = 1u128 << (excess - 1);
        let rest = product & ((1 << excess) - 1);
        product >>= excess;
        if rest > half || (rest == half && product & 1 == 1) {
            product += 1;
        }
        scale += excess as i32;
    }
    match u32::try_from(-scale) {
        Ok(down) if down < 128 => (product >> down) as u64,
        _ => 0,
    }
}

/// FNV-1a, 64 bits, of all parts one after the other.
pub(crate) fn fnv1a(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in parts.iter().flat_map(|part| part.iter()) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

#[cfg(test)]
mod tests;
