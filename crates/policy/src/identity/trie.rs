//! Names and patterns of segments, and who they stand for.
//!
//! A lookup follows the segments of the name, so its cost depends on the name and on the number of
//! wildcards in one pattern, not on how many patterns there are.

use std::collections::HashMap;

use super::pattern::Pattern;

/// Whom a name stands for. A name may stand for a tenant and for a forwarder at once: the tenant
/// is then the one that the forwarder has when it chooses none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Owners {
    pub(super) tenant: Option<Index>,
    pub(super) forwarder: Option<Index>,
}

/// The place in the directory's list of tenants or of forwarders, plus one.
pub(super) type Index = std::num::NonZeroU32;

impl Owners {
    /// Adds `new`; gives back the owner that stands in the way.
    pub(super) fn claim(&mut self, new: Owner) -> Result<(), Owner> {
        match new {
            Owner::Tenant(index) => match self.tenant {
                Some(old) if old != index => return Err(Owner::Tenant(old)),
                _ => self.tenant = Some(index),
            },
            Owner::Forwarder(index) => match self.forwarder {
                Some(old) if old != index => return Err(Owner::Forwarder(old)),
                _ => self.forwarder = Some(index),
            },
        }
        Ok(())
    }
}

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Tenant(Index),
    Forwarder(Index),
}

/// Patterns in a tree of segments.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, u32>,
    /// Where `*` leads; 0, the root, is nowhere.
    any: u32,
    /// Who has a pattern that ends here.
    here: Owners,
    /// Who has a pattern that goes on with `**`.
    rest: Owners,
}

impl Trie {
    pub(super) fn new() -> Self {
        Trie {
            nodes: vec![Node::default()],
        }
    }

    /// Adds a pattern; gives back the owner that has the same one already.
    pub(super) fn insert(&mut self, pattern: &str, owner: Owner) -> Result<(), Owner> {
        let mut at = 0;
        for segment in pattern.split('/') {
            if segment == "**" {
                return self.nodes[at].rest.claim(owner);
            }
            let next = match segment {
                "*" => self.nodes[at].any,
                literal => self.nodes[at].literals.get(literal).copied().unwrap_or(0),
            };
            at = if next != 0 {
                next as usize
            } else {
                let new = self.nodes.len();
                self.nodes.push(Node::default());
                let number = u32::try_from(new).unwrap_or(0);
                match segment {
                    "*" => self.nodes[at].any = number,
                    literal => {
                        self.nodes[at].literals.insert(literal.into(), number);
                    }
                }
                new
            };
        }
        self.nodes[at].here.claim(owner)
    }

    /// Calls `found` for every pattern that matches `name`.
    pub(super) fn lookup(&self, name: &str, found: &mut impl FnMut(Owners)) {
        if self.nodes.len() > 1 && segments(name) <= Pattern::MAX_SEGMENTS {
            self.follow(0, Some(name), found);
        }
    }

    /// At most [`Pattern::MAX_SEGMENTS`] deep.
    fn follow(&self, at: u32, rest: Option<&str>, found: &mut impl FnMut(Owners)) {
        let Some(node) = self.nodes.get(at as usize) else {
            return;
        };
        let Some(rest) = rest else {
            return found(node.here);
        };
        let (segment, after) = match rest.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (rest, None),
        };
        if let Some(next) = node.literals.get(segment) {
            self.follow(*next, after, found);
        }
        if !segment.is_empty() {
            if node.any != 0 {
                self.follow(node.any, after, found);
            }
            // An empty segment anywhere in the rest is no name that anybody was given.
            if after.is_none_or(|after| after.split('/').all(|segment| !segment.is_empty())) {
                found(node.rest);
            }
        }
    }

    /// Calls `found` for every pattern that some name matches together with `pattern`, until
    /// `steps` are used up.
    pub(super) fn overlaps(&self, pattern: &str, steps: &mut u32, found: &mut impl FnMut(Owners)) {
        self.overlap(0, Some(pattern), steps, found);
    }

    fn overlap(
        &self,
        at: u32,
        rest: Option<&str>,
        steps: &mut u32,
        found: &mut impl FnMut(Owners),
    ) {
        let (Some(node), Some(left)) = (self.nodes.get(at as usize), steps.checked_sub(1)) else {
            return;
        };
        *steps = left;
        let Some(rest) = rest else {
            return found(node.here);
        };
        let (segment, after) = match rest.split_once('/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (rest, None),
        };
        found(node.rest);
        match segment {
            "**" => self.below(at, steps, found),
            "*" => {
                for next in node.literals.values() {
                    self.overlap(*next, after, steps, found);
                }
            }
            literal => {
                if let Some(next) = node.literals.get(literal) {
                    self.overlap(*next, after, steps, found);
                }
            }
        }
        if segment != "**" && node.any != 0 {
            self.overlap(node.any, after, steps, found);
        }
    }

    /// Everything that goes on from a node.
    fn below(&self, at: u32, steps: &mut u32, found: &mut impl FnMut(Owners)) {
        let mut open = vec![at];
        while let Some(at) = open.pop() {
            let (Some(node), Some(left)) = (self.nodes.get(at as usize), steps.checked_sub(1))
            else {
                return;
            };
            *steps = left;
            let next = node.literals.values().copied();
            for next in next.chain((node.any != 0).then_some(node.any)) {
                if let Some(node) = self.nodes.get(next as usize) {
                    found(node.here);
                    found(node.rest);
                }
                open.push(next);
            }
        }
    }
}

/// How many segments a name has, counted no further than needed.
fn segments(name: &str) -> usize {
    name.split('/').take(Pattern::MAX_SEGMENTS + 1).count()
}
