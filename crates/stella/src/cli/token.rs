//! The shape of `token`.

use clap::{Args, Subcommand};

use crate::output::Format;

/// What `token` can do.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token and print it, this once, with the digest that the profile holds of it.
    New(New),
    /// Read a token from standard input and print its digest.
    Hash(Hash),
}

/// Arguments of `token new`.
#[derive(Debug, Args)]
pub struct New {
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// Arguments of `token hash`.
#[derive(Debug, Args)]
pub struct Hash {
    /// How to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}
