//! One request on its way through the guard.

use std::sync::Arc;

use bytes::Bytes;
use gateway::{Admitted, Kind, Pass, Refusal, Request};
use ident::Signal;
use otlp::edit::{Edited, retain};
use policy::identity::Resolved;
use policy::quota::shape::first_violation;
use policy::quota::{Exceeded, Lease};

use crate::metrics::Claim;
use crate::site::Inner;

pub(crate) struct SitePass {
    inner: Arc<Inner>,
    resolved: Resolved,
    signal: Signal,
    lease: Lease,
}

impl SitePass {
    pub(crate) fn new(inner: Arc<Inner>, resolved: Resolved, signal: Signal, lease: Lease) -> Self {
        SitePass {
            inner,
            resolved,
            signal,
            lease,
        }
    }

    /// Over a limit: counted with the items where they are known.
    fn exceeded(&self, signal: Signal, items: u64, exceeded: &Exceeded) -> Refusal {
        let tenant = &self.resolved.tenant;
        self.inner.exceeded(tenant, signal, items, exceeded)
    }

    /// Leaves out data points of series over the limit: what is left, and how many went.
    fn without_new_series(&self, payload: Bytes) -> Result<(Bytes, u64), Refusal> {
        let tenant = &self.resolved.tenant;
        let verdict = self
            .inner
            .admission
            .series(tenant, &payload, self.inner.now())
            .map_err(|exceeded| self.exceeded(Signal::Metrics, 0, &exceeded))?;
        let Some(verdict) = verdict.filter(|verdict| verdict.refused > 0) else {
            return Ok((payload, 0));
        };
        let (mut out, mut index) = (Vec::new(), 0);
        let kept = retain(Signal::Metrics, &payload, &mut out, |_| {
            index += 1;
            !verdict.is_refused(index - 1)
        });
        let metrics = &self.inner.metrics;
        metrics.leave_out(tenant, Signal::Metrics, "series", verdict.refused);
        match kept.map_err(|_| malformed())? {
            Edited::Changed => Ok((Bytes::from(out), verdict.refused)),
            Edited::Unchanged => Ok((payload, 0)),
        }
    }

    fn own_tenant_only(&self, signal: Signal, payload: Bytes) -> Result<Bytes, Refusal> {
        let (inner, resolved) = (&self.inner, &self.resolved);
        let overwritten = inner.attributes.overwrite(signal, &payload, resolved);
        Ok(match overwritten.map_err(|_| malformed())? {
            None => payload,
            Some((payload, attempt)) => {
                if attempt {
                    inner.metrics.overridden(&resolved.tenant, Claim::Attribute);
                }
                payload
            }
        })
    }

    /// REDACT-FIRST.
    fn redacted(&self, signal: Signal, payload: Bytes) -> Result<Bytes, Refusal> {
        let (inner, tenant) = (&self.inner, &self.resolved.tenant);
        let Some(policy) = inner.policies.of(tenant) else {
            return Ok(payload);
        };
        let count = |rule: &str, changes| inner.metrics.redacted(tenant, rule, changes);
        let redacted = inner.workers.redact(policy, signal, &payload, count);
        Ok(redacted.map_err(|_| malformed())?.unwrap_or(payload))
    }
}

impl Pass for SitePass {
    fn hold(&mut self, bytes: usize) -> Result<(), Refusal> {
        let nanos = self.inner.now().nanos;
        self.lease
            .grow(bytes as u64, nanos)
            .map_err(|exceeded| self.exceeded(self.signal, 0, &exceeded))
    }

    fn admit(&mut self, request: Request<'_>) -> Result<Admitted, Refusal> {
        let Request {
            signal,
            mut summary,
            payload,
            ..
        } = request;
        let tenant = self.resolved.tenant.clone();
        let size = (payload.len() as u64, summary.items);
        self.inner
            .admission
            .request(&tenant, signal, size, self.inner.now())
            .map_err(|exceeded| self.exceeded(signal, summary.items, &exceeded))?;
        let limits = self.inner.admission.item_limits(&tenant);
        if let Some(violation) = first_violation(signal, &payload, limits) {
            let reason = violation.limit.as_str();
            let metrics = &self.inner.metrics;
            metrics.refuse(&tenant, signal, reason, summary.items);
            return Err(Refusal::new(Kind::Malformed, violation.to_string()));
        }
        let (payload, rejected_items) = match signal {
            Signal::Metrics => self.without_new_series(payload)?,
            Signal::Traces | Signal::Logs => (payload, 0),
        };
        let payload = self.own_tenant_only(signal, payload)?;
        let payload = self.redacted(signal, payload)?;
        summary.items -= rejected_items.min(summary.items);
        Ok(Admitted {
            tenant,
            payload,
            summary,
            rejected_items,
            message: (rejected_items > 0).then(|| {
                "data points of new series are over this tenant's limit\nhint: use labels with fewer values"
                    .to_owned()
            }),
        })
    }
}

/// Every request was checked before, so this is a mistake of ours. It is refused rather than kept
/// as it is.
fn malformed() -> Refusal {
    Refusal::new(Kind::Malformed, "the request could not be redacted")
}
