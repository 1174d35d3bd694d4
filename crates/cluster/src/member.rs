//! Who takes part, and who of them owns a trace.
//!
//! The owner is found by rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to
//! increase hit rates", 1998): each member has a score for a trace, and the highest owns it. So it
//! depends on the set of names alone, and a member that comes or goes moves no trace between two
//! others.

use std::cmp::Reverse;

use ident::MemberName;
use serde::{Deserialize, Serialize};
use url::Url;

/// A trace's id.
pub type TraceId = [u8; 16];

/// One gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, by which traces are given to it.
    pub name: MemberName,
    /// Where its OTLP/gRPC is.
    pub endpoint: Url,
}

/// The members at a time: sorted by name, each name once, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    list: Vec<Scored>,
    digest: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Scored {
    member: Member,
    seed: u64,
}

/// Why a list of members cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembersError {
    /// Nobody.
    #[error("the list of members is empty\nhint: list every gateway of the cluster")]
    Nobody,
    /// Too many.
    #[error("the list has {0} members\nhint: at most {most} take part", most = Members::MOST)]
    TooMany(usize),
    /// A name that stands there twice.
    #[error("two members are named `{0}`\nhint: give each gateway a name of its own")]
    Twice(MemberName),
}

impl Members {
    /// The most that take part.
    pub const MOST: usize = 64;

    /// A checked list.
    ///
    /// # Errors
    /// If nobody is in it, too many are, or two have one name.
    pub fn new(mut members: Vec<Member>) -> Result<Members, MembersError> {
        members.sort_by(|a, b| a.name.cmp(&b.name));
        if members.len() > Self::MOST {
            return Err(MembersError::TooMany(members.len()));
        }
        if let Some(pair) = members.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(MembersError::Twice(pair[0].name.clone()));
        }
        let scored = |member: Member| Scored {
            seed: seed(member.name.as_str()),
            member,
        };
        if members.is_empty() {
            return Err(MembersError::Nobody);
        }
        let digest = digest(&members);
        let list = members.into_iter().map(scored).collect();
        Ok(Members { list, digest })
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.list.iter().map(|scored| &scored.member)
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// The member of a name.
    pub fn get(&self, name: &MemberName) -> Option<&Member> {
        self.iter().find(|member| member.name == *name)
    }

    /// Whether the names are the same; endpoints may differ.
    pub fn same_names(&self, other: &Members) -> bool {
        let names = self.iter().map(|member| &member.name);
        names.eq(other.iter().map(|member| &member.name))
    }

    /// Who owns a trace; among equals the first by name.
    pub fn owner(&self, trace: &TraceId) -> Option<&MemberName> {
        let owner = self
            .list
            .iter()
            .min_by_key(|member| Reverse(score(member.seed, trace)));
        owner.map(|owner| &owner.member.name)
    }

    /// Tells lists of other names apart: 16 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

fn digest(members: &[Member]) -> String {
    let names = members.iter().map(|member| member.name.as_str().as_bytes());
    let hash = names.fold(FNV, |hash, name| fnv(fnv(hash, name), b","));
    format!("{:016x}", mix(hash))
}

const FNV: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, 64 bits.
fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn seed(name: &str) -> u64 {
    mix(fnv(FNV, name.as_bytes()))
}

/// The finalizer of SplitMix64: every bit of the input changes every bit of the output.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn score(seed: u64, trace: &TraceId) -> u64 {
    let [high, low] = [&trace[..8], &trace[8..]].map(|half| {
        let half: [u8; 8] = half.try_into().unwrap_or_default();
        u64::from_be_bytes(half)
    });
    mix(mix(seed ^ high) ^ low)
}

/// A member as it is stored and told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stored {
    name: String,
    endpoint: String,
}

impl Members {
    pub(crate) fn stored(&self) -> Vec<Stored> {
        let stored = |member: &Member| Stored {
            name: member.name.to_string(),
            endpoint: member.endpoint.to_string(),
        };
        self.iter().map(stored).collect()
    }

    /// `None` if it is no list of members.
    pub(crate) fn of_stored(stored: Vec<Stored>) -> Option<Members> {
        let member = |stored: Stored| {
            Some(Member {
                name: stored.name.parse().ok()?,
                endpoint: stored.endpoint.parse().ok()?,
            })
        };
        let members: Option<Vec<Member>> = stored.into_iter().map(member).collect();
        Members::new(members?).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::collections::BTreeMap;

    use super::*;

    fn members(names: &[&str]) -> Members {
        let member = |name: &&str| Member {
            name: name.parse().unwrap(),
            endpoint: "http://127.0.0.1:4317".parse().unwrap(),
        };
        Members::new(names.iter().map(member).collect()).unwrap()
    }

    /// Ids as some SDKs make them: random, and counted up.
    fn ids() -> impl Iterator<Item = TraceId> {
        let random = |n: u64| u128::from(mix(n)) << 64 | u128::from(mix(n ^ 0x5555));
        let counted = (0..20_000_u64).map(u128::from);
        let all = (0..20_000).map(random).chain(counted);
        all.map(u128::to_be_bytes)
    }

    /// Guarantees: each member owns about as many traces, also where ids are counted up.
    #[test]
    fn traces_are_shared_evenly() {
        let members = members(&["gw-1", "gw-2", "gw-3", "gw-4", "gw-5"]);
        let mut owned = BTreeMap::<_, u32>::new();
        for id in ids() {
            *owned.entry(members.owner(&id).unwrap()).or_default() += 1;
        }
        for (name, count) in owned {
            assert!((7_600..8_400).contains(&count), "{name}: {count} of 40000");
        }
    }

    /// Guarantees: who comes takes traces over, and who goes gives traces away; between two
    /// others none moves.
    #[test]
    fn a_member_that_comes_moves_no_trace_between_others() {
        let (three, four) = (members(&["a", "b", "c"]), members(&["a", "b", "c", "d"]));
        for id in ids() {
            let (before, after) = (three.owner(&id).unwrap(), four.owner(&id).unwrap());
            assert!(before == after || after.as_str() == "d");
        }
    }

    /// Guarantees: gateways of two versions agree. Never change these values; they were computed
    /// by a program in another language, from the description in `docs/scale-out.md`.
    #[test]
    fn owners_and_digests_are_fixed() {
        let members = members(&["gw-3", "gw-1", "gw-2"]);
        let owner = |n: u128| members.owner(&n.to_be_bytes()).unwrap().to_string();
        let owners: Vec<String> = (1..9).map(|n| owner(n << 64 | n)).collect();
        assert_eq!((owners.join(" ").as_str(), members.digest()), GOLDEN);
    }
    const GOLDEN: (&str, &str) = (
        "gw-3 gw-3 gw-2 gw-3 gw-1 gw-2 gw-1 gw-2",
        "f6d437a0ba2bf30b",
    );

    #[test]
    fn lists_are_checked() {
        let member = |name: &str| Member {
            name: name.parse().unwrap(),
            endpoint: "http://h:1".parse().unwrap(),
        };
        assert_eq!(Members::new(Vec::new()), Err(MembersError::Nobody));
        let twice = Members::new(vec![member("b"), member("a"), member("b")]);
        assert_eq!(twice, Err(MembersError::Twice("b".parse().unwrap())));
        let many = (0..65).map(|n| member(&n.to_string())).collect();
        assert_eq!(Members::new(many), Err(MembersError::TooMany(65)));
    }
}
