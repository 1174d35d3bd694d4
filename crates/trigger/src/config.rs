//! What a profile says of triggers.

use std::time::Duration;

use policy::units::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind;

/// The most triggers.
pub const MAX_TRIGGERS: usize = 32;
/// The longest name in bytes.
const MAX_NAME: usize = 63;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What opens an incident by itself: exactly one of `error_rate`, `latency` and `log_pattern`,
/// counted by tenant and service over a window.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Its name, by which cool-downs and caps are remembered.
    pub name: String,
    /// A share of spans with status ERROR or an `error.type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<ErrorRate>,
    /// A quantile of durations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// A number of log records whose body a pattern matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_pattern: Option<LogPattern>,
    /// How long is looked back, by the time at which data was journaled; exact to a twelfth.
    #[serde(default = "window")]
    pub window: Time,
    /// The incident's scope. `{service}` and `{tenant}` stand for whose threshold was reached.
    #[serde(default = "scope")]
    pub scope: String,
    /// The incident's reason. Beside those, `{trigger}`, `{measured}` and `{window}` are filled in.
    #[serde(default = "reason")]
    pub reason: String,
    /// How long it lasts; `incidents.ttl` if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Time>,
    /// How far back it goes; `incidents.lookback` if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookback: Option<Time>,
    /// How long after the end of an incident this trigger opens no other of the same scope. At
    /// least `window`, so that nothing counts twice.
    #[serde(default = "cool_down")]
    pub cool_down: Time,
    /// How many incidents it may open in 24 hours.
    #[serde(default = "max_per_day")]
    pub max_per_day: usize,
    /// How many of its incidents may be open at a time.
    #[serde(default = "max_open")]
    pub max_open: usize,
    /// How many pairs of a tenant and a service it counts for; more are not watched, and counted.
    #[serde(default = "max_groups")]
    pub max_groups: usize,
}

/// A share of spans with status ERROR or a non-empty `error.type`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorRate {
    /// The share from which on it fires, more than 0 and up to 1.
    pub share: f64,
    /// With fewer spans in the window it does not.
    #[serde(default = "min_spans")]
    pub min_spans: u64,
}

/// A quantile of durations.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Which, as in 0.95; between 0 and 1.
    #[serde(default = "quantile")]
    pub quantile: f64,
    /// It fires where the quantile is longer.
    pub threshold: Time,
    /// With fewer spans in the window it does not.
    #[serde(default = "min_spans")]
    pub min_spans: u64,
    /// Whose durations.
    #[serde(default)]
    pub of: Of,
}

/// Whose durations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Spans without a parent.
    #[default]
    Root,
    /// All spans.
    Span,
}

/// Log records whose body a pattern matches.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogPattern {
    /// A regular expression (<https://docs.rs/regex>) that matches somewhere in a text of the body,
    /// of which the first 64 KiB are looked at.
    pub pattern: String,
    /// From how many records on it fires.
    pub count: u64,
}

/// The key of the profile that is wrong, what is wrong, and what would be right.
pub type Wrong = (&'static str, String, &'static str);

/// What the types alone cannot say.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(triggers: &[Trigger]) -> Result<(), Wrong> {
    if triggers.len() > MAX_TRIGGERS {
        let message = format!("{} triggers", triggers.len());
        return Err(("triggers", message, "`incidents.triggers` has room for 32"));
    }
    for (at, trigger) in triggers.iter().enumerate() {
        trigger.check()?;
        if triggers.iter().take(at).any(|t| t.name == trigger.name) {
            let message = format!("two triggers are named `{}`", trigger.name);
            let hint = "cool-downs are remembered by name, so each needs a name of its own";
            return Err(("triggers", message, hint));
        }
    }
    Ok(())
}

