//! What incidents tell the destinations' filters of metrics.

use control::incident::Scope;
use control::seam::{Metrics, Period};
use sampler::metrics::Passing;

use super::journal_seam;

/// The filters of a gateway.
pub struct MetricsSeam(pub Passing);

impl Metrics for MetricsSeam {
    fn pass(&self, periods: Vec<Period>) {
        let periods = periods.into_iter().map(|period| {
            let (from_unix_nano, to_unix_nano) = journal_seam::span(period.from, period.to);
            sampler::metrics::Period {
                scope: scope(&period.scope),
                from_unix_nano,
                to_unix_nano,
            }
        });
        self.0.set(periods.collect());
    }
}

/// A scope in the sampler's words.
pub fn scope(scope: &Scope) -> sampler::Scope {
    sampler::Scope {
        tenant: scope.tenant.as_ref().map(ToString::to_string),
        service: scope.service.clone(),
        attributes: scope.attributes.clone(),
    }
}
