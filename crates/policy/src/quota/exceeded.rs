//! Which limit is in the way, and for how long.

use std::fmt;
use std::time::Duration;

/// A limit of a tenant's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Bytes of one request.
    RequestBytes,
    /// Bytes a second of one signal.
    BytesPerSecond,
    /// Items a second of one signal.
    ItemsPerSecond,
    /// The tenant's own bytes in flight.
    InFlightBytes,
    /// The tenant's share of the bytes in flight of all.
    FairShare,
    /// Bytes into the journal since midnight, UTC.
    JournalBytesPerDay,
    /// Tenants that are kept track of.
    Tenants,
}

impl Limit {
    /// Every limit.
    pub const ALL: [Limit; 7] = [
        Limit::RequestBytes,
        Limit::BytesPerSecond,
        Limit::ItemsPerSecond,
        Limit::InFlightBytes,
        Limit::FairShare,
        Limit::JournalBytesPerDay,
        Limit::Tenants,
    ];

    /// The word in metrics and in the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Limit::RequestBytes => "request_bytes",
            Limit::BytesPerSecond => "bytes_per_second",
            Limit::ItemsPerSecond => "items_per_second",
            Limit::InFlightBytes => "in_flight_bytes",
            Limit::FairShare => "fair_share",
            Limit::JournalBytesPerDay => "journal_bytes_per_day",
            Limit::Tenants => "tenants",
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Limit::RequestBytes => "the request is larger than this tenant's may be",
            Limit::BytesPerSecond => "over this tenant's bytes a second",
            Limit::ItemsPerSecond => "over this tenant's items a second",
            Limit::InFlightBytes => "over this tenant's bytes in flight",
            Limit::FairShare => "over this tenant's share of the bytes in flight",
            Limit::JournalBytesPerDay => "over this tenant's bytes a day",
            Limit::Tenants => "no room for another tenant just now",
        }
    }
}

/// A request is over a limit. The text may go to the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// Which limit.
    pub limit: Limit,
    /// How long to wait before the same request may be sent again; `None` if it never may.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.limit.what())?;
        match self.retry_after {
            Some(wait) => write!(f, "\nhint: try again in {:.3} s", wait.as_secs_f64()),
            None => f.write_str("\nhint: send smaller requests"),
        }
    }
}

impl std::error::Error for Exceeded {}
