//! YAML that people write, such as profiles and redaction policies: read into types, and answered
//! with the place where it is wrong.
//!
//! [`parse`] reads a text of at most [`MAX_BYTES`]; an [`Error`] names the line and the column
//! and, where a word is unknown, the nearest one that is known. [`Located`] keeps the place of a
//! value for what the types alone cannot say.
//!
//! Nothing here opens a file.

mod error;
mod parse;

pub use error::Error;
pub use parse::{Located, MAX_BYTES, known, nearest, parse, parse_within, place_of};
