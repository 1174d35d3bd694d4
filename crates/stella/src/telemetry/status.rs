//! `status`: what the running gateway says of itself, asked over its health port.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;

use bytes::Bytes;
use control::Register;
use http::{Request, StatusCode};
use http_body_util::Full;
use ident::Signal;
use journal::Journal;
use meter::Meter;
use serde::{Deserialize, Serialize};
use shipper::{ConnectError, StatusHandle};

use super::cluster::{ClusterReport, Told};
use super::data_dir::{DataDir, Running};
use super::{ask, tls, told};
use crate::cli;
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};

/// The state of a gateway. `GET /status` on the health port answers with it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    version: String,
    #[serde(flatten)]
    running: Running,
    uptime_seconds: f64,
    /// Items taken, by signal.
    accepted: BTreeMap<String, u64>,
    /// Items of well-formed requests that were not taken, by signal.
    refused: BTreeMap<String, u64>,
    /// Items lost for any reason.
    lost: u64,
    journal: JournalReport,
    shippers: Vec<ShipperReport>,
    /// Incidents that are open, and those that are over and wait for their capture; the newest first.
    #[serde(default)]
    incidents: Vec<IncidentReport>,
    /// What sampling keeps beyond its policies, and look backs that are under way.
    #[serde(default)]
    overrides: Vec<OverrideReport>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cluster: Option<ClusterReport>,
}

#[derive(Debug, Serialize, Deserialize)]
struct IncidentReport {
    id: String,
    scope: String,
    /// `open`, or `capture_pending`.
    state: String,
    opened_by: String,
    /// When it ends by itself, or its hold does.
    until: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct OverrideReport {
    id: String,
    from_unix_nano: u64,
    /// Once it has ended.
    to_unix_nano: Option<u64>,
    lookback_done: bool,
    kept_before_spans: u64,
    kept_during_spans: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct JournalReport {
    segments: u64,
    bytes: u64,
    blocks: u64,
    items: u64,
    oldest_unix_nano: u64,
    newest_unix_nano: u64,
    trouble: Option<String>,
}

/// A shipper's state.
#[derive(Debug, Serialize, Deserialize)]
pub struct ShipperReport {
    name: String,
    destination: String,
    breaker: String,
    lag_bytes: u64,
    lag_seconds: f64,
    sent_items: u64,
    dead_letter_items: u64,
    lost_items: u64,
    last_error: Option<String>,
}

impl Report {
    /// Reads it off the parts.
    pub fn of(parts: &Parts<'_>) -> Report {
        let Parts {
            running,
            uptime_seconds,
            meter,
            journal,
            statuses,
            members,
            register,
            sampling,
        } = *parts;
        let items = |verb: &str| {
            let count = |signal: Signal| {
                let name = format!("otelcol_receiver_{verb}_{}", signal.items_name());
                (signal.to_string(), meter.sum(&name) as u64)
            };
            Signal::ALL.map(count).into_iter().collect()
        };
        let stats = journal.stats();
        Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            running: running.clone(),
            uptime_seconds,
            accepted: items("accepted"),
            refused: items("refused"),
            lost: meter.sum("stella_items_lost_total") as u64,
            journal: JournalReport {
                segments: stats.segments,
                bytes: stats.bytes,
                blocks: stats.blocks,
                items: stats.items,
                oldest_unix_nano: stats.oldest_unix_nano,
                newest_unix_nano: stats.newest_unix_nano,
                trouble: journal.trouble().map(|trouble| trouble.to_string()),
            },
            shippers: statuses
                .iter()
                .map(|handle| ShipperReport::of(&handle.get()))
                .collect(),
            incidents: incidents(register),
            overrides: sampling.map(overrides).unwrap_or_default(),
            cluster: members.map(|told| told.report(journal)),
        }
    }

    fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let running = &self.running;
        let counts = |counts: &BTreeMap<String, u64>| {
            let each: Vec<String> = counts
                .iter()
                .map(|(signal, n)| format!("{n} {signal}"))
                .collect();
            each.join(", ")
        };
        writeln!(
            out,
            "stella {} (process {}), up {:.0} s",
            self.version, running.pid, self.uptime_seconds
        )?;
        running.print_otlp(out)?;
        writeln!(out, "data        {}", running.data_dir.display())?;
        writeln!(out, "accepted    {}", counts(&self.accepted))?;
        writeln!(out, "refused     {}", counts(&self.refused))?;
        writeln!(out, "lost        {} items", self.lost)?;
        let journal = &self.journal;
        let size = profile::Bytes(journal.bytes);
        writeln!(
            out,
            "journal     {size} in {} segments, {} items",
            journal.segments, journal.items
        )?;
        if let Some(trouble) = &journal.trouble {
            writeln!(out, "            trouble: {trouble}")?;
        }
        for shipper in &self.shippers {
            shipper.print(out, "ships to   ")?;
        }
        if let Some(cluster) = &self.cluster {
            cluster.print(out)?;
        }
        for incident in &self.incidents {
            let IncidentReport {
                id, scope, until, ..
            } = incident;
            match incident.state.as_str() {
                "open" => writeln!(out, "incident    {id} about {scope}, until {until}")?,
                _ => writeln!(
                    out,
                    "incident    {id} about {scope} is over; its capture is awaited until {until}"
                )?,
            }
        }
        for kept in &self.overrides {
            let lookback = match kept.lookback_done {
                true => "",
                false => ", looking back",
            };
            let ended = if kept.to_unix_nano.is_some() {
                " (ended)"
            } else {
                ""
            };
            writeln!(
                out,
                "keeps all   for {}{ended}: {} spans from before, {} since{lookback}",
                kept.id, kept.kept_before_spans, kept.kept_during_spans
            )?;
        }
        Ok(())
    }
}

