//! `sampling explain`: the policies' answer from the journal, what the gateway has stored, and what
//! neither can tell.

use std::collections::BTreeMap;
use std::io::Write;

use ident::{Signal, TenantId};
use sampler::config::{Policy, PolicyType, Sampling as Config};
use sampler::{Cause, Explanation, Sampler};
use sampling::Look;
use serde::Serialize;

use super::{blocks, time, unread};
use crate::cli::sampling::Explain;
use crate::error::{CliError, CliResult, Exit};
use crate::output::{self, Format};
use crate::telemetry::data_dir::DataDir;
use crate::telemetry::told;

/// What is found of a trace of one tenant.
#[derive(Serialize)]
struct Found {
    trace_id: String,
    #[serde(serialize_with = "as_text")]
    tenant: TenantId,
    spans: u64,
    blocks: u64,
    first_seen_unix_nano: u64,
    last_seen_unix_nano: u64,
    /// Spans about which the gateway has stored that they are shipped, and that they are not.
    stored: Stored,
    decisions: Vec<Decision>,
    /// What this does not tell, in words.
    unknown: Vec<&'static str>,
}

#[derive(Default, Serialize)]
struct Stored {
    shipped_spans: u64,
    let_go_spans: u64,
    undecided_spans: u64,
}

#[derive(Serialize)]
struct Decision {
    kept: bool,
    by: String,
    cause: &'static str,
    first_seen_unix_nano: u64,
    decided_unix_nano: u64,
    spans: u32,
    bytes: u32,
    duration_nanos: u64,
    root_seen: bool,
    matched: Vec<String>,
    asked: Vec<Asked>,
}

#[derive(Serialize)]
struct Asked {
    policy: String,
    samples: bool,
}

pub(super) fn run(args: &Explain) -> CliResult {
    let config = profile::load_sampling(&args.policy)?;
    let data = DataDir::of(&args.data_dir)?;
    let journal = data.existing_journal()?;
    let lead = Sampler::new(&config).map_err(|error| told(Exit::BadInput, &error.to_string()))?;
    let lead = lead.recut_lead_nanos();
    let mut found: BTreeMap<TenantId, Found> = BTreeMap::new();
    let mut stored = sampling::stored(&data.sampling(), Signal::Traces);
    let (mut oldest, mut newest) = (None, 0);
    for block in blocks(&journal, args.tenant.as_ref(), 0)? {
        let block = block.map_err(unread)?;
        let appended = block.appended_unix_nano;
        oldest.get_or_insert(appended);
        newest = appended;
        let spans = sampler::spans_of(&block, &args.trace.0);
        if spans.is_empty() {
            continue;
        }
        let look = stored
            .look_up(block.position)
            .map_err(|error| CliError::new(Exit::Failure, error))?;
        let entry = found.entry(block.tenant.clone()).or_insert_with(|| Found {
            trace_id: args.trace.to_string(),
            tenant: block.tenant.clone(),
            spans: 0,
            blocks: 0,
            first_seen_unix_nano: appended,
            last_seen_unix_nano: appended,
            stored: Stored::default(),
            decisions: Vec::new(),
            unknown: Vec::new(),
        });
        entry.spans += spans.len() as u64;
        entry.blocks += 1;
        entry.last_seen_unix_nano = appended;
        for span in spans {
            *match &look {
                Look::Decided(selection) if selection.stays(span) => {
                    &mut entry.stored.shipped_spans
                }
                Look::Decided(_) => &mut entry.stored.let_go_spans,
                _ => &mut entry.stored.undecided_spans,
            } += 1;
        }
    }
    let oldest = oldest.unwrap_or(0);
    for entry in found.values_mut() {
        let from = entry.first_seen_unix_nano.saturating_sub(lead);
        let blocks = blocks(&journal, Some(&entry.tenant), from)?;
        let explained = sampler::explain(&config, &entry.tenant, args.trace.0, blocks)
            .map_err(|error| told(Exit::Failure, &error.to_string()))?;
        entry.decisions = explained.into_iter().map(Decision::from).collect();
        entry.unknown = unknown(&config, entry, lead, oldest, newest);
    }
    let mut out = output::stdout();
    for entry in found.values() {
        match args.output {
            Format::Json => output::print_json(&mut out, entry)?,
            Format::Text => entry.print(&mut out)?,
        }
    }
    if found.is_empty() {
        let message = format!("the journal holds no span of the trace {}", args.trace);
        return Err(CliError::new(Exit::BadInput, message).hint(
            "it holds `journal.window`; whether an older trace was kept, only its destination can tell",
        ));
    }
    Ok(Exit::Success)
}

