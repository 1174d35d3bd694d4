//! `redact test`: files before and after a policy.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use anstyle::AnsiColor;
use ident::Signal;
use otlp::edit::Edited;
use policy::redaction::{Change, Counts, Patterns, Policy, Survivor, explain};
use serde::Serialize;

use super::load;
use super::mark::{Marker, safe};
use crate::cli::redact::Test;
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};
use crate::telemetry::{otlp_file, told};

/// Shows what the policy does to each file.
pub fn run(args: &Test) -> CliResult {
    let patterns = Patterns::compile(&args.must_not_match)
        .map_err(|error| told(Exit::Usage, &format!("--must-not-match: {error}")))?;
    let key = args.key.as_deref();
    let key = key.map(|file| load::site_key(file, &args.key_id));
    let policy = load::policy(&args.policy, key.transpose()?.as_ref())?;
    let mut report = Report {
        policy: &policy,
        patterns: &patterns,
        format: args.output,
        marker: Marker {
            coloured: output::has_colours(),
        },
        out: io::BufWriter::new(output::stdout()),
        total: Total::default(),
    };
    for file in &args.files {
        let parcels = otlp_file::read(file, args.signal)?;
        report.total.files += 1;
        for (at, parcel) in parcels.iter().enumerate() {
            let request = Request {
                file,
                request: at + 1,
                signal: parcel.signal,
            };
            report.request(&request, &parcel.payload)?;
        }
    }
    report.end()
}

/// Which request is reported about.
struct Request<'a> {
    file: &'a Path,
    request: usize,
    signal: Signal,
}

#[derive(Default)]
struct Total {
    files: u64,
    requests: u64,
    survivors: u64,
    /// By the rule's index and what it did.
    rules: BTreeMap<(usize, &'static str), u64>,
}

struct Report<'a, W> {
    policy: &'a Policy,
    patterns: &'a Patterns,
    format: Format,
    marker: Marker,
    out: W,
    total: Total,
}

/// A line of `--output json`.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    /// A value that changes.
    Change {
        file: String,
        request: usize,
        signal: &'a str,
        path: &'a str,
        before: &'a str,
        /// Null if it goes.
        after: Option<&'a str>,
        parts: Vec<PartLine<'a>>,
    },
    /// A pattern that matches what is left.
    Survivor {
        file: String,
        request: usize,
        signal: &'a str,
        path: &'a str,
        pattern: &'a str,
        text: &'a str,
    },
    /// The last line.
    Summary {
        files: u64,
        requests: u64,
        changes: u64,
        survivors: u64,
        rules: Vec<RuleLine<'a>>,
    },
}

/// What a rule did to a value; `start` and `end` count bytes of `before`.
#[derive(Serialize)]
struct PartLine<'a> {
    rule: &'a str,
    action: &'a str,
    start: usize,
    end: usize,
}

#[derive(Serialize)]
struct RuleLine<'a> {
    rule: &'a str,
    action: &'a str,
    changes: u64,
}

