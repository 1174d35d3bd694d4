//! What tenants sent today before a restart, counted again from the journal, so that a restart
//! gives nobody a new day (RESTARTABLE).

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use guard::SiteGuard;
use ident::TenantId;
use journal::{Filter, Journal, Position, ReadError, Start};
use policy::quota::config::Quotas;

const DAY_NANOS: u128 = 24 * 60 * 60 * 1_000_000_000;

/// Begins to count, where a day is limited at all. Call it before anything new is appended.
///
/// It reads all of the journal that is kept, so it goes on beside the gateway, on a thread that a
/// stop does not wait for. Until it is done tenants may send more than their day has left.
pub fn count_again(quotas: &Quotas, journal: &Journal, guard: &SiteGuard) {
    let mut all = quotas.tenants.values().chain([&quotas.default]);
    if all.all(|quota| quota.journal_bytes_per_day.is_none()) {
        return;
    }
    let end = journal.reader(Start::Newest, Filter::default()).position();
    let (journal, guard) = (journal.clone(), guard.clone());
    let thread = std::thread::Builder::new().name("day".to_owned());
    let spawned = thread.spawn(move || match bytes_of_today(&journal, end) {
        Ok(tenants) => {
            for (tenant, bytes) in &tenants {
                guard.restore_day(tenant, *bytes);
            }
            tracing::info!(
                tenants = tenants.len(),
                "what tenants sent today was counted again"
            );
        }
        Err(error) => {
            tracing::warn!(%error, "what tenants sent today could not be counted again");
        }
    });
    if let Err(error) = spawned {
        tracing::warn!(%error, "what tenants sent today could not be counted again");
    }
}

/// The bytes of each tenant that were appended since midnight, UTC, before `end`.
fn bytes_of_today(journal: &Journal, end: Position) -> Result<BTreeMap<TenantId, u64>, ReadError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_nanos());
    let midnight = now - now % DAY_NANOS;
    let mut tenants = BTreeMap::new();
    let mut reader = journal.reader(Start::Oldest, Filter::default());
    while let Some(block) = reader.try_next()? {
        if block.position >= end {
            break;
        }
        if u128::from(block.appended_unix_nano) >= midnight {
            // What members forward has counted where it came in.
            let bytes = cluster::sent_bytes(&block.payload);
            *tenants.entry(block.tenant).or_default() += bytes as u64;
        }
    }
    Ok(tenants)
}
