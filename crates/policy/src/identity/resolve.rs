//! From proof to tenant.

use ident::{Certificate, TenantId};
use otlp::view::Value;

use super::config::TrustDomain;
use super::denied::Denied;
use super::digest::Digest;
use super::directory::Directory;
use super::proof::{MAX_NAMES, Proof};
use super::token::VerifiedToken;
use super::trie::{Index, Owners};

/// Whose the data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The tenant.
    pub tenant: TenantId,
    /// Whether the sender is a forwarder, which may choose.
    pub may_choose: bool,
    /// Whether the sender named another tenant than its own and may not: the name was ignored. To
    /// be counted.
    pub overridden: bool,
}

/// What the guard does about an attribute `tenant.id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantAttribute {
    /// It says the truth.
    Keep,
    /// It says something else: its value becomes the tenant's name.
    Overwrite {
        /// Whether it came from a sender that may not choose. To be counted.
        attempt: bool,
    },
}

impl Resolved {
    /// The key of the attribute that names the tenant.
    pub const ATTRIBUTE: &'static str = "tenant.id";

    /// What becomes of an attribute [`ATTRIBUTE`](Self::ATTRIBUTE) with this value
    /// (TENANT-BY-IDENTITY). The guard asks for each occurrence. Data that has none stays without.
    pub fn attribute(&self, value: Value<'_>) -> TenantAttribute {
        match value {
            Value::String(name) if name == self.tenant.as_str() => TenantAttribute::Keep,
            _ => TenantAttribute::Overwrite {
                attempt: !self.may_choose,
            },
        }
    }
}

impl Directory {
    /// The tenant of a sender that has proven `proof`. `wanted` is the text of the tenant header,
    /// if the request has one; it counts from forwarders alone.
    ///
    /// # Errors
    /// If what is proven stands for nobody, for two tenants, or may not choose what it asks for.
    pub fn resolve(&self, proof: &Proof, wanted: Option<&str>) -> Result<Resolved, Denied> {
        let mut found = Found::new(self);
        if proof.is_nothing() {
            let tenant = self.anonymous.clone().ok_or(Denied::NothingProven)?;
            return Ok(own(tenant, wanted));
        }
        if let Some(certificate) = &proof.certificate {
            found.certificate(certificate)?;
        }
        if let Some(token) = &proof.token {
            found.token(token)?;
        }
        if let Some(digest) = &proof.opaque {
            // A token that was shown and is not known is refused, whatever else is proven.
            let owners = self.tokens.get(digest).ok_or(Denied::UnknownToken)?;
            found.owners(*owners)?;
        }
        found.resolve(wanted)
    }
}

/// The tenant that `spiffe://<domain>/tenant/<tenant>/…` names, not yet checked.
pub(super) fn spiffe_tenant<'u>(domain: &TrustDomain, uri: &'u str) -> Option<&'u str> {
    let path = uri
        .strip_prefix("spiffe://")?
        .strip_prefix(domain.as_str())?
        .strip_prefix("/tenant/")?;
    let (tenant, rest) = path.split_once('/').unwrap_or((path, "x"));
    // `*` may stand in a tenant's name by Mimir's rules and not in a SPIFFE ID; an empty segment
    // (SPIFFE-ID 2.2) is no SPIFFE ID either.
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let whole = rest.split('/').all(|segment| !segment.is_empty());
    (whole && !tenant.is_empty() && tenant.bytes().all(good)).then_some(tenant)
}

fn own(tenant: TenantId, wanted: Option<&str>) -> Resolved {
    let overridden = wanted.is_some_and(|wanted| wanted != tenant.as_str());
    Resolved {
        tenant,
        may_choose: false,
        overridden,
    }
}

/// What has been found so far.
struct Found<'d> {
    directory: &'d Directory,
    tenant: Option<Who>,
    forwarders: Vec<Index>,
}

#[derive(PartialEq)]
enum Who {
    Listed(Index),
    Unlisted(TenantId),
}

impl<'d> Found<'d> {
    fn new(directory: &'d Directory) -> Self {
        Found {
            directory,
            tenant: None,
            forwarders: Vec::new(),
        }
    }

