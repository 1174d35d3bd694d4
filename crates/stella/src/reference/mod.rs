//! The reference pages in `docs/reference`, written from the code itself so that they cannot be
//! out of date: the command line from its parser, the metrics from the meter, the profile from
//! its types.

mod command_line;
mod metrics;
mod profile_keys;

use std::io::Write;

use clap::ValueEnum;

use crate::error::{CliResult, Exit};
use crate::output;

/// A page of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// Every command, flag and exit code.
    Cli,
    /// The admin API's OpenAPI document.
    #[value(name = "openapi.json")]
    OpenApi,
    /// Every metric of the gateway.
    Metrics,
    /// Every key of a profile.
    Profile,
    /// The profile's JSON Schema.
    ProfileSchema,
}

/// The pages that are files, by name; without an ending it is `.md`.
const PAGES: &str = "cli\nmetrics\nopenapi.json\nprofile\n";

/// Prints the page, or the names of those that are files.
pub fn run(page: Option<Page>) -> CliResult {
    let Some(page) = page else {
        output::stdout().write_all(PAGES.as_bytes())?;
        return Ok(Exit::Success);
    };
    let text = match page {
        Page::Cli => command_line::page(),
        Page::OpenApi => {
            let document = serde_json::to_string_pretty(&control::api::document());
            document.map_err(std::io::Error::from)? + "\n"
        }
        Page::Metrics => metrics::page()?,
        Page::Profile => profile_keys::page(),
        Page::ProfileSchema => {
            let schema = serde_json::to_string_pretty(&profile::schema());
            schema.map_err(std::io::Error::from)? + "\n"
        }
    };
    output::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Success)
}
