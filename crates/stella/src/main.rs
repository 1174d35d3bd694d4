//! `stella`: StellaOps' command line.
//!
//! This file only parses, dispatches and turns what went wrong into words and an exit code.

mod cli;
mod demo;
mod error;
mod ops;
mod output;
mod reference;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let command = cli::Stella::parse();
    match command.run() {
        Ok(exit) => exit.into(),
        Err(error) => error.report().into(),
    }
}
