//! Tallies by tenant and service, at most so many.

use std::collections::HashMap;

use ident::TenantId;

use crate::tally::Tally;

/// One trigger's tallies.
#[derive(Debug)]
pub(crate) struct Groups {
    by_tenant: HashMap<TenantId, HashMap<Box<str>, Tally>>,
    len: usize,
    most: usize,
    /// The slot at which those that are over were last put out.
    swept: u64,
}

impl Groups {
    pub(crate) fn new(most: usize) -> Groups {
        Groups {
            by_tenant: HashMap::new(),
            len: 0,
            most,
            swept: 0,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The tally of a service, made if there is room. BOUNDED: those whose window holds nothing go
    /// first, once a slot.
    pub(crate) fn get(
        &mut self,
        tenant: &TenantId,
        service: &str,
        slot: u64,
    ) -> Option<&mut Tally> {
        if slot > self.swept {
            self.swept = slot;
            self.sweep(slot);
        }
        let known = self
            .by_tenant
            .get(tenant)
            .is_some_and(|of| of.contains_key(service));
        if !known {
            if self.len >= self.most {
                return None;
            }
            self.len += 1;
        }
        let of_tenant = self.by_tenant.entry(tenant.clone()).or_default();
        if !known {
            of_tenant.insert(service.into(), Tally::default());
        }
        of_tenant.get_mut(service)
    }

    fn sweep(&mut self, slot: u64) {
        self.by_tenant.retain(|_, of_tenant| {
            of_tenant.retain(|_, tally| !tally.is_over(slot));
            !of_tenant.is_empty()
        });
        self.len = self.by_tenant.values().map(HashMap::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::SLOTS;

    /// Guarantees (BOUNDED): there are never more than may be, and those that are over make room.
    #[test]
    fn there_is_a_limit() {
        let mut groups = Groups::new(3);
        let tenants = [TenantId::default_tenant(), "acme".parse().unwrap()];
        for (at, service) in ["a", "b", "c", "d"].iter().enumerate() {
            let found = groups
                .get(&tenants[at % 2], service, 1)
                .map(|tally| tally.add(1, 1, 1));
            assert_eq!(found, (at < 3).then_some((1, 1)));
        }
        assert_eq!(groups.len(), 3);
        assert!(groups.get(&tenants[0], "a", 2).is_some());
        groups.get(&tenants[0], "a", 3).unwrap().add(3, 0, 1);
        assert!(groups.get(&tenants[1], "d", 1 + SLOTS).is_some());
        assert_eq!(groups.len(), 2);
    }
}
