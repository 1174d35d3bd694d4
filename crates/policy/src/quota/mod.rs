//! How much a tenant may send (BOUNDED), and how one tenant is kept from slowing another.
//!
//! [`Admission`] answers, for one tenant at a time: may this request come in ([`Admission::request`]:
//! its size, bytes and items a second, journal bytes a day), may it hold so many bytes in memory
//! ([`Admission::lease`], fair between tenants), which of its data points are series over the limit
//! ([`Admission::series`]). [`shape`] finds items with too many or too large attributes.
//!
//! Guarantees: whoever is refused is told how long to wait, exactly where that can be known; nothing
//! is decided by chance; a tenant that is refused costs the others a look-up and a lock of one
//! shard; what is kept of a tenant is forgotten only when a new one would be the same, so nobody
//! gets a fresh burst by being forgotten; no series that was taken is refused while it keeps coming.
//!
//! Not here: the clock (callers pass [`Now`]), counting (LOSS-COUNTED is the caller's: each refusal
//! has a [`Limit`] to count it by), dropping what is over a limit.

mod admission;
mod bucket;
pub mod config;
mod exceeded;
mod fingerprint;
mod plan;
mod series;
pub mod shape;
mod share;

pub use admission::{Admission, Now, SeriesVerdict};
pub use bucket::{Bucket, Rate, Wait};
pub use config::Quotas;
pub use exceeded::{Exceeded, Limit};
pub use fingerprint::Fingerprints;
pub use plan::QuotaError;
pub use series::{Series, SeriesSet};
pub use share::Lease;