    fn certificate(&mut self, certificate: &Certificate) -> Result<(), Denied> {
        if certificate.names() > MAX_NAMES {
            return Err(Denied::TooManyNames);
        }
        let directory = self.directory;
        for uri in &certificate.uris {
            self.maybe(directory.uris.get(uri.as_str()))?;
            let mut result = Ok(());
            directory.uri_patterns.lookup(uri, &mut |owners| {
                if result.is_ok() {
                    result = self.owners(owners);
                }
            });
            result?;
            if let Some(domain) = &directory.trust_domain
                && let Some(name) = spiffe_tenant(domain, uri)
            {
                let name = name.parse().map_err(Denied::BadSpiffeTenant)?;
                self.named(name)?;
            }
        }
        for name in &certificate.dns_names {
            if name.bytes().any(|b| b.is_ascii_uppercase()) {
                self.maybe(directory.dns.get(name.to_ascii_lowercase().as_str()))?;
            } else {
                self.maybe(directory.dns.get(name.as_str()))?;
            }
        }
        for email in &certificate.emails {
            self.maybe(directory.emails.get(email.as_str()))?;
        }
        self.maybe(directory.subjects.get(certificate.subject.as_str()))?;
        if let Some(name) = &certificate.common_name {
            self.maybe(directory.common_names.get(name.as_str()))?;
        }
        let fingerprint = Digest::new(certificate.fingerprint.0);
        self.maybe(directory.fingerprints.get(&fingerprint))
    }

    fn token(&mut self, token: &VerifiedToken) -> Result<(), Denied> {
        let directory = self.directory;
        if !directory.claims.is_empty() {
            for (name, value) in token.claims() {
                let Some(rules) = directory.claims.get(name).and_then(|v| v.get(value)) else {
                    continue;
                };
                for rule in rules {
                    if rule.rest.iter().all(|(name, value)| token.has(name, value)) {
                        self.owners(rule.owners)?;
                    }
                }
            }
        }
        match token.tenant() {
            Some(tenant) => self.named(tenant.clone()),
            None => Ok(()),
        }
    }

    #[inline]
    fn maybe(&mut self, owners: Option<&Owners>) -> Result<(), Denied> {
        owners.map_or(Ok(()), |owners| self.owners(*owners))
    }

    fn owners(&mut self, owners: Owners) -> Result<(), Denied> {
        if let Some(index) = owners.forwarder
            && !self.forwarders.contains(&index)
        {
            self.forwarders.push(index);
        }
        owners
            .tenant
            .map_or(Ok(()), |index| self.who(Who::Listed(index)))
    }

    /// A tenant that the identity itself names.
    fn named(&mut self, name: TenantId) -> Result<(), Denied> {
        if !self.directory.may_be_named(&name) {
            return Err(Denied::UnlistedTenant(name));
        }
        self.who(match self.directory.tenant_indexes.get(&name) {
            Some(index) => Who::Listed(*index),
            None => Who::Unlisted(name),
        })
    }

    fn who(&mut self, who: Who) -> Result<(), Denied> {
        match &self.tenant {
            Some(old) if *old != who => Err(match (self.name(old), self.name(&who)) {
                (Some(old), Some(new)) => Denied::Ambiguous(old, new),
                _ => Denied::UnknownIdentity,
            }),
            _ => {
                self.tenant = Some(who);
                Ok(())
            }
        }
    }

    fn name(&self, who: &Who) -> Option<TenantId> {
        match who {
            Who::Listed(index) => self.directory.tenant(*index).cloned(),
            Who::Unlisted(name) => Some(name.clone()),
        }
    }

    fn resolve(self, wanted: Option<&str>) -> Result<Resolved, Denied> {
        let mine = self.tenant.as_ref().and_then(|who| self.name(who));
        if self.forwarders.is_empty() {
            return Ok(own(mine.ok_or(Denied::UnknownIdentity)?, wanted));
        }
        let tenant = match wanted {
            Some(wanted) => self.choose(wanted.parse().map_err(Denied::BadChoice)?, mine)?,
            None => mine.map_or_else(|| self.default_choice(), Ok)?,
        };
        Ok(Resolved {
            tenant,
            may_choose: true,
            overridden: false,
        })
    }

    fn choose(&self, wanted: TenantId, mine: Option<TenantId>) -> Result<TenantId, Denied> {
        if mine.as_ref() == Some(&wanted) {
            return Ok(wanted);
        }
        let index = self.directory.tenant_indexes.get(&wanted).copied();
        let mut forwarders = self.allowed();
        if self.directory.may_be_named(&wanted) && forwarders.any(|f| f.allows(index)) {
            Ok(wanted)
        } else {
            Err(Denied::NotAllowed(wanted))
        }
    }

    /// The one default that the forwarders agree on.
    fn default_choice(&self) -> Result<TenantId, Denied> {
        let mut choice: Option<&TenantId> = None;
        for index in self.allowed().filter_map(|forwarder| forwarder.default) {
            match (choice, self.directory.tenant(index)) {
                (Some(old), Some(new)) if old != new => {
                    return Err(Denied::Ambiguous(old.clone(), new.clone()));
                }
                (_, new) => choice = new,
            }
        }
        choice.cloned().ok_or(Denied::NothingChosen)
    }

    fn allowed(&self) -> impl Iterator<Item = &super::directory::Allowed> {
        self.forwarders
            .iter()
            .filter_map(|index| self.directory.forwarder(*index))
    }
}
