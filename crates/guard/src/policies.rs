//! Which redaction policy applies to which tenant.

use std::collections::HashMap;
use std::sync::Arc;

use ident::TenantId;
use policy::redaction::{Policy, PolicyError};

/// The site's policy, and those of tenants that tighten it. `None` redacts nothing.
#[derive(Debug, Default)]
pub struct Policies {
    site: Option<Arc<Policy>>,
    tightened: HashMap<TenantId, Arc<Policy>>,
}

/// Why a tenant's policy is not taken.
#[derive(Debug, thiserror::Error)]
pub enum PoliciesError {
    /// There is nothing to tighten.
    #[error(
        "the tenant `{0}` has a policy of its own, but the site redacts nothing\nhint: give the site a policy under `redaction`"
    )]
    NothingToTighten(TenantId),
    /// The tenant's policy itself is wrong.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

impl Policies {
    /// Nothing is redacted.
    pub fn none() -> Self {
        Policies::default()
    }

    /// One policy for all.
    pub fn new(site: Policy) -> Self {
        Policies {
            site: Some(Arc::new(site)),
            tightened: HashMap::new(),
        }
    }

    /// Tightens the site's policy for one tenant by the overlay in `text`, called `name` in errors.
    ///
    /// # Errors
    /// If there is no policy to tighten, or the overlay is wrong or would loosen it.
    pub fn tighten(
        &mut self,
        tenant: TenantId,
        name: &str,
        text: &str,
    ) -> Result<(), PoliciesError> {
        let Some(site) = &self.site else {
            return Err(PoliciesError::NothingToTighten(tenant));
        };
        let tight = site.tightened(name, text)?;
        self.tightened.insert(tenant, Arc::new(tight));
        Ok(())
    }

    /// The policy for a tenant.
    pub(crate) fn of(&self, tenant: &TenantId) -> Option<&Arc<Policy>> {
        self.tightened.get(tenant).or(self.site.as_ref())
    }
}
