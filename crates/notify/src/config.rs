//! What notifications are told: the targets, what each wants, the words.

use std::path::PathBuf;
use std::time::Duration;

use crate::event::{EventError, Pattern};
use crate::targets::{alertmanager, cloudevents, command, file, smtp, webhook};
use crate::template::Templates;
use crate::{Limits, TargetName};

/// All of it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who tells: CloudEvents' `source`, a URI reference.
    pub source: String,
    /// The words.
    pub templates: Templates,
    /// How much waits, and how it is tried again.
    pub limits: Limits,
    /// Who is told.
    pub targets: Vec<TargetConfig>,
}

/// One target.
#[derive(Clone, Debug)]
pub struct TargetConfig {
    /// Its name.
    pub name: TargetName,
    /// The events that it wants.
    pub wants: Vec<Pattern>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// What it is.
    pub kind: TargetKind,
}

/// What a target is.
#[derive(Clone, Debug)]
pub enum TargetKind {
    /// An HTTP endpoint that checks Standard Webhooks' signature.
    Webhook(webhook::Config),
    /// A Prometheus Alertmanager.
    Alertmanager(alertmanager::Config),
    /// An HTTP endpoint that takes CloudEvents.
    CloudEvents(cloudevents::Config),
    /// E-mail.
    Smtp(smtp::Config),
    /// A file of JSON lines.
    File(file::Config),
    /// A program.
    Command(command::Config),
}

impl TargetKind {
    /// For people, without secrets.
    pub fn describe(&self) -> String {
        match self {
            TargetKind::Webhook(config) => config.describe(),
            TargetKind::Alertmanager(config) => config.describe(),
            TargetKind::CloudEvents(config) => config.describe(),
            TargetKind::Smtp(config) => config.describe(),
            TargetKind::File(config) => config.describe(),
            TargetKind::Command(config) => config.describe(),
        }
    }
}

/// Why a target cannot be made. Each ends with a `hint:` line, and none holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Something about one target.
    #[error("the target `{name}`: {source}")]
    Target {
        /// Which.
        name: TargetName,
        /// What.
        source: Box<ConfigError>,
    },
    /// A URL that leads nowhere.
    #[error("{url}: {source}")]
    Url {
        /// The URL without what may be a secret.
        url: url::Url,
        /// What is wrong with it.
        source: egress::PlaceError,
    },
    /// A header.
    #[error("the header `{name}` {what}\nhint: check `headers` of the target")]
    Header {
        /// Its name. Its value is never shown.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A file with a secret.
    #[error("the secret's file {path}: {what}\nhint: {hint}")]
    SecretFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// What would be right.
        hint: &'static str,
    },
    /// Events that are wanted.
    #[error(
        "{0}\nhint: write a type as `stella.incident.opened`, or the beginning of types as `stella.incident.*`"
    )]
    Event(#[from] EventError),
    /// Anything else.
    #[error("{what}\nhint: {hint}")]
    Wrong {
        /// What is wrong.
        what: String,
        /// What would be right.
        hint: &'static str,
    },
}

impl ConfigError {
    pub(crate) fn of(self, name: &TargetName) -> ConfigError {
        ConfigError::Target {
            name: name.clone(),
            source: Box::new(self),
        }
    }

    pub(crate) fn wrong(what: impl Into<String>, hint: &'static str) -> ConfigError {
        ConfigError::Wrong {
            what: what.into(),
            hint,
        }
    }
}
