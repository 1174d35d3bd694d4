//! What incidents tell about themselves.

use meter::{CounterVec, Gauge, GaugeVec, Meter};

use crate::incident::{Incident, What};

/// The longest scope in a label, in bytes.
const LABEL_BYTES: usize = 200;

#[derive(Clone)]
pub(crate) struct Metrics {
    /// BOUNDED: one for each open incident, of which there are few.
    active: GaugeVec,
    pub events: CounterVec,
    pub refused: CounterVec,
    pub damaged: Gauge,
    pub trouble: Gauge,
}

impl Metrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        let metrics = Metrics {
            active: meter.gauge_vec(
                "stella_incident_active",
                "1 for each open incident.",
                &["incident", "scope"],
            ),
            events: meter.counter_vec(
                "stella_incidents_total",
                "What happened to incidents since the gateway's start.",
                &["event"],
            ),
            refused: meter.counter_vec(
                "stella_incident_requests_refused_total",
                "Requests about incidents that were refused, by the problem's code.",
                &["code"],
            ),
            damaged: meter.gauge(
                "stella_incident_files_damaged",
                "Files of incidents that could not be read at start.",
            ),
            trouble: meter.gauge(
                "stella_incident_pending_steps",
                "Steps of incidents that failed and are tried again: sampling, notifications, writes.",
            ),
        };
        for what in What::ALL {
            metrics.events.with_label_values(&[what.as_str()]);
        }
        metrics
    }

    pub(crate) fn opened(&self, incident: &Incident) {
        let scope = label(incident);
        let labels = [incident.id.as_str(), scope.as_str()];
        self.active.with_label_values(&labels).set(1.0);
    }

    pub(crate) fn ended(&self, incident: &Incident) {
        let scope = label(incident);
        let _ = self
            .active
            .remove_label_values(&[incident.id.as_str(), scope.as_str()]);
    }
}

fn label(incident: &Incident) -> String {
    let mut text = incident.scope.to_string();
    if text.len() > LABEL_BYTES {
        let end = (0..=LABEL_BYTES)
            .rev()
            .find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}
