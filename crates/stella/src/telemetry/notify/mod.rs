//! Notifications: what the profile says of them, for the gateway and for the commands.

mod build;
mod commands;

use std::path::Path;

use meter::Meter;
use notify::{Metrics, Notifier, Outbox, Runner};
use profile::Profile;
use tls::Keeper;

pub use commands::run;

use super::data_dir::DataDir;
use super::told;
use crate::error::{CliResult, Exit};

/// The outbox of a running gateway and what empties it.
pub struct Notify {
    outbox: Outbox,
    runner: Runner,
}

impl Notify {
    /// What incidents put events into.
    pub fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }

    /// What incidents put events into: the handle, and what sends them when it is run.
    pub fn split(self) -> (Outbox, Runner) {
        (self.outbox, self.runner)
    }
}

/// Opens the outbox for the profile's targets; `None` where it has none.
pub fn open(
    profile: &Profile,
    data: &DataDir,
    connector: &egress::Connector,
    meter: &Meter,
    keeper: &Keeper,
) -> CliResult<Option<Notify>> {
    // The metrics are there in any case, so that a dashboard need not know.
    let metrics = Metrics::new(meter);
    let config = build::config(profile, keeper)?;
    if config.targets.is_empty() {
        warn_if_anything_waits(&data.notify());
        return Ok(None);
    }
    let notifiers = Notifier::all(&config, connector)
        .map_err(|error| told(Exit::BadInput, &error.to_string()))?;
    let targets: Vec<_> = config
        .targets
        .iter()
        .map(|target| (target.name.clone(), target.wants.clone()))
        .collect();
    let outbox = Outbox::open(&data.notify(), &targets, &config.limits, &metrics)
        .map_err(|error| told(Exit::Failure, &error.to_string()))?;
    let runner = Runner::new(outbox.clone(), notifiers);
    Ok(Some(Notify { outbox, runner }))
}

fn warn_if_anything_waits(root: &Path) {
    let waiting = notify::list(root).map_or(0, |listing| listing.pending.len());
    if waiting > 0 {
        tracing::warn!(
            waiting,
            "events wait for targets that the profile no longer has"
        );
    }
}
