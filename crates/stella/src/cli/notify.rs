//! The shape of `notify`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::DataDir;
use crate::output::Format;

/// What `notify` can do.
#[derive(Debug, Subcommand)]
pub enum Notify {
    /// Show the events that wait to be told and those that were given up.
    List(List),
    /// Take events back from the dead letters, so that they are sent again.
    Retry(Retry),
    /// Tell targets that this is a test, at once, and say how it went.
    Test(Test),
}

/// Arguments of `notify list`.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    pub data_dir: DataDir,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// Arguments of `notify retry`.
#[derive(Debug, Args)]
pub struct Retry {
    /// The event's id, as `list` shows it
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub id: Option<String>,
    /// All of them
    #[arg(long, conflicts_with = "id")]
    pub all: bool,
    #[command(flatten)]
    pub data_dir: DataDir,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// Arguments of `notify test`.
#[derive(Debug, Args)]
pub struct Test {
    /// The target [default: all of them]
    #[arg(value_name = "TARGET")]
    pub target: Option<String>,
    /// The profile that has the targets
    #[arg(long, value_name = "FILE")]
    pub profile: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}
