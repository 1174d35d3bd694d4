//! `incident capture`: writes what the journal holds of an incident that is over, and tells the
//! gateway, which then lets retention go.
//!
//! SAME-BYTES: the same journal and incident give the same files, on any machine and at any time.
//! `docs/formats/capture.md` describes them; `sha256sum --check MANIFEST` checks them.

mod files;
mod select;

use std::io::Write;
use std::path::Path;

use control::api::ChangeRequest;
use control::incident::Scope;
use http::Method;
use ident::Signal;
use jiff::Timestamp;
use journal::{Block, Filter, Follower, Start};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{client, commands, journal_seam, metrics_seam};
use crate::cli::incident::Capture;
use crate::error::{CliError, CliResult, Exit};
use crate::output;
use crate::telemetry::data_dir::DataDir;
use crate::telemetry::told;
use files::{Files, Line};
use select::Select;

/// What of the gateway's answer is needed.
#[derive(Deserialize)]
struct Incident {
    id: String,
    scope: String,
    reason: String,
    opened_by: String,
    approved_by: Option<String>,
    opened_at: Timestamp,
    ended: Option<Value>,
    hold: Hold,
    capture: Option<Pending>,
}

#[derive(Deserialize)]
struct Hold {
    from: Timestamp,
    to: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Pending {
    state: String,
}

/// `capture.json`: nothing in it depends on when or where the capture is taken.
#[derive(Serialize)]
struct About<'a> {
    version: u32,
    incident: AboutIncident<'a>,
    /// Whether traces are whole; if not, those that there was no room for are the spans in scope.
    whole_traces: bool,
    /// Bytes of the journal that could not be read and were stepped over.
    damaged_bytes: u64,
    data: Vec<Line>,
}

#[derive(Serialize)]
struct AboutIncident<'a> {
    id: &'a str,
    scope: &'a str,
    reason: &'a str,
    opened_by: &'a str,
    approved_by: Option<&'a str>,
    opened_at: Timestamp,
    ended: &'a Value,
    /// What was appended from here on
    from: Timestamp,
    /// up to here was looked at.
    to: Timestamp,
}

/// Takes a capture.
pub fn run(args: &Capture) -> CliResult {
    let at = commands::path(&args.id)?;
    let shown = client::ask(&args.reach, Method::GET, &at, None, commands::NOTHING)?;
    let incident: Incident = serde_json::from_value(shown).map_err(|error| {
        CliError::new(
            Exit::Unavailable,
            format!("the gateway's answer is not understood: {error}"),
        )
        .hint("the command and the gateway should be of one version")
    })?;
    let (to, ended) = incident.what_is_awaited()?;
    let data = DataDir::of(&args.reach.data_dir)?;
    let files = Files::create(&args.output, args.format)?;
    let taken = Taking {
        journal: data.existing_journal()?,
        from: incident.hold.from,
        to,
        scope: parse(&incident.scope)?,
    }
    .write(files)?;
    let about = About {
        version: 1,
        incident: AboutIncident {
            id: &incident.id,
            scope: &incident.scope,
            reason: &incident.reason,
            opened_by: &incident.opened_by,
            approved_by: incident.approved_by.as_deref(),
            opened_at: incident.opened_at,
            ended,
            from: incident.hold.from,
            to,
        },
        whole_traces: taken.whole_traces,
        damaged_bytes: taken.damaged_bytes,
        data: taken.files.lines(),
    };
    let manifest = taken.files.finish(&about)?;
    if !args.leave_pending {
        let request = ChangeRequest {
            captured: Some(manifest.clone()),
            by: commands::user(),
            ..ChangeRequest::default()
        };
        client::ask(&args.reach, Method::PATCH, &at, None, Some(&request))?;
    }
    let mut out = output::stdout();
    print(&mut out, &args.output, &about, &manifest)?;
    out.flush()?;
    Ok(Exit::Success)
}

