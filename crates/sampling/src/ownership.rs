//! Where several gateways share the traces: only what is this gateway's own is observed and decided
//! here. The rest of a block is forwarded to its owner, and is not shipped from here.

use std::sync::Arc;

use bytes::Bytes;
use journal::Block;
use sampler::Selection;

/// Says which items of a block this gateway decides. The answer about a block is always the same
/// (RESTARTABLE).
pub trait Ownership: std::fmt::Debug + Send + Sync {
    /// What of a block is its own; `None` where that is not known yet. Then nothing after it is
    /// known either.
    fn own(&self, block: &Block) -> Option<Own>;
}

/// What of a block is a gateway's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// All of it.
    All,
    /// These of its items; and the request that holds them alone.
    Part {
        /// A bit an item, in the block's order.
        items: Selection,
        /// The bytes of those whose bit is set.
        payload: Bytes,
    },
}

/// A block as the sampler sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub block: Block,
    /// Which items of the whole block it holds; `None` means all.
    mask: Option<Selection>,
}

impl Seen {
    /// `None` where it is not known yet what is its own: the block is to be read again later.
    pub(crate) fn of(own: Option<&Arc<dyn Ownership>>, block: Block) -> Option<Seen> {
        let own = match own {
            None => Own::All,
            Some(ownership) => ownership.own(&block)?,
        };
        Some(match own {
            Own::All => Seen { block, mask: None },
            Own::Part { items, payload } => Seen {
                block: Block {
                    items: u64::from(items.kept()),
                    payload,
                    ..block
                },
                mask: Some(items),
            },
        })
    }

    /// From what was selected of the own items to a selection of the whole block: what is not its
    /// own does not stay.
    pub(crate) fn widen(&self, selection: &mut Selection) {
        let Some(mask) = &self.mask else { return };
        let (mut whole, mut at) = (Selection::default(), 0);
        for item in 0..mask.items() {
            let own = mask.stays(item);
            whole.push(own && selection.stays(at));
            at += u32::from(own);
        }
        *selection = whole;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(text: &str) -> Selection {
        let mut selection = Selection::default();
        text.chars().for_each(|c| selection.push(c == '1'));
        selection
    }

    #[test]
    fn what_is_not_its_own_does_not_stay() {
        for (mask, selected, whole) in [
            ("0110100101", "10101", "0100100001"),
            ("0000", "", "0000"),
            ("1111", "0110", "0110"),
            // A block that could not be read is kept whole: what is its own of it.
            ("0101", "11", "0101"),
        ] {
            let seen = Seen {
                block: block(),
                mask: Some(bits(mask)),
            };
            let mut selection = bits(selected);
            seen.widen(&mut selection);
            assert_eq!(selection, bits(whole), "{mask} {selected}");
        }
    }

    fn block() -> Block {
        Block {
            position: journal::Position::default(),
            next: journal::Position::default(),
            tenant: ident::TenantId::default_tenant(),
            signal: ident::Signal::Traces,
            items: 0,
            records: 1,
            min_time_unix_nano: 0,
            max_time_unix_nano: 0,
            appended_unix_nano: 0,
            payload: Bytes::new(),
        }
    }
}
