//! `incident …`: asks the running gateway and prints what it says.

use std::io::Write;

use control::api::{ChangeRequest, Closing, OpenRequest};
use http::Method;
use policy::units::Time;
use serde_json::Value;

use super::{capture, client};
use crate::cli::incident::{Close, Extend, Gateway, Incident, List, One, Open, State};
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};

const ROOT: &str = "/telemetry/incidents";
pub const NOTHING: Option<&()> = None;

/// Does what is asked.
pub fn run(command: &Incident) -> CliResult {
    match command {
        Incident::Open(args) => open(args),
        Incident::Extend(args) => extend(args),
        Incident::Close(args) => close(args),
        Incident::List(args) => list(args),
        Incident::Show(args) => show(args),
        Incident::Timeline(args) => timeline(args),
        Incident::Capture(args) => capture::run(args),
    }
}

fn open(args: &Open) -> CliResult {
    let request = OpenRequest {
        scope: args.scope.clone(),
        reason: args.reason.clone(),
        ttl: args
            .ttl
            .as_deref()
            .map(|text| time("--ttl", text))
            .transpose()?,
        lookback: args
            .lookback
            .as_deref()
            .map(|text| time("--lookback", text))
            .transpose()?,
        approved_by: args.approve_by.clone(),
        by: user(),
    };
    let key = args.idempotency_key.as_deref();
    let opened = client::ask(&args.gateway.reach, Method::POST, ROOT, key, Some(&request))?;
    print(&args.gateway, &opened, print_incident)
}

fn extend(args: &Extend) -> CliResult {
    let request = ChangeRequest {
        ttl: Some(time("--ttl", &args.ttl)?),
        note: args.note.clone(),
        by: user(),
        ..ChangeRequest::default()
    };
    change(&args.gateway, &args.id, &request)
}

fn close(args: &Close) -> CliResult {
    let request = ChangeRequest {
        state: Some(Closing::Closed),
        note: args.note.clone(),
        by: user(),
        ..ChangeRequest::default()
    };
    change(&args.gateway, &args.id, &request)
}

fn change(gateway: &Gateway, id: &str, request: &ChangeRequest) -> CliResult {
    let changed = client::ask(
        &gateway.reach,
        Method::PATCH,
        &path(id)?,
        None,
        Some(request),
    )?;
    print(gateway, &changed, print_incident)
}

fn list(args: &List) -> CliResult {
    let mut path = format!("{ROOT}?limit={}", args.limit);
    if let Some(state) = args.state {
        path.push_str(match state {
            State::Open => "&state=open",
            State::Closed => "&state=closed",
        });
    }
    let found = client::ask(&args.gateway.reach, Method::GET, &path, None, NOTHING)?;
    print(&args.gateway, &found, |out, found| {
        for incident in found["incidents"].as_array().into_iter().flatten() {
            let text = |key: &str| incident[key].as_str().unwrap_or_default().to_owned();
            let (id, state, scope) = (text("id"), text("state"), text("scope"));
            let reason = text("reason");
            writeln!(out, "{id}  {state:<6}  {scope}  {reason}")?;
        }
        Ok(())
    })
}

fn show(args: &One) -> CliResult {
    let found = client::ask(
        &args.gateway.reach,
        Method::GET,
        &path(&args.id)?,
        None,
        NOTHING,
    )?;
    print(&args.gateway, &found, print_incident)
}

fn timeline(args: &One) -> CliResult {
    let at = format!("{}/timeline", path(&args.id)?);
    let found = client::ask(&args.gateway.reach, Method::GET, &at, None, NOTHING)?;
    print(&args.gateway, &found, |out, found| {
        for entry in found["timeline"].as_array().into_iter().flatten() {
            let text = |key: &str| entry[key].as_str().unwrap_or_default();
            let line = format!(
                "{}  {:<9}  {}  {}",
                text("at"),
                text("what"),
                text("by"),
                text("note")
            );
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    })
}

fn print<F>(gateway: &Gateway, value: &Value, text: F) -> CliResult
where
    F: FnOnce(&mut dyn Write, &Value) -> std::io::Result<()>,
{
    let mut out = output::stdout();
    match gateway.output {
        Format::Json => output::print_json(&mut out, value)?,
        Format::Text => text(&mut out, value)?,
    }
    out.flush()?;
    Ok(Exit::Success)
}

fn print_incident(out: &mut dyn Write, incident: &Value) -> std::io::Result<()> {
    line(out, "id", &incident["id"])?;
    line(out, "state", &incident["state"])?;
    line(out, "scope", &incident["scope"])?;
    line(out, "reason", &incident["reason"])?;
    line(out, "opened by", &incident["opened_by"])?;
    if let Some(name) = incident["approved_by"].as_str() {
        // Nothing proves it but the word of who opened it.
        let by = incident["opened_by"].as_str().unwrap_or_default();
        writeln!(out, "approved by {name}, says {by}")?;
    }
    line(out, "opened at", &incident["opened_at"])?;
    line(out, "expires at", &incident["expires_at"])?;
    line(out, "lookback", &incident["lookback"])?;
    line(out, "in force", &incident["in_force_from"])?;
    let ended = &incident["ended"];
    line(out, "ended at", &ended["at"])?;
    line(out, "ended why", &ended["why"])?;
    line(out, "ended by", &ended["by"])?;
    line(out, "note", &ended["note"])?;
    line(out, "holds", &incident["estimate"]["text"])?;
    print_capture(out, &incident["capture"])?;
    let kept = &incident["kept"];
    if kept.is_object() {
        let (before, during) = (&kept["before_spans"], &kept["during_spans"]);
        writeln!(
            out,
            "{:<12}{before} spans from before, {during} while it was open",
            "kept"
        )?;
    }
    Ok(())
}

fn print_capture(out: &mut dyn Write, capture: &Value) -> std::io::Result<()> {
    let text = |key: &str| capture[key].as_str().unwrap_or_default();
    match text("state") {
        "" => Ok(()),
        "pending" => writeln!(
            out,
            "{:<12}pending: the journal holds what belongs to it until {}",
            "capture",
            text("deadline")
        ),
        state => {
            let state = state.replace('_', " ");
            writeln!(out, "{:<12}{state} at {}", "capture", text("at"))?;
            line(out, "capture by", &capture["by"])?;
            line(out, "manifest", &capture["manifest"])
        }
    }
}

fn line(out: &mut dyn Write, name: &str, value: &Value) -> std::io::Result<()> {
    match value.as_str() {
        Some(text) => writeln!(out, "{name:<12}{text}"),
        None => Ok(()),
    }
}

pub fn path(id: &str) -> CliResult<String> {
    let id: control::incident::IncidentId = id
        .parse()
        .map_err(|error| crate::telemetry::told(Exit::Usage, &format!("`{id}`: {error}")))?;
    Ok(format!("{ROOT}/{id}"))
}

fn time(flag: &str, text: &str) -> CliResult<Time> {
    let time = serde_json::from_value(Value::String(text.to_owned()));
    time.map_err(|error| {
        CliError::new(Exit::Usage, format!("{flag}: {error}")).hint("write it as 2h, 90m or 1h 30m")
    })
}

/// Who runs the command, as the environment says. It is recorded as a claim.
pub fn user() -> Option<String> {
    let name = std::env::var("USER").ok()?;
    let good = (1..=64).contains(&name.len()) && !name.chars().any(char::is_control);
    good.then_some(name)
}
