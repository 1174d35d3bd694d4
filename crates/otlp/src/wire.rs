//! The protobuf wire format: varints, lengths, fields, UTF-8.
//!
//! Nothing here knows OTLP. Every reader takes a slice and gives back what is left of it, or
//! `None` where the bytes do not hold what they announce.

/// The wire type of a length-delimited field.
pub(crate) const BYTES: u8 = 2;

/// Reads one varint of at most ten bytes that fits 64 bits, as protobuf's parsers do.
#[inline(always)]
pub(crate) fn varint(buf: &[u8]) -> Option<(u64, &[u8])> {
    match buf {
        [a, rest @ ..] if *a < 0x80 => Some((u64::from(*a), rest)),
        [a, b, rest @ ..] if *b < 0x80 => Some((u64::from(*a & 0x7f) | u64::from(*b) << 7, rest)),
        _ => long_varint(buf),
    }
}

fn long_varint(buf: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (i, &byte) in buf.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            // The tenth byte holds bit 63 alone.
            let fits = i < 9 || byte < 2;
            return fits.then(|| (value, &buf[i + 1..]));
        }
    }
    None
}

/// Reads a length and that many bytes.
#[inline(always)]
pub(crate) fn delimited(buf: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = varint(buf)?;
    rest.split_at_checked(usize::try_from(len).ok()?)
}

/// Reads eight bytes as a little-endian number.
#[inline(always)]
pub(crate) fn fixed64(buf: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = buf.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*head), rest))
}

/// Reads four bytes as a little-endian number.
#[inline(always)]
pub(crate) fn fixed32(buf: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = buf.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*head), rest))
}

/// Reads a field's tag; the field number is proven to be in 1..2^29.
#[inline(always)]
pub(crate) fn tag(buf: &[u8]) -> Option<(u32, &[u8])> {
    let (tag, rest) = varint(buf)?;
    let tag = u32::try_from(tag).ok()?;
    (tag >= 8).then_some((tag, rest))
}

/// How many bytes `value` takes as a varint.
#[inline(always)]
pub(crate) const fn varint_len(value: u64) -> usize {
    // ceil(bits / 7), at least one: the usual multiply instead of a division.
    ((63 - (value | 1).leading_zeros()) as usize * 9 + 73) / 64
}

/// Appends `value` as a varint of its least length.
#[inline]
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length-delimited field.
#[inline]
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number) << 3 | u64::from(BYTES));
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Whether all bytes are ASCII, eight at a time; the last step overlaps the one before it.
#[inline(always)]
pub(crate) fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    if let Some(last) = bytes.last_chunk::<8>() {
        let (chunks, _) = bytes.as_chunks::<8>();
        let mut seen = u64::from_le_bytes(*last);
        for chunk in chunks {
            seen |= u64::from_le_bytes(*chunk);
        }
        seen & HIGH == 0
    } else {
        bytes.iter().fold(0, |seen, byte| seen | byte) < 0x80
    }
}

/// Whether the bytes are UTF-8.
#[inline(always)]
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    if bytes.len() < 64 {
        is_ascii(bytes) || std::str::from_utf8(bytes).is_ok()
    } else {
        long_is_utf8(bytes)
    }
}

#[inline(never)]
fn long_is_utf8(bytes: &[u8]) -> bool {
    simdutf8::basic::from_utf8(bytes).is_ok()
}

/// The value of one field, as the wire type tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1, little-endian.
    Fixed64(u64),
    /// Wire type 2: a string, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
    /// Wire type 5, little-endian.
    Fixed32(u32),
}

/// One field of a message.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// The field's number.
    pub number: u32,
    /// Its value.
    pub value: Raw<'a>,
    /// The whole field as it stands in the message: tag, length, value.
    pub bytes: &'a [u8],
}

/// The fields of a message in their order. Ends early where the bytes are not protobuf; then
/// [`Fields::rest`] is not empty.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of `message`.
    pub fn new(message: &'a [u8]) -> Self {
        Fields { rest: message }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        let start = self.rest;
        let (tag, rest) = tag(start)?;
        let (value, rest) = match tag & 7 {
            0 => varint(rest).map(|(v, rest)| (Raw::Varint(v), rest))?,
            1 => fixed64(rest).map(|(v, rest)| (Raw::Fixed64(v), rest))?,
            2 => delimited(rest).map(|(v, rest)| (Raw::Bytes(v), rest))?,
            5 => fixed32(rest).map(|(v, rest)| (Raw::Fixed32(v), rest))?,
            _ => return None,
        };
        self.rest = rest;
        Some(Field {
            number: tag >> 3,
            value,
            bytes: &start[..start.len() - rest.len()],
        })
    }
}

/// The length-delimited fields of a number: messages, strings or bytes.
#[inline]
pub fn bodies(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    Fields::new(message).filter_map(move |field| match field.value {
        Raw::Bytes(body) if field.number == number => Some(body),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_at_every_length() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1u64 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                put_varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
                assert_eq!(varint(&out), Some((value, &[][..])));
                assert_eq!(varint(&out[..out.len() - 1]), None);
            }
        }
    }

    #[test]
    fn a_varint_beyond_64_bits_is_refused() {
        assert_eq!(varint(&[0xff; 10]), None);
        let mut ten = [0xff; 10];
        ten[9] = 2;
        assert_eq!(varint(&ten), None);
        ten[9] = 1;
        assert_eq!(varint(&ten), Some((u64::MAX, &[][..])));
    }

    #[test]
    fn ascii_is_found_at_every_length_and_place() {
        for len in 0..70 {
            let mut bytes = vec![b'a'; len];
            assert!(is_ascii(&bytes));
            for at in 0..len {
                bytes[at] = 0x80;
                assert!(!is_ascii(&bytes), "{at} of {len}");
                assert!(!is_utf8(&bytes), "{at} of {len}");
                bytes[at] = b'a';
            }
        }
    }

    #[test]
    fn fields_stop_at_what_is_not_protobuf() {
        let mut fields = Fields::new(&[0x08, 0x01, 0x13]);
        assert_eq!(fields.next().map(|f| f.number), Some(1));
        assert!(fields.next().is_none());
        assert_eq!(fields.rest(), [0x13]);
        assert!(Fields::new(&[0x00, 0x01]).next().is_none());
    }
}
