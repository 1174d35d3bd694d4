//! OTLP JSON ⇄ protobuf, from bytes to bytes.
//!
//! The rules are those of the OTLP specification, "JSON Protobuf Encoding", and of proto3's JSON
//! mapping where that is silent. Neither direction builds an object (NO-TREE): [`decode`] writes
//! each field as it is read and puts the lengths in at the end; [`encode`] reads each field where
//! it lies. Memory is bounded by the sizes of input and output; recursion by [`MAX_VALUE_DEPTH`].
//!
//! # What is read
//! - Names in `lowerCamelCase` or as in the `.proto` files. Fields in any order. Unknown fields are
//!   ignored; they must be JSON, nested no deeper than [`MAX_JSON_DEPTH`].
//! - `null` is as if the field were not there. In a list it is refused, but for an `arrayValue`,
//!   where it is the empty value.
//! - Trace and span ids: 32 and 16 hex digits in either case, or the empty string. Other bytes:
//!   base64, standard or URL-safe, padded or not.
//! - Integers of any size: a number, or a string that holds one; in any notation that comes to an
//!   integer (`1e3`). Doubles: the same, and the strings `NaN`, `Infinity`, `-Infinity`.
//! - Enums: integers, known or not, and the names that the upstream Collector takes.
//!
//! # What is refused
//! Beside what the types above do not hold: a field twice in one object, two fields of one oneof
//! (readers would differ in what they keep, so what is redacted and what is delivered could), half
//! of a surrogate pair, bytes that are not UTF-8, anything that RFC 8259 does not allow.
//!
//! # What is written
//! One line without spaces, the same for the same bytes (SAME-BYTES): fields by number, names in
//! `lowerCamelCase`, ids as lower-case hex, 64-bit integers as strings, other numbers as numbers,
//! enums as integers. Fields that hold their default value and have no presence are left out, and
//! so are unknown fields, for which JSON has no place.

mod cursor;
mod decode;
mod encode;
mod enums;
mod error;
mod gather;
mod length;
mod number;
mod table;

pub use decode::decode;
pub use encode::encode;
pub use error::{JsonError, JsonErrorKind};

use crate::check::MAX_VALUE_DEPTH;

/// How deep objects and arrays may nest, unknown fields included. Values at their deepest stay
/// well below.
pub const MAX_JSON_DEPTH: usize = 512;

/// The longest document that is read. The protobuf form can be four times as long (a list of
/// one-digit numbers) and must stay below protobuf's limit of 2 GiB.
pub const MAX_JSON_BYTES: usize = (512 << 20) - 1;
