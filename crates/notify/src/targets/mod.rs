//! The targets: one folder each, all of one shape. `config` says what it is told, `encode` makes of a
//! message what is sent, `client` sends it and says what the answer means.

pub mod alertmanager;
pub mod cloudevents;
pub mod command;
pub mod file;
mod http_post;
pub mod smtp;
pub mod webhook;

use egress::Connector;

use crate::config::{ConfigError, TargetKind};
use crate::target::Target;

/// Makes a target. Nothing is contacted.
pub(crate) fn make(
    kind: &TargetKind,
    source: &str,
    connector: &Connector,
) -> Result<Box<dyn Target>, ConfigError> {
    Ok(match kind {
        TargetKind::Webhook(config) => Box::new(webhook::Webhook::new(config, connector)?),
        TargetKind::Alertmanager(config) => {
            Box::new(alertmanager::Alertmanager::new(config, connector)?)
        }
        TargetKind::CloudEvents(config) => {
            Box::new(cloudevents::CloudEvents::new(config, source, connector)?)
        }
        TargetKind::Smtp(config) => Box::new(smtp::Smtp::new(config, connector)?),
        TargetKind::File(config) => Box::new(file::File::new(config)),
        TargetKind::Command(config) => Box::new(command::Command::new(config)?),
    })
}
