//! What a member tells a gateway that joins: who has owned what lately.
//!
//! The question is an OTLP export without items whose header asks; the answer stands in the message
//! of the partial success, a page at a time, since messages are short. So it needs no port and no
//! identity of its own.

use serde::{Deserialize, Serialize};

use crate::history::{Epoch, History};
use crate::member::{Members, Stored};

/// Bytes of a page; the text is ASCII.
const PAGE: usize = 400;
/// The most pages that are asked for.
pub(crate) const MAX_PAGES: usize = 2048;

/// A list of members and how long ago it began to hold.
#[derive(Clone, Debug)]
pub(crate) struct Former {
    pub members: Members,
    pub age_nanos: u64,
}

#[derive(Serialize, Deserialize)]
struct Told {
    epochs: Vec<ToldEpoch>,
}

#[derive(Serialize, Deserialize)]
struct ToldEpoch {
    age_nanos: u64,
    members: Vec<Stored>,
}

/// The text that is told: the epochs that still matter. Of a gateway that joins itself, none.
pub(crate) fn text(history: &History, now_unix_nano: u64) -> String {
    let told = |epoch: &Epoch| ToldEpoch {
        age_nanos: now_unix_nano.saturating_sub(epoch.since_unix_nano),
        members: epoch.members.stored(),
    };
    let told = Told {
        epochs: history
            .lately(now_unix_nano)
            .into_iter()
            .map(told)
            .collect(),
    };
    serde_json::to_string(&told).unwrap_or_default()
}

/// One page: the length of the whole text, and what begins at `offset`.
pub(crate) fn page(text: &str, offset: usize) -> String {
    let rest = text.get(offset..).unwrap_or_default();
    let page = rest.get(..PAGE.min(rest.len())).unwrap_or_default();
    format!("{}:{page}", text.len())
}

/// What a page says: the length of the whole, and a part of it.
pub(crate) fn parse_page(message: &str) -> Option<(usize, &str)> {
    let (length, page) = message.split_once(':')?;
    Some((length.parse().ok()?, page))
}

/// `None` if it is none of ours.
pub(crate) fn parse(text: &str) -> Option<Vec<Former>> {
    let told: Told = serde_json::from_str(text).ok()?;
    let former = |told: ToldEpoch| {
        Some(Former {
            members: Members::of_stored(told.members)?,
            age_nanos: told.age_nanos,
        })
    };
    told.epochs.into_iter().map(former).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn a_text_goes_over_in_pages() {
        let text: String = (0..100).map(|n| format!("{{\"n\":{n}}} ")).collect();
        let mut heard = String::new();
        loop {
            let page = page(&text, heard.len());
            assert!(page.len() < 512, "longer ones are cut on the way");
            let (length, part) = parse_page(&page).unwrap();
            heard.push_str(part);
            if heard.len() >= length {
                break;
            }
        }
        assert_eq!(heard, text);
        assert_eq!(parse_page(&page(&text, 1 << 20)).unwrap().1, "");
    }
}
