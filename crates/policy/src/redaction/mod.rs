//! Redaction policies, and the editor that carries them out on wire bytes (REDACT-FIRST, NO-TREE).
//!
//! A policy is a YAML document (`version: 1`) of rules. [`Policy::compile`] turns it and what it
//! extends into matchers; [`Redactor::redact`] applies it to a checked request in one walk over
//! the wire bytes, without building objects and without allocating for an item. The words of the
//! document, the order of rules and the shipped policies are described in `docs/policies.md`.
//!
//! Guaranteed: every string and every bytes value of OTLP is answered for by a rule, by the mode
//! or by `unknown_fields`; a field that is written twice is redacted twice; items stay as many as
//! they were; the result is well formed; a tenant's overlay can only tighten.
//!
//! Not done here: reading files, finding out whose policy applies, exporting the counts.

mod action;
mod compile;
mod counts;
mod decide;
mod describe;
mod document;
mod editor;
mod engine;
mod error;
mod explain;
mod json;
mod json_text;
mod keys;
mod lint;
mod load;
mod locate;
mod memo;
mod outcome;
mod overlay;
mod pairs;
mod pattern;
mod place;
mod policy;
mod redactor;
mod search;
mod shipped;
mod shown;
pub mod signature;
mod texts;
mod value;

pub use action::{Action, SiteKey, SiteKeyError};
pub use counts::Counts;
pub use describe::{Description, PatternDescription, RuleDescription};
pub use document::{Mode, Unseen};
pub use editor::ANNOTATION;
pub use error::PolicyError;
pub use explain::{Change, Part, explain};
pub use lint::{Finding, FindingKind, lint};
pub use pattern::Pattern;
pub use place::{Place, TextField};
pub use policy::Policy;
pub use redactor::Redactor;
pub use search::{MAX_PATTERNS, Patterns, PatternsError, Survivor};
pub use shipped::{NAMES, shipped};
