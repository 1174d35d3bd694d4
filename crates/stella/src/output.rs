//! How commands print: to a locked, buffered standard output, as text or as JSON.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;

/// How what is printed is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a person.
    #[default]
    Text,
    /// For a program: one JSON value a line.
    Json,
}

/// Standard output, without colours unless it is a terminal.
pub fn stdout() -> impl Write {
    anstream::stdout().lock()
}

/// Whether standard output shows colours.
pub fn has_colours() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Prints one JSON value on a line of its own.
pub fn print_json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    out.flush()
}
