//! The shape of `incident`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{ClientTls, DataDir};
use crate::output::Format;

/// What `incident` can do.
#[derive(Debug, Subcommand)]
pub enum Incident {
    /// Open an incident: from now on, and back for the lookback, everything in its scope is kept.
    Open(Open),
    /// Move an incident's end.
    Extend(Extend),
    /// Close an incident.
    Close(Close),
    /// List incidents, the newest first.
    List(List),
    /// Show an incident.
    Show(One),
    /// Show what happened to an incident, oldest first.
    Timeline(One),
    /// Write what the journal holds of an incident that is over into a folder, and let retention go.
    Capture(Capture),
}

/// Which gateway, and how to talk to it.
#[derive(Clone, Debug, Args)]
pub struct Gateway {
    #[command(flatten)]
    pub reach: Reach,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// How the running gateway is reached.
#[derive(Clone, Debug, Args)]
pub struct Reach {
    /// A file with the token to show, where the gateway asks for one
    #[arg(long, env = "STELLA_ADMIN_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    #[command(flatten)]
    pub tls: ClientTls,
    #[command(flatten)]
    pub data_dir: DataDir,
}

/// Arguments of `incident open`.
#[derive(Debug, Args)]
pub struct Open {
    /// What it is about: `service=NAME,tenant=NAME,attr.KEY=VALUE`, or `all`
    #[arg(long, value_name = "SCOPE")]
    pub scope: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// How long, such as `2h` [default: the profile's `incidents.ttl`]
    #[arg(long, value_name = "TIME")]
    pub ttl: Option<String>,
    /// How far back, such as `15m` [default: the profile's `incidents.lookback`]
    #[arg(long, value_name = "TIME")]
    pub lookback: Option<String>,
    /// Who approved it
    #[arg(long, value_name = "NAME")]
    pub approve_by: Option<String>,
    /// A key by which the gateway knows a repeated request, which then opens no other incident
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    #[command(flatten)]
    pub gateway: Gateway,
}

/// Arguments of `incident extend`.
#[derive(Debug, Args)]
pub struct Extend {
    /// The incident's id
    #[arg(value_name = "ID")]
    pub id: String,
    /// How long from now, such as `2h`
    #[arg(long, value_name = "TIME")]
    pub ttl: String,
    /// What is to be said of it
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    #[command(flatten)]
    pub gateway: Gateway,
}

/// Arguments of `incident close`.
#[derive(Debug, Args)]
pub struct Close {
    /// The incident's id
    #[arg(value_name = "ID")]
    pub id: String,
    /// What is to be said of it
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    #[command(flatten)]
    pub gateway: Gateway,
}

/// Arguments of `incident list`.
#[derive(Debug, Args)]
pub struct List {
    /// Only those in this state
    #[arg(long, value_enum, value_name = "STATE")]
    pub state: Option<State>,
    /// At most so many
    #[arg(long, short = 'n', default_value_t = 100, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub limit: u32,
    #[command(flatten)]
    pub gateway: Gateway,
}

/// Arguments of `incident show` and `incident timeline`.
#[derive(Debug, Args)]
pub struct One {
    /// The incident's id
    #[arg(value_name = "ID")]
    pub id: String,
    #[command(flatten)]
    pub gateway: Gateway,
}

/// Arguments of `incident capture`.
#[derive(Debug, Args)]
pub struct Capture {
    /// The incident's id
    #[arg(value_name = "ID")]
    pub id: String,
    /// The folder to write into; new or empty
    #[arg(long, value_name = "DIR")]
    pub output: PathBuf,
    /// How requests are written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: CaptureFormat,
    /// Only write: the gateway goes on waiting for a capture, and holding the journal
    #[arg(long)]
    pub leave_pending: bool,
    #[command(flatten)]
    pub reach: Reach,
}

/// How the requests of a capture are written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum CaptureFormat {
    /// OTLP protobuf, each request after its length.
    #[default]
    Proto,
    /// OTLP JSON, one request a line.
    Json,
    /// Both.
    Both,
}

/// Whether an incident is in force.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum State {
    /// It is.
    Open,
    /// It is over.
    Closed,
}
