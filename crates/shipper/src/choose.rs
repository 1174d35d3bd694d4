//! What of a block is shipped: the sampler's decision, or a filter of metrics, applied to its bytes
//! (NO-TREE), or what somebody else says ([`Route`]).

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use ident::Signal;
use journal::Block;
use sampler::metrics::{self, Filter};
use sampling::{DecisionReader, Decisions, Look, Unknown};
use tokio::sync::watch;

/// Says what of a block goes this way, where that is not what sampling decides.
pub trait Route: std::fmt::Debug + Send + Sync {
    /// What goes this way. `out` is cleared first, and holds the bytes of a [`Way::Part`].
    fn way(&self, block: &Block, out: &mut Vec<u8>) -> Way;

    /// Changes whenever a block may be known that was not.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// What of a block goes one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nothing.
    Nothing,
    /// So many items.
    Part {
        /// Items in the bytes.
        items: u64,
    },
    /// It is not known yet.
    Unknown,
}

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
    by: By,
    scratch: Vec<u8>,
    clean: Option<Clean>,
}

#[derive(Debug)]
enum By {
    Decisions(DecisionReader),
    Route(Arc<dyn Route>, watch::Receiver<u64>),
}

/// Takes out of a request what its destination need not see; `None` where there is nothing.
pub type Clean = fn(&[u8]) -> Option<Vec<u8>>;

impl Chooser {
    pub(crate) fn new(decisions: &Decisions, clean: Option<Clean>) -> Self {
        Chooser {
            by: By::Decisions(decisions.reader()),
            scratch: Vec::new(),
            clean,
        }
    }

    pub(crate) fn routed(route: &Arc<dyn Route>) -> Self {
        Chooser {
            by: By::Route(Arc::clone(route), route.changes()),
            scratch: Vec::new(),
            clean: None,
        }
    }

    /// Whether what is not chosen is what sampling lets go.
    pub(crate) fn is_sampling(&self) -> bool {
        matches!(self.by, By::Decisions(_))
    }

    /// What of a block is shipped.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn choose(&mut self, block: &Block) -> io::Result<Chosen> {
        let chosen = match &mut self.by {
            By::Decisions(reader) => decided(reader, block, &mut self.scratch)?,
            By::Route(route, changes) => {
                changes.borrow_and_update();
                match route.way(block, &mut self.scratch) {
                    Way::Nothing => Chosen::Nothing,
                    Way::Unknown => Chosen::Undecided,
                    Way::Part { items } => Chosen::Part {
                        payload: Bytes::copy_from_slice(&self.scratch),
                        items,
                    },
                }
            }
        };
        Ok(match (self.clean, chosen) {
            (Some(clean), chosen @ (Chosen::Whole | Chosen::Unknown)) => {
                match clean(&block.payload) {
                    Some(payload) => Chosen::Part {
                        payload: payload.into(),
                        items: block.items,
                    },
                    None => chosen,
                }
            }
            (Some(clean), Chosen::Part { payload, items }) => Chosen::Part {
                payload: clean(&payload).map_or(payload, Bytes::from),
                items,
            },
            (_, chosen) => chosen,
        })
    }

    /// Waits until more is decided. Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        match &mut self.by {
            By::Decisions(reader) => reader.changed().await,
            By::Route(_, changes) => {
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

fn decided(
    reader: &mut DecisionReader,
    block: &Block,
    scratch: &mut Vec<u8>,
) -> io::Result<Chosen> {
    let selection = match reader.look_up(block.position)? {
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
    Ok(match selection.cut(block.signal, &block.payload, scratch) {
        Ok(true) => Chosen::Part {
            // As large as it is: what is held is counted by its length.
            payload: Bytes::copy_from_slice(scratch),
            items: u64::from(selection.kept()),
        },
        Ok(false) => Chosen::Whole,
        // The journal holds checked bytes; if these are not, the destination says so.
        Err(_) => Chosen::Unknown,
    })
}
