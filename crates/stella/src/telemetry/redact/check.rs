//! `redact lint`: likely mistakes in a policy.

use std::io::Write;

use anstyle::AnsiColor;
use policy::redaction::{Finding, lint};
use serde::Serialize;

use super::load;
use super::mark::safe;
use crate::cli::redact::Lint;
use crate::error::{CliResult, Exit};
use crate::output::{self, Format};

/// What `--output json` prints for a finding.
#[derive(Serialize)]
struct Line<'a> {
    kind: &'a str,
    subject: &'a str,
    message: &'a str,
    hint: &'a str,
}

/// Prints what is found. That there is something is not an error of the command, so nothing goes
/// to standard error; the exit code says it.
pub fn run(args: &Lint) -> CliResult {
    let policy = load::policy(&args.policy, load::throwaway_key().as_ref())?;
    let findings = lint(&policy);
    let mut out = output::stdout();
    for finding in &findings {
        print(&mut out, args.output, finding)?;
    }
    if findings.is_empty() && args.output == Format::Text {
        writeln!(out, "{}: nothing found", policy.name())?;
    }
    out.flush()?;
    Ok(if findings.is_empty() {
        Exit::Success
    } else {
        Exit::Findings
    })
}

fn print(out: &mut impl Write, format: Format, finding: &Finding) -> CliResult<()> {
    let kind = finding.kind.as_str();
    if format == Format::Json {
        let line = Line {
            kind,
            subject: &finding.subject,
            message: &finding.message,
            hint: finding.hint,
        };
        return Ok(output::print_json(out, &line)?);
    }
    let yellow = AnsiColor::Yellow.on_default().bold();
    let cyan = AnsiColor::Cyan.on_default().bold();
    writeln!(
        out,
        "{yellow}{kind}{yellow:#}: {}: {}",
        safe(&finding.subject),
        safe(&finding.message)
    )?;
    writeln!(out, "{cyan}hint{cyan:#}: {}", finding.hint)?;
    Ok(())
}
