//! Whether telemetry is in an incident's scope, on its wire bytes.

use ident::{Signal, TenantId};
use otlp::view::{KeyValue, Metric, Value, resource_attributes};
use otlp::wire::bodies;

use crate::overrides::Scope;

impl Scope {
    /// Whether it is about everything of its tenants.
    pub fn is_whole(&self) -> bool {
        self.service.is_none() && self.attributes.is_empty()
    }

    /// Whether data of a tenant may be in it.
    pub fn may_have(&self, tenant: &TenantId) -> bool {
        let whose = self.tenant.as_deref();
        whose.is_none_or(|whose| whose == tenant.as_str())
    }

    /// Whether a span, a log record or a metric is in it, as far as its tenant is not asked.
    /// `group` is the body of the message with its resource. An attribute may stand on the
    /// resource or on the item: of a metric, on one of its points.
    pub fn has(&self, signal: Signal, group: &[u8], item: &[u8]) -> bool {
        if !self.may_have_group(group) {
            return false;
        }
        let missing = || {
            let wanted = self.attributes.iter();
            wanted.filter(|(key, text)| !resource_attributes(group).any(|pair| is(pair, key, text)))
        };
        let on_item = |field| {
            missing().all(|(key, text)| {
                let mut pairs = bodies(item, field).map(KeyValue::new);
                pairs.any(|pair| is(pair, key, text))
            })
        };
        match signal {
            Signal::Traces => on_item(9),
            Signal::Logs => on_item(6),
            Signal::Metrics => {
                missing().next().is_none()
                    || Metric::new(item).points().any(|point| {
                        missing()
                            .all(|(key, text)| point.attributes().any(|pair| is(pair, key, text)))
                    })
            }
        }
    }

    /// Whether something under a resource may be in it: whether the service is right.
    pub(crate) fn may_have_group(&self, group: &[u8]) -> bool {
        let service = self.service.as_ref();
        service.is_none_or(|name| {
            resource_attributes(group).any(|pair| is(pair, "service.name", name))
        })
    }
}

fn is(pair: KeyValue<'_>, key: &str, text: &str) -> bool {
    pair.key_bytes() == key.as_bytes() && matches!(pair.value(), Value::String(t) if t == text)
}
