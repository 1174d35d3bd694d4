//! What the journal tells about itself.

use ident::Signal;
use meter::{Counter, CounterVec, Gauge, Histogram, Meter};

/// From half a millisecond (a good NVMe) to seconds (a disk in trouble).
const SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];

#[derive(Clone)]
pub(crate) struct Metrics {
    pub lost: CounterVec,
    pub bytes: Gauge,
    pub segments: Gauge,
    pub held_bytes: Gauge,
    pub window_seconds: Gauge,
    pub window_shortened: Counter,
    pub blocks: Counter,
    pub records: Counter,
    pub raw_bytes: Counter,
    pub stored_bytes: Counter,
    pub commits: Counter,
    pub commit_seconds: Histogram,
    pub failures: Counter,
    pub available: Gauge,
    pub cache_bytes: Gauge,
    pub cache_hits: Counter,
    pub cache_misses: Counter,
    pub pending_bytes: Gauge,
    pub full: CounterVec,
    pub truncated_bytes: Counter,
    pub damaged_bytes: Counter,
    pub damaged_ranges: Counter,
}

impl Metrics {
    pub(crate) fn new(m: &Meter) -> Self {
        Metrics {
            lost: m.counter_vec(
                "stella_items_lost_total",
                "Items (spans, metric points, log records) that were lost after they had been taken, by reason.",
                &["signal", "reason"],
            ),
            bytes: m.gauge("stella_journal_bytes", "Bytes of all segment files."),
            segments: m.gauge("stella_journal_segments", "Segment files."),
            held_bytes: m.gauge(
                "stella_journal_held_bytes",
                "Bytes of segment files that may not leave because of a hold, as of an incident.",
            ),
            window_seconds: m.gauge(
                "stella_journal_window_seconds",
                "Age of the oldest block that is kept, in seconds.",
            ),
            window_shortened: m.counter(
                "stella_journal_window_shortened_segments_total",
                "Segments that left before the window was over, because of the byte limit or a full disk.",
            ),
            blocks: m.counter("stella_journal_blocks_total", "Blocks committed."),
            records: m.counter("stella_journal_records_total", "Records committed."),
            raw_bytes: m.counter(
                "stella_journal_append_bytes_total",
                "Bytes of payload committed, before compression.",
            ),
            stored_bytes: m.counter(
                "stella_journal_stored_bytes_total",
                "Bytes written for committed blocks, headers included.",
            ),
            commits: m.counter(
                "stella_journal_commits_total",
                "Group commits that succeeded.",
            ),
            commit_seconds: m.histogram(
                "stella_journal_commit_seconds",
                "Time of a group commit's write and fdatasync, in seconds.",
                SECONDS,
            ),
            failures: m.counter(
                "stella_journal_commit_failures_total",
                "Group commits that the disk refused.",
            ),
            available: m.gauge(
                "stella_journal_available",
                "1 if the last group commit succeeded, 0 if the disk refused it.",
            ),
            cache_bytes: m.gauge(
                "stella_journal_cache_bytes",
                "Bytes of recent blocks in memory.",
            ),
            cache_hits: m.counter(
                "stella_journal_cache_hits_total",
                "Blocks that readers found in memory.",
            ),
            cache_misses: m.counter(
                "stella_journal_cache_misses_total",
                "Blocks that readers read from disk.",
            ),
            pending_bytes: m.gauge(
                "stella_journal_pending_bytes",
                "Bytes that wait for the group commit.",
            ),
            full: m.counter_vec(
                "stella_journal_full_total",
                "Records that were refused because a limit was reached.",
                &["limit"],
            ),
            truncated_bytes: m.counter(
                "stella_journal_recovery_truncated_bytes_total",
                "Bytes of torn writes that were cut off at start. They were never acknowledged.",
            ),
            damaged_bytes: m.counter(
                "stella_journal_damaged_bytes_total",
                "Bytes between sound blocks that could not be read.",
            ),
            damaged_ranges: m.counter(
                "stella_journal_damaged_ranges_total",
                "Ranges between sound blocks that could not be read.",
            ),
        }
    }

    /// LOSS-COUNTED.
    pub(crate) fn lose(&self, items: [u64; 3], reason: &str) {
        for (signal, items) in Signal::ALL.into_iter().zip(items) {
            if items > 0 {
                self.lost
                    .with_label_values(&[signal.as_str(), reason])
                    .inc_by(items);
            }
        }
    }
}
