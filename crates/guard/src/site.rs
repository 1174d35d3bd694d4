//! The guard of a site.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use gateway::{Guard, Head, Kind, Pass, Refusal};
use http::HeaderMap;
use ident::{Signal, TenantId};
use meter::Meter;
use policy::identity::config::HeaderName;
use policy::identity::token::Verifier;
use policy::identity::{Denied, DeniedKind, Directory, Proof, Resolved};
use policy::quota::{Admission, Exceeded, Now};

use crate::attribute::TenantAttributes;
use crate::credentials::{self, CredentialError};
use crate::metrics::{Claim, Metrics};
use crate::pass::SitePass;
use crate::policies::Policies;
use crate::worker::Workers;

/// Who is who.
#[derive(Debug)]
pub enum Identities {
    /// Whoever sends, it is this tenant's data: a site with one tenant.
    Everybody(TenantId),
    /// Those that are known; nobody else is heard.
    Known(Box<Directory>),
}

/// What a guard is made of.
#[derive(Debug)]
pub struct Site {
    /// Who is who.
    pub identities: Identities,
    /// Whose tokens are taken.
    pub verifier: Verifier,
    /// How much each tenant may send.
    pub admission: Admission,
    /// What must not be kept.
    pub policies: Policies,
}

/// Decides by identity, quota and redaction. Clones are the same guard.
#[derive(Clone)]
pub struct SiteGuard(Arc<Inner>);

/// What all requests share.
pub(crate) struct Inner {
    identities: Identities,
    verifier: RwLock<Arc<Verifier>>,
    pub(crate) admission: Admission,
    pub(crate) policies: Policies,
    pub(crate) workers: Workers,
    pub(crate) attributes: TenantAttributes,
    pub(crate) metrics: Metrics,
    begun: Instant,
}

impl SiteGuard {
    /// Puts the parts together.
    pub fn new(site: Site, meter: &Meter) -> Self {
        SiteGuard(Arc::new(Inner {
            identities: site.identities,
            verifier: RwLock::new(Arc::new(site.verifier)),
            admission: site.admission,
            policies: site.policies,
            workers: Workers::default(),
            attributes: TenantAttributes::new(),
            metrics: Metrics::new(meter),
            begun: Instant::now(),
        }))
    }

    /// Replaces the key sets that tokens are verified with. All remembered tokens are forgotten.
    pub fn set_verifier(&self, verifier: Verifier) {
        let mut current = self
            .0
            .verifier
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(verifier);
    }

    /// Counts bytes that a tenant sent into the journal earlier on this day, before a restart.
    pub fn restore_day(&self, tenant: &TenantId, bytes: u64) {
        if let Err(exceeded) = self.0.admission.restore_day(tenant, bytes, self.0.now()) {
            tracing::warn!(
                tenant = tenant.as_str(),
                reason = exceeded.limit.as_str(),
                "a tenant's bytes of today could not be counted again"
            );
        }
    }

    /// Whose data a request is that another gateway of the site forwards, which took it in and
    /// redacted it: no quota and no redaction is due again. The sender must be a forwarder that may
    /// choose (TENANT-BY-IDENTITY). A site without identities hears whoever connects from the
    /// machine itself, and others only if it is `open` to them.
    ///
    /// # Errors
    /// The refusal that the sender is given.
    pub fn forwarder(&self, head: &Head<'_>, open: bool) -> Result<TenantId, Refusal> {
        let inner = &self.0;
        let refusal = |text: &str| Err(Refusal::new(Kind::PermissionDenied, text));
        match &inner.identities {
            Identities::Everybody(tenant) if open || head.peer.addr.ip().is_loopback() => {
                match wanted(head.headers, HeaderName::default().as_str()) {
                    Some(name) if name == tenant.as_str() => Ok(tenant.clone()),
                    _ => refusal(
                        "the tenant of what is forwarded is not known here\nhint: give all members of the cluster the same `identity`",
                    ),
                }
            }
            Identities::Everybody(_) => {
                inner.metrics.deny("not_a_member");
                refusal(
                    "only members of the cluster forward, and nobody has proven to be one\nhint: give the profile an `identity` with the members among its `forwarders`",
                )
            }
            Identities::Known(directory) => {
                let resolved = inner.resolve(directory, head, inner.now())?;
                if resolved.may_choose {
                    return Ok(resolved.tenant);
                }
                inner.metrics.deny("not_a_member");
                refusal(
                    "only members of the cluster forward\nhint: list its identity among `identity.forwarders`",
                )
            }
        }
    }