/// What a report is read off.
#[derive(Clone, Copy)]
pub struct Parts<'p> {
    pub running: &'p Running,
    pub uptime_seconds: f64,
    pub meter: &'p Meter,
    pub journal: &'p Journal,
    pub statuses: &'p [StatusHandle],
    pub members: Option<&'p Told>,
    pub register: &'p Register,
    pub sampling: Option<&'p sampling::Control>,
}

/// The reason is left out: the health port asks nobody who they are.
fn incidents(register: &Register) -> Vec<IncidentReport> {
    let at_hand = register.at_hand();
    let shown = at_hand.iter().map(|known| {
        let deadline = known.capture.as_ref().map(|capture| capture.deadline);
        let (state, until) = match deadline {
            None => ("open", known.expires_at),
            Some(deadline) => ("capture_pending", deadline),
        };
        IncidentReport {
            id: known.id.to_string(),
            scope: known.scope.to_string(),
            state: state.to_owned(),
            opened_by: known.opened_by.clone(),
            until: until.to_string(),
        }
    });
    shown.collect()
}

fn overrides(control: &sampling::Control) -> Vec<OverrideReport> {
    let all = control.list().into_iter();
    let shown = all.filter(|kept| kept.to_unix_nano.is_none() || !kept.lookback_done);
    let report = |kept: sampling::Progress| OverrideReport {
        id: kept.id,
        from_unix_nano: kept.from_unix_nano,
        to_unix_nano: kept.to_unix_nano,
        lookback_done: kept.lookback_done,
        kept_before_spans: kept.kept_before_spans,
        kept_during_spans: kept.kept_during_spans,
    };
    shown.map(report).collect()
}

impl ShipperReport {
    /// For people; `verb` says what it does, and begins the line.
    pub fn print(&self, out: &mut impl Write, verb: &str) -> std::io::Result<()> {
        writeln!(
            out,
            "{verb} {} ({}): {} items sent, {:.1} s behind ({}), breaker {}",
            self.name,
            self.destination,
            self.sent_items,
            self.lag_seconds,
            profile::Bytes(self.lag_bytes),
            self.breaker
        )?;
        if self.dead_letter_items > 0 {
            writeln!(
                out,
                "            {} items put aside as dead letters",
                self.dead_letter_items
            )?;
        }
        if let Some(error) = &self.last_error {
            writeln!(out, "            last error: {error}")?;
        }
        Ok(())
    }

    pub fn of(status: &shipper::Status) -> Self {
        ShipperReport {
            name: status.name.clone(),
            destination: status.destination.clone(),
            breaker: status.breaker.to_string(),
            lag_bytes: status.lag_bytes,
            lag_seconds: status.lag_seconds,
            sent_items: status.sent_items,
            dead_letter_items: status.dead_letter_items,
            lost_items: status.lost_items,
            last_error: status.last_error.clone(),
        }
    }
}

/// Asks the gateway and prints what it says.
pub fn run(args: &cli::Status) -> CliResult {
    let data = DataDir::of(&args.data_dir)?;
    let Some(running) = data.running() else {
        return Err(not_running(&data));
    };
    let tls = if running.tls.health {
        let client = tls::of_flags(&args.tls, ::tls::Alpn::Http1)?;
        Some(client.ok_or_else(|| tls::no_ca("the health port"))?)
    } else {
        None
    };
    let text = super::runtime()?
        .block_on(fetch(running.health, tls.as_deref()))
        .map_err(|error| match error.downcast_ref::<ConnectError>() {
            Some(ConnectError::Tls { .. }) => told(Exit::Unavailable, &error.to_string()),
            _ => not_running(&data),
        })?;
    let report: Report = serde_json::from_slice(&text).map_err(|error| {
        CliError::new(
            Exit::Unavailable,
            format!("{} did not answer as a gateway: {error}", running.health),
        )
    })?;
    let mut out = output::stdout();
    match args.output {
        Format::Json => output::print_json(&mut out, &report)?,
        Format::Text => report.print(&mut out)?,
    }
    Ok(Exit::Success)
}

pub fn not_running(data: &DataDir) -> CliError {
    let message = format!("no gateway runs on {}", data.path().display());
    CliError::new(Exit::Unavailable, message)
        .hint("start one with `stella telemetry up`, or name its folder with --data-dir")
}

/// `GET /status`.
async fn fetch(health: SocketAddr, tls: Option<&::tls::Client>) -> Result<Bytes, ask::Failed> {
    let request = Request::get("/status").body(Full::default())?;
    let response = ask::ask(health, tls, request).await?;
    match response.status() {
        StatusCode::OK => Ok(response.into_body()),
        _ => Err("not a gateway".into()),
    }
}
