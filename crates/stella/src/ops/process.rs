//! `otelcol_process_*`: what the process itself uses, under the upstream Collector's names.

use std::time::Instant;

use meter::{FloatCounter, Gauge, Meter};

/// The process's metrics; [`refresh`](ProcessMetrics::refresh) reads them anew.
#[derive(Clone)]
pub struct ProcessMetrics {
    started: Instant,
    uptime: FloatCounter,
    cpu: FloatCounter,
    memory: Gauge,
}

impl ProcessMetrics {
    /// Makes them.
    pub fn new(meter: &Meter) -> Self {
        let build = meter.gauge_vec(
            "stella_build_info",
            "Always 1; the labels tell the version that runs.",
            &["version"],
        );
        build
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1.0);
        ProcessMetrics {
            started: Instant::now(),
            uptime: meter.float_counter(
                "otelcol_process_uptime",
                "Seconds since the process started.",
            ),
            cpu: meter.float_counter(
                "otelcol_process_cpu_seconds",
                "CPU seconds (user and system) that the process has used.",
            ),
            memory: meter.gauge(
                "otelcol_process_memory_rss",
                "Resident memory of the process, in bytes.",
            ),
        }
    }

    /// Reads them from the operating system.
    pub fn refresh(&self) {
        advance(&self.uptime, self.started.elapsed().as_secs_f64());
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        advance(&self.cpu, cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9);
        if let Some(bytes) = resident_bytes() {
            self.memory.set(bytes);
        }
    }

    /// Since when the process runs.
    pub fn uptime_seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

fn advance(counter: &FloatCounter, to: f64) {
    counter.inc_by((to - counter.get()).max(0.0));
}

/// The second field of `/proc/self/statm` counts resident pages (proc(5)).
fn resident_bytes() -> Option<f64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as f64)
}
