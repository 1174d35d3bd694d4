//! From the configuration to a [`Directory`]: every contradiction that can be seen beforehand is
//! an error here, so that no sender ever finds it.

use std::collections::HashMap;

use ident::TenantId;

use super::config::{Claims, Identity, Matcher, Unlisted};
use super::directory::{Allowed, ClaimRule, Directory, claim};
use super::pattern::Pattern;
use super::resolve::spiffe_tenant;
use super::token::Pairs;
use super::trie::{Index, Owner, Owners};

/// The steps spent on finding patterns that overlap. A configuration that needs more (thousands of
/// wildcards beside thousands of names) is still safe: what stands for two tenants is then denied
/// when it comes.
const OVERLAP_STEPS: u32 = 4_000_000;

/// A contradiction in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// One matcher under two tenants, or under two forwarders.
    #[error(
        "`{what}` stands for {first} and for {second}\nhint: an identity has one tenant; take it out of one of the two"
    )]
    Twice {
        /// The matcher as written; for a token, its digest.
        what: String,
        /// One owner.
        first: String,
        /// The other owner.
        second: String,
    },
    /// A pattern and another that one name can match both.
    #[error(
        "`{pattern}` of {owner} overlaps with a pattern or name of {other}\nhint: write the patterns so that no name matches both"
    )]
    Overlap {
        /// The pattern.
        pattern: String,
        /// Whose it is.
        owner: String,
        /// The owner of the other.
        other: String,
    },
    /// A pattern that takes SPIFFE IDs of another tenant's in the site's own trust domain.
    #[error(
        "`{pattern}` of {owner} takes identities that the trust domain gives to another tenant\nhint: spiffe://<trust_domain>/tenant/<tenant>/… is always that tenant"
    )]
    TrustDomain {
        /// The pattern.
        pattern: String,
        /// Whose it is.
        owner: String,
    },
    /// A tenant that is used and not listed.
    #[error(
        "the tenant `{0}` is not among `identity.tenants`\nhint: list it there, if only as `{0}: {{}}`"
    )]
    Unlisted(TenantId),
    /// More tenants or forwarders than can be numbered.
    #[error("too many tenants or forwarders")]
    TooMany,
}

pub(super) fn load(config: &Identity) -> Result<Directory, LoadError> {
    let mut directory = Directory::empty(config);
    for (at, name) in config.tenants.keys().enumerate() {
        directory.tenants.push(name.0.clone());
        directory.tenant_indexes.insert(name.0.clone(), index(at)?);
    }
    if let Some(name) = &directory.anonymous {
        listed(&directory, name)?;
    }
    let mut rarity = HashMap::new();
    let all = config.tenants.values().flat_map(|tenant| &tenant.matches);
    for matcher in all.chain(config.forwarders.iter().flat_map(|f| &f.matches)) {
        if let Matcher::Claim(claims) = matcher {
            for pair in claims.iter() {
                *rarity.entry(pair).or_insert(0u32) += 1;
            }
        }
    }
    let mut patterns = Vec::new();
    for (at, tenant) in config.tenants.values().enumerate() {
        let owner = Owner::Tenant(index(at)?);
        for matcher in &tenant.matches {
            add(&mut directory, matcher, owner, &rarity, &mut patterns)?;
        }
    }
    for (at, forwarder) in config.forwarders.iter().enumerate() {
        let owner = Owner::Forwarder(index(at)?);
        let default = forwarder.default.as_ref();
        let default = default
            .map(|name| listed(&directory, &name.0))
            .transpose()?;
        let allowed = Allowed::new(&forwarder.tenants, default, |name| listed(&directory, name))?;
        directory.forwarders.push(allowed);
        for matcher in &forwarder.matches {
            add(&mut directory, matcher, owner, &rarity, &mut patterns)?;
        }
    }
    check_patterns(&directory, &patterns)?;
    Ok(directory)
}

fn index(at: usize) -> Result<Index, LoadError> {
    u32::try_from(at + 1)
        .ok()
        .and_then(Index::new)
        .ok_or(LoadError::TooMany)
}

/// The index of a tenant that the configuration uses. `unlisted_tenants: allow` lets identities
/// name others; what the configuration itself names must be listed, or a typing error would make a
/// tenant.
fn listed(directory: &Directory, name: &TenantId) -> Result<Index, LoadError> {
    directory
        .tenant_indexes
        .get(name)
        .copied()
        .ok_or_else(|| LoadError::Unlisted(name.clone()))
}

