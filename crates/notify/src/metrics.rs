//! How many were told, how many wait.

use meter::{CounterVec, Gauge, GaugeVec, Meter};

use crate::target::TargetName;

/// The metrics of the outbox.
#[derive(Clone, Debug)]
pub struct Metrics {
    outcomes: CounterVec,
    events: GaugeVec,
    bytes: GaugeVec,
    dead: GaugeVec,
    oldest: GaugeVec,
}

/// What became of an event or an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was put.
    Queued,
    /// It was taken.
    Delivered,
    /// An attempt failed and is made again.
    Failed,
    /// It was given up.
    Dead,
    /// It was taken back from the dead letters.
    Revived,
    /// A dead letter had no more room.
    Dropped,
    /// Its file was damaged.
    Damaged,
}

impl Outcome {
    const ALL: [Outcome; 7] = [
        Outcome::Queued,
        Outcome::Delivered,
        Outcome::Failed,
        Outcome::Dead,
        Outcome::Revived,
        Outcome::Dropped,
        Outcome::Damaged,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Outcome::Queued => "queued",
            Outcome::Delivered => "delivered",
            Outcome::Failed => "failed",
            Outcome::Dead => "dead",
            Outcome::Revived => "revived",
            Outcome::Dropped => "dropped",
            Outcome::Damaged => "damaged",
        }
    }
}

impl Metrics {
    /// Makes them, once for a meter.
    pub fn new(meter: &Meter) -> Self {
        let target = &["target"];
        Metrics {
            outcomes: meter.counter_vec(
                "stella_notifications_total",
                "Events of the notifications' outbox by what became of them: queued, delivered, failed (an attempt that is made again), dead (given up), revived (taken back from the dead letters), dropped (a dead letter without room), damaged.",
                &["target", "outcome"],
            ),
            events: meter.gauge_vec(
                "stella_notify_outbox_events",
                "Events that wait to be told to a target.",
                target,
            ),
            bytes: meter.gauge_vec(
                "stella_notify_outbox_bytes",
                "Bytes of the events that wait to be told to a target.",
                target,
            ),
            dead: meter.gauge_vec(
                "stella_notify_dead_letters",
                "Events that a target was given up on.",
                target,
            ),
            oldest: meter.gauge_vec(
                "stella_notify_outbox_oldest_age_seconds",
                "For how long the oldest event has waited to be told to a target; 0 if none does.",
                target,
            ),
        }
    }

    pub(crate) fn of(&self, name: &TargetName) -> TargetMetrics {
        let gauge = |vec: &GaugeVec| vec.with_label_values(&[name.as_str()]);
        for outcome in Outcome::ALL {
            // So that an alert on an increase sees the first one.
            self.outcomes
                .with_label_values(&[name.as_str(), outcome.as_str()]);
        }
        TargetMetrics {
            name: name.as_str().to_owned(),
            outcomes: self.outcomes.clone(),
            events: gauge(&self.events),
            bytes: gauge(&self.bytes),
            dead: gauge(&self.dead),
            oldest: gauge(&self.oldest),
        }
    }
}

/// Those of one target.
pub(crate) struct TargetMetrics {
    name: String,
    outcomes: CounterVec,
    events: Gauge,
    bytes: Gauge,
    dead: Gauge,
    oldest: Gauge,
}

impl TargetMetrics {
    pub(crate) fn count(&self, outcome: Outcome) {
        self.outcomes
            .with_label_values(&[self.name.as_str(), outcome.as_str()])
            .inc();
    }

    pub(crate) fn waiting(&self, events: usize, bytes: u64, dead: usize) {
        self.events.set(events as f64);
        self.bytes.set(bytes as f64);
        self.dead.set(dead as f64);
    }

    pub(crate) fn oldest(&self, seconds: f64) {
        self.oldest.set(seconds);
    }
}
