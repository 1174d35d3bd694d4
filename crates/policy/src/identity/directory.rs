//! The compiled form of the configuration: one hash or one walk for each proven name.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ident::TenantId;

use super::config::{Choice, HeaderName, Identity, TrustDomain, Unlisted};
use super::digest::Digest;
use super::load::{self, LoadError};
use super::token::Pairs;
use super::trie::{Index, Owner, Owners, Trie};

/// Who is who. Made once from the configuration; shared; never changed.
#[derive(Debug)]
pub struct Directory {
    pub(super) trust_domain: Option<TrustDomain>,
    pub(super) unlisted: Unlisted,
    pub(super) header: HeaderName,
    pub(super) anonymous: Option<TenantId>,
    pub(super) tenants: Vec<TenantId>,
    pub(super) tenant_indexes: HashMap<TenantId, Index>,
    pub(super) forwarders: Vec<Allowed>,
    pub(super) uris: Exact<Box<str>>,
    pub(super) uri_patterns: Trie,
    pub(super) dns: Exact<Box<str>>,
    pub(super) emails: Exact<Box<str>>,
    pub(super) subjects: Exact<Box<str>>,
    pub(super) common_names: Exact<Box<str>>,
    pub(super) fingerprints: Exact<Digest>,
    pub(super) tokens: Exact<Digest>,
    pub(super) claims: HashMap<Box<str>, HashMap<Box<str>, Vec<ClaimRule>>>,
}

/// Names that stand for somebody as they are.
pub(super) type Exact<K> = HashMap<K, Owners>;

/// A matcher of claims, found by the rarest of its pairs.
#[derive(Debug)]
pub(super) struct ClaimRule {
    /// The other pairs.
    pub(super) rest: Pairs,
    pub(super) owners: Owners,
}

/// What a forwarder may choose.
#[derive(Debug)]
pub(super) struct Allowed {
    /// Sorted; `None` is any.
    pub(super) tenants: Option<Box<[Index]>>,
    pub(super) default: Option<Index>,
}

impl Directory {
    /// Compiles the configuration.
    ///
    /// # Errors
    /// If one name stands for two tenants, or a name is used that is not configured.
    pub fn new(config: &Identity) -> Result<Self, LoadError> {
        load::load(config)
    }

    /// The header with which a forwarder chooses a tenant, in lower case.
    pub fn header(&self) -> &str {
        self.header.as_str()
    }

    /// The configured tenants, by name.
    pub fn tenants(&self) -> &[TenantId] {
        &self.tenants
    }

    pub(super) fn tenant(&self, index: Index) -> Option<&TenantId> {
        self.tenants.get(index.get() as usize - 1)
    }

    pub(super) fn forwarder(&self, index: Index) -> Option<&Allowed> {
        self.forwarders.get(index.get() as usize - 1)
    }

    pub(super) fn empty(config: &Identity) -> Self {
        Directory {
            trust_domain: config.trust_domain.clone(),
            unlisted: config.unlisted_tenants,
            header: config.tenant_header.clone(),
            anonymous: config.anonymous.as_ref().map(|name| name.0.clone()),
            tenants: Vec::new(),
            tenant_indexes: HashMap::new(),
            forwarders: Vec::new(),
            uris: HashMap::new(),
            uri_patterns: Trie::new(),
            dns: HashMap::new(),
            emails: HashMap::new(),
            subjects: HashMap::new(),
            common_names: HashMap::new(),
            fingerprints: HashMap::new(),
            tokens: HashMap::new(),
            claims: HashMap::new(),
        }
    }
}

impl Allowed {
    pub(super) fn allows(&self, tenant: Option<Index>) -> bool {
        match (&self.tenants, tenant) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(list), Some(tenant)) => list.binary_search(&tenant).is_ok(),
        }
    }

    pub(super) fn new(
        choice: &Choice,
        default: Option<Index>,
        index: impl Fn(&TenantId) -> Result<Index, LoadError>,
    ) -> Result<Self, LoadError> {
        let tenants = match choice {
            Choice::Any => None,
            Choice::Of(names) => {
                let mut list = names
                    .iter()
                    .map(|name| index(&name.0))
                    .collect::<Result<Vec<_>, _>>()?;
                list.sort_unstable();
                list.dedup();
                Some(list.into_boxed_slice())
            }
        };
        Ok(Allowed { tenants, default })
    }
}

/// Adds a name; gives back the owner that has it already.
pub(super) fn claim<K: std::hash::Hash + Eq>(
    map: &mut Exact<K>,
    key: K,
    owner: Owner,
) -> Result<(), Owner> {
    match map.entry(key) {
        Entry::Occupied(mut old) => old.get_mut().claim(owner),
        Entry::Vacant(new) => new.insert(Owners::default()).claim(owner),
    }
}
