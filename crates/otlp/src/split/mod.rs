//! Splitting a request into smaller ones, and joining requests.
//!
//! A part is a valid request of its own: what stands around its items (resource, scope, metric,
//! schema URLs, unknown fields) is repeated in each part that needs it, byte for byte and in its
//! order. Items keep their order too. A metric is split between its data points, unless its data
//! comes in several fields, which protobuf would merge: then it stays whole.
//!
//! A resource, scope or metric that holds no item goes along whole, so that nothing gets lost.
//!
//! Since parts repeat what is around them, a hostile request (a resource of megabytes, thousands
//! of tiny items) could make them huge together. Hence the limit [`MAX_GROWTH`] (BOUNDED).
//!
//! These functions are for checked bytes; others are refused with the error that
//! [`check`](crate::check::check) has for them.

mod index;
mod write;

use crate::check::{self, CheckError, ErrorKind};
use crate::{Signal, schema};
use index::{Chunk, Index};
use std::collections::HashMap;
use write::Writer;

/// A trace id; all zero where an item has none.
pub type TraceId = [u8; 16];

/// How much larger than the request all its parts may be together: this many times, and
/// [`FREE_GROWTH`] more.
pub const MAX_GROWTH: usize = 64;

/// Parts may be this many bytes larger together than [`MAX_GROWTH`] says.
pub const FREE_GROWTH: usize = 1 << 20;

/// One part of a split request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// A request of the same signal.
    pub bytes: Vec<u8>,
    /// Its spans, data points or log records.
    pub items: u64,
}

/// Concatenates requests of one signal into one request.
///
/// Protobuf defines that parsing the concatenation of two messages merges them, and that the
/// elements of repeated fields are appended; a request has only such a field.
pub fn join<'a>(requests: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut joined = Vec::new();
    for request in requests {
        joined.extend_from_slice(request);
    }
    joined
}

/// Splits into parts of at most `max_items` items each (at least one).
///
/// # Errors
/// If the bytes are not a well-formed request, or the parts would be too large together.
pub fn by_items(signal: Signal, bytes: &[u8], max_items: u64) -> Result<Vec<Part>, CheckError> {
    let max_items = max_items.max(1);
    split(signal, bytes, |index| {
        let mut runs: Vec<usize> = Vec::new();
        let mut full = 0;
        for chunk in &index.chunks {
            full += u64::from(chunk.items);
            match runs.last_mut() {
                Some(run) if full <= max_items => *run += 1,
                _ => {
                    full = u64::from(chunk.items);
                    runs.push(1);
                }
            }
        }
        runs
    })
}

/// Splits into parts of at most `max_bytes` each. An item that is larger alone, together with what
/// is around it, becomes a part of its own.
///
/// # Errors
/// If the bytes are not a well-formed request, or the parts would be too large together.
pub fn by_bytes(signal: Signal, bytes: &[u8], max_bytes: usize) -> Result<Vec<Part>, CheckError> {
    split(signal, bytes, |index| {
        let mut sizes = write::Sizes::new(index);
        let mut runs: Vec<usize> = Vec::new();
        for chunk in &index.chunks {
            let fits = sizes.add(chunk) <= max_bytes;
            match runs.last_mut() {
                Some(run) if fits => *run += 1,
                _ => {
                    sizes.restart();
                    sizes.add(chunk);
                    runs.push(1);
                }
            }
        }
        runs
    })
}

/// Splits into one part a trace, in the order in which the traces first appear. Items without a
/// trace id, and all data points, are in the part of the id that is all zero.
///
/// # Errors
/// If the bytes are not a well-formed request, or the parts would be too large together.
pub fn by_trace_id(signal: Signal, bytes: &[u8]) -> Result<Vec<(TraceId, Part)>, CheckError> {
    let index = index(signal, bytes)?;
    let mut places: HashMap<TraceId, usize> = HashMap::new();
    let mut traces: Vec<(TraceId, Vec<Chunk>)> = Vec::new();
    for chunk in &index.chunks {
        let id = index.trace_id(signal, chunk);
        let place = *places.entry(id).or_insert_with(|| {
            traces.push((id, Vec::new()));
            traces.len() - 1
        });
        if let Some((_, chunks)) = traces.get_mut(place) {
            chunks.push(*chunk);
        }
    }
    let mut budget = Budget::new(bytes.len());
    let mut parts = Vec::with_capacity(traces.len());
    for (id, chunks) in &traces {
        parts.push((*id, budget.part(&index, chunks)?));
    }
    Ok(parts)
}

/// Splits into runs of chunks whose lengths `plan` gives.
fn split(
    signal: Signal,
    bytes: &[u8],
    plan: impl FnOnce(&Index<'_>) -> Vec<usize>,
) -> Result<Vec<Part>, CheckError> {
    let index = index(signal, bytes)?;
    let runs = plan(&index);
    if runs.len() <= 1 {
        let items = index
            .chunks
            .iter()
            .map(|chunk| u64::from(chunk.items))
            .sum();
        return Ok(vec![Part {
            bytes: bytes.to_vec(),
            items,
        }]);
    }
    let mut budget = Budget::new(bytes.len());
    let mut parts = Vec::with_capacity(runs.len());
    let mut chunks = index.chunks.as_slice();
    for run in runs {
        let (these, others) = chunks.split_at(run.min(chunks.len()));
        parts.push(budget.part(&index, these)?);
        chunks = others;
    }
    Ok(parts)
}

fn index(signal: Signal, bytes: &[u8]) -> Result<Index<'_>, CheckError> {
    Index::new(schema::request(signal), bytes).ok_or_else(|| check::explain(signal, bytes))
}

/// What the parts may still take.
struct Budget(usize);

impl Budget {
    fn new(request: usize) -> Self {
        Budget(
            request
                .saturating_mul(MAX_GROWTH)
                .saturating_add(FREE_GROWTH),
        )
    }

    fn part(&mut self, index: &Index<'_>, chunks: &[Chunk]) -> Result<Part, CheckError> {
        let mut sizes = write::Sizes::new(index);
        let size = chunks.iter().fold(0, |_, chunk| sizes.add(chunk));
        self.0 = self
            .0
            .checked_sub(size)
            .ok_or_else(|| CheckError::new(String::new(), 0, ErrorKind::SplitTooLarge))?;
        let mut writer = Writer::new(index, size);
        for chunk in chunks {
            writer.add(chunk);
        }
        let part = writer.finish();
        debug_assert_eq!(part.bytes.len(), size);
        Ok(part)
    }
}
