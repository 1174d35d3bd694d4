//! The project's own commands; see `docs/development.md`.
//!
//! No dependencies, so that it compiles in seconds on a fresh machine.

#![allow(clippy::print_stdout, clippy::print_stderr)] // A command line talks to its terminal.

use std::process::ExitCode;

mod bench;
mod docs;
#[allow(dead_code)] // The tests use the rest of it.
#[path = "../../crates/testkit/src/places.rs"]
mod places;
mod run;
mod setup;
mod test;

const USAGE: &str = "\
The project's own commands.

Usage: cargo xtask COMMAND

  test [--fast]    everything that must pass before a change lands; installs what it needs.
                   --fast: without the servers and SDKs, so without the end-to-end tests
  setup            only install what the tests need into the cache folder
  bench [SECONDS]  measure the release binary and write docs/BENCHMARKS.md; SECONDS: how long the
                   destination is down meanwhile (60)
  docs [--check]   write the generated reference pages; --check: fail where they are stale
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => test::test(test::Scope::All),
        ["test", "--fast"] => test::test(test::Scope::Fast),
        ["bench"] => bench::bench(None),
        ["bench", seconds] => bench::bench(Some(seconds)),
        ["setup"] => run::Context::new().and_then(|context| setup::setup(&context)),
        ["docs"] => run::Context::new().and_then(|context| docs::docs(&context, docs::Mode::Write)),
        ["docs", "--check"] => {
            run::Context::new().and_then(|context| docs::docs(&context, docs::Mode::Check))
        }
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
