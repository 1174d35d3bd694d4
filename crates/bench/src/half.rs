//! Calls at half load, beside what the disk alone takes for the same appends at the same pace.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::load::Outcome;
use crate::measure::{quantile, sorted};

/// The disk alone and the gateway, one after the other.
const ROUNDS: usize = 5;
/// Appends, and calls, of a round.
const CALLS: u64 = 2500;
/// What a block of one request takes on the disk.
const BLOCK_BYTES: usize = 64 << 10;

/// Milliseconds.
#[derive(Clone, Copy)]
struct Quantiles {
    p50: f64,
    p99: f64,
}

/// What came of it.
pub struct Half {
    rounds: Vec<(Quantiles, Quantiles)>,
}

/// `load` sends so many requests at a pace and tells what came of it.
pub fn measure(folder: &Path, per_second: f64, load: impl Fn(u64, f64) -> Outcome) -> Half {
    let round = |_| {
        let disk = appends(folder, per_second);
        let calls = load(CALLS, per_second);
        assert_eq!(calls.refused, 0, "the gateway refused at half load");
        let calls = Quantiles {
            p50: calls.p50_ms,
            p99: calls.p99_ms,
        };
        (disk, calls)
    };
    Half {
        rounds: (0..ROUNDS).map(round).collect(),
    }
}

impl Half {
    /// The row of the report: medians of the rounds, and the median of their ratios.
    pub fn row(&self) -> String {
        let of = |what: &dyn Fn(&(Quantiles, Quantiles)) -> f64| {
            let all = sorted(self.rounds.iter().map(what));
            (
                quantile(&all, 0.5),
                quantile(&all, 0.0),
                quantile(&all, 1.0),
            )
        };
        let (ratio, least, most) = of(&|(disk, calls)| calls.p99 / disk.p99);
        format!(
            "| a call at half load | p50 {:.2} ms, p99 {:.2} ms | the disk's own append and fdatasync of 64 KiB at the same pace, nothing else running: p50 {:.2} ms, p99 {:.2} ms; p99 ÷ p99 = {ratio:.1} ({least:.1} to {most:.1} in {ROUNDS} rounds, medians) |",
            of(&|(_, calls)| calls.p50).0,
            of(&|(_, calls)| calls.p99).0,
            of(&|(disk, _)| disk.p50).0,
            of(&|(disk, _)| disk.p99).0,
        )
    }
}

/// Appends and syncs at a pace, to a file that grows as a segment does.
fn appends(folder: &Path, per_second: f64) -> Quantiles {
    let path = folder.join("appends");
    let mut file = File::create(&path).expect("a file");
    let content: Vec<u8> = (0..BLOCK_BYTES).map(|at| (at * 31 % 251) as u8).collect();
    let begun = Instant::now();
    let times = sorted((0..CALLS).map(|at| {
        let due = begun + Duration::from_secs_f64(at as f64 / per_second);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let begun = Instant::now();
        file.write_all(&content).expect("written");
        file.sync_data().expect("synced");
        begun.elapsed().as_secs_f64() * 1e3
    }));
    let _ = std::fs::remove_file(path);
    Quantiles {
        p50: quantile(&times, 0.5),
        p99: quantile(&times, 0.99),
    }
}
