//! From a fuzzer's bytes to a request: either the bytes themselves, or a well-formed request that
//! they describe, written in an unusual manner and maybe with a few bytes changed.

#[path = "../../crates/otlp/tests/common/mod.rs"]
pub mod common;

use common::dynamic::{with_unknown_fields, written_otherwise};
use common::{Random, Request};
use otlp::{Signal, schema};

pub struct Input {
    pub signal: Signal,
    pub wire: Vec<u8>,
    /// A number for the target to use.
    #[allow(dead_code, reason = "not every target does")]
    pub number: u16,
}

pub fn input(data: &[u8]) -> Option<Input> {
    let (&[how, low, high], data) = data.split_first_chunk::<3>()?;
    let signal = Signal::ALL[usize::from(how) % 3];
    let number = u16::from_le_bytes([low, high]);
    if how & 0x80 == 0 {
        return Some(Input { signal, wire: data.to_vec(), number });
    }
    let (manner, data) = data.split_at_checked(32)?;
    let mut wire = Request::random(signal, data).encode();
    if how & 0x40 != 0 {
        wire = written_otherwise(schema::request(signal), &wire, &mut Random(manner));
        wire = with_unknown_fields(schema::request(signal), &wire, &mut Random(manner));
    }
    if how & 0x20 != 0 {
        for change in manner.chunks(3) {
            if let (&[low, high, byte], false) = (change, wire.is_empty()) {
                let at = usize::from(u16::from_le_bytes([low, high])) % wire.len();
                wire[at] = byte;
            }
        }
    }
    Some(Input { signal, wire, number })
}
