//! What a profile says of metrics.

use std::collections::BTreeMap;

use ident::TenantId;
use policy::redaction::Pattern;
use regex::bytes::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most rules of a list.
const MAX_RULES: usize = 100;
/// The most names, tenants or attributes of a rule.
const MAX_WORDS: usize = 1000;
/// The most memory that a compiled pattern takes.
const PATTERN_BYTES: usize = 1 << 20;

/// Which metrics a destination is sent: those that a rule of `include` is about, or all if it has
/// none, but for those that a rule of `exclude` is about.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// What is sent; all if nothing is said.
    pub include: Vec<MetricRule>,
    /// What of it is not.
    pub exclude: Vec<MetricRule>,
}

/// Metrics for which everything holds that is said here.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricRule {
    /// With one of these names: `http.server.duration`, a prefix `http.*`, a glob `*.count`.
    pub names: Vec<String>,
    /// With a name in which this regular expression (<https://docs.rs/regex>) matches somewhere;
    /// beside `names`, either will do.
    pub regex: Option<String>,
    /// Of one of these tenants.
    pub tenants: Vec<String>,
    /// Whose resource has all of these attributes, with a value as in `names`.
    pub resource: BTreeMap<String, String>,
}

/// What is wrong with rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricsError {
    /// A rule about everything.
    #[error(
        "a rule of `metrics` says nothing\nhint: give it `names`, `regex`, `tenants` or `resource`"
    )]
    Nothing,
    /// Too much of something.
    #[error("`metrics` has {count} {what}\nhint: at most {most} have room")]
    TooMany {
        /// How many there are.
        count: usize,
        /// Of what.
        what: &'static str,
        /// How many have room.
        most: usize,
    },
    /// A name that is none.
    #[error(
        "`{0}` of `metrics`: {1}\nhint: write a name, a prefix as `http.*` or a glob as `*.count`"
    )]
    Name(String, &'static str),
    /// A regular expression that does not compile.
    #[error(
        "the regular expression `{0}` of `metrics` is wrong: {1}\nhint: the syntax is that of https://docs.rs/regex"
    )]
    Regex(String, String),
    /// A tenant that is none.
    #[error("`{0}` of `metrics` is no tenant: {1}\nhint: write the tenant's name")]
    Tenant(String, String),
}

impl MetricsError {
    /// The word of the profile that is at fault.
    pub fn word(&self) -> &str {
        match self {
            MetricsError::Nothing | MetricsError::TooMany { .. } => "metrics:",
            MetricsError::Name(word, _)
            | MetricsError::Regex(word, _)
            | MetricsError::Tenant(word, _) => word,
        }
    }
}

/// The compiled rules.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) include: Vec<Rule>,
    pub(super) exclude: Vec<Rule>,
}

/// A compiled rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) names: Vec<Pattern>,
    pub(super) regex: Option<Regex>,
    pub(super) tenants: Vec<TenantId>,
    pub(super) resource: Vec<(String, Pattern)>,
}

impl Rules {
    pub(super) fn of(config: &Metrics) -> Result<Rules, MetricsError> {
        let compile = |rules: &[MetricRule]| {
            limit(rules.len(), "rules", MAX_RULES)?;
            rules.iter().map(Rule::of).collect::<Result<Vec<_>, _>>()
        };
        Ok(Rules {
            include: compile(&config.include)?,
            exclude: compile(&config.exclude)?,
        })
    }
}

impl Rule {
    fn of(rule: &MetricRule) -> Result<Rule, MetricsError> {
        let MetricRule {
            names,
            regex,
            tenants,
            resource,
        } = rule;
        if names.is_empty() && regex.is_none() && tenants.is_empty() && resource.is_empty() {
            return Err(MetricsError::Nothing);
        }
        limit(names.len(), "names in a rule", MAX_WORDS)?;
        limit(tenants.len(), "tenants in a rule", MAX_WORDS)?;
        limit(resource.len(), "attributes in a rule", MAX_WORDS)?;
        let pattern = |text: &String| {
            Pattern::parse(text).map_err(|why| MetricsError::Name(text.clone(), why))
        };
        let tenant = |text: &String| {
            let tenant = text.parse::<TenantId>();
            tenant.map_err(|why| MetricsError::Tenant(text.clone(), why.to_string()))
        };
        let compile = |text: &String| {
            let built = RegexBuilder::new(text).size_limit(PATTERN_BYTES).build();
            built.map_err(|why| MetricsError::Regex(text.clone(), why.to_string()))
        };
        Ok(Rule {
            names: names.iter().map(pattern).collect::<Result<_, _>>()?,
            regex: regex.as_ref().map(compile).transpose()?,
            tenants: tenants.iter().map(tenant).collect::<Result<_, _>>()?,
            resource: resource
                .iter()
                .map(|(key, text)| Ok((key.clone(), pattern(text)?)))
                .collect::<Result<_, _>>()?,
        })
    }
}

fn limit(count: usize, what: &'static str, most: usize) -> Result<(), MetricsError> {
    match count > most {
        true => Err(MetricsError::TooMany { count, what, most }),
        false => Ok(()),
    }
}
