//! Which rules name a key: exact keys by hash, patterns by their first byte.
//!
//! This is the slow way. On the hot path [`super::memo`] remembers its answers.

use std::collections::HashMap;

use super::pattern::Pattern;

/// All keys that the rules of a policy name.
#[derive(Clone, Debug)]
pub(super) struct KeyIndex {
    exact: HashMap<Box<[u8]>, Vec<u16>>,
    patterns: Vec<(Pattern, u16)>,
    /// Indices of patterns by the first byte of the keys they match; the last for any byte.
    by_first: Vec<Vec<u16>>,
}

impl Default for KeyIndex {
    fn default() -> Self {
        KeyIndex {
            exact: HashMap::new(),
            patterns: Vec::new(),
            by_first: vec![Vec::new(); 257],
        }
    }
}

impl KeyIndex {
    pub(super) fn add(&mut self, pattern: &Pattern, rule: u16) {
        if let Pattern::Exact(key) = pattern {
            self.exact.entry(key.clone()).or_default().push(rule);
            return;
        }
        let at = self.patterns.len() as u16;
        let first = pattern.first_byte().map_or(256, usize::from);
        self.patterns.push((pattern.clone(), rule));
        self.by_first[first].push(at);
    }

    /// Appends the rules that name the key, given in lower case, in no order.
    pub(super) fn find(&self, key: &[u8], rules: &mut Vec<u16>) {
        if let Some(exact) = self.exact.get(key) {
            rules.extend_from_slice(exact);
        }
        let first = key.first().map_or(256, |byte| usize::from(*byte));
        let same_first = (first != 256).then(|| &self.by_first[first]);
        for &at in same_first
            .into_iter()
            .chain([&self.by_first[256]])
            .flatten()
        {
            if let Some((pattern, rule)) = self.patterns.get(usize::from(at))
                && pattern.matches(key)
            {
                rules.push(*rule);
            }
        }
    }
}
