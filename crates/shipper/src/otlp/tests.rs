//! The conformance suite over both transports, and what only OTLP has.

mod answers;
mod receiver;
mod requests;
mod world;

use ident::Signal;
use journal::Position;

use super::{Compression, Protocol};
use crate::batch::{Batch, Chunk};
use crate::conformance::items;
use world::OtlpWorld;

mod grpc {
    use super::*;
    crate::conformance::every_scenario!(OtlpWorld::new(Protocol::Grpc, Compression::None));
    crate::conformance::answering_scenarios!(OtlpWorld::new(Protocol::Grpc, Compression::None));
}

mod http {
    use super::*;
    crate::conformance::every_scenario!(OtlpWorld::new(Protocol::Http, Compression::Gzip));
    crate::conformance::answering_scenarios!(OtlpWorld::new(Protocol::Http, Compression::Gzip));
}

/// A batch of one block of traces.
fn batch(count: u64) -> Batch {
    batch_of(items::request(Signal::Traces, "acme", 0..count, 10), count)
}

fn batch_of(payload: Vec<u8>, items: u64) -> Batch {
    Batch {
        tenant: "acme".parse().unwrap(),
        signal: Signal::Traces,
        chunks: vec![Chunk {
            bytes: payload.into(),
            items,
            entry: 0,
            position: Position::default(),
        }],
    }
}
