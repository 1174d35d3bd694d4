//! The shares of a composite policy.

use super::Compiler;
use crate::config::{Composite, ConfigError};
use crate::limiter::Template;
use crate::plan::Node;

impl Compiler {
    /// Orders the policies and gives each its spans a second.
    pub(super) fn composite(&mut self, block: &Composite) -> Result<Node, ConfigError> {
        let subs = &block.composite_sub_policy;
        let place = |name: &String| subs.iter().position(|sub| sub.name == *name);
        let mut order = Vec::new();
        for name in &block.policy_order {
            match place(name) {
                Some(at) if !order.contains(&at) => order.push(at),
                _ => {
                    return Err(self.wrong(
                        &format!("orders `{name}`, which is not in it or twice in the order"),
                        "name each policy of `composite_sub_policy` once",
                    ));
                }
            }
        }
        order.extend(
            (0..subs.len())
                .filter(|at| !order.contains(at))
                .collect::<Vec<_>>(),
        );
        let mut percents = vec![None; subs.len()];
        for share in &block.rate_allocation {
            match place(&share.policy) {
                Some(at) if percents[at].is_none() && share.percent <= 100 => {
                    percents[at] = Some(u64::from(share.percent)).filter(|percent| *percent > 0);
                }
                _ => {
                    return Err(self.wrong(
                        &format!("allocates wrongly to `{}`", share.policy),
                        "name a policy of `composite_sub_policy` once, with 0 to 100 percent",
                    ));
                }
            }
        }
        let given: u64 = percents.iter().flatten().sum();
        if given > 100 {
            return Err(self.wrong(
                &format!("allocates {given} percent"),
                "shares may come to 100 percent at the most",
            ));
        }
        let max = block.max_total_spans_per_second;
        let left = max - part(max, given);
        let without = percents.iter().filter(|percent| percent.is_none()).count() as u64;
        let nodes = self.all(subs)?;
        let mut nodes: Vec<_> = nodes.into_iter().map(Some).collect();
        let shares = order
            .iter()
            .filter_map(|at| {
                let share = match percents[*at] {
                    Some(percent) => part(max, percent),
                    None => left / without.max(1),
                };
                nodes[*at].take().map(|node| (node, share))
            })
            .collect();
        let limiter = self.limiter(Template::Shares(subs.len()));
        Ok(Node::Composite { limiter, shares })
    }
}

fn part(whole: u64, percent: u64) -> u64 {
    (u128::from(whole) * u128::from(percent) / 100) as u64
}
