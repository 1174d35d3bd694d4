//! What comes in: from senders through the site's guard, from other members as it is.
//!
//! - **REDACT-FIRST**: a member redacts what it takes in before it is journaled, so what it forwards
//!   is redacted, and is not again: twice redacted is not the same as once where values are hashed.
//!   That is heard from members alone.
//! - **TENANT-BY-IDENTITY**: the tenant was set where the data came in; members are forwarders that
//!   may name it.
//! - What senders bring is cleaned of marks, which are for members to make.

use gateway::{Admitted, Guard, Head, Kind, Pass, Refusal, Request};
use guard::SiteGuard;
use http::HeaderName;
use ident::TenantId;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::marks;
use crate::metrics::{NOT_A_MEMBER, OTHER_LIST};
use crate::told;

/// By which a member says by what list it forwards.
pub(crate) const LIST: HeaderName = HeaderName::from_static("stella-cluster-list");
/// By which a gateway that joins asks, and from which byte on.
pub(crate) const ASK: HeaderName = HeaderName::from_static("stella-cluster-ask");

/// When a member whose list differs is to try again.
const AGAIN: Duration = Duration::from_secs(1);
/// When a sender is to try again while the reserve is in use.
const LATER: Duration = Duration::from_secs(2);

/// The guard of a member.
#[derive(Clone)]
pub struct Door {
    site: SiteGuard,
    cluster: Cluster,
    /// Whether members are heard that prove nothing.
    open: bool,
}

impl Door {
    /// A guard for what senders bring, and for what members of `cluster` forward. With `open`, on
    /// a site without identities, whoever connects may forward.
    pub fn new(site: SiteGuard, cluster: Cluster, open: bool) -> Door {
        Door {
            site,
            cluster,
            open,
        }
    }

    fn counted<T>(&self, who: Result<T, Refusal>) -> Result<T, Refusal> {
        who.inspect_err(|_| self.cluster.metrics().refuse(NOT_A_MEMBER))
    }
}

impl Guard for Door {
    fn enter(&self, head: &Head<'_>) -> Result<Box<dyn Pass>, Refusal> {
        if let Some(offset) = head.headers.get(ASK) {
            self.counted(self.site.member(head, self.open))?;
            let offset = offset.to_str().ok().and_then(|text| text.parse().ok());
            return Ok(Box::new(Asked {
                page: told::page(&self.cluster.told(), offset.unwrap_or(usize::MAX)),
            }));
        }
        if let Some(list) = head.headers.get(LIST) {
            let tenant = self.counted(self.site.forwarder(head, self.open))?;
            if list.as_bytes() != self.cluster.digest().as_bytes() {
                self.cluster.metrics().refuse(OTHER_LIST);
                return Err(Refusal::retry(
                    Kind::Unavailable,
                    "this member goes by another list of members\nhint: give all members the same list; until then what they have for each other waits",
                    AGAIN,
                ));
            }
            return Ok(Box::new(Forwarded {
                cluster: self.cluster.clone(),
                tenant,
            }));
        }
        let inner = self.site.enter(head)?;
        let cluster = self.cluster.clone();
        Ok(Box::new(Sent { inner, cluster }))
    }
}

/// A sender's request.
struct Sent {
    inner: Box<dyn Pass>,
    cluster: Cluster,
}

impl Pass for Sent {
    fn hold(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.inner.hold(bytes)
    }

    fn admit(&mut self, mut request: Request<'_>) -> Result<Admitted, Refusal> {
        if !self.cluster.has_room(request.payload.len()) {
            return Err(Refusal::retry(
                Kind::Busy,
                "the journal is full with what other members are to get",
                LATER,
            ));
        }
        if let Some(clean) = marks::clean(&request.payload) {
            request.payload = clean.into();
        }
        self.inner.admit(request)
    }
}

/// A member's request.
struct Forwarded {
    cluster: Cluster,
    tenant: TenantId,
}

impl Pass for Forwarded {
    fn admit(&mut self, request: Request<'_>) -> Result<Admitted, Refusal> {
        let items = request.summary.items;
        let received = &self.cluster.metrics().received;
        let label = &[request.signal.as_str()];
        received.with_label_values(label).inc_by(items);
        Ok(request.admitted_to(self.tenant.clone()))
    }
}

/// A question.
struct Asked {
    page: String,
}

impl Pass for Asked {
    fn admit(&mut self, request: Request<'_>) -> Result<Admitted, Refusal> {
        if request.summary.items > 0 {
            let text = "a question holds no items";
            return Err(Refusal::new(Kind::Malformed, text));
        }
        Ok(Admitted {
            message: Some(std::mem::take(&mut self.page)),
            ..request.admitted_to(TenantId::default_tenant())
        })
    }
}
