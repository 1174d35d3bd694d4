//! What shippers tell about themselves. Made once a process; shippers tell themselves apart by the
//! label `exporter`, which is their name.

use ident::Signal;
use meter::{CounterVec, GaugeVec, HistogramVec, Meter};

/// From a receiver on the same machine to one at its timeout.
const SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// The metrics of all shippers of a process.
#[derive(Clone, Debug)]
pub struct Metrics {
    sent: [CounterVec; 3],
    send_failed: [CounterVec; 3],
    pub(crate) queue_size: GaugeVec,
    pub(crate) queue_capacity: GaugeVec,
    pub(crate) lag_seconds: GaugeVec,
    pub(crate) breaker: GaugeVec,
    pub(crate) dead_letters: CounterVec,
    pub(crate) retries: CounterVec,
    pub(crate) seconds: HistogramVec,
    pub(crate) in_flight: GaugeVec,
    pub(crate) held_bytes: GaugeVec,
    pub(crate) not_sampled: CounterVec,
    pub(crate) undecided: CounterVec,
    pub(crate) filtered: CounterVec,
}

impl Metrics {
    /// Makes them.
    ///
    /// # Panics
    /// If they were made of this meter before, as every maker of [`Meter`].
    pub fn new(m: &Meter) -> Self {
        let by_exporter = &["exporter"];
        let each = |what: &str, help: &str| {
            Signal::ALL.map(|signal| {
                m.counter_vec(
                    &format!("otelcol_exporter_{what}_{}", signal.items_name()),
                    &help.replace("{}", &signal.items_name().replace('_', " ")),
                    by_exporter,
                )
            })
        };
        Metrics {
            not_sampled: m.counter_vec(
                "stella_shipper_not_sampled_items_total",
                "Items that are not shipped because sampling lets them go.",
                &["exporter", "signal"],
            ),
            filtered: m.counter_vec(
                "stella_shipper_filtered_items_total",
                "Data points that are not shipped because the destination's filter of metrics leaves them out.",
                &["exporter", "signal"],
            ),
            undecided: m.counter_vec(
                "stella_shipper_undecided_items_total",
                "Items shipped whole because there is no decision of the sampler's about them: they came before sampling began, or its files are damaged.",
                &["exporter", "signal"],
            ),
            sent: each("sent", "Number of {} that the destination has acknowledged."),
            send_failed: each(
                "send_failed",
                "Number of {} that the destination refused for good: put aside or lost.",
            ),
            queue_size: m.gauge_vec(
                "otelcol_exporter_queue_size",
                "Bytes of the journal on disk that the destination has not acknowledged.",
                by_exporter,
            ),
            queue_capacity: m.gauge_vec(
                "otelcol_exporter_queue_capacity",
                "Bytes that the journal may have on disk.",
                by_exporter,
            ),
            lag_seconds: m.gauge_vec(
                "stella_shipper_lag_seconds",
                "Age of the oldest block that the destination has not acknowledged, in seconds.",
                by_exporter,
            ),
            breaker: m.gauge_vec(
                "stella_shipper_breaker_state",
                "State of the circuit breaker: 0 closed, 1 half open (one request finds out), 2 open.",
                by_exporter,
            ),
            dead_letters: m.counter_vec(
                "stella_shipper_dead_letter_items_total",
                "Items put aside in dead-letter files because the destination refuses them.",
                &["exporter", "signal"],
            ),
            retries: m.counter_vec(
                "stella_shipper_retries_total",
                "Requests that failed and are tried again.",
                by_exporter,
            ),
            seconds: m.histogram_vec(
                "stella_shipper_request_duration_seconds",
                "Time from sending a request to its answer or failure, in seconds.",
                by_exporter,
                SECONDS,
            ),
            in_flight: m.gauge_vec(
                "stella_shipper_requests_in_flight",
                "Batches that are being delivered, those that wait for another try included.",
                by_exporter,
            ),
            held_bytes: m.gauge_vec(
                "stella_shipper_held_bytes",
                "Bytes of the batches in memory, before compression.",
                by_exporter,
            ),
        }
    }

    pub(crate) fn sent(&self, exporter: &str, signal: Signal, items: u64) {
        add(&self.sent, exporter, signal, items);
    }

    pub(crate) fn send_failed(&self, exporter: &str, signal: Signal, items: u64) {
        add(&self.send_failed, exporter, signal, items);
    }

    /// Shows the counters of a new shipper before they count.
    pub(crate) fn prepare(&self, exporter: &str, signals: &[Signal]) {
        for signal in signals {
            self.sent(exporter, *signal, 0);
            self.send_failed(exporter, *signal, 0);
            self.dead_letters
                .with_label_values(&[exporter, signal.as_str()])
                .inc_by(0);
        }
        self.retries.with_label_values(&[exporter]).inc_by(0);
    }
}

fn add(counters: &[CounterVec; 3], exporter: &str, signal: Signal, items: u64) {
    for (counter, each) in counters.iter().zip(Signal::ALL) {
        if each == signal {
            counter.with_label_values(&[exporter]).inc_by(items);
        }
    }
}