    /// Whether the sender is a forwarder as [`forwarder`](Self::forwarder) needs it, which it may
    /// show without saying whose data it brings.
    ///
    /// # Errors
    /// The refusal that the sender is given.
    pub fn member(&self, head: &Head<'_>, open: bool) -> Result<(), Refusal> {
        let inner = &self.0;
        let refusal = || {
            inner.metrics.deny("not_a_member");
            Err(Refusal::new(
                Kind::PermissionDenied,
                "only members of the cluster ask",
            ))
        };
        match &inner.identities {
            Identities::Everybody(_) if open || head.peer.addr.ip().is_loopback() => Ok(()),
            Identities::Everybody(_) => refusal(),
            Identities::Known(directory) => {
                let now = inner.now().unix_seconds;
                let verify = |token: &str| inner.verifier().verify(token, now);
                let proof = credentials::proof(head.peer, head.headers, verify)
                    .map_err(|error| inner.bad_credential(head, &error))?;
                match directory.resolve(&proof, None) {
                    Ok(resolved) if resolved.may_choose => Ok(()),
                    Err(Denied::NothingChosen) => Ok(()),
                    _ => refusal(),
                }
            }
        }
    }

    /// To be called now and then: gives back the memory of tenants that have been quiet.
    pub fn upkeep(&self) {
        self.0.admission.forget_idle(self.0.now());
        self.0
            .metrics
            .tenants
            .set(self.0.admission.tenants() as f64);
    }
}

impl Guard for SiteGuard {
    fn enter(&self, head: &Head<'_>) -> Result<Box<dyn Pass>, Refusal> {
        let inner = &self.0;
        let now = inner.now();
        let resolved = match &inner.identities {
            Identities::Everybody(tenant) => everybody(tenant, head.headers),
            Identities::Known(directory) => inner.resolve(directory, head, now)?,
        };
        if resolved.overridden {
            inner.metrics.overridden(&resolved.tenant, Claim::Header);
        }
        let lease = inner
            .admission
            .lease(&resolved.tenant, now)
            .map_err(|exceeded| inner.exceeded(&resolved.tenant, head.signal, 0, &exceeded))?;
        let inner = Arc::clone(inner);
        Ok(Box::new(SitePass::new(inner, resolved, head.signal, lease)))
    }
}

/// The text of the tenant header. One that is there more than once or is no text names nobody, and
/// is not the same as none.
fn wanted<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    match values.next() {
        None => Some(first.to_str().unwrap_or_default()),
        Some(_) => Some(""),
    }
}

/// A header that names somebody else is not heard.
fn everybody(tenant: &TenantId, headers: &HeaderMap) -> Resolved {
    let wanted = wanted(headers, HeaderName::default().as_str());
    Resolved {
        overridden: wanted.is_some_and(|wanted| wanted != tenant.as_str()),
        tenant: tenant.clone(),
        may_choose: false,
    }
}

impl Inner {
    /// TENANT-BY-IDENTITY.
    fn resolve(
        &self,
        directory: &Directory,
        head: &Head<'_>,
        now: Now,
    ) -> Result<Resolved, Refusal> {
        // Only a token needs the verifier, and its lock.
        let verify = |token: &str| self.verifier().verify(token, now.unix_seconds);
        let proof = credentials::proof(head.peer, head.headers, verify)
            .map_err(|error| self.bad_credential(head, &error))?;
        directory
            .resolve(&proof, wanted(head.headers, directory.header()))
            .map_err(|denied| self.denied(head, &proof, &denied))
    }

    fn verifier(&self) -> Arc<Verifier> {
        let current = self.verifier.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn now(&self) -> Now {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Now {
            nanos: u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX),
            unix_seconds: since.map_or(0, |since| since.as_secs()),
        }
    }

    fn bad_credential(&self, head: &Head<'_>, error: &CredentialError) -> Refusal {
        self.metrics.deny(error.reason());
        tracing::warn!(
            target: "audit",
            peer = %head.peer.addr,
            reason = error.reason(),
            "a sender was refused: its credential is not good"
        );
        let message =
            format!("{error}\nhint: send `authorization: Bearer <token>` with a good token");
        Refusal::new(Kind::Unauthenticated, message)
    }

    fn denied(&self, head: &Head<'_>, proof: &Proof, denied: &Denied) -> Refusal {
        self.metrics.deny(denied.reason());
        tracing::warn!(
            target: "audit",
            peer = %head.peer.addr,
            proven = %proof,
            reason = denied.reason(),
            detail = %denied,
            "a sender was refused: it has no tenant here"
        );
        let kind = match denied.kind() {
            DeniedKind::Unauthenticated => Kind::Unauthenticated,
            DeniedKind::PermissionDenied => Kind::PermissionDenied,
        };
        Refusal::new(kind, denied.to_sender())
    }

    /// LOSS-COUNTED: what a sender over its limit is told, counted.
    pub(crate) fn exceeded(
        &self,
        tenant: &TenantId,
        signal: Signal,
        items: u64,
        exceeded: &Exceeded,
    ) -> Refusal {
        let reason = exceeded.limit.as_str();
        self.metrics.refuse(tenant, signal, reason, items);
        match exceeded.retry_after {
            Some(wait) => Refusal::retry(Kind::Busy, exceeded.to_string(), wait),
            None => Refusal::new(Kind::TooLarge, exceeded.to_string()),
        }
    }
}