impl Incident {
    /// Up to when it held the journal, and how it ended; if a capture of it is awaited.
    fn what_is_awaited(&self) -> CliResult<(Timestamp, &Value)> {
        let id = &self.id;
        let (Some(to), Some(ended)) = (self.hold.to, &self.ended) else {
            return Err(
                CliError::new(Exit::BadInput, format!("{id} is open")).hint(format!(
                    "close it first: `stella telemetry incident close {id}`"
                )),
            );
        };
        match self.capture.as_ref().map(|capture| capture.state.as_str()) {
            Some("pending") => Ok((to, ended)),
            state => {
                let why = match state {
                    Some(state) => format!(": it is {}", state.replace('_', " ")),
                    None => " (`incidents.capture_deadline` is 0s)".to_owned(),
                };
                let message = format!("no capture of {id} is awaited{why}");
                Err(CliError::new(Exit::BadInput, message).hint("the journal no longer holds what belongs to it; `stella telemetry journal dump` shows what is left"))
            }
        }
    }
}

/// What is to be taken from where.
struct Taking {
    journal: std::path::PathBuf,
    from: Timestamp,
    to: Timestamp,
    scope: sampler::Scope,
}

struct Taken {
    files: Files,
    whole_traces: bool,
    damaged_bytes: u64,
}

impl Taking {
    fn write(&self, mut files: Files) -> CliResult<Taken> {
        let mut select = Select::new(&self.scope);
        if select.needs_traces() {
            self.each(Some(Signal::Traces), |block| {
                select.note(&block);
                Ok(())
            })?;
        }
        let damaged_bytes = self.each(None, |block| {
            let at = block.position;
            let chosen = select.choose(&block).map_err(|error| {
                CliError::new(
                    Exit::Failure,
                    format!("the block at {at} of the journal: {error}"),
                )
                .hint("`stella telemetry journal check` says what is wrong with it")
            })?;
            match chosen {
                Some((payload, items)) => files.add(&block, payload, items),
                None => Ok(()),
            }
        })?;
        Ok(Taken {
            files,
            whole_traces: select.whole_traces(),
            damaged_bytes,
        })
    }

    /// Each block of the incident's time and tenant, in the journal's order; how many bytes could
    /// not be read.
    fn each(
        &self,
        signal: Option<Signal>,
        mut take: impl FnMut(Block) -> CliResult<()>,
    ) -> CliResult<u64> {
        let failed = |error: &dyn std::fmt::Display| told(Exit::Failure, &error.to_string());
        let tenant = self.scope.tenant.as_deref().map(str::parse);
        let filter = Filter {
            signals: signal.map(|signal| vec![signal]),
            tenant: tenant.transpose().map_err(|error| failed(&error))?,
            ..Filter::default()
        };
        let (from, to) = journal_seam::span(self.from, Some(self.to));
        let mut blocks =
            Follower::open(&self.journal, Start::Oldest, filter).map_err(|error| failed(&error))?;
        while let Some(block) = blocks.try_next().map_err(|error| failed(&error))? {
            if block.appended_unix_nano > to {
                break;
            }
            if block.appended_unix_nano >= from {
                take(block)?;
            }
        }
        Ok(blocks.damaged_bytes())
    }
}

fn parse(scope: &str) -> CliResult<sampler::Scope> {
    let scope: Scope = scope
        .parse()
        .map_err(|error| told(Exit::Unavailable, &format!("the incident's scope: {error}")))?;
    Ok(metrics_seam::scope(&scope))
}

fn print(
    out: &mut impl Write,
    dir: &Path,
    about: &About<'_>,
    manifest: &str,
) -> std::io::Result<()> {
    for line in &about.data {
        let (items, unit) = (line.items, line.unit.replace('_', " "));
        writeln!(
            out,
            "{}  {items} {unit} in {} requests",
            line.file, line.requests
        )?;
    }
    if about.damaged_bytes > 0 {
        writeln!(
            out,
            "{} bytes of the journal could not be read",
            about.damaged_bytes
        )?;
    }
    if !about.whole_traces {
        writeln!(
            out,
            "more traces than have room: the rest are their spans in scope"
        )?;
    }
    writeln!(out, "manifest  {manifest}")?;
    writeln!(
        out,
        "check with: cd {} && sha256sum --check MANIFEST",
        dir.display()
    )
}
