//! The shape of `pki`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use ident::TenantId;

use crate::output::Format;

/// What `pki` can do.
#[derive(Debug, Subcommand)]
pub enum Pki {
    /// Make a CA, and with --dns or --ip a server's certificate along with it.
    Init(Init),
    /// Issue a certificate with a new key.
    #[command(subcommand)]
    Issue(Issue),
    /// Issue certificates anew, with the same names and new keys.
    Renew(Renew),
    /// Revoke certificates and write the revocation list.
    Revoke(Revoke),
    /// Write the revocation list anew, so that it is not too old.
    Crl(Crl),
    /// Show the CA and what it has issued.
    Show(Show),
}

/// Where the CA is.
#[derive(Clone, Debug, Args)]
pub struct Dir {
    /// The folder that holds the CA
    #[arg(
        long = "dir",
        env = "STELLA_PKI_DIR",
        value_name = "DIR",
        default_value = "pki"
    )]
    pub path: PathBuf,
}

/// How old a revocation list may get.
#[derive(Clone, Copy, Debug, Args)]
pub struct CrlDays {
    /// Days until the revocation list is due to be written anew
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = days())]
    pub crl_days: u32,
}

/// A server's names.
#[derive(Clone, Debug, Args)]
pub struct ServerNames {
    /// A DNS name, as senders write it in their endpoint. May be given more than once
    #[arg(long, value_name = "NAME")]
    pub dns: Vec<String>,
    /// An IP address, likewise
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Vec<IpAddr>,
}

/// Arguments of `pki init`.
#[derive(Debug, Args)]
pub struct Init {
    #[command(flatten)]
    pub dir: Dir,
    /// The site's name, which begins every sender's SPIFFE ID
    #[arg(long, value_name = "NAME", default_value = "stella.internal")]
    pub trust_domain: String,
    /// Days that the CA is valid
    #[arg(long, value_name = "N", default_value_t = 3650, value_parser = days())]
    pub days: u32,
    #[command(flatten)]
    pub crl_days: CrlDays,
    #[command(flatten)]
    pub server: ServerNames,
    /// Write over a CA that is there already. What it has issued is worth nothing afterwards
    #[arg(long)]
    pub force: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// What `pki issue` can issue.
#[derive(Debug, Subcommand)]
pub enum Issue {
    /// For a sender of a tenant.
    Client(IssueClient),
    /// For a gateway, or another server.
    Server(IssueServer),
}

/// Arguments of `pki issue client`.
#[derive(Debug, Args)]
pub struct IssueClient {
    /// Whose data it sends
    #[arg(long, value_name = "TENANT")]
    pub tenant: TenantId,
    /// Which sender it is
    #[arg(long, value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub common: IssueCommon,
}

/// Arguments of `pki issue server`.
#[derive(Debug, Args)]
pub struct IssueServer {
    #[command(flatten)]
    pub server: ServerNames,
    #[command(flatten)]
    pub common: IssueCommon,
}

/// What issuing has in common.
#[derive(Debug, Args)]
pub struct IssueCommon {
    #[command(flatten)]
    pub dir: Dir,
    /// Days that it is valid, never longer than the CA
    #[arg(long, value_name = "N", default_value_t = 90, value_parser = days())]
    pub days: u32,
    /// Write over one that is there already
    #[arg(long)]
    pub force: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// Arguments of `pki renew`.
#[derive(Debug, Args)]
pub struct Renew {
    /// The certificates
    #[arg(value_name = "FILE", required_unless_present = "within_days")]
    pub certs: Vec<PathBuf>,
    /// All that expire within so many days, rather than those that are named
    #[arg(long, value_name = "N", conflicts_with = "certs")]
    pub within_days: Option<u32>,
    #[command(flatten)]
    pub dir: Dir,
    /// Days that they are valid [default: as long as before]
    #[arg(long, value_name = "N", value_parser = days())]
    pub days: Option<u32>,
    /// Keep the keys
    #[arg(long)]
    pub keep_key: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// Arguments of `pki revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    /// The certificates
    #[arg(value_name = "FILE", required = true)]
    pub certs: Vec<PathBuf>,
    #[command(flatten)]
    pub dir: Dir,
    #[command(flatten)]
    pub crl_days: CrlDays,
}

/// Arguments of `pki crl`.
#[derive(Debug, Args)]
pub struct Crl {
    #[command(flatten)]
    pub dir: Dir,
    #[command(flatten)]
    pub crl_days: CrlDays,
}

/// Arguments of `pki show`.
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    pub dir: Dir,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// A hundred years at the most: X.509's times end with the year 9999.
fn days() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=36_500)
}
