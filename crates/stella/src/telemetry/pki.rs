//! `pki`: a CA of the site's own, so that mTLS needs no one else.

use std::io::Write;
use std::path::{Path, PathBuf};

use anstyle::AnsiColor;
use pki::{Entry, Holder, Issued, Lifetime, Renewal, State};
use serde::Serialize;
use time::OffsetDateTime;

use super::told;
use crate::cli::pki::{Crl, Init, Issue, IssueCommon, Pki, Renew, Revoke, ServerNames, Show};
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};

/// Does what is asked.
pub fn run(command: &Pki) -> CliResult {
    match command {
        Pki::Init(args) => init(args),
        Pki::Issue(Issue::Client(args)) => {
            let holder = Holder::Client {
                tenant: args.tenant.clone(),
                name: args.name.parse().map_err(wrong)?,
            };
            issue(&holder, &args.common)
        }
        Pki::Issue(Issue::Server(args)) => issue(&server(&args.server), &args.common),
        Pki::Renew(args) => renew(args),
        Pki::Revoke(args) => revoke(args),
        Pki::Crl(args) => refresh(args),
        Pki::Show(args) => show(args),
    }
}

/// What `--output json` prints for a certificate.
#[derive(Serialize)]
struct Printed<'a> {
    cert: &'a Path,
    key: &'a Path,
    names: &'a [String],
    not_after_unix_seconds: i64,
}

fn init(args: &Init) -> CliResult {
    let pki = pki::Pki::at(&args.dir.path);
    let domain = args.trust_domain.parse().map_err(wrong)?;
    let ca = pki
        .init(&domain, life(args.days), args.crl_days.crl_days, args.force)
        .map_err(wrong)?;
    print(args.output, &ca)?;
    if args.server.dns.is_empty() && args.server.ip.is_empty() {
        return Ok(Exit::Success);
    }
    let unlocked = pki.unlock().map_err(wrong)?;
    // A server's certificate lasts as long as `issue` gives it.
    let issued = unlocked
        .issue(&server(&args.server), life(90), args.force)
        .map_err(wrong)?;
    print(args.output, &issued)?;
    if args.output == Format::Text {
        let mut out = output::stdout();
        writeln!(out, "\nIn the gateway's profile:\n")?;
        writeln!(out, "tls:")?;
        writeln!(out, "  cert: {}", whole(&issued.cert).display())?;
        writeln!(out, "  key: {}", whole(&issued.key).display())?;
        writeln!(out, "  client_ca: {}", whole(&pki.ca()).display())?;
        writeln!(out, "  crl: [{}]", whole(&pki.crl()).display())?;
    }
    Ok(Exit::Success)
}

fn issue(holder: &Holder, common: &IssueCommon) -> CliResult {
    let unlocked = pki::Pki::at(&common.dir.path).unlock().map_err(wrong)?;
    let issued = unlocked
        .issue(holder, life(common.days), common.force)
        .map_err(wrong)?;
    print(common.output, &issued)?;
    Ok(Exit::Success)
}

fn renew(args: &Renew) -> CliResult {
    let pki = pki::Pki::at(&args.dir.path);
    let now = OffsetDateTime::now_utc();
    let certs: Vec<PathBuf> = match args.within_days {
        None => args.certs.clone(),
        Some(days) => {
            let due = |entry: &Entry| {
                let usable = matches!(
                    entry.state,
                    State::Good | State::Expiring | State::Expired | State::NotYetValid
                );
                usable && entry.kind != pki::Kind::Ca && entry.days_left < i64::from(days)
            };
            let entries = pki.show(now).map_err(wrong)?;
            let due = entries.into_iter().filter(due);
            due.map(|entry| entry.path).collect()
        }
    };
    let unlocked = pki.unlock().map_err(wrong)?;
    let renewal = Renewal {
        now,
        days: args.days,
        keep_key: args.keep_key,
    };
    for cert in &certs {
        let issued = unlocked.renew(cert, renewal).map_err(wrong)?;
        print(args.output, &issued)?;
    }
    Ok(Exit::Success)
}

