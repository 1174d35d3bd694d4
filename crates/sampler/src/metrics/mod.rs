//! Which metrics go on to a destination: rules by name, tenant and resource, and the incidents in
//! whose scope everything passes.
//!
//! What it does is a function of a block, the rules and the [`Period`]s. Kept metrics are copied on
//! the wire level (NO-TREE); resources and scopes that have none left go with them.

mod config;
mod filter;

pub use config::{MetricRule, Metrics, MetricsError};
pub use filter::{Chosen, Filter, Passing, Period};
