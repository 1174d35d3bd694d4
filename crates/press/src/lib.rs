//! A zstd compressor for telemetry.
//!
//! It writes frames of the Zstandard format (RFC 8878), which any zstd reads. It only compresses,
//! in one way: for payloads in which one item looks like the one before, as serialized telemetry
//! does. There it takes a fraction of the time of libzstd's fastest useful level, for these
//! reasons:
//!
//! - The match finder (`matcher`) compares the input with itself at the distance of the last
//!   match, eight bytes an instruction, and only where that ends asks a hash table. Ids differ from
//!   span to span and are passed over without a look at the table.
//! - Literals are stored as they are. What differs from item to item is mostly random.
//! - Sequences are coded with the format's predefined tables (`fse`), so nothing is counted and
//!   no table is built.
//!
//! What cannot be pressed is stored in raw blocks: a frame is never more than 3 bytes in 128 KiB,
//! and 9 bytes, longer than its content.

mod bits;
mod codes;
mod equal;
mod frame;
mod fse;
mod matcher;

pub use frame::Compressor;
