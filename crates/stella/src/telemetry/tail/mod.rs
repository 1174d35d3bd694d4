//! `tail`: what arrives, readable, from the journal. It needs no running gateway.

mod render;

use std::collections::VecDeque;
use std::io::Write;
use std::time::Duration;

use jiff::tz::TimeZone;
use journal::{Block, Filter, Follower, Start};
use serde_json::Value;

use super::data_dir::DataDir;
use super::journal::unreadable;
use super::told;
use crate::cli::Tail;
use crate::error::{CliError, CliResult, Exit};
use crate::output;

/// How often `--follow` looks for more.
const EVERY: Duration = Duration::from_millis(200);

/// Prints the latest items, then more as they arrive if asked to.
pub fn run(args: &Tail) -> CliResult {
    let path = DataDir::of(&args.data_dir)?.existing_journal()?;
    let filter = Filter {
        signals: args.signal.map(|signal| vec![signal]),
        tenant: args.tenant.clone(),
        ..Filter::default()
    };
    let mut blocks = Follower::open(&path, Start::Oldest, filter)
        .map_err(|error| told(Exit::Failure, &error.to_string()))?;
    let mut out = std::io::BufWriter::new(output::stdout());
    let zone = TimeZone::system();
    for line in latest(&mut blocks, args, &zone)? {
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    if !args.follow {
        return Ok(Exit::Success);
    }
    loop {
        match next(&mut blocks)? {
            Some(block) => {
                for line in lines(&block, args, &zone)? {
                    writeln!(out, "{line}")?;
                }
            }
            None => {
                out.flush()?;
                std::thread::sleep(EVERY);
            }
        }
    }
}

/// The latest lines. Where every item of a block counts, only the last blocks are looked into.
fn latest(blocks: &mut Follower, args: &Tail, zone: &TimeZone) -> CliResult<VecDeque<String>> {
    let most = args.lines as usize;
    let (mut last, mut items) = (VecDeque::new(), 0u64);
    let mut latest: VecDeque<String> = VecDeque::new();
    let mut add = |block: &Block| -> CliResult<()> {
        latest.extend(lines(block, args, zone)?);
        latest.drain(..latest.len().saturating_sub(most));
        Ok(())
    };
    while let Some(block) = next(blocks)? {
        if args.service.is_some() {
            add(&block)?;
            continue;
        }
        items += block.items;
        last.push_back(block);
        while let Some(first) = last.front().map(|block: &Block| block.items)
            && items - first >= most as u64
        {
            items -= first;
            last.pop_front();
        }
    }
    last.iter().try_for_each(add)?;
    Ok(latest)
}

fn next(blocks: &mut Follower) -> CliResult<Option<Block>> {
    blocks
        .try_next()
        .map_err(|error| CliError::new(Exit::Failure, error))
}

fn lines(block: &Block, args: &Tail, zone: &TimeZone) -> CliResult<Vec<String>> {
    let mut json = Vec::new();
    otlp::json::encode(block.signal, &block.payload, &mut json)
        .map_err(|error| unreadable(block, &error))?;
    let request: Value =
        serde_json::from_slice(&json).map_err(|error| unreadable(block, &error))?;
    Ok(render::lines(
        block.signal,
        &request,
        args.service.as_deref(),
        zone,
    ))
}