fn add<'c>(
    directory: &mut Directory,
    matcher: &'c Matcher,
    owner: Owner,
    rarity: &HashMap<(&str, &str), u32>,
    patterns: &mut Vec<(&'c Pattern, Owner)>,
) -> Result<(), LoadError> {
    let (clash, what) = match matcher {
        Matcher::San(pattern) => {
            patterns.push((pattern, owner));
            let text = pattern.as_str();
            let clash = if pattern.is_glob() {
                directory.uri_patterns.insert(text, owner)
            } else {
                claim(&mut directory.uris, text.into(), owner)
            };
            (clash, text.to_owned())
        }
        Matcher::Dns(name) => {
            let name = name.as_str().to_ascii_lowercase();
            let key = name.clone().into_boxed_str();
            (claim(&mut directory.dns, key, owner), name)
        }
        Matcher::Email(text) => {
            let map = &mut directory.emails;
            (
                claim(map, text.as_str().into(), owner),
                text.as_str().to_owned(),
            )
        }
        Matcher::Subject(text) => {
            let map = &mut directory.subjects;
            (
                claim(map, text.as_str().into(), owner),
                text.as_str().to_owned(),
            )
        }
        Matcher::CommonName(text) => {
            let map = &mut directory.common_names;
            (
                claim(map, text.as_str().into(), owner),
                text.as_str().to_owned(),
            )
        }
        Matcher::Fingerprint(digest) => (
            claim(&mut directory.fingerprints, *digest, owner),
            digest.to_string(),
        ),
        Matcher::Token(digest) => (
            claim(&mut directory.tokens, *digest, owner),
            digest.to_string(),
        ),
        Matcher::Claim(claims) => (
            add_claims(directory, claims, owner, rarity),
            format!("{:?}", claims.iter().collect::<Vec<_>>()),
        ),
    };
    clash.map_err(|old| LoadError::Twice {
        what,
        first: name(directory, old),
        second: name(directory, owner),
    })
}

fn add_claims(
    directory: &mut Directory,
    claims: &Claims,
    owner: Owner,
    rarity: &HashMap<(&str, &str), u32>,
) -> Result<(), Owner> {
    let rarest = claims
        .iter()
        .min_by_key(|pair| rarity.get(pair).copied().unwrap_or(0));
    let Some((name, value)) = rarest else {
        return Ok(());
    };
    let rest: Pairs = claims
        .iter()
        .filter(|pair| *pair != (name, value))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let values = directory.claims.entry(name.into()).or_default();
    let rules = values.entry(value.into()).or_default();
    // The same pairs have the same rarest pair, so equal matchers meet here.
    match rules.iter_mut().find(|rule| rule.rest == rest) {
        Some(rule) => rule.owners.claim(owner),
        None => {
            let mut owners = Owners::default();
            owners.claim(owner)?;
            rules.push(ClaimRule { rest, owners });
            Ok(())
        }
    }
}

fn check_patterns(directory: &Directory, patterns: &[(&Pattern, Owner)]) -> Result<(), LoadError> {
    let mut steps = OVERLAP_STEPS;
    for (pattern, owner) in patterns {
        in_trust_domain(directory, pattern, *owner)?;
        let mut clash = None;
        let mut found = |owners: Owners| {
            let mut owners = owners;
            if let Err(other) = owners.claim(*owner) {
                clash = Some(other);
            }
        };
        let trie = &directory.uri_patterns;
        trie.overlaps(pattern.as_str(), &mut steps, &mut found);
        if let Some(other) = clash {
            return Err(LoadError::Overlap {
                pattern: pattern.to_string(),
                owner: name(directory, *owner),
                other: name(directory, other),
            });
        }
    }
    Ok(())
}

/// What the trust domain gives to one tenant is no other's. Forwarders may have it: theirs is the
/// right to choose, and the tenant is their default.
fn in_trust_domain(
    directory: &Directory,
    pattern: &Pattern,
    owner: Owner,
) -> Result<(), LoadError> {
    let (Some(domain), Owner::Tenant(index)) = (&directory.trust_domain, owner) else {
        return Ok(());
    };
    let own = directory.tenant(index).map(TenantId::as_str);
    let taken = match spiffe_tenant(domain, pattern.as_str()) {
        // `spiffe://<domain>/**` and `spiffe://<domain>/*/…` reach into all tenants.
        None => reaches_tenants(domain.as_str(), pattern.as_str()),
        Some(name) => Some(name) != own,
    };
    if taken {
        return Err(LoadError::TrustDomain {
            pattern: pattern.to_string(),
            owner: self::name(directory, owner),
        });
    }
    Ok(())
}

fn reaches_tenants(domain: &str, pattern: &str) -> bool {
    let rest = pattern
        .strip_prefix("spiffe://")
        .and_then(|rest| rest.strip_prefix(domain))
        .and_then(|rest| rest.strip_prefix('/'));
    match rest
        .map(|rest| rest.split('/').collect::<Vec<_>>())
        .as_deref()
    {
        Some(["**"] | ["tenant", "**" | "*", ..]) => true,
        Some(["*", second, ..]) => !second.is_empty(),
        _ => false,
    }
}

fn name(directory: &Directory, owner: Owner) -> String {
    match owner {
        Owner::Tenant(index) => match directory.tenant(index) {
            Some(tenant) => format!("the tenant `{tenant}`"),
            None => "a tenant".to_owned(),
        },
        Owner::Forwarder(index) => format!("the forwarder number {index}"),
    }
}

impl Directory {
    /// Whether an identity may name this tenant.
    pub(super) fn may_be_named(&self, name: &TenantId) -> bool {
        self.unlisted == Unlisted::Allow || self.tenant_indexes.contains_key(name)
    }
}