impl Trigger {
    fn check(&self) -> Result<(), Wrong> {
        let name = &self.name;
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if !first || name.len() > MAX_NAME || !name.bytes().all(good) {
            let message = format!("`{name}` is no trigger's name");
            let hint = "a name is a lower-case letter, then at most 62 of a-z 0-9 - _";
            return Err(("triggers", message, hint));
        }
        self.check_kind()?;
        let wrong =
            |key, what: String, hint| Err((key, format!("the trigger `{name}` {what}"), hint));
        if !(Duration::from_secs(1)..=DAY / 24).contains(&self.window.0) {
            let what = format!("has a window of {}", self.window);
            return wrong("window", what, "`window` goes from 1s to 1h");
        }
        if self.cool_down < self.window || self.cool_down.0 > DAY {
            let what = format!("has a cool-down of {}", self.cool_down);
            return wrong("cool_down", what, "`cool_down` goes from `window` to 24h");
        }
        if !(1..=20).contains(&self.max_per_day) {
            let what = format!("may open {} incidents a day", self.max_per_day);
            return wrong("max_per_day", what, "`max_per_day` goes from 1 to 20");
        }
        if !(1..=12).contains(&self.max_open) {
            let what = format!("may have {} incidents open", self.max_open);
            return wrong("max_open", what, "`max_open` goes from 1 to 12");
        }
        if !(1..=100_000).contains(&self.max_groups) {
            let what = format!("counts for {} services", self.max_groups);
            return wrong("max_groups", what, "`max_groups` goes from 1 to 100000");
        }
        let hint = "in `{…}` of `scope` and `reason` are `service` and `tenant`, in `reason` also `trigger`, `measured` and `window`";
        let templates = [
            ("scope", &self.scope, &["service", "tenant"][..]),
            ("reason", &self.reason, &kind::WORDS),
        ];
        for (key, template, words) in templates {
            if template.trim().is_empty() {
                return wrong(key, format!("has an empty `{key}`"), hint);
            }
            if let Some(what) = wrong_template(template, words) {
                return wrong(key, format!("has a `{key}` with {what}"), hint);
            }
        }
        Ok(())
    }

    fn check_kind(&self) -> Result<(), Wrong> {
        let name = &self.name;
        let wrong =
            |key, what: String, hint| Err((key, format!("the trigger `{name}` {what}"), hint));
        match (&self.error_rate, &self.latency, &self.log_pattern) {
            (Some(ErrorRate { share, min_spans }), None, None) => {
                if !(*share > 0.0 && *share <= 1.0) {
                    let what = format!("has a share of {share}");
                    return wrong("share", what, "`share` is more than 0 and at most 1");
                }
                check_least(name, "min_spans", *min_spans)
            }
            (None, Some(latency), None) => {
                let quantile = latency.quantile;
                if !(quantile > 0.0 && quantile < 1.0) {
                    let what = format!("has the quantile {quantile}");
                    return wrong("quantile", what, "`quantile` is between 0 and 1, as 0.95");
                }
                check_least(name, "min_spans", latency.min_spans)
            }
            (None, None, Some(LogPattern { pattern, count })) => {
                if let Err(error) = kind::compile(pattern) {
                    let what = format!("has a wrong pattern: {error}");
                    let hint = "the syntax is that of https://docs.rs/regex, and a pattern must not match the empty text";
                    return wrong("pattern", what, hint);
                }
                check_least(name, "count", *count)
            }
            _ => {
                let what = "is not exactly one thing".to_owned();
                let hint = "give it one of `error_rate:`, `latency:` and `log_pattern:`";
                wrong("triggers", what, hint)
            }
        }
    }
}

fn check_least(name: &str, key: &'static str, value: u64) -> Result<(), Wrong> {
    if (1..=1_000_000_000).contains(&value) {
        return Ok(());
    }
    let message = format!("the trigger `{name}` has `{key}: {value}`");
    Err((key, message, "it goes from 1 to 1000000000"))
}

/// What is wrong with the places of a template.
fn wrong_template(template: &str, words: &[&str]) -> Option<String> {
    let mut rest = template;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((word, after)) = after.split_once('}') else {
            return Some("a `{` that has no `}`".to_owned());
        };
        if !words.contains(&word) {
            return Some(format!("an unknown `{{{word}}}`"));
        }
        rest = after;
    }
    None
}

fn window() -> Time {
    Time(Duration::from_secs(60))
}

fn scope() -> String {
    "service={service},tenant={tenant}".to_owned()
}

fn reason() -> String {
    "{trigger}: {measured} within {window}".to_owned()
}

fn cool_down() -> Time {
    Time(Duration::from_secs(30 * 60))
}

fn max_per_day() -> usize {
    6
}

fn max_open() -> usize {
    2
}

fn max_groups() -> usize {
    1000
}

fn min_spans() -> u64 {
    100
}

fn quantile() -> f64 {
    0.95
}
