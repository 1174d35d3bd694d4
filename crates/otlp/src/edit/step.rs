//! Steps of the walk over what is not asked about.

use crate::schema::Leap;
use crate::wire;

/// Reads a tag as [`wire::tag`] does, one of a single byte at the least cost; that it is a good one
/// is proven by whoever reads on.
#[inline(always)]
pub(super) fn tag(buf: &[u8]) -> Option<(u32, &[u8])> {
    match buf {
        [byte, after @ ..] if *byte < 0x80 => Some((u32::from(*byte), after)),
        _ => wire::tag(buf),
    }
}

/// Steps over what comes after a tag; the outer `None` where there is something to ask.
#[inline(always)]
pub(super) fn over(leap: Leap, after: &[u8]) -> Option<Option<&[u8]>> {
    if leap == Leap::DELIMITED {
        Some(wire::delimited(after).map(|(_, end)| end))
    } else if leap == Leap::NONE {
        None
    } else if leap == Leap::VARINT {
        Some(wire::varint(after).map(|(_, end)| end))
    } else {
        Some(after.get(leap.bytes()..))
    }
}
