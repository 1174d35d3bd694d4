//! How often services and operations were seen in this epoch.
//!
//! Counting begins anew with each epoch, so that what is counted never depends on anything before
//! it (RESTARTABLE). A table that is full counts no further names: none of them is rare.

use std::collections::HashMap;

use crate::plan::Plan;
use crate::probability::fnv1a;

/// The counts, all policies together: each policy has its own limits, on the same counts.
#[derive(Debug, Default)]
pub(crate) struct Rarities {
    /// By hash of tenant, service and operation. The hash is the same in each process.
    seen: HashMap<u64, u32>,
    limit: usize,
    /// The hash of the service whose spans are looked at.
    service: u64,
    /// Sightings of names for which there was no room.
    pub overflowed: u64,
}

impl Rarities {
    pub(crate) fn new(plan: &Plan) -> Self {
        let limits = plan.rare.iter().map(|test| test.max_operations);
        Rarities {
            limit: limits.max().unwrap_or(0),
            ..Rarities::default()
        }
    }

    pub(crate) fn clear(&mut self) {
        self.seen.clear();
    }

    /// The hash of a service, whose operations are asked about next.
    pub(crate) fn service(&mut self, tenant: &str, service: &[u8]) -> u64 {
        self.service = fnv1a(&[tenant.as_bytes(), &[0xff], service]);
        self.service
    }

    /// The hash of an operation of the service.
    pub(crate) fn operation(&self, name: &[u8]) -> u64 {
        fnv1a(&[&self.service.to_le_bytes(), name])
    }

    /// Counts, and gives the bits of the policies for which it is still rare.
    pub(crate) fn see(&mut self, plan: &Plan, hash: u64) -> u64 {
        let known = self.seen.len();
        let count = match self.seen.get_mut(&hash) {
            Some(count) => count,
            None if known < self.limit => self.seen.entry(hash).or_default(),
            None => {
                self.overflowed += 1;
                return 0;
            }
        };
        let before = *count;
        *count = count.saturating_add(1);
        let rare = plan.rare.iter().filter(|test| before < test.minimum);
        rare.fold(0, |bits, test| bits | test.bit)
    }
}
