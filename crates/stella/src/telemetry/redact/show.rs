//! `redact show`: what applies, once a policy is joined with all that it extends. What a policy
//! says cannot act on the terminal of whoever reviews it.

use std::io::{self, Write};

use policy::redaction::{Description, RuleDescription};

use super::load;
use super::mark::safe;
use crate::cli::redact::Show;
use crate::error::{CliResult, Exit};
use crate::output::{self, Format};

/// Prints the policy.
pub fn run(args: &Show) -> CliResult {
    let policy = load::policy(&args.policy, load::throwaway_key().as_ref())?;
    let description = policy.describe();
    let mut out = output::stdout();
    if args.output == Format::Json {
        output::print_json(&mut out, &description)?;
    } else {
        print(&mut out, &description)?;
        out.flush()?;
    }
    Ok(Exit::Success)
}

fn print(out: &mut impl Write, policy: &Description) -> io::Result<()> {
    let bold = anstyle::Style::new().bold();
    writeln!(out, "policy          {}", safe(&policy.policy))?;
    writeln!(
        out,
        "made of         {}",
        safe(&policy.documents.join(", "))
    )?;
    let passes = if policy.mode == "allow" {
        "only keys that a rule names pass"
    } else {
        "what no rule names passes"
    };
    writeln!(out, "mode            {} ({passes})", policy.mode)?;
    writeln!(out, "unknown fields  {}", policy.unknown_fields)?;
    writeln!(out, "binary          {}", policy.binary)?;
    writeln!(out, "annotate        {}", policy.annotate)?;
    if !policy.default_detectors.is_empty() {
        let names = policy.default_detectors.join(", ");
        writeln!(out, "default         {names}")?;
    }
    for pattern in &policy.patterns {
        let [name, regex, document] =
            [&pattern.name, &pattern.regex, &pattern.document].map(|text| safe(text));
        writeln!(out, "pattern         {name} = {regex} ({document})")?;
    }
    for (at, rule) in policy.rules.iter().enumerate() {
        let overlay = if rule.overlay { ", overlay" } else { "" };
        writeln!(
            out,
            "\n{}. {bold}{}{bold:#}: {} ({}{overlay})",
            at + 1,
            rule.name,
            safe(&does(rule)),
            safe(&rule.document)
        )?;
        for (what, words) in [
            ("keys", &rule.keys),
            ("fields", &rule.fields),
            ("detect", &rule.detect),
            ("signals", &rule.signals),
            ("places", &rule.places),
        ] {
            if !words.is_empty() {
                writeln!(out, "   {what:<8} {}", safe(&words.join(" ")))?;
            }
        }
    }
    Ok(())
}

/// What a rule does, in words.
fn does(rule: &RuleDescription) -> String {
    let mut words = rule.action.to_owned();
    if let Some(length) = rule.length {
        words.push_str(&format!(" to {length} characters"));
    }
    if !rule.detect.is_empty() {
        words.push_str(match rule.part.as_str() {
            "matched" => " what is found",
            _ => " the whole value where something is found",
        });
    }
    if let Some(mask) = &rule.mask {
        words.push_str(&format!(" as {mask}"));
    }
    words
}
