//! A policy as it is written: typed YAML (`version: 1`).

use document::Located;
use ident::Signal;
use serde::{Deserialize, Serialize};

use super::place::{Place, TextField};

/// The version of policies that this code reads.
pub(super) const VERSION: u32 = 1;

/// One policy document, not yet joined with what it extends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) version: Located<u32>,
    #[serde(default)]
    pub(super) extends: Option<Located<String>>,
    #[serde(default)]
    pub(super) mode: Option<Located<Mode>>,
    #[serde(default)]
    pub(super) unknown_fields: Option<Located<Unseen>>,
    #[serde(default)]
    pub(super) binary: Option<Located<Unseen>>,
    #[serde(default)]
    pub(super) annotate: Option<bool>,
    #[serde(default)]
    pub(super) mask: Option<String>,
    #[serde(default)]
    pub(super) patterns: Vec<SitePattern>,
    #[serde(default)]
    pub(super) rules: Vec<RuleText>,
}

/// Which keys pass that no rule names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// None: only listed keys pass.
    Allow,
    /// All: only what rules name is changed.
    Block,
}

/// What becomes of what cannot be looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unseen {
    /// It goes.
    Drop,
    /// It stays as it is.
    Keep,
}

/// A site's own detector.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SitePattern {
    pub(super) name: Located<String>,
    pub(super) regex: Located<String>,
}

/// One rule as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleText {
    pub(super) name: Located<String>,
    #[serde(default)]
    pub(super) signals: Vec<SignalWord>,
    #[serde(default)]
    pub(super) places: Vec<Place>,
    #[serde(default)]
    pub(super) keys: Vec<Located<String>>,
    #[serde(default)]
    pub(super) fields: Vec<TextField>,
    #[serde(default)]
    pub(super) detect: Vec<Located<String>>,
    pub(super) action: Located<ActionWord>,
    #[serde(default)]
    pub(super) part: Option<Part>,
    #[serde(default)]
    pub(super) mask: Option<String>,
    #[serde(default)]
    pub(super) length: Option<Located<u32>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SignalWord {
    Traces,
    Metrics,
    Logs,
}

impl From<SignalWord> for Signal {
    fn from(word: SignalWord) -> Signal {
        match word {
            SignalWord::Traces => Signal::Traces,
            SignalWord::Metrics => Signal::Metrics,
            SignalWord::Logs => Signal::Logs,
        }
    }
}

/// The word for an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ActionWord {
    Keep,
    Truncate,
    Mask,
    Hash,
    Tokenize,
    Drop,
}

/// How much of a value an action is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    /// The value.
    Whole,
    /// What a detector found in it.
    Matched,
}
