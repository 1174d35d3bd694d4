//! The compiled form of one tenant's quota.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use ident::{Signal, TenantId};

use super::bucket::Rate;
use super::config::{Quota, Quotas, SignalQuota};
use super::shape::ItemLimits;

/// A quota that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuotaError {
    /// A limit of nothing.
    #[error("`quotas.{of}.{key}` is 0, which takes nothing\nhint: leave it out for no limit")]
    Zero {
        /// `default` or `tenants.<name>`.
        of: String,
        /// The key.
        key: &'static str,
    },
    /// A burst without a rate.
    #[error(
        "`quotas.{of}.{key}` is set and the rate is not\nhint: a burst needs a rate from which it is paid back"
    )]
    BurstAlone {
        /// `default` or `tenants.<name>`.
        of: String,
        /// The key.
        key: &'static str,
    },
    /// No tenants, or no time.
    #[error("`quotas.{0}` is 0")]
    ZeroOfAll(&'static str),
}

/// What one tenant may send.
#[derive(Debug)]
pub(super) struct Plan {
    /// Bytes and items, by signal.
    pub(super) rates: [[Option<Rate>; 2]; 3],
    pub(super) request_bytes: u64,
    pub(super) in_flight_bytes: u64,
    pub(super) weight: u32,
    pub(super) items: ItemLimits,
    pub(super) series: Option<u32>,
    pub(super) journal_bytes_per_day: Option<u64>,
}

/// Every tenant's plan.
#[derive(Debug)]
pub(super) struct Plans {
    default: Arc<Plan>,
    tenants: HashMap<TenantId, Arc<Plan>>,
}

impl Plans {
    pub(super) fn new(quotas: &Quotas) -> Result<Self, QuotaError> {
        let mut tenants = HashMap::with_capacity(quotas.tenants.len());
        for (name, own) in &quotas.tenants {
            let quota = merge(own, &quotas.default);
            let plan = Plan::new(&quota, &format!("tenants.{name}"))?;
            tenants.insert(name.0.clone(), Arc::new(plan));
        }
        Ok(Plans {
            default: Arc::new(Plan::new(&quotas.default, "default")?),
            tenants,
        })
    }

    pub(super) fn of(&self, tenant: &TenantId) -> &Arc<Plan> {
        self.tenants.get(tenant).unwrap_or(&self.default)
    }
}

/// The place of a signal in arrays.
pub(super) const fn slot(signal: Signal) -> usize {
    match signal {
        Signal::Traces => 0,
        Signal::Metrics => 1,
        Signal::Logs => 2,
    }
}

impl Plan {
    fn new(quota: &Quota, of: &str) -> Result<Self, QuotaError> {
        let zero = |key| QuotaError::Zero {
            of: of.to_owned(),
            key,
        };
        let some = |value: Option<u64>, key| match value {
            Some(0) => Err(zero(key)),
            other => Ok(other),
        };
        let rate = |rate: Option<u64>, burst: Option<u64>, [rate_key, burst_key]: [_; 2]| {
            let (rate, burst) = (some(rate, rate_key)?, some(burst, burst_key)?);
            match (rate, burst) {
                (None, None) => Ok(None),
                (None, Some(_)) => Err(QuotaError::BurstAlone {
                    of: of.to_owned(),
                    key: burst_key,
                }),
                (Some(rate), burst) => {
                    let burst = burst.unwrap_or(rate.saturating_mul(10));
                    let non_zero = |n| NonZeroU64::new(n).ok_or_else(|| zero(rate_key));
                    Ok(Some(Rate {
                        per_second: non_zero(rate)?,
                        burst: non_zero(burst)?,
                    }))
                }
            }
        };
        let rates = |signal: &SignalQuota| {
            let bytes = signal.bytes_per_second.map(|b| b.0);
            let burst = signal.burst_bytes.map(|b| b.0);
            Ok([
                rate(bytes, burst, ["bytes_per_second", "burst_bytes"])?,
                rate(
                    signal.items_per_second,
                    signal.burst_items,
                    ["items_per_second", "burst_items"],
                )?,
            ])
        };
        let bytes = |value: Option<crate::units::Bytes>, key| some(value.map(|b| b.0), key);
        let small = |value: Option<u32>, key| match value {
            Some(0) => Err(zero(key)),
            other => Ok(other),
        };
        let unlimited = u64::MAX;
        Ok(Plan {
            rates: [
                rates(&quota.traces)?,
                rates(&quota.metrics)?,
                rates(&quota.logs)?,
            ],
            request_bytes: bytes(quota.request_bytes, "request_bytes")?.unwrap_or(unlimited),
            in_flight_bytes: bytes(quota.in_flight_bytes, "in_flight_bytes")?.unwrap_or(unlimited),
            weight: small(quota.weight, "weight")?.unwrap_or(1),
            items: ItemLimits {
                attributes: small(quota.attributes_per_item, "attributes_per_item")?,
                value_bytes: bytes(quota.attribute_value_bytes, "attribute_value_bytes")?,
            },
            series: small(quota.series, "series")?,
            journal_bytes_per_day: bytes(quota.journal_bytes_per_day, "journal_bytes_per_day")?,
        })
    }
}

fn merge(own: &Quota, default: &Quota) -> Quota {
    let signal = |own: &SignalQuota, default: &SignalQuota| SignalQuota {
        bytes_per_second: own.bytes_per_second.or(default.bytes_per_second),
        // The burst belongs to its rate: that of another rate means nothing.
        burst_bytes: own.burst_bytes.or(match own.bytes_per_second {
            Some(_) => None,
            None => default.burst_bytes,
        }),
        items_per_second: own.items_per_second.or(default.items_per_second),
        burst_items: own.burst_items.or(match own.items_per_second {
            Some(_) => None,
            None => default.burst_items,
        }),
    };
    Quota {
        traces: signal(&own.traces, &default.traces),
        metrics: signal(&own.metrics, &default.metrics),
        logs: signal(&own.logs, &default.logs),
        request_bytes: own.request_bytes.or(default.request_bytes),
        in_flight_bytes: own.in_flight_bytes.or(default.in_flight_bytes),
        weight: own.weight.or(default.weight),
        attributes_per_item: own.attributes_per_item.or(default.attributes_per_item),
        attribute_value_bytes: own.attribute_value_bytes.or(default.attribute_value_bytes),
        series: own.series.or(default.series),
        journal_bytes_per_day: own.journal_bytes_per_day.or(default.journal_bytes_per_day),
    }
}