impl<W: Write> Report<'_, W> {
    fn request(&mut self, request: &Request<'_>, payload: &[u8]) -> CliResult<()> {
        self.total.requests += 1;
        let (mut redacted, mut counts) = (Vec::new(), Counts::new(self.policy));
        let mut printed = Ok(());
        let mut titled = false;
        let (policy, patterns) = (self.policy, self.patterns);
        let mut each = |change: Change| {
            if printed.is_ok() {
                printed = self.change(request, &change, &mut titled);
            }
        };
        let edited = explain(
            policy,
            request.signal,
            payload,
            &mut redacted,
            &mut counts,
            &mut each,
        );
        printed?;
        let malformed = |error: otlp::CheckError| {
            let message = format!("{}: request {}: {error}", file(request), request.request);
            CliError::new(Exit::BadInput, message)
        };
        let left = match edited.map_err(malformed)? {
            Edited::Changed => &redacted,
            Edited::Unchanged => payload,
        };
        let mut printed = Ok(());
        let mut each = |survivor: Survivor| {
            if printed.is_ok() {
                printed = self.survivor(request, &survivor, &mut titled);
            }
        };
        patterns
            .search(request.signal, left, &mut each)
            .map_err(malformed)?;
        Ok(printed?)
    }

    fn change(
        &mut self,
        request: &Request<'_>,
        change: &Change,
        titled: &mut bool,
    ) -> io::Result<()> {
        let policy = self.policy;
        let rule = |index: usize| policy.rules().get(index).map_or("", |name| &**name);
        let mut rules: Vec<(&str, &str, u64)> = Vec::new();
        for part in &change.parts {
            *self
                .total
                .rules
                .entry((part.rule, part.action))
                .or_default() += 1;
            let name = rule(part.rule);
            match rules.iter_mut().find(|(other, ..)| *other == name) {
                Some((.., times)) => *times += 1,
                None => rules.push((name, part.action, 1)),
            }
        }
        if self.format == Format::Json {
            let part = |part: &policy::redaction::Part| PartLine {
                rule: rule(part.rule),
                action: part.action,
                start: part.range.start,
                end: part.range.end,
            };
            let line = Line::Change {
                file: file(request),
                request: request.request,
                signal: request.signal.as_str(),
                path: &change.path,
                before: &change.before,
                after: change.after.as_deref(),
                parts: change.parts.iter().map(part).collect(),
            };
            return print_line(&mut self.out, &line);
        }
        self.title(request, titled)?;
        let ranges = change.parts.iter().map(|part| part.range.clone());
        writeln!(self.out, "  {}", change.path)?;
        writeln!(
            self.out,
            "    - {}",
            self.marker.struck(&change.before, ranges)
        )?;
        match &change.after {
            Some(after) => writeln!(self.out, "    + {}", self.marker.added(after))?,
            None => writeln!(self.out, "    + (gone)")?,
        }
        let by = rules.iter().map(|(name, action, times)| match times {
            1 => format!("{name} ({action})"),
            times => format!("{name} ({action}, {times} times)"),
        });
        writeln!(self.out, "    by {}", by.collect::<Vec<_>>().join(", "))
    }

    fn survivor(
        &mut self,
        request: &Request<'_>,
        survivor: &Survivor,
        titled: &mut bool,
    ) -> io::Result<()> {
        self.total.survivors += 1;
        let pattern = self.patterns.get(survivor.pattern);
        if self.format == Format::Json {
            let line = Line::Survivor {
                file: file(request),
                request: request.request,
                signal: request.signal.as_str(),
                path: &survivor.path,
                pattern,
                text: &survivor.text,
            };
            return print_line(&mut self.out, &line);
        }
        self.title(request, titled)?;
        let style = AnsiColor::Red.on_default().bold();
        let text = safe(&survivor.text);
        writeln!(self.out, "  {}", survivor.path)?;
        writeln!(
            self.out,
            "    {style}survives{style:#}: `{text}` matches {pattern}"
        )
    }

    /// Names the request, before the first that is said about it.
    fn title(&mut self, request: &Request<'_>, titled: &mut bool) -> io::Result<()> {
        if std::mem::replace(titled, true) {
            return Ok(());
        }
        let style = anstyle::Style::new().bold();
        let (file, at, signal) = (file(request), request.request, request.signal);
        writeln!(self.out, "{style}{file}, request {at} ({signal}){style:#}")
    }

    fn end(mut self) -> CliResult {
        let changes = self.total.rules.values().sum();
        let rules: Vec<_> = self
            .total
            .rules
            .iter()
            .map(|((rule, action), changes)| RuleLine {
                rule: self.policy.rules().get(*rule).map_or("", |name| &**name),
                action,
                changes: *changes,
            })
            .collect();
        let Total {
            files,
            requests,
            survivors,
            ..
        } = self.total;
        if self.format == Format::Json {
            let line = Line::Summary {
                files,
                requests,
                changes,
                survivors,
                rules,
            };
            print_line(&mut self.out, &line)?;
        } else {
            if !rules.is_empty() {
                let width = rules.iter().map(|line| line.rule.len()).max();
                let width = width.unwrap_or(0).max(4);
                writeln!(self.out, "\n{:<width$}  action    changes", "rule")?;
                for line in &rules {
                    let (rule, action, changes) = (line.rule, line.action, line.changes);
                    writeln!(self.out, "{rule:<width$}  {action:<8}  {changes:>7}")?;
                }
                writeln!(self.out)?;
            }
            let [changes, requests, files] = [
                plural(changes, "change"),
                plural(requests, "request"),
                plural(files, "file"),
            ];
            writeln!(self.out, "{changes} in {requests} of {files}")?;
        }
        self.out.flush()?;
        if survivors == 0 {
            return Ok(Exit::Success);
        }
        let places = plural(survivors, "place");
        let message = format!("what must not match survives in {places}");
        Err(CliError::new(Exit::Findings, message)
            .hint("the paths are printed above; give the policy a rule for these keys or texts"))
    }
}

fn print_line(out: &mut impl Write, line: &Line<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

fn file(request: &Request<'_>) -> String {
    request.file.display().to_string()
}

fn plural(count: u64, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    }
}
