//! The shape of `sampling`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};

use super::DataDir;
use crate::output::Format;

/// What `sampling` can do.
#[derive(Debug, Subcommand)]
pub enum Sampling {
    /// Show what policies would have kept of what the journal holds, by policy.
    Simulate(Simulate),
    /// Say how a trace is decided, by the policies and by what was stored.
    Explain(Explain),
}

/// Arguments of `sampling simulate`.
#[derive(Debug, Args)]
pub struct Simulate {
    /// The policies: a profile with `sampling`, or a file with what stands under that key
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
    /// How much of the journal: a span back from now such as `1h`, or an RFC 3339 time to begin at.
    /// It holds `journal.window`
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub window: String,
    /// Only this tenant
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<ident::TenantId>,
    #[command(flatten)]
    pub data_dir: DataDir,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// Arguments of `sampling explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The trace: 32 hexadecimal digits
    #[arg(long, value_name = "ID")]
    pub trace: TraceId,
    /// The policies: a profile with `sampling`, or a file with what stands under that key
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
    /// Only this tenant
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<ident::TenantId>,
    #[command(flatten)]
    pub data_dir: DataDir,
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// A trace's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(pub [u8; 16]);

impl FromStr for TraceId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write the 32 hexadecimal digits of a trace id".to_owned();
        let hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = hex.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        Ok(TraceId(number.ok_or_else(wrong)?.to_be_bytes()))
    }
}

impl std::fmt::Display for TraceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}
