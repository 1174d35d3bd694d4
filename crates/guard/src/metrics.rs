//! What the guard counts (LOSS-COUNTED), by tenant where there is one.

use ident::{Signal, TenantId};
use meter::{CounterVec, Gauge, Meter};

use crate::labels::Labels;

pub(crate) struct Metrics {
    labels: Labels,
    refused: CounterVec,
    refused_requests: CounterVec,
    redactions: CounterVec,
    overrides: CounterVec,
    denied: CounterVec,
    pub(crate) tenants: Gauge,
}

/// What a sender said of its tenant that was not its to say.
#[derive(Clone, Copy)]
pub(crate) enum Claim {
    Header,
    Attribute,
}

impl Metrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Metrics {
            labels: Labels::default(),
            refused: meter.counter_vec(
                "stella_guard_refused_items_total",
                "Items that were refused or left out for a tenant's limit.",
                &["tenant", "signal", "reason"],
            ),
            refused_requests: meter.counter_vec(
                "stella_guard_refused_requests_total",
                "Requests that were refused for a tenant's limit, before or after their items were counted.",
                &["tenant", "signal", "reason"],
            ),
            redactions: meter.counter_vec(
                "stella_guard_redactions_total",
                "Changes that redaction made, by the rule that made them.",
                &["tenant", "rule"],
            ),
            overrides: meter.counter_vec(
                "stella_guard_tenant_overrides_total",
                "Requests whose sender named another tenant than its own, in a header or in an attribute `tenant.id`, and was not heard.",
                &["tenant", "place"],
            ),
            denied: meter.counter_vec(
                "stella_guard_denied_requests_total",
                "Requests whose sender has no tenant, or may not choose the one it asked for.",
                &["reason"],
            ),
            tenants: meter.gauge(
                "stella_guard_tenants",
                "Tenants whose quotas are kept track of.",
            ),
        }
    }

    /// Items of a request that goes on without them.
    pub(crate) fn leave_out(&self, tenant: &TenantId, signal: Signal, reason: &str, items: u64) {
        let labels = [self.labels.of(tenant), signal.as_str(), reason];
        self.refused.with_label_values(&labels).inc_by(items);
    }

    /// A whole request. Where it is refused before its items are counted they are 0.
    pub(crate) fn refuse(&self, tenant: &TenantId, signal: Signal, reason: &str, items: u64) {
        let labels = [self.labels.of(tenant), signal.as_str(), reason];
        self.refused_requests.with_label_values(&labels).inc();
        if items > 0 {
            self.refused.with_label_values(&labels).inc_by(items);
        }
    }

    pub(crate) fn redacted(&self, tenant: &TenantId, rule: &str, changes: u64) {
        let labels = [self.labels.of(tenant), rule];
        self.redactions.with_label_values(&labels).inc_by(changes);
    }

    pub(crate) fn overridden(&self, tenant: &TenantId, place: Claim) {
        let place = match place {
            Claim::Header => "header",
            Claim::Attribute => "attribute",
        };
        let labels = [self.labels.of(tenant), place];
        self.overrides.with_label_values(&labels).inc();
    }

    pub(crate) fn deny(&self, reason: &str) {
        self.denied.with_label_values(&[reason]).inc();
    }
}
