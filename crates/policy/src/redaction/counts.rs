//! How often each rule changed something.

use super::Policy;

/// A count for each rule of a policy, in the order of [`Policy::rules`]. No labels are made here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    by_rule: Vec<u64>,
}

impl Counts {
    /// Zeros for each rule of a policy.
    pub fn new(policy: &Policy) -> Self {
        Counts {
            by_rule: vec![0; policy.rules().len()],
        }
    }

    /// How often the rule of this index changed something.
    pub fn get(&self, rule: usize) -> u64 {
        self.by_rule.get(rule).copied().unwrap_or(0)
    }

    /// All of them, by the index of the rule.
    pub fn as_slice(&self) -> &[u64] {
        &self.by_rule
    }

    /// The sum of all.
    pub fn total(&self) -> u64 {
        self.by_rule.iter().sum()
    }

    /// Back to zeros.
    pub fn clear(&mut self) {
        self.by_rule.fill(0);
    }

    #[inline]
    pub(super) fn add(&mut self, rule: u16) {
        match self.by_rule.get_mut(usize::from(rule)) {
            Some(count) => *count += 1,
            None => self.add_new(usize::from(rule)),
        }
    }

    /// Counts made for another policy still count everything.
    #[cold]
    fn add_new(&mut self, rule: usize) {
        self.by_rule.resize(rule, 0);
        self.by_rule.push(1);
    }
}