fn revoke(args: &Revoke) -> CliResult {
    let pki = pki::Pki::at(&args.dir.path);
    let unlocked = pki.unlock().map_err(wrong)?;
    let mut out = output::stdout();
    for cert in &args.certs {
        let revoked = unlocked
            .revoke(cert, life(args.crl_days.crl_days))
            .map_err(wrong)?;
        writeln!(out, "revoked {} ({})", revoked.serial(), cert.display())?;
    }
    writeln!(out, "wrote   {}", pki.crl().display())?;
    Ok(Exit::Success)
}

fn refresh(args: &Crl) -> CliResult {
    let pki = pki::Pki::at(&args.dir.path);
    let unlocked = pki.unlock().map_err(wrong)?;
    let revoked = unlocked
        .refresh_list(life(args.crl_days.crl_days))
        .map_err(wrong)?;
    let mut out = output::stdout();
    writeln!(out, "wrote   {} ({revoked} revoked)", pki.crl().display())?;
    Ok(Exit::Success)
}

fn show(args: &Show) -> CliResult {
    let entries = pki::Pki::at(&args.dir.path)
        .show(OffsetDateTime::now_utc())
        .map_err(wrong)?;
    let mut out = output::stdout();
    if args.output == Format::Json {
        for entry in &entries {
            output::print_json(&mut out, entry)?;
        }
        return Ok(Exit::Success);
    }
    let names = |entry: &Entry| entry.names.join(", ");
    let width = entries.iter().map(|entry| names(entry).chars().count());
    let width = width.max().unwrap_or(0).clamp(5, 60);
    writeln!(
        out,
        "{:<7} {:<width$} {:<10} {:>5}  state",
        "kind", "names", "until", "days"
    )?;
    for entry in &entries {
        let style = match entry.state {
            State::Good => anstyle::Style::new(),
            State::Expiring | State::NotYetValid => AnsiColor::Yellow.on_default(),
            State::Expired | State::Revoked | State::Foreign => AnsiColor::Red.on_default(),
        };
        writeln!(
            out,
            "{:<7} {:<width$} {:<10} {:>5}  {style}{}{style:#}",
            entry.kind.as_str(),
            names(entry),
            date(entry.not_after_unix_seconds),
            entry.days_left,
            entry.state.as_str(),
        )?;
    }
    out.flush()?;
    Ok(Exit::Success)
}

fn print(format: Format, issued: &Issued) -> CliResult<()> {
    let mut out = output::stdout();
    let not_after = issued.not_after.unix_timestamp();
    if format == Format::Json {
        let printed = Printed {
            cert: &issued.cert,
            key: &issued.key,
            names: &issued.names,
            not_after_unix_seconds: not_after,
        };
        return Ok(output::print_json(&mut out, &printed)?);
    }
    writeln!(out, "certificate {}", issued.cert.display())?;
    writeln!(out, "key         {}", issued.key.display())?;
    writeln!(out, "names       {}", issued.names.join(", "))?;
    writeln!(out, "until       {}", date(not_after))?;
    Ok(())
}

fn server(names: &ServerNames) -> Holder {
    Holder::Server {
        dns: names.dns.clone(),
        ips: names.ip.clone(),
    }
}

fn life(days: u32) -> Lifetime {
    let now = OffsetDateTime::now_utc();
    Lifetime { now, days }
}

/// The day, in UTC.
fn date(unix_seconds: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(unix_seconds);
    at.map_or_else(|_| String::new(), |at| at.date().to_string())
}

/// The path from the root, for a profile that is read elsewhere.
fn whole(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn wrong(error: pki::Error) -> CliError {
    let exit = match &error {
        pki::Error::Name { .. } | pki::Error::Nameless => Exit::Usage,
        pki::Error::Io { .. } | pki::Error::Make(_) => Exit::Failure,
        _ => Exit::BadInput,
    };
    told(exit, &error.to_string())
}
