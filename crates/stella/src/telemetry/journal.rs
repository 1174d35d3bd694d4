//! `journal check` and `journal dump`.

use std::io::Write;

use jiff::Timestamp;
use journal::{Block, Filter, Follower, Start};
use serde::Serialize;

use super::data_dir::DataDir;
use super::{told, when};
use crate::cli::{Check, Dump, DumpFormat};
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};

/// Verifies the journal.
pub fn check(args: &Check) -> CliResult {
    let path = DataDir::of(&args.data_dir)?.existing_journal()?;
    let report = ::journal::check::check(&path, args.repair)
        .map_err(|error| told(Exit::Failure, &error.to_string()))?;
    let mut out = output::stdout();
    match args.output {
        Format::Json => output::print_json(&mut out, &report)?,
        Format::Text => writeln!(out, "{report}")?,
    }
    Ok(if report.is_sound() || args.repair {
        Exit::Success
    } else {
        Exit::Damaged
    })
}

/// What `--output json` prints for a block.
#[derive(Serialize)]
struct Line<'a> {
    position: String,
    tenant: &'a str,
    signal: &'static str,
    items: u64,
    records: u32,
    min_time_unix_nano: u64,
    max_time_unix_nano: u64,
    appended_unix_nano: u64,
    bytes: usize,
}

/// Prints what the journal holds.
pub fn dump(args: &Dump) -> CliResult {
    let path = DataDir::of(&args.data_dir)?.existing_journal()?;
    let now = Timestamp::now();
    let bound = |flag, text: &Option<String>| {
        text.as_deref()
            .map(|text| when::unix_nanos(flag, text, now))
            .transpose()
    };
    let (from, to) = (bound("--from", &args.from)?, bound("--to", &args.to)?);
    let filter = Filter {
        signals: args.signal.map(|signal| vec![signal]),
        tenant: args.tenant.clone(),
        ..Filter::default()
    };
    let mut blocks = Follower::open(&path, Start::Oldest, filter)
        .map_err(|error| told(Exit::Failure, &error.to_string()))?;
    let mut out = std::io::BufWriter::new(output::stdout());
    let mut line = Vec::new();
    while let Some(block) = blocks
        .try_next()
        .map_err(|error| CliError::new(Exit::Failure, error))?
    {
        let taken = block.appended_unix_nano;
        if from.is_some_and(|from| taken < from) || to.is_some_and(|to| taken >= to) {
            continue;
        }
        match args.output {
            DumpFormat::Json => output::print_json(&mut out, &Line::of(&block))?,
            DumpFormat::OtlpJson => {
                line.clear();
                otlp::json::encode(block.signal, &block.payload, &mut line)
                    .map_err(|error| unreadable(&block, &error))?;
                line.push(b'\n');
                out.write_all(&line)?;
            }
        }
    }
    out.flush()?;
    Ok(Exit::Success)
}

impl<'a> Line<'a> {
    fn of(block: &'a Block) -> Self {
        Line {
            position: block.position.to_string(),
            tenant: block.tenant.as_str(),
            signal: block.signal.as_str(),
            items: block.items,
            records: block.records,
            min_time_unix_nano: block.min_time_unix_nano,
            max_time_unix_nano: block.max_time_unix_nano,
            appended_unix_nano: block.appended_unix_nano,
            bytes: block.payload.len(),
        }
    }
}

/// A block whose checksum holds and whose content is no OTLP.
pub fn unreadable(block: &Block, error: &dyn std::fmt::Display) -> CliError {
    let message = format!(
        "the block at {} does not hold OTLP: {error}",
        block.position
    );
    CliError::new(Exit::Damaged, message).hint("run `stella telemetry journal check`")
}
