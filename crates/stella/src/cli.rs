//! The command line's shape. What each command does stands in `telemetry`.

pub mod incident;
pub mod notify;
pub mod pki;
pub mod redact;
pub mod sampling;
pub mod token;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ident::Signal;

use crate::error::CliResult;
use crate::output::Format;
use crate::{reference, telemetry};

/// The command line of StellaOps sites.
#[derive(Debug, Parser)]
#[command(name = "stella", version, about, max_term_width = 100)]
pub struct Stella {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Collect, keep and ship OpenTelemetry data.
    #[command(subcommand)]
    Telemetry(Telemetry),
    /// Print a page of the reference, generated from this binary.
    #[command(hide = true)]
    Reference {
        /// Which page; without one, the names of the pages are printed
        page: Option<reference::Page>,
    },
}

#[derive(Debug, Subcommand)]
enum Telemetry {
    /// Run the gateway: take OTLP in, keep it, ship it.
    Up(Up),
    /// Send OTLP files (JSON or protobuf) to a gateway.
    Send(Send),
    /// Print what arrives, from the journal.
    Tail(Tail),
    /// Show the running gateway.
    Status(Status),
    /// Open, extend, close and look at incidents of the running gateway.
    #[command(subcommand)]
    Incident(Box<incident::Incident>),
    /// Look into the journal.
    #[command(subcommand)]
    Journal(Journal),
    /// Make certificates: a CA of the site's own, in a folder.
    #[command(subcommand)]
    Pki(pki::Pki),
    /// Try redaction policies: what they change, what is likely wrong with them, what applies.
    #[command(subcommand)]
    Redact(redact::Redact),
    /// Look after notifications: what waits, what was given up, whether targets are reached.
    #[command(subcommand)]
    Notify(notify::Notify),
    /// Try sampling policies on what the journal holds, and ask what became of a trace.
    #[command(subcommand)]
    Sampling(sampling::Sampling),
    /// Make tokens for senders.
    #[command(subcommand)]
    Token(token::Token),
}

/// Where the gateway keeps its data.
#[derive(Clone, Debug, Args)]
pub struct DataDir {
    /// The folder that holds the journal, cursors and dead letters
    /// [default: the user's data directory]
    #[arg(long = "data-dir", env = "STELLA_DATA_DIR", value_name = "DIR")]
    pub path: Option<PathBuf>,
}

/// How to speak TLS with the gateway.
#[derive(Clone, Debug, Args)]
pub struct ClientTls {
    /// The CA that vouches for the other side, for `https://`. PEM
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The certificate to show, where one is asked for. PEM
    #[arg(long, value_name = "FILE", requires = "key", requires = "ca")]
    pub cert: Option<PathBuf>,
    /// Its private key. PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// The name that the other side's certificate is for, where it is not the host's
    #[arg(long, value_name = "NAME", requires = "ca")]
    pub server_name: Option<String>,
}

/// Arguments of `up`.
#[derive(Debug, Args)]
pub struct Up {
    #[command(flatten)]
    pub data_dir: DataDir,
    /// The profile, a YAML file. Without one: loopback ports, a journal, nothing shipped
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Make lifelike traffic and send it through the real OTLP port
    #[arg(long)]
    pub demo: bool,
    /// Traces per second that `--demo` makes
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub demo_rate: u32,
    /// Allow plaintext listeners on addresses other than loopback
    #[arg(long)]
    pub insecure: bool,
    /// How to print the addresses
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
    /// How to write the log, which goes to standard error
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub log_format: Format,
    /// What to log: a level, or a filter such as `info,gateway=debug`
    #[arg(
        long,
        env = "STELLA_LOG",
        default_value = "info",
        value_name = "FILTER"
    )]
    pub log: String,
}

/// Arguments of `send`.
#[derive(Debug, Args)]
pub struct Send {
    /// The files, `-` for standard input. JSON files may hold one request a line
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where to send [default: the running gateway, or http://127.0.0.1:4317]
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// OTLP's transport
    #[arg(long, value_enum, default_value_t = Transport::Grpc)]
    pub protocol: Transport,
    /// What a protobuf file holds, where its content does not tell
    #[arg(long, value_name = "SIGNAL")]
    pub signal: Option<Signal>,
    #[command(flatten)]
    pub tls: ClientTls,
    #[command(flatten)]
    pub data_dir: DataDir,
    /// How to print what was sent
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// OTLP's two transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf bodies.
    Http,
}

/// Arguments of `tail`.
#[derive(Debug, Args)]
pub struct Tail {
    /// Only this signal
    #[arg(long, value_name = "SIGNAL")]
    pub signal: Option<Signal>,
    /// Only this tenant
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<ident::TenantId>,
    /// Only what this service sent (`service.name`)
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Go on as data arrives
    #[arg(long, short)]
    pub follow: bool,
    /// How many of the latest items to begin with
    #[arg(long, short = 'n', default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub lines: u32,
    #[command(flatten)]
    pub data_dir: DataDir,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    pub tls: ClientTls,
    #[command(flatten)]
    pub data_dir: DataDir,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// What `journal` can do.
#[derive(Debug, Subcommand)]
pub enum Journal {
    /// Verify every checksum and digest and say what was found.
    Check(Check),
    /// Print what the journal holds.
    Dump(Dump),
}

/// Arguments of `journal check`.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub data_dir: DataDir,
    /// Put damaged parts aside and write what is missing anew. The gateway must be stopped
    #[arg(long)]
    pub repair: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// Arguments of `journal dump`.
#[derive(Debug, Args)]
pub struct Dump {
    #[command(flatten)]
    pub data_dir: DataDir,
    /// Only this signal
    #[arg(long, value_name = "SIGNAL")]
    pub signal: Option<Signal>,
    /// Only this tenant
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<ident::TenantId>,
    /// Only blocks taken in at this time or later: RFC 3339, or a span back from now such as `15m`
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Only blocks taken in before this time
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// What to print
    #[arg(long, value_enum, default_value_t = DumpFormat::Json, value_name = "FORMAT")]
    pub output: DumpFormat,
}

/// What `journal dump` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DumpFormat {
    /// One JSON object a block: position, tenant, signal, counts, times, sizes.
    Json,
    /// One OTLP JSON request a block.
    OtlpJson,
}

impl Stella {
    /// Carries the command out.
    pub fn run(self) -> CliResult {
        match self.command {
            Command::Telemetry(Telemetry::Up(args)) => telemetry::up::run(args),
            Command::Telemetry(Telemetry::Send(args)) => telemetry::send::run(&args),
            Command::Telemetry(Telemetry::Tail(args)) => telemetry::tail::run(&args),
            Command::Telemetry(Telemetry::Status(args)) => telemetry::status::run(&args),
            Command::Telemetry(Telemetry::Incident(command)) => {
                telemetry::incident::commands::run(&command)
            }
            Command::Telemetry(Telemetry::Journal(Journal::Check(args))) => {
                telemetry::journal::check(&args)
            }
            Command::Telemetry(Telemetry::Journal(Journal::Dump(args))) => {
                telemetry::journal::dump(&args)
            }
            Command::Telemetry(Telemetry::Pki(command)) => telemetry::pki::run(&command),
            Command::Telemetry(Telemetry::Redact(command)) => telemetry::redact::run(&command),
            Command::Telemetry(Telemetry::Notify(command)) => telemetry::notify::run(&command),
            Command::Telemetry(Telemetry::Sampling(command)) => telemetry::sampling::run(&command),
            Command::Telemetry(Telemetry::Token(command)) => telemetry::token::run(&command),
            Command::Reference { page } => reference::run(page),
        }
    }
}
