//! `sampling simulate` and `sampling explain`: the sampler over what the journal holds. They read
//! the files, so they work beside a running gateway and without one.

mod explain;

use std::io::Write;
use std::path::Path;

use ident::{Signal, TenantId};
use jiff::Timestamp;
use journal::{Block, Filter, Follower, Start};
use sampler::{Count, Simulation};
use serde::Serialize;

use super::data_dir::DataDir;
use super::{told, when};
use crate::cli::sampling::{Sampling, Simulate};
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};

/// Carries out a command of `sampling`.
pub fn run(command: &Sampling) -> CliResult {
    match command {
        Sampling::Simulate(args) => simulate(args),
        Sampling::Explain(args) => explain::run(args),
    }
}

/// What `simulate --output json` prints.
#[derive(Serialize)]
struct Report {
    from_unix_nano: Option<u64>,
    to_unix_nano: Option<u64>,
    all: Amount,
    kept: Amount,
    policies: Vec<Line>,
    decided_early_traces: u64,
    late_spans: u64,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Amount {
    traces: u64,
    spans: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Line {
    policy: String,
    kept: bool,
    #[serde(flatten)]
    amount: Amount,
}

impl From<Count> for Amount {
    fn from(count: Count) -> Self {
        let Count {
            traces,
            spans,
            bytes,
        } = count;
        Amount {
            traces,
            spans,
            bytes,
        }
    }
}

fn simulate(args: &Simulate) -> CliResult {
    let config = profile::load_sampling(&args.policy)?;
    let path = DataDir::of(&args.data_dir)?.existing_journal()?;
    let from = when::unix_nanos("--window", &args.window, Timestamp::now())?;
    let blocks = blocks(&path, args.tenant.as_ref(), from)?;
    let simulated = sampler::simulate(&config, blocks)
        .map_err(|error| told(Exit::Failure, &error.to_string()))?;
    let report = Report::of(&simulated, config.untracked);
    let mut out = output::stdout();
    match args.output {
        Format::Json => output::print_json(&mut out, &report)?,
        Format::Text => report.print(&mut out)?,
    }
    Ok(Exit::Success)
}

/// The journal's blocks of traces that were appended at a time or later.
fn blocks(
    path: &Path,
    tenant: Option<&TenantId>,
    from: u64,
) -> CliResult<impl Iterator<Item = Result<Block, journal::ReadError>>> {
    let filter = Filter {
        tenant: tenant.cloned(),
        ..Filter::signal(Signal::Traces)
    };
    let mut blocks = Follower::open(path, Start::Oldest, filter)
        .map_err(|error| told(Exit::Failure, &error.to_string()))?;
    let all = std::iter::from_fn(move || blocks.try_next().transpose());
    let early =
        move |block: &Result<Block, _>| matches!(block, Ok(b) if b.appended_unix_nano < from);
    Ok(all.skip_while(early))
}

impl Report {
    fn of(simulated: &Simulation, untracked: sampler::config::Untracked) -> Report {
        let mut policies: Vec<Line> = simulated
            .policies
            .iter()
            .map(|outcome| Line {
                policy: outcome.policy.clone(),
                kept: outcome.keeps,
                amount: outcome.count.into(),
            })
            .collect();
        let rest = [
            ("no policy", false, simulated.not_sampled),
            (
                "untracked",
                untracked == sampler::config::Untracked::Keep,
                simulated.untracked,
            ),
        ];
        policies.extend(rest.map(|(policy, kept, count)| Line {
            policy: policy.to_owned(),
            kept,
            amount: count.into(),
        }));
        let sum = |kept: bool| {
            let lines = policies.iter().filter(|line| line.kept || !kept);
            lines.fold(Amount::default(), |sum, line| Amount {
                traces: sum.traces + line.amount.traces,
                spans: sum.spans + line.amount.spans,
                bytes: sum.bytes + line.amount.bytes,
            })
        };
        Report {
            from_unix_nano: simulated.span_of_log.map(|(from, _)| from),
            to_unix_nano: simulated.span_of_log.map(|(_, to)| to),
            all: sum(false),
            kept: sum(true),
            policies,
            decided_early_traces: simulated.counters.early,
            late_spans: simulated.counters.late_spans,
        }
    }

    fn print(&self, out: &mut impl Write) -> CliResult<()> {
        let (Some(from), Some(to)) = (self.from_unix_nano, self.to_unix_nano) else {
            writeln!(out, "the journal holds no spans of that time")?;
            return Ok(());
        };
        writeln!(out, "{} to {}", time(from), time(to))?;
        writeln!(
            out,
            "{:<24} {:>5} {:>12} {:>12} {:>16}",
            "policy", "keeps", "traces", "spans", "bytes of spans"
        )?;
        let mut line = |name: &str, keeps: &str, amount: &Amount| {
            writeln!(
                out,
                "{name:<24} {keeps:>5} {:>12} {:>12} {:>16}",
                amount.traces, amount.spans, amount.bytes
            )
        };
        for each in &self.policies {
            line(
                &each.policy,
                if each.kept { "yes" } else { "no" },
                &each.amount,
            )?;
        }
        line("kept", "", &self.kept)?;
        line("of all", "", &self.all)?;
        let share = |part: u64, whole: u64| 100.0 * part as f64 / whole.max(1) as f64;
        writeln!(
            out,
            "kept: {:.1} % of traces, {:.1} % of spans, {:.1} % of bytes",
            share(self.kept.traces, self.all.traces),
            share(self.kept.spans, self.all.spans),
            share(self.kept.bytes, self.all.bytes),
        )?;
        if self.decided_early_traces > 0 {
            writeln!(
                out,
                "{} traces were decided early: `max_traces` is too small for this traffic",
                self.decided_early_traces
            )?;
        }
        Ok(())
    }
}

/// A time of the journal for a person.
fn time(unix_nano: u64) -> String {
    match Timestamp::from_nanosecond(i128::from(unix_nano)) {
        Ok(time) => format!("{time:.3}"),
        Err(_) => unix_nano.to_string(),
    }
}

/// A block that cannot be read.
fn unread(error: journal::ReadError) -> CliError {
    CliError::new(Exit::Failure, error)
}
