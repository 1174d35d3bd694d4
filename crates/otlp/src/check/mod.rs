//! One pass that proves a request well formed at every level, and counts what is in it.
//!
//! Proven: tags and lengths, the wire type of every known field, UTF-8 of every string, id lengths
//! (trace 0 or 16, span 0 or 8), nesting of values of at most [`MAX_VALUE_DEPTH`], a single kind of
//! data a metric. Unknown fields are skipped with their lengths proven; groups are refused, since
//! proto3 has none. Repeated numbers may be packed or not, and a singular field may come more than
//! once, as protobuf's parsers allow.
//!
//! Counted: spans, data points, log records, and their least and greatest time. A span's times are
//! its start and end; a data point's is `time_unix_nano` (not the start of its interval); a log
//! record's is `time_unix_nano` or, where that is 0, `observed_time_unix_nano`. A time of 0 is no
//! time.
//!
//! The pass keeps no path. Only when a request is refused, the same code runs once more with a
//! trail, to tell where.

mod error;
mod pass;
mod trail;

use crate::Signal;
use crate::schema;
pub use error::{CheckError, ErrorKind};
use pass::Pass;
use trail::{NoTrail, PathTrail};

/// How deep values may nest: an attribute's value or a log's body is at depth 1, an element of an
/// array or of a map in it at depth 2.
pub const MAX_VALUE_DEPTH: u32 = 64;

/// What a request holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Spans, data points or log records.
    pub items: u64,
    /// The least time of an item, in nanoseconds since the Unix epoch; 0 if no item has a time.
    pub min_time_unix_nano: u64,
    /// The greatest time of an item; 0 if no item has a time.
    pub max_time_unix_nano: u64,
}

/// Proves `bytes` to be a well-formed export request of `signal`.
///
/// # Errors
/// The first fault, with its place. The message of the error names fields and offsets and never
/// repeats any content.
pub fn check(signal: Signal, bytes: &[u8]) -> Result<Summary, CheckError> {
    let mut pass = Pass::new(NoTrail);
    match pass.message(schema::request(signal), bytes, 0) {
        Ok(()) => Ok(pass.summary()),
        Err(kind) => Err(locate(signal, bytes, kind)),
    }
}

/// Runs the failed pass again to find the place.
#[cold]
fn locate(signal: Signal, bytes: &[u8], kind: ErrorKind) -> CheckError {
    let mut pass = Pass::new(PathTrail::new(bytes));
    match pass.message(schema::request(signal), bytes, 0) {
        Ok(()) => CheckError::new(String::new(), 0, kind),
        Err(kind) => pass.trail.error(kind),
    }
}

/// What another part of this crate answers when it stumbled over bytes that were not checked.
#[cold]
pub(crate) fn explain(signal: Signal, bytes: &[u8]) -> CheckError {
    match check(signal, bytes) {
        Err(error) => error,
        Ok(_) => CheckError::new(String::new(), 0, ErrorKind::Truncated),
    }
}
