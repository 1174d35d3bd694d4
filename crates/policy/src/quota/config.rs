//! `quotas` in the profile: how much each tenant may send.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::identity::config::TenantName;
use crate::units::{Bytes, Time};

/// How much tenants may send. What is not set is not limited, except by the gateway's own limits.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Every tenant's quota.
    pub default: Quota,
    /// What is different for some tenants. What is not set there is as in `default`.
    pub tenants: BTreeMap<TenantName, Quota>,
    /// The most tenants that are kept track of at once. Idle ones are forgotten.
    pub max_tenants: usize,
    /// What a sender is told to wait where nothing better is known. For twice as long it is expected
    /// to come again, and room is kept free for it.
    pub retry: Time,
    /// How long a series counts as active at the least: one that comes once in this time is never
    /// refused.
    pub series_idle: Time,
}

impl Default for Quotas {
    fn default() -> Self {
        Quotas {
            default: Quota::default(),
            tenants: BTreeMap::new(),
            max_tenants: 20_000,
            retry: Time(Duration::from_secs(1)),
            series_idle: Time(Duration::from_secs(20 * 60)),
        }
    }
}

/// How much one tenant may send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    /// Its traces.
    pub traces: SignalQuota,
    /// Its metrics.
    pub metrics: SignalQuota,
    /// Its logs.
    pub logs: SignalQuota,
    /// The largest request, decompressed.
    pub request_bytes: Option<Bytes>,
    /// Bytes of all its requests that are being received or written.
    pub in_flight_bytes: Option<Bytes>,
    /// Its weight where tenants share what is in flight; 1 unless set.
    pub weight: Option<u32>,
    /// The most attributes of one resource, scope, span, event, link, point, exemplar or record.
    pub attributes_per_item: Option<u32>,
    /// The largest value of an attribute: text and bytes as they are, lists and maps as encoded.
    pub attribute_value_bytes: Option<Bytes>,
    /// The most metric series that are active at once.
    pub series: Option<u32>,
    /// The most that goes into the journal between midnight and midnight, UTC, before compression.
    pub journal_bytes_per_day: Option<Bytes>,
}

/// How much of one signal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SignalQuota {
    /// Bytes a second in the long run.
    pub bytes_per_second: Option<Bytes>,
    /// The most bytes at once; ten seconds' worth unless set. A request larger than this is never
    /// taken.
    pub burst_bytes: Option<Bytes>,
    /// Items a second in the long run.
    pub items_per_second: Option<u64>,
    /// The most items at once; ten seconds' worth unless set.
    pub burst_items: Option<u64>,
}
