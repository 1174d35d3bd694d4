//! What of a block is shipped: the sampler's decision, or a filter of metrics, applied to its bytes
//! (NO-TREE).

use std::io;

use bytes::Bytes;
use ident::Signal;
use journal::Block;
use sampler::metrics::{self, Filter};
use sampling::{DecisionReader, Decisions, Look, Unknown};

/// What of a block is shipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// All of it.
    Whole,
    /// All of it, because there is no decision about it.
    Unknown,
    /// These bytes, a request with so many items.
    Part { payload: Bytes, items: u64 },
    /// None of it.
    Nothing,
    /// That is not decided yet.
    Undecided,
    /// Nothing of it and of all that follows.
    Ended,
}

/// What of a block of metrics is shipped; all of a block of another signal.
pub(crate) fn filtered(filter: &Filter, block: &Block) -> Chosen {
    if block.signal != Signal::Metrics {
        return Chosen::Whole;
    }
    let mut part = Vec::new();
    let (tenant, time) = (&block.tenant, block.appended_unix_nano);
    match filter.choose(tenant, time, &block.payload, &mut part) {
        Ok(metrics::Chosen::Whole) => Chosen::Whole,
        Ok(metrics::Chosen::Nothing) => Chosen::Nothing,
        Ok(metrics::Chosen::Part { items }) => {
            // What is held is counted by its length.
            part.shrink_to_fit();
            Chosen::Part {
                payload: Bytes::from(part),
                items,
            }
        }
        // The journal holds checked bytes; if these are not, the destination says so.
        Err(_) => Chosen::Whole,
    }
}

/// Follows decisions at a shipper's place.
#[derive(Debug)]
pub(crate) struct Chooser {
    reader: DecisionReader,
    scratch: Vec<u8>,
}

impl Chooser {
    pub(crate) fn new(decisions: &Decisions) -> Self {
        Chooser {
            reader: decisions.reader(),
            scratch: Vec::new(),
        }
    }

    /// What of a block is shipped.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn choose(&mut self, block: &Block) -> io::Result<Chosen> {
        let selection = match self.reader.look_up(block.position)? {
            Look::Decided(selection) => selection,
            Look::Undecided => return Ok(Chosen::Undecided),
            Look::Ended => return Ok(Chosen::Ended),
            Look::Unknown(Unknown::Whole) => return Ok(Chosen::Unknown),
            Look::Unknown(Unknown::Nothing) => return Ok(Chosen::Nothing),
        };
        // A block without items is what its sender wanted.
        if selection.is_whole() {
            return Ok(Chosen::Whole);
        }
        if selection.kept() == 0 {
            return Ok(Chosen::Nothing);
        }
        Ok(
            match selection.cut(block.signal, &block.payload, &mut self.scratch) {
                Ok(true) => Chosen::Part {
                    // As large as it is: what is held is counted by its length.
                    payload: Bytes::copy_from_slice(&self.scratch),
                    items: u64::from(selection.kept()),
                },
                Ok(false) => Chosen::Whole,
                // The journal holds checked bytes; if these are not, the destination says so.
                Err(_) => Chosen::Unknown,
            },
        )
    }

    /// Waits until more is decided. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        self.reader.changed().await;
    }
}
