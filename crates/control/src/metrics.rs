//! What incidents tell about themselves.

use meter::{CounterVec, Gauge, GaugeVec, Meter};

use trigger::Trigger;

use crate::firing::Outcome;
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
    pub damaged_holds: Gauge,
    pub captures_pending: Gauge,
    /// BOUNDED: as many triggers as a profile may have, and a word each.
    pub firings: CounterVec,
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
            damaged_holds: meter.gauge(
                "stella_incident_damaged_holds",
                "Incidents whose file could not be read and for which the journal holds all that they may hold.",
            ),
            captures_pending: meter.gauge(
                "stella_incident_captures_pending",
                "Incidents that are over and whose capture is awaited.",
            ),
            firings: meter.counter_vec(
                "stella_incident_trigger_firings_total",
                "Times a trigger's threshold was reached, by what became of it.",
                &["trigger", "outcome"],
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

    /// Shows the counters of triggers before they count.
    pub(crate) fn prepare(&self, triggers: &[Trigger]) {
        for trigger in triggers {
            for outcome in Outcome::WORDS {
                self.firings
                    .with_label_values(&[trigger.name.as_str(), outcome]);
            }
        }
    }

    pub(crate) fn captures<'i>(&self, incidents: impl Iterator<Item = &'i Incident>) {
        let pending = incidents.filter(|known| known.awaits_capture());
        self.captures_pending.set(pending.count() as f64);
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
