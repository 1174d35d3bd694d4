//! What the gateway counts. Handles are looked up once, not for each request.

use ident::Signal;
use meter::{Counter, CounterVec, Gauge, Histogram, Meter};

use crate::{Kind, Refusal, Transport};

/// The metrics of both listeners.
pub(crate) struct Metrics {
    accepted: [CounterVec; 3],
    refused: [CounterVec; 3],
    refused_requests: CounterVec,
    request_bytes: CounterVec,
    connections: meter::GaugeVec,
    connections_refused: CounterVec,
    connection_errors: CounterVec,
    duration: meter::HistogramVec,
    pub(crate) in_flight_bytes: Gauge,
}

const SECONDS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 10.0,
];

impl Metrics {
    pub(crate) fn new(meter: &Meter) -> Self {
        let items = |verb: &str, what: &str| {
            Signal::ALL.map(|signal| {
                let items = signal.items_name();
                meter.counter_vec(
                    &format!("otelcol_receiver_{verb}_{items}"),
                    &format!("{what} ({items})."),
                    &["receiver", "transport"],
                )
            })
        };
        Metrics {
            accepted: items("accepted", "Items that were taken: they are in the journal"),
            refused: items(
                "refused",
                "Items of well-formed requests that were not taken",
            ),
            refused_requests: meter.counter_vec(
                "stella_gateway_refused_requests_total",
                "Requests that were not taken, by reason.",
                &["transport", "reason"],
            ),
            request_bytes: meter.counter_vec(
                "stella_gateway_request_bytes_total",
                "Bytes of the requests that were taken, after decompression.",
                &["transport"],
            ),
            connections: meter.gauge_vec(
                "stella_gateway_connections",
                "Open connections.",
                &["transport"],
            ),
            connections_refused: meter.counter_vec(
                "stella_gateway_connections_refused_total",
                "Connections that were closed at once because the limit was reached.",
                &["transport"],
            ),
            connection_errors: meter.counter_vec(
                "stella_gateway_connection_errors_total",
                "Connections that ended in a protocol error or without a request in time.",
                &["transport"],
            ),
            duration: meter.histogram_vec(
                "stella_gateway_request_duration_seconds",
                "Seconds from a request's head to its answer, of the requests that were taken.",
                &["transport"],
                &SECONDS,
            ),
            in_flight_bytes: meter.gauge(
                "stella_gateway_in_flight_bytes",
                "Bytes of the requests that are being received or written.",
            ),
        }
    }

    /// The handles of one listener.
    pub(crate) fn of(&self, transport: Transport) -> ListenerMetrics {
        let word = transport.as_str();
        let items = |all: &[CounterVec; 3]| {
            [0, 1, 2].map(|signal| all[signal].with_label_values(&["otlp", word]))
        };
        ListenerMetrics {
            accepted: items(&self.accepted),
            refused: items(&self.refused),
            refused_requests: Kind::ALL.map(|kind| {
                self.refused_requests
                    .with_label_values(&[word, kind.reason()])
            }),
            request_bytes: self.request_bytes.with_label_values(&[word]),
            connections: self.connections.with_label_values(&[word]),
            connections_refused: self.connections_refused.with_label_values(&[word]),
            connection_errors: self.connection_errors.with_label_values(&[word]),
            duration: self.duration.with_label_values(&[word]),
        }
    }
}

/// The metrics of one listener.
pub(crate) struct ListenerMetrics {
    accepted: [Counter; 3],
    refused: [Counter; 3],
    refused_requests: [Counter; Kind::ALL.len()],
    request_bytes: Counter,
    pub(crate) connections: Gauge,
    pub(crate) connections_refused: Counter,
    pub(crate) connection_errors: Counter,
    duration: Histogram,
}

impl ListenerMetrics {
    pub(crate) fn accept(&self, signal: Signal, items: u64, bytes: usize, seconds: f64) {
        self.accepted[index(signal)].inc_by(items);
        self.request_bytes.inc_by(bytes as u64);
        self.duration.observe(seconds);
    }

    /// LOSS-COUNTED: every refusal passes here, with its items where they are known.
    pub(crate) fn refuse(&self, signal: Option<Signal>, refusal: &Refusal) {
        if let Some(at) = Kind::ALL.iter().position(|kind| *kind == refusal.kind) {
            self.refused_requests[at].inc();
        }
        if let Some(signal) = signal {
            self.refused[index(signal)].inc_by(refusal.items);
        }
        tracing::debug!(reason = refusal.kind.reason(), "a request was refused");
    }

    /// Items that the guard left out of a request that was taken.
    pub(crate) fn reject(&self, signal: Signal, items: u64) {
        self.refused[index(signal)].inc_by(items);
    }
}

fn index(signal: Signal) -> usize {
    usize::from(signal.code() - 1)
}
