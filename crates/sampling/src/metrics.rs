//! What the sampler tells about itself, by the upstream processor's names where it has them.

use ident::Signal;
use meter::{Counter, CounterVec, Gauge, Meter};
use sampler::{Counters, Decision, Reason, Sampler};

#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    traces: CounterVec,
    spans: CounterVec,
    all_traces: CounterVec,
    early: Counter,
    on_memory: Gauge,
    late_spans: Counter,
    untracked: Counter,
    forgotten: Counter,
    items: CounterVec,
    pub(crate) lag: Gauge,
    pub(crate) rebuilt: Counter,
    pub(crate) short_journal: Gauge,
    pub(crate) overrides: Gauge,
    pub(crate) lookback_spans: Counter,
}

impl Metrics {
    pub(crate) fn new(m: &Meter) -> Self {
        let by_policy = &["policy", "sampled"];
        let metrics = Metrics {
            traces: m.counter_vec(
                "otelcol_processor_tail_sampling_count_traces_sampled",
                "Number of traces by the policy that decided them, and by whether they are kept.",
                by_policy,
            ),
            spans: m.counter_vec(
                "otelcol_processor_tail_sampling_count_spans_sampled",
                "Number of spans by the policy that decided their traces, late ones included, and by whether they are kept.",
                by_policy,
            ),
            all_traces: m.counter_vec(
                "otelcol_processor_tail_sampling_global_count_traces_sampled",
                "Number of traces that were decided, by whether they are kept.",
                &["sampled"],
            ),
            early: m.counter(
                "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early",
                "Number of traces decided before their wait was over, because `max_traces` began after them. None is dropped for it.",
            ),
            on_memory: m.gauge(
                "otelcol_processor_tail_sampling_sampling_traces_on_memory",
                "Traces that began within the wait and have their state in memory.",
            ),
            late_spans: m.counter(
                "stella_sampler_late_spans_total",
                "Spans that came after their trace was decided, and follow its decision.",
            ),
            untracked: m.counter(
                "stella_sampler_untracked_spans_total",
                "Spans without a trace id, or for which the tables had no room; `sampling.untracked` says what becomes of them.",
            ),
            forgotten: m.counter(
                "stella_sampler_forgotten_traces_total",
                "Traces of which the tables lost track before they were decided.",
            ),
            items: m.counter_vec(
                "stella_sampler_items_total",
                "Items of the journal for which sampling has settled whether they are shipped.",
                &["signal", "shipped"],
            ),
            lag: m.gauge(
                "stella_sampler_lag_seconds",
                "Age of the oldest block that is not decided, in seconds. About `sampling.wait` under load.",
            ),
            rebuilt: m.counter(
                "stella_sampler_rebuilt_total",
                "Times that the sampler had to be rebuilt without its checkpoint. Decisions may then differ in what rate limits let pass.",
            ),
            short_journal: m.gauge(
                "stella_sampler_read_back_given_up",
                "1 while the journal is too full to be kept for what a restart would read back, else 0.",
            ),
            overrides: m.gauge(
                "stella_sampler_overrides",
                "Overrides in force: while one is, everything in its scope is kept.",
            ),
            lookback_spans: m.counter(
                "stella_sampler_lookback_spans_total",
                "Spans that sampling had let go and that a look back found for an override.",
            ),
        };
        for sampled in ["true", "false"] {
            metrics.all_traces.with_label_values(&[sampled]).inc_by(0);
        }
        metrics
    }

    /// Adds what was counted since the last time.
    pub(crate) fn add(&self, sampler: &mut Sampler) {
        let counters: Counters = sampler.take_counters();
        let policies = sampler.policies().count() as u16;
        let reasons = (0..policies).map(Reason::Policy);
        let overrides = (1..=sampler::MAX_OVERRIDES as u8).map(Reason::Override);
        for reason in reasons.chain(overrides).chain([Reason::NoPolicy]) {
            let count = counters.by(reason);
            if count == sampler::Count::default() {
                continue;
            }
            let kept = match reason {
                Reason::Policy(at) => !sampler.drops(at),
                Reason::Override(_) => true,
                Reason::NoPolicy | Reason::Untracked => false,
            };
            let name = sampler.reason_name(Decision { kept, reason });
            let labels = &[name, if kept { "true" } else { "false" }];
            self.traces.with_label_values(labels).inc_by(count.traces);
            self.spans.with_label_values(labels).inc_by(count.spans);
            let all = self.all_traces.with_label_values(&labels[1..]);
            all.inc_by(count.traces);
        }
        self.untracked.inc_by(counters.by(Reason::Untracked).spans);
        self.early.inc_by(counters.early);
        self.late_spans.inc_by(counters.late_spans);
        self.forgotten.inc_by(counters.forgotten);
        self.on_memory.set(sampler.open_traces() as f64);
    }

    pub(crate) fn decided(&self, signal: Signal, items: u32, kept: u32) {
        let add = |shipped: &str, by: u32| {
            let labels = &[signal.as_str(), shipped];
            self.items.with_label_values(labels).inc_by(u64::from(by));
        };
        add("true", kept);
        add("false", items - kept);
    }
}
