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

/// A round.
struct Round {
    /// One append and its sync.
    sync: Quantiles,
    /// From when an append is due to when it is synced: a stall of the disk delays all that become
    /// due meanwhile, as it delays all calls.
    due: Quantiles,
    /// A call.
    call: Quantiles,
}

/// What came of it.
pub struct Half {
    rounds: Vec<Round>,
}

/// `load` sends so many requests at a pace and tells what came of it.
pub fn measure(folder: &Path, per_second: f64, load: impl Fn(u64, f64) -> Outcome) -> Half {
    let round = |_| {
        let (sync, due) = appends(folder, per_second);
        let calls = load(CALLS, per_second);
        assert_eq!(calls.refused, 0, "the gateway refused at half load");
        let call = Quantiles {
            p50: calls.p50_ms,
            p99: calls.p99_ms,
        };
        Round { sync, due, call }
    };
    Half {
        rounds: (0..ROUNDS).map(round).collect(),
    }
}

impl Half {
    /// The row of the report: medians of the rounds, and the median of their ratios.
    pub fn row(&self) -> String {
        let of = |what: &dyn Fn(&Round) -> f64| {
            let all = sorted(self.rounds.iter().map(what));
            [0.5, 0.0, 1.0].map(|q| quantile(&all, q))
        };
        let middle = |what: &dyn Fn(&Round) -> f64| of(what)[0];
        let [ratio, least, most] = of(&|round| round.call.p99 / round.sync.p99);
        format!(
            "| a call at half load | p50 {:.2} ms, p99 {:.2} ms | the disk's own append and fdatasync of 64 KiB at the same pace, nothing else running: p50 {:.2} ms, p99 {:.2} ms; p99 ÷ p99 = {ratio:.1} ({least:.1} to {most:.1} in {ROUNDS} rounds, medians). Counted from when each append is due, as a call meets a disk that stalls: p99 {:.2} ms, p99 ÷ p99 = {:.1} |",
            middle(&|round| round.call.p50),
            middle(&|round| round.call.p99),
            middle(&|round| round.sync.p50),
            middle(&|round| round.sync.p99),
            middle(&|round| round.due.p99),
            middle(&|round| round.call.p99 / round.due.p99),
        )
    }
}

/// Appends and syncs at a pace, to a file that grows as a segment does; all that is due at once in
/// one append, as the journal does it.
fn appends(folder: &Path, per_second: f64) -> (Quantiles, Quantiles) {
    let path = folder.join("appends");
    let mut file = File::create(&path).expect("a file");
    let content: Vec<u8> = (0..BLOCK_BYTES).map(|at| (at * 31 % 251) as u8).collect();
    let (mut syncs, mut waits) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    let due = |at: u64| begun + Duration::from_secs_f64(at as f64 / per_second);
    let mut at = 0;
    while at < CALLS {
        std::thread::sleep(due(at).saturating_duration_since(Instant::now()));
        let started = Instant::now();
        let together = (at..CALLS).take_while(|&next| due(next) <= started);
        let upto = together.last().unwrap_or(at) + 1;
        for _ in at..upto {
            file.write_all(&content).expect("written");
        }
        file.sync_data().expect("synced");
        syncs.push(started.elapsed().as_secs_f64() * 1e3);
        waits.extend((at..upto).map(|one| due(one).elapsed().as_secs_f64() * 1e3));
        at = upto;
    }
    let _ = std::fs::remove_file(path);
    let quantiles = |all: Vec<f64>| {
        let all = sorted(all);
        Quantiles {
            p50: quantile(&all, 0.5),
            p99: quantile(&all, 0.99),
        }
    };
    (quantiles(syncs), quantiles(waits))
}
