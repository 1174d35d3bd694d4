//! What TLS tells about itself. Endpoints tell themselves apart by the label `endpoint`: a
//! listener's name, or `ship/` and a destination's name.

use meter::{Counter, CounterVec, Gauge, GaugeVec, Meter};

use crate::Reason;
use crate::expiry::Kind;

/// The metrics of all endpoints of a process.
#[derive(Clone)]
pub(crate) struct Metrics {
    handshakes: CounterVec,
    failures: CounterVec,
    expiry: GaugeVec,
    reloads: CounterVec,
    stale: GaugeVec,
}

impl Metrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        Metrics {
            handshakes: meter.counter_vec(
                "stella_tls_handshakes_total",
                "TLS handshakes that succeeded.",
                &["endpoint"],
            ),
            failures: meter.counter_vec(
                "stella_tls_handshake_failures_total",
                "TLS handshakes that failed, by reason.",
                &["endpoint", "reason"],
            ),
            expiry: meter.gauge_vec(
                "stella_tls_certificate_expiry_timestamp_seconds",
                "When the first of the endpoint's certificates, CAs or revocation lists (`kind`) expires, in seconds after 1970.",
                &["endpoint", "kind"],
            ),
            reloads: meter.counter_vec(
                "stella_tls_reloads_total",
                "Times that changed certificate, key, CA or revocation list files were read anew, by result.",
                &["endpoint", "result"],
            ),
            stale: meter.gauge_vec(
                "stella_tls_files_unusable",
                "1 while the files cannot be used as they are and what they held before is in use.",
                &["endpoint"],
            ),
        }
    }

    pub(crate) fn of(&self, endpoint: &str) -> EndpointMetrics {
        let result = |word| self.reloads.with_label_values(&[endpoint, word]);
        EndpointMetrics {
            handshakes: self.handshakes.with_label_values(&[endpoint]),
            failures: Reason::ALL.map(|reason| {
                self.failures
                    .with_label_values(&[endpoint, reason.as_str()])
            }),
            expiry: self.expiry.clone(),
            reloaded: result("ok"),
            refused: result("failed"),
            stale: self.stale.with_label_values(&[endpoint]),
            endpoint: endpoint.to_owned(),
        }
    }
}

/// The metrics of one endpoint.
#[derive(Clone)]
pub(crate) struct EndpointMetrics {
    pub(crate) handshakes: Counter,
    failures: [Counter; Reason::ALL.len()],
    expiry: GaugeVec,
    pub(crate) reloaded: Counter,
    pub(crate) refused: Counter,
    pub(crate) stale: Gauge,
    endpoint: String,
}

impl EndpointMetrics {
    pub(crate) fn failed(&self, reason: Reason) {
        let all = Reason::ALL.iter().zip(&self.failures);
        for (_, counter) in all.filter(|(known, _)| **known == reason) {
            counter.inc();
        }
    }

    pub(crate) fn expires(&self, kind: Kind, at: i64) {
        self.expiry
            .with_label_values(&[self.endpoint.as_str(), kind.as_str()])
            .set(at as f64);
    }

    /// For an endpoint that no longer has anything of the kind.
    pub(crate) fn expires_no_more(&self, kind: Kind) {
        // That there was none is as good.
        let _ = self
            .expiry
            .remove_label_values(&[self.endpoint.as_str(), kind.as_str()]);
    }
}