fn as_text<S: serde::Serializer>(tenant: &TenantId, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(tenant.as_str())
}

/// What cannot be known, and why.
fn unknown(
    config: &Config,
    found: &Found,
    lead: u64,
    oldest: u64,
    newest: u64,
) -> Vec<&'static str> {
    let mut unknown = Vec::new();
    if found.first_seen_unix_nano.saturating_sub(lead) < oldest {
        unknown.push(
            "the journal does not go back far enough to tell whether the trace has older spans, which would have decided it",
        );
    }
    let wait = u64::try_from(config.wait.0.as_nanos()).unwrap_or(u64::MAX);
    if found.first_seen_unix_nano.saturating_add(wait) > newest {
        unknown.push("its wait may not be over: spans that are still to come may decide otherwise");
    }
    if config.policies.iter().any(limits) {
        unknown.push("policies that limit a rate are answered as if their buckets had been full when the reading began");
    }
    unknown.push("an incident keeps traces beyond the policies: see what is stored");
    unknown
}

fn limits(policy: &Policy) -> bool {
    matches!(
        policy.kind,
        PolicyType::RateLimiting | PolicyType::BytesLimiting | PolicyType::Composite
    ) || policy
        .and
        .iter()
        .any(|and| and.and_sub_policy.iter().any(limits))
}

impl From<Explanation> for Decision {
    fn from(told: Explanation) -> Self {
        Decision {
            kept: told.decision.kept,
            by: told.by,
            cause: match told.cause {
                Cause::Wait => "wait",
                Cause::Quiet => "quiet",
                Cause::Early => "early",
            },
            first_seen_unix_nano: told.first_seen_unix_nano,
            decided_unix_nano: told.decided_unix_nano,
            spans: told.spans,
            bytes: told.bytes,
            duration_nanos: told.duration_nanos,
            root_seen: told.root_seen,
            matched: told.matched,
            asked: told
                .answers
                .into_iter()
                .map(|(policy, samples)| Asked { policy, samples })
                .collect(),
        }
    }
}

impl Found {
    fn print(&self, out: &mut impl Write) -> CliResult<()> {
        writeln!(
            out,
            "trace {} of {}: {} spans in {} blocks, {} to {}",
            self.trace_id,
            self.tenant,
            self.spans,
            self.blocks,
            time(self.first_seen_unix_nano),
            time(self.last_seen_unix_nano)
        )?;
        for told in &self.decisions {
            let what = if told.kept { "kept" } else { "let go" };
            writeln!(
                out,
                "  {what} by {}, decided {} ({}): {} spans, {} bytes, {:.3} ms, {}",
                told.by,
                time(told.decided_unix_nano),
                told.cause,
                told.spans,
                told.bytes,
                told.duration_nanos as f64 / 1e6,
                if told.root_seen {
                    "with its root"
                } else {
                    "without its root"
                },
            )?;
            for asked in &told.asked {
                let answer = if asked.samples {
                    "samples it"
                } else {
                    "does not"
                };
                writeln!(out, "    {}: {answer}", asked.policy)?;
            }
            if !told.matched.is_empty() {
                writeln!(out, "    matched: {}", told.matched.join("; "))?;
            }
        }
        let Stored {
            shipped_spans,
            let_go_spans,
            undecided_spans,
        } = self.stored;
        writeln!(
            out,
            "  stored by the gateway: {shipped_spans} spans shipped, {let_go_spans} let go, {undecided_spans} without a decision"
        )?;
        for what in &self.unknown {
            writeln!(out, "  not known: {what}")?;
        }
        Ok(())
    }
}
