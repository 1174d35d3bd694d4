//! `stella telemetry …`: one file a command, and what they share.

mod ask;
mod cluster;
pub mod data_dir;
mod day;
mod guard;
pub mod incident;
pub mod journal;
mod live;
pub mod notify;
mod otlp_file;
pub mod pki;
mod policy_files;
pub mod redact;
pub mod sampling;
pub mod send;
mod ship;
pub mod stack;
pub mod status;
pub mod tail;
mod tls;
pub mod token;
pub mod up;
mod when;

use std::collections::BTreeMap;

use crate::error::{CliError, CliResult, Exit};

/// The runtime of the commands that talk to a gateway.
fn runtime() -> CliResult<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new(Exit::Failure, format!("cannot start: {error}")))
}

/// Configured headers with their values, which may be kept elsewhere; `wrong` says whose they are.
fn headers(
    configured: &BTreeMap<String, profile::Secret>,
    wrong: impl Fn(String) -> CliError,
) -> CliResult<Vec<(String, egress::Secret)>> {
    let reveal = |(name, secret): (&String, &profile::Secret)| {
        let value = secret.reveal();
        let value = value.map_err(|error| wrong(format!("the header `{name}`: {error}")))?;
        Ok((name.clone(), egress::Secret::new(value)))
    };
    configured.iter().map(reveal).collect()
}

/// Splits a library's message from the `hint:` line that ends it.
fn told(exit: Exit, message: &str) -> CliError {
    match message.split_once("\nhint: ") {
        Some((what, hint)) => CliError::new(exit, what).hint(hint),
        None => CliError::new(exit, message),
    }
}
