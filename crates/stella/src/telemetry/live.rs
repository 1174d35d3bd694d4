//! The live line of `up` on a terminal: what comes in, what goes out, how far behind.

use std::io::Write;
use std::time::Duration;

use ident::Signal;
use meter::Meter;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(1);

/// Rewrites one line on standard error each second until `stop`.
pub async fn show(meter: Meter, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut before, mut at) = (Counts::read(&meter), Instant::now());
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let (now, seconds) = (Counts::read(&meter), at.elapsed().as_secs_f64().max(0.001));
        at = Instant::now();
        let rate = |new: f64, old: f64| ((new - old) / seconds).max(0.0);
        let [spans, points, logs] = [0, 1, 2].map(|i| rate(now.taken[i], before.taken[i]));
        let line = format!(
            "in: {spans:.0} spans/s {points:.0} points/s {logs:.0} logs/s · out: {:.0} items/s · behind: {:.0} s · journal: {}",
            rate(now.sent, before.sent),
            now.lag_seconds,
            profile::Bytes(now.journal_bytes as u64),
        );
        before = now;
        let _ = write!(std::io::stderr(), "\r\x1b[2K{line}");
    }
    let _ = writeln!(std::io::stderr());
}

struct Counts {
    taken: [f64; 3],
    sent: f64,
    lag_seconds: f64,
    journal_bytes: f64,
}

impl Counts {
    fn read(meter: &Meter) -> Self {
        let taken = |signal: Signal| {
            meter.sum(&format!(
                "otelcol_receiver_accepted_{}",
                signal.items_name()
            ))
        };
        let sent =
            |signal: Signal| meter.sum(&format!("otelcol_exporter_sent_{}", signal.items_name()));
        Counts {
            taken: Signal::ALL.map(taken),
            sent: Signal::ALL.map(sent).iter().sum(),
            lag_seconds: meter.sum("stella_shipper_lag_seconds"),
            journal_bytes: meter.sum("stella_journal_bytes"),
        }
    }
}
