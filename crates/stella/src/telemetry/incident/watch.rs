//! Triggers in the gateway: reads the journal beside everything else, and opens an incident where a
//! threshold is reached.
//!
//! It has a reader without a cursor: it never holds data back. RESTARTABLE: at the start it reads
//! back what the windows need, and what is opened, cooling down or capped stands in the incidents'
//! records. It works whether traces are sampled or not.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use control::{Outcome, Register};
use jiff::Timestamp;
use journal::{Block, Filter, Journal, ReadError, Reader, Start};
use meter::{CounterVec, Gauge, GaugeVec, Meter};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use trigger::{Firing, Seen, Trigger, Watch};

use super::clock;

/// How often metrics are looked after while nothing comes.
const TICK: Duration = Duration::from_secs(1);
/// How often it is said again that a trigger opens nothing.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// What the watching of triggers tells about itself.
#[derive(Clone)]
pub struct Metrics {
    lag: Gauge,
    groups: GaugeVec,
    unwatched: CounterVec,
}

impl Metrics {
    /// Makes them.
    pub fn new(meter: &Meter) -> Self {
        Metrics {
            lag: meter.gauge(
                "stella_incident_trigger_lag_seconds",
                "Age of the block that triggers were shown last, as they were shown it, in seconds.",
            ),
            groups: meter.gauge_vec(
                "stella_incident_trigger_groups",
                "Pairs of a tenant and a service that a trigger counts for.",
                &["trigger"],
            ),
            unwatched: meter.counter_vec(
                "stella_incident_trigger_unwatched_items_total",
                "Spans and log records that a trigger did not count: no_room (`max_groups`), no_service (no usable `service.name`).",
                &["trigger", "reason"],
            ),
        }
    }
}

/// Triggers and what they act on.
pub struct Watcher {
    pub watch: Watch,
    pub triggers: Vec<Trigger>,
    pub journal: Journal,
    pub register: Register,
    pub metrics: Metrics,
}

/// What came.
enum Next {
    Block(Block),
    Nothing,
    Fault(ReadError),
    End,
}

impl Watcher {
    /// Watches until `stop`. It blocks its thread, which must be one of the runtime's for that.
    pub fn run(mut self, stop: &CancellationToken) {
        let runtime = Handle::current();
        let window = u64::try_from(self.watch.window().as_nanos()).unwrap_or(u64::MAX);
        // Windows are whole one window after the beginning: only what fires from there on counts.
        let counts_from = self.journal.stats().newest_unix_nano.saturating_sub(window);
        let from = counts_from.saturating_sub(window);
        let start = Start::At(self.journal.position_at(from));
        let filter = Filter {
            signals: Some(self.watch.signals()),
            ..Filter::default()
        };
        let mut reader = self.journal.reader(start, filter);
        let (mut said, mut looked, mut faulty) = (BTreeMap::new(), Instant::now(), false);
        loop {
            match runtime.block_on(next(&mut reader, stop)) {
                Next::Block(block) => {
                    faulty = false;
                    if block.appended_unix_nano >= from {
                        self.observe(&block, counts_from, &mut said);
                    }
                }
                Next::Nothing => {}
                Next::Fault(error) => {
                    if !std::mem::replace(&mut faulty, true) {
                        tracing::error!(%error, "triggers cannot read the journal; it is tried again");
                    }
                    runtime.block_on(async {
                        tokio::select! {
                            () = tokio::time::sleep(TICK) => {}
                            () = stop.cancelled() => {}
                        }
                    });
                }
                Next::End => return,
            }
            if looked.elapsed() >= TICK {
                looked = Instant::now();
                self.show();
            }
        }
    }

    fn observe(
        &mut self,
        block: &Block,
        counts_from: u64,
        said: &mut BTreeMap<(usize, &'static str), Instant>,
    ) {
        let mut fired = Vec::new();
        let seen = Seen {
            tenant: &block.tenant,
            signal: block.signal,
            appended_unix_nano: block.appended_unix_nano,
            payload: &block.payload,
        };
        self.watch.observe(&seen, |firing| fired.push(firing));
        let now = clock(&self.journal);
        let age = self
            .journal
            .clock()
            .saturating_sub(block.appended_unix_nano);
        self.metrics
            .lag
            .set(Duration::from_nanos(age).as_secs_f64());
        for firing in fired
            .iter()
            .filter(|firing| firing.at_unix_nano >= counts_from)
        {
            self.act(firing, now, said);
        }
    }

    fn act(
        &self,
        firing: &Firing,
        now: Timestamp,
        said: &mut BTreeMap<(usize, &'static str), Instant>,
    ) {
        let Some(trigger) = self.triggers.get(firing.trigger) else {
            return;
        };
        let outcome = self.register.fire(trigger, firing, now);
        let Firing {
            tenant,
            service,
            measured,
            ..
        } = firing;
        let (name, word) = (trigger.name.as_str(), outcome.as_str());
        if let Outcome::Opened(id) = &outcome {
            let incident = id.as_str();
            tracing::info!(target: "audit", trigger = name, incident, %tenant, service, measured, "a trigger opened an incident");
            return;
        }
        // BOUNDED: as many lines as triggers and outcomes, a minute.
        let last = said.get(&(firing.trigger, word));
        if last.is_some_and(|last| last.elapsed() < SAY_AGAIN) {
            return;
        }
        said.insert((firing.trigger, word), Instant::now());
        match &outcome {
            Outcome::Failed(why) => {
                tracing::error!(target: "audit", trigger = name, outcome = word, %tenant, service, measured, %why, "a trigger could not open an incident");
            }
            Outcome::AlreadyOpen => {}
            _ => {
                tracing::warn!(target: "audit", trigger = name, outcome = word, %tenant, service, measured, "a trigger opened no incident");
            }
        }
    }

    fn show(&mut self) {
        for (name, groups) in self.watch.groups() {
            let groups = groups as f64;
            self.metrics.groups.with_label_values(&[name]).set(groups);
        }
        for (name, counters) in self.watch.take_counters() {
            let reasons = [
                ("no_room", counters.no_room),
                ("no_service", counters.no_service),
            ];
            for (reason, items) in reasons {
                let counter = self.metrics.unwatched.with_label_values(&[name, reason]);
                counter.inc_by(items);
            }
        }
    }
}

async fn next(reader: &mut Reader, stop: &CancellationToken) -> Next {
    tokio::select! {
        biased;
        () = stop.cancelled() => Next::End,
        block = reader.next() => match block {
            Ok(block) => Next::Block(block),
            Err(ReadError::Closed) => Next::End,
            Err(error) => Next::Fault(error),
        },
        () = tokio::time::sleep(TICK) => Next::Nothing,
    }
}
