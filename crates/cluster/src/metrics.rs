//! What a member tells about the cluster. No label has a name that others choose.

use ident::Signal;
use meter::{Counter, CounterVec, Gauge, Meter};

#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub members: Gauge,
    pub changes: Counter,
    pub handover: Gauge,
    pub staying: Gauge,
    pub not_staying: Counter,
    pub joining: Gauge,
    pub short: Gauge,
    pub source_failures: Counter,
    pub received: CounterVec,
    pub refused: CounterVec,
    pub rehomed: CounterVec,
}

impl Metrics {
    pub(crate) fn new(m: &Meter) -> Self {
        let metrics = Metrics {
            members: m.gauge(
                "stella_cluster_members",
                "Members in the list that this gateway goes by, itself included.",
            ),
            changes: m.counter(
                "stella_cluster_changes_total",
                "Changes of the list of members that this gateway has taken over.",
            ),
            handover: m.gauge(
                "stella_cluster_handover",
                "1 while spans go to former owners first, after a change of the list.",
            ),
            staying: m.gauge(
                "stella_cluster_staying_traces",
                "Traces that this gateway keeps although another owns them since a change.",
            ),
            not_staying: m.counter(
                "stella_cluster_staying_overflowed_total",
                "Traces that should have stayed at a change and for which there was no room: they may be decided twice.",
            ),
            joining: m.gauge(
                "stella_cluster_joining",
                "1 while a new gateway waits to hear from the others what was before it; it takes in data, and decides nothing.",
            ),
            short: m.gauge(
                "stella_cluster_reserve_in_use",
                "1 while only other members may fill what is left of the journal; senders are told to wait.",
            ),
            source_failures: m.counter(
                "stella_cluster_source_failures_total",
                "Times that the list of members could not be read, or was none; the one before goes on to hold.",
            ),
            received: m.counter_vec(
                "stella_cluster_received_items_total",
                "Items that other members have forwarded to this gateway.",
                &["signal"],
            ),
            refused: m.counter_vec(
                "stella_cluster_refused_requests_total",
                "Requests of other members that were not taken: they go by another list of members (they try again), or may not forward.",
                &["reason"],
            ),
            rehomed: m.counter_vec(
                "stella_cluster_rehomed_items_total",
                "Items that were meant for a member that has left for good, and were given to the present owners.",
                &["signal"],
            ),
        };
        for signal in [Signal::Traces, Signal::Logs] {
            let label = &[signal.as_str()];
            metrics.received.with_label_values(label).inc_by(0);
            metrics.rehomed.with_label_values(label).inc_by(0);
        }
        for reason in REASONS {
            metrics.refused.with_label_values(&[reason]).inc_by(0);
        }
        metrics
    }

    pub(crate) fn refuse(&self, reason: &str) {
        self.refused.with_label_values(&[reason]).inc_by(1);
    }
}

pub(crate) const OTHER_LIST: &str = "other_list";
pub(crate) const NOT_A_MEMBER: &str = "not_a_member";
const REASONS: [&str; 2] = [OTHER_LIST, NOT_A_MEMBER];
