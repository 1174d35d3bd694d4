//! `redact`: what a policy does, before it does it to anything that matters.

mod check;
mod load;
mod mark;
mod show;
mod test;

use crate::cli::redact::Redact;
use crate::error::CliResult;

/// Does what is asked.
pub fn run(command: &Redact) -> CliResult {
    match command {
        Redact::Test(args) => test::run(args),
        Redact::Lint(args) => check::run(args),
        Redact::Show(args) => show::run(args),
    }
}
