//! `notify list`, `notify retry`, `notify test`.

use std::io::Write;

use jiff::Timestamp;
use meter::Meter;
use notify::{Event, Listed, Listing, Notifier, RetryError, Which};
use rand::RngExt;
use serde::Serialize;
use tls::Keeper;

use super::build;
use crate::cli::notify::{List, Notify, Retry, Test};
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};
use crate::telemetry::data_dir::DataDir;
use crate::telemetry::{runtime, told};

/// Does what is asked.
pub fn run(command: &Notify) -> CliResult {
    match command {
        Notify::List(args) => list(args),
        Notify::Retry(args) => retry(args),
        Notify::Test(args) => test(args),
    }
}

/// What `--output json` prints for an event, one a line.
#[derive(Serialize)]
struct Line<'a> {
    state: &'static str,
    target: &'a str,
    #[serde(flatten)]
    entry: &'a notify::Entry,
}

fn list(args: &List) -> CliResult {
    let root = DataDir::of(&args.data_dir)?.notify();
    let listing = notify::list(&root)
        .map_err(|error| CliError::new(Exit::Failure, format!("{}: {error}", root.display())))?;
    let mut out = output::stdout();
    let of = |state, listed: &'_ [Listed]| -> Vec<(&'static str, Listed)> {
        listed.iter().map(|one| (state, one.clone())).collect()
    };
    let all = [of("pending", &listing.pending), of("dead", &listing.dead)].concat();
    if args.output == Format::Json {
        for (state, listed) in &all {
            let (target, entry) = (listed.target.as_str(), &listed.entry);
            output::print_json(
                &mut out,
                &Line {
                    state,
                    target,
                    entry,
                },
            )?;
        }
    } else {
        print(&mut out, &listing, &all)?;
    }
    Ok(match listing.damaged {
        0 => Exit::Success,
        _ => Exit::Damaged,
    })
}

fn print(
    out: &mut impl Write,
    listing: &Listing,
    all: &[(&'static str, Listed)],
) -> std::io::Result<()> {
    for (state, listed) in all {
        let entry = &listed.entry;
        let event = &entry.event;
        writeln!(
            out,
            "{state:<8} {:<16} {:<24} {} about {}, since {}",
            listed.target,
            event.id(),
            event.kind(),
            event.subject(),
            entry.since.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )?;
        let mut notes = vec![format!("{} attempts", entry.attempts)];
        if let Some(at) = entry.retry_at {
            notes.push(format!("again at {}", at.strftime("%Y-%m-%dT%H:%M:%SZ")));
        }
        if let Some(dead) = &entry.dead {
            notes.push(format!("given up ({})", dead.because));
        }
        if let Some(error) = &entry.last_error {
            notes.push(error.clone());
        }
        if entry.attempts > 0 || entry.dead.is_some() {
            writeln!(out, "         {}", notes.join(", "))?;
        }
    }
    let (pending, dead) = (listing.pending.len(), listing.dead.len());
    writeln!(out, "{pending} pending, {dead} dead letters")?;
    if listing.damaged > 0 {
        writeln!(out, "{} files are damaged", listing.damaged)?;
    }
    out.flush()
}

/// What `--output json` prints after a retry.
#[derive(Serialize)]
struct Printed {
    revived: usize,
    by_gateway: bool,
}

fn retry(args: &Retry) -> CliResult {
    let root = DataDir::of(&args.data_dir)?.notify();
    let which = match &args.id {
        Some(id) => Which::Id(id.clone()),
        None => Which::All,
    };
    let retried = notify::retry(&root, &which).map_err(|error| {
        let exit = match error {
            RetryError::Unknown(_) => Exit::BadInput,
            RetryError::NotTaken { .. } => Exit::Unavailable,
            _ => Exit::Failure,
        };
        told(exit, &error.to_string())
    })?;
    let mut out = output::stdout();
    let (revived, by_gateway) = (retried.revived, retried.by_gateway);
    if args.output == Format::Json {
        let printed = Printed {
            revived,
            by_gateway,
        };
        output::print_json(&mut out, &printed)?;
        return Ok(Exit::Success);
    }
    match (revived, by_gateway) {
        (0, _) => writeln!(out, "no dead letters were taken back")?,
        (_, true) => writeln!(out, "{revived} taken back; the running gateway sends them")?,
        (_, false) => writeln!(out, "{revived} taken back; the next gateway sends them")?,
    }
    out.flush()?;
    Ok(Exit::Success)
}

/// What `--output json` prints for a target, one a line.
#[derive(Serialize)]
struct Tested<'a> {
    target: &'a str,
    description: &'a str,
    ok: bool,
    error: Option<String>,
}

/// Sends from this process, past the outbox: what it prints is what happened.
fn test(args: &Test) -> CliResult {
    let profile = profile::load(&args.profile)?;
    let keeper = Keeper::new(&Meter::new());
    let config = build::config(&profile, &keeper)?;
    let notifiers = Notifier::all(&config, &egress::Connector::open())
        .map_err(|error| told(Exit::BadInput, &error.to_string()))?;
    let wanted = |notifier: &&Notifier| match &args.target {
        Some(name) => notifier.name().as_str() == name,
        None => true,
    };
    let chosen: Vec<&Notifier> = notifiers.iter().filter(wanted).collect();
    if chosen.is_empty() {
        let known: Vec<&str> = notifiers.iter().map(|n| n.name().as_str()).collect();
        return Err(match &args.target {
            Some(name) => CliError::new(Exit::BadInput, format!("no target is named `{name}`"))
                .hint(format!("known here: {}", document::known(&known))),
            None => CliError::new(
                Exit::BadInput,
                "the profile has no targets of notifications",
            )
            .hint("add one under `notify: { targets: … }`"),
        });
    }
    let event = test_event()?;
    let runtime = runtime()?;
    let mut out = output::stdout();
    let mut all_well = true;
    for notifier in chosen {
        let sent = runtime.block_on(notifier.notify(&event));
        all_well &= sent.is_ok();
        let (name, description) = (notifier.name().as_str(), notifier.description());
        match args.output {
            Format::Json => {
                let tested = Tested {
                    target: name,
                    description,
                    ok: sent.is_ok(),
                    error: sent.err().map(|failure| failure.to_string()),
                };
                output::print_json(&mut out, &tested)?;
            }
            Format::Text => match sent {
                Ok(()) => writeln!(out, "{name}: taken ({description})")?,
                Err(failure) => writeln!(out, "{name}: FAILED ({description}): {failure}")?,
            },
        }
        out.flush()?;
    }
    Ok(match all_well {
        true => Exit::Success,
        false => Exit::Unavailable,
    })
}

fn test_event() -> CliResult<Event> {
    let id = format!("test.{:016x}", rand::rng().random::<u64>());
    let data = serde_json::Map::new();
    Event::new(
        &id,
        "stella.notify.test",
        Timestamp::now(),
        "test",
        None,
        data,
    )
    .map_err(|error| CliError::new(Exit::Failure, error))
}
