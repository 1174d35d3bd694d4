//! The gateway's own metrics: registered once, counted without locks, printed as Prometheus text.
//!
//! Every metric of the process is made through a [`Meter`], which remembers its name, type, help
//! and labels. So the generated reference (`docs/reference/metrics.md`) cannot miss one, and two
//! metrics cannot share a name.
//!
//! Names follow the upstream Collector's where it has the metric (without the `_total` that
//! OpenMetrics would add), and Prometheus' naming elsewhere.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::Collector;
use prometheus::{Encoder, HistogramOpts, Opts, Registry, TextEncoder};

pub use prometheus::core::{AtomicF64, AtomicU64, GenericCounter, GenericCounterVec};
pub use prometheus::{Gauge, GaugeVec, Histogram, HistogramVec};

/// An amount that only grows and need not be whole, such as seconds.
pub type FloatCounter = GenericCounter<AtomicF64>;
/// A count that only grows.
pub type Counter = GenericCounter<AtomicU64>;
/// Counts that only grow, one for each combination of label values.
pub type CounterVec = GenericCounterVec<AtomicU64>;

/// The content type of [`Meter::encode`]'s text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a metric is, for the reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Description {
    /// The full name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// What it counts, and in which unit.
    pub help: String,
    /// The names of its labels.
    pub labels: Vec<String>,
}

/// Where metrics are made and read. Clones share one registry.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    registry: Registry,
    described: Arc<Mutex<Vec<Description>>>,
}

impl Meter {
    /// A meter with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a counter.
    ///
    /// # Panics
    /// As every maker here: if the name is taken or not a metric name, which is a mistake in the
    /// program and shows the first time it starts.
    pub fn counter(&self, name: &str, help: &str) -> Counter {
        self.add("counter", name, help, &[], made(Counter::new(name, help)))
    }

    /// Makes a counter of an amount that need not be whole.
    pub fn float_counter(&self, name: &str, help: &str) -> FloatCounter {
        self.add(
            "counter",
            name,
            help,
            &[],
            made(FloatCounter::new(name, help)),
        )
    }

    /// Makes a counter with labels.
    pub fn counter_vec(&self, name: &str, help: &str, labels: &[&str]) -> CounterVec {
        let metric = CounterVec::new(Opts::new(name, help), labels);
        self.add("counter", name, help, labels, made(metric))
    }

    /// Makes a gauge.
    pub fn gauge(&self, name: &str, help: &str) -> Gauge {
        self.add("gauge", name, help, &[], made(Gauge::new(name, help)))
    }

    /// Makes a gauge with labels.
    pub fn gauge_vec(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.add(
            "gauge",
            name,
            help,
            labels,
            made(GaugeVec::new(Opts::new(name, help), labels)),
        )
    }

    /// Makes a histogram with the given upper bounds.
    pub fn histogram(&self, name: &str, help: &str, bounds: &[f64]) -> Histogram {
        let opts = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        self.add(
            "histogram",
            name,
            help,
            &[],
            made(Histogram::with_opts(opts)),
        )
    }

    /// Makes a histogram with labels and the given upper bounds.
    pub fn histogram_vec(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        bounds: &[f64],
    ) -> HistogramVec {
        let opts = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        self.add(
            "histogram",
            name,
            help,
            labels,
            made(HistogramVec::new(opts, labels)),
        )
    }

    /// All metrics as Prometheus text (exposition format 0.0.4).
    pub fn encode(&self) -> String {
        let mut text = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            Ok(()) => String::from_utf8_lossy(&text).into_owned(),
            Err(error) => format!("# the metrics could not be written: {error}\n"),
        }
    }

    /// The sum of a counter or gauge over all its labels; 0 where there is no such metric.
    pub fn sum(&self, name: &str) -> f64 {
        let families = self.registry.gather();
        let of_name = families.iter().filter(|family| family.name() == name);
        of_name
            .flat_map(|family| family.get_metric())
            .map(|metric| metric.get_counter().get_value() + metric.get_gauge().get_value())
            .sum()
    }

    /// Every metric made so far, by name.
    pub fn descriptions(&self) -> Vec<Description> {
        let mut all = self
            .described
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        all.sort();
        all
    }

    fn add<M: Collector + Clone + 'static>(
        &self,
        kind: &'static str,
        name: &str,
        help: &str,
        labels: &[&str],
        metric: M,
    ) -> M {
        made(self.registry.register(Box::new(metric.clone())));
        self.described
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Description {
                name: name.to_owned(),
                kind,
                help: help.to_owned(),
                labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            });
        metric
    }
}

#[expect(clippy::panic, reason = "a metric's name is a constant of the program")]
fn made<T>(result: prometheus::Result<T>) -> T {
    match result {
        Ok(metric) => metric,
        Err(error) => panic!("a metric cannot be made: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_names_as_they_are_given() {
        let meter = Meter::new();
        meter
            .counter_vec("otelcol_receiver_accepted_spans", "Spans.", &["receiver"])
            .with_label_values(&["otlp"])
            .inc_by(3);
        let text = meter.encode();
        assert!(
            text.contains("otelcol_receiver_accepted_spans{receiver=\"otlp\"} 3"),
            "{text}"
        );
        assert_eq!(meter.descriptions()[0].labels, ["receiver"]);
        assert_eq!(meter.sum("otelcol_receiver_accepted_spans"), 3.0);
        assert_eq!(meter.sum("no_such_metric"), 0.0);
    }
}
