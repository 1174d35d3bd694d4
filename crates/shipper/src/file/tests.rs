//! The conformance suite over the formats, and what only files have.

mod crashes;
mod formats;
mod rotation;
mod world;

use ident::Signal;

use super::{Compression, Format};
use crate::batch::{Batch, Chunk};
use crate::conformance::items::{self, Item};
use journal::Position;
use world::FileWorld;

mod json {
    use super::*;
    crate::conformance::every_scenario!(FileWorld::ready(Format::Json, Compression::None));
}

mod proto_zstd {
    use super::*;
    crate::conformance::every_scenario!(FileWorld::ready(Format::Proto, Compression::Zstd));
}

/// A batch of one block with one item.
fn batch(tenant: &str, signal: Signal, number: u64) -> (Batch, Vec<Item>) {
    let payload = items::request(signal, tenant, number..number + 1, 20);
    let items = items::items(signal, &payload).unwrap();
    (batch_of(tenant, signal, payload), items)
}

fn batch_of(tenant: &str, signal: Signal, payload: Vec<u8>) -> Batch {
    Batch {
        tenant: tenant.parse().unwrap(),
        signal,
        chunks: vec![Chunk {
            bytes: payload.into(),
            items: 1,
            entry: 0,
            position: Position::default(),
        }],
    }
}
