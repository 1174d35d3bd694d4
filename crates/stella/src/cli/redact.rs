//! The shape of `redact`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ident::Signal;

use crate::output::Format;

/// What `redact` can do.
#[derive(Debug, Subcommand)]
pub enum Redact {
    /// Show what a policy changes in OTLP files, and fail where a pattern survives it.
    ///
    /// Values are printed before and after, to standard output and nowhere else.
    Test(Test),
    /// Look for likely mistakes in a policy, and fail where there are any.
    Lint(Lint),
    /// Print the rules of a policy and of what it extends, in the order in which they are asked.
    Show(Show),
}

/// Which policy.
#[derive(Clone, Debug, Args)]
pub struct Policy {
    /// The policy: `default`, `forensic`, `airgap`, or a file. What it extends is one of these or
    /// lies beside it
    #[arg(long, value_name = "POLICY")]
    pub policy: PathBuf,
    /// A tenant's overlay, which tightens the policy
    #[arg(long, value_name = "FILE")]
    pub overlay: Option<PathBuf>,
    /// Who must have signed every file of the policy: a minisign public key, or its file. The
    /// signature of a file lies beside it and ends in `.minisig`
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<String>,
}

/// Arguments of `redact test`.
#[derive(Debug, Args)]
pub struct Test {
    #[command(flatten)]
    pub policy: Policy,
    /// The files, `-` for standard input. JSON files may hold one request a line
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// A regular expression that must match nothing that is left. May be given more than once
    #[arg(long, value_name = "REGEX")]
    pub must_not_match: Vec<String>,
    /// What a protobuf file holds, where its content does not tell
    #[arg(long, value_name = "SIGNAL")]
    pub signal: Option<Signal>,
    /// The site's key, for policies that hash: a file of at least 16 bytes, of which the last line
    /// break is left out
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The id of that key, which hashes carry
    #[arg(long, value_name = "ID", default_value = "test")]
    pub key_id: String,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// Arguments of `redact lint`.
#[derive(Debug, Args)]
pub struct Lint {
    #[command(flatten)]
    pub policy: Policy,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// Arguments of `redact show`.
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    pub policy: Policy,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}
