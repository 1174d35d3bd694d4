//! Tells people and machines of incidents: a durable outbox and its targets.
//!
//! # What it guarantees
//! - **RESTARTABLE**: an event that was put is told to every target that wants it, at least once, or
//!   is found among the dead letters ([`outbox`](Outbox)). Targets can tell a repetition by its id.
//! - **BOUNDED**: events, templates, answers, programs' output and all that waits have limits.
//! - **LOSS-COUNTED**: what is given up or dropped is counted by target and logged.
//! - **SEALED-EGRESS**: every connection comes from [`egress::Connector`]. The one thing that is
//!   started is the program of a `command` target.
//! - Secrets are never shown, and nothing that an event says can break out of a header.
//!
//! # What it does not do
//! It decides nothing about incidents, and knows of no crate that does: an [`Event`] is all it sees.
//!
//! ```text
//! put ─▶ outbox (files) ─▶ one worker a target ─▶ templates ─▶ webhook, alertmanager, cloudevents,
//!            ▲                  │ backoff                        smtp, file, command
//!            └── retry ◀─ dead letters
//! ```

mod config;
#[cfg(test)]
mod conformance;
mod disk;
mod event;
mod metrics;
mod notifier;
mod outbox;
mod secret_file;
mod target;
mod targets;
mod template;

pub use config::{Config, ConfigError, TargetConfig, TargetKind};
pub use event::{Digest, Event, EventError, MAX_DATA_BYTES, Pattern};
pub use metrics::Metrics;
pub use notifier::Notifier;
pub use outbox::{
    Because, Dead, Entry, Limits, Listed, Listing, OpenError, Outbox, Put, PutError, Retried,
    RetryError, Runner, Which, list, retry,
};
pub use target::{Class, Failure, Message, TargetName};
pub use targets::{alertmanager, cloudevents, command, file, smtp, webhook};
pub use template::{Part, TemplateError, Templates, Words};
