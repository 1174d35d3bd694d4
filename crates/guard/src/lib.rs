//! What decides before anything is kept: who sends, how much, and what must not be kept.
//!
//! [`SiteGuard`] puts the pure decisions of `policy` together behind the gateway's seam:
//!
//! ```text
//! head ─▶ credentials ─▶ directory ─▶ tenant ─▶ lease ─▶ body
//!                                                          │
//!     journal ◀─ redaction ◀─ tenant.id ◀─ series ◀─ quota ◀┘
//! ```
//!
//! # What it guarantees
//! - **TENANT-BY-IDENTITY**: the tenant follows from what connection and request have proven. A
//!   header counts from forwarders alone; an attribute `tenant.id` that says anything else is
//!   overwritten. A credential that is shown and is not good refuses the request.
//! - **REDACT-FIRST**: what [`Pass::admit`](gateway::Pass::admit) returns has gone through the
//!   tenant's policy; a request that cannot be redacted is refused.
//! - **BOUNDED**: bytes in flight, rates, series and labels have limits for each tenant.
//! - **LOSS-COUNTED**: what is refused or left out is counted by tenant, signal and reason.
//! - **NO-TREE**: everything works on wire bytes.
//!
//! # What it does not do
//! It reads no files: key sets and policies come as values, and [`SiteGuard::set_verifier`]
//! replaces key sets while it runs.

mod attribute;
mod credentials;
mod labels;
mod metrics;
mod pass;
mod policies;
mod site;
mod worker;

pub use policies::{Policies, PoliciesError};
pub use site::{Identities, Site, SiteGuard};
