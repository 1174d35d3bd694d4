//! Tenants as labels of metrics, as many as may be (BOUNDED).

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use ident::TenantId;

/// The most tenants with a label of their own.
const MAX_TENANTS: usize = 2000;
/// What the others share. Not a tenant's name: those have no parentheses at both ends with a space.
const OTHERS: &str = "(all others)";

/// Which tenants have labels of their own: the first that come.
#[derive(Debug, Default)]
pub(crate) struct Labels {
    known: RwLock<HashSet<TenantId>>,
}

impl Labels {
    /// The label's text for a tenant.
    pub(crate) fn of<'a>(&self, tenant: &'a TenantId) -> &'a str {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.contains(tenant) {
            return tenant.as_str();
        }
        if known.len() >= MAX_TENANTS {
            return OTHERS;
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_TENANTS && !known.contains(tenant) {
            return OTHERS;
        }
        known.insert(tenant.clone());
        tenant.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantees: BOUNDED; more tenants than that make no more labels, and those known stay.
    #[test]
    fn so_many_tenants_have_labels_and_no_more() {
        let labels = Labels::default();
        let tenant = |n: usize| -> TenantId { format!("t{n}").parse().unwrap() };
        for n in 0..MAX_TENANTS {
            assert_eq!(labels.of(&tenant(n)), format!("t{n}"));
        }
        assert_eq!(labels.of(&tenant(MAX_TENANTS)), OTHERS);
        assert_eq!(labels.of(&tenant(7)), "t7");
        assert!(OTHERS.parse::<TenantId>().is_err());
    }
}
