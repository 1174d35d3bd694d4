//! What of a block goes where: the rule of [`history`](crate::history) applied to its items, on the
//! wire bytes (NO-TREE).

use bytes::Bytes;
use ident::Signal;
use journal::Block;
use otlp::CheckError;
use otlp::edit::{Edited, retain};
use sampler::{Selection, trace_of};
use sampling::Own;

use crate::history::{Next, Route};
use crate::marks::{Region, put, regions};
use crate::member::TraceId;

/// What of a block is this gateway's own.
pub fn own(route: &Route<'_>, block: &Block) -> Result<Own, CheckError> {
    let (mut items, mut payload, mut marked) = (Selection::default(), Vec::new(), false);
    let mut part = Vec::new();
    for region in regions(&block.payload) {
        marked |= region.bytes.len() != block.payload.len();
        let note = |own| items.push(own);
        if take(route, block.signal, region, Next::Own, &mut part, note)? > 0 {
            payload.extend_from_slice(&part);
        }
    }
    Ok(match items.is_whole() && !marked {
        true => Own::All,
        false => Own::Part {
            items,
            payload: Bytes::from(payload),
        },
    })
}

/// Writes what of a block goes to another into `out`, marked; and says how many items that is.
pub fn others(
    route: &Route<'_>,
    block: &Block,
    to: Next<'_>,
    out: &mut Vec<u8>,
) -> Result<u64, CheckError> {
    out.clear();
    let (mut part, mut count) = (Vec::new(), 0);
    for region in regions(&block.payload) {
        let found = take(route, block.signal, region, to, &mut part, |_| {})?;
        if found > 0 {
            put(out, &route.noted(region.notes), &part);
            count += found;
        }
    }
    Ok(count)
}

/// Tells the id of each trace of a block that has items of this gateway's own: all of them where
/// there was no cluster.
pub fn own_traces(
    route: Option<&Route<'_>>,
    block: &Block,
    mut tell: impl FnMut(TraceId),
) -> Result<(), CheckError> {
    for region in regions(&block.payload) {
        let passed = route.map_or_else(Vec::new, |route| route.passed(region.notes));
        let mut last = None;
        // Nothing is edited.
        let _unchanged = retain(block.signal, region.bytes, &mut Vec::new(), |item| {
            let id = trace_of(block.signal, item);
            if id != last
                && let Some(id) = id
                && route.is_none_or(|route| route.next(&id, &passed) == Next::Own)
            {
                tell(id);
            }
            last = id;
            true
        })?;
    }
    Ok(())
}

/// Writes the items of a region that go one way into `out`, and says how many they are.
fn take(
    route: &Route<'_>,
    signal: Signal,
    region: Region<'_>,
    way: Next<'_>,
    out: &mut Vec<u8>,
    mut note: impl FnMut(bool),
) -> Result<u64, CheckError> {
    let passed = route.passed(region.notes);
    let mut last: Option<(TraceId, bool)> = None;
    let mut count = 0;
    let edited = retain(signal, region.bytes, out, |item| {
        let goes = match (trace_of(signal, item), last) {
            // Of no trace: it stays where it came in.
            (None, _) => way == Next::Own,
            (Some(id), Some((last, goes))) if id == last => goes,
            (Some(id), _) => {
                let goes = route.next(&id, &passed) == way;
                last = Some((id, goes));
                goes
            }
        };
        note(goes);
        count += u64::from(goes);
        goes
    })?;
    if edited == Edited::Unchanged {
        out.clear();
        out.extend_from_slice(region.bytes);
    }
    Ok(count)
}

#[cfg(test)]
mod tests;
