//! `cargo xtask test`: everything that must pass before a change lands.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::docs;
use crate::run::{Context, Outcome, run, step};
use crate::setup;

/// No build and no test is silent for so long, on the slowest machine.
const SILENCE: Duration = Duration::from_secs(30 * 60);

/// How much is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All of it.
    All,
    /// Without servers and SDKs, so without the tests of the binary.
    Fast,
}

/// Cheap checks first, so that a slip shows early.
pub fn test(scope: Scope) -> Outcome {
    let context = Context::new()?;
    step("cargo fmt", || {
        run(&mut context.cargo(["fmt", "--all", "--check"]))
    })?;
    if scope == Scope::All {
        setup::setup(&context)?;
        step("cargo deny", || deny(&context))?;
    }
    step("cargo clippy", || {
        run(&mut context.cargo([
            "clippy",
            "--quiet",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    step("generated documentation is fresh", || {
        docs::docs(&context, docs::Mode::Check)
    })?;
    step("cargo doc", || {
        run(context
            .cargo(["doc", "--quiet", "--locked", "--workspace", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    println!("==> cargo test");
    let start = Instant::now();
    let mut tests = context.cargo([
        "test",
        "--quiet",
        "--locked",
        "--workspace",
        "--no-fail-fast",
    ]);
    if scope == Scope::Fast {
        tests.args(["--exclude", "stella"]);
    }
    let (totals, passed) = counted(&mut tests)?;
    println!("    cargo test: {:.1} s", start.elapsed().as_secs_f64());
    println!(
        "{} passed, {} failed, {} skipped",
        totals[0], totals[1], totals[2]
    );
    if !passed {
        return Err("tests failed; see above".into());
    }
    if totals[0] == 0 {
        return Err("no test ran".into());
    }
    Ok(())
}

/// Licences, bans and sources. The advisory database is a git repository on a host that a site
/// without internet does not reach: `docs/development.md` says how it is checked.
fn deny(context: &Context) -> Outcome {
    let mut command = Command::new(setup::cargo_deny_path(context));
    run(command.current_dir(&context.repository).args([
        "--log-level",
        "error",
        "--locked",
        "check",
        "licenses",
        "bans",
        "sources",
    ]))
}

/// Runs cargo's tests, passes on what they print, and adds up passed, failed and ignored. Tests
/// that print nothing for [`SILENCE`] are given up: the last line tells which one hangs.
fn counted(command: &mut Command) -> Outcome<([u64; 3], bool)> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("could not start cargo: {error}"))?;
    let mut totals = [0_u64; 3];
    if let Some(stdout) = child.stdout.take() {
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(stdout).split(b'\n');
            lines.for_each(|line| drop(tell.send(line)));
        });
        loop {
            let line = match told.recv_timeout(SILENCE) {
                Ok(line) => line.map_err(|error| format!("reading cargo's output: {error}"))?,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = child.kill();
                    return Err(format!(
                        "no test said anything for {} minutes; see above for the last one",
                        SILENCE.as_secs() / 60
                    ));
                }
            };
            let mut out = std::io::stdout().lock();
            out.write_all(&line)
                .and_then(|()| out.write_all(b"\n"))
                .map_err(|e| e.to_string())?;
            if let Some(rest) = String::from_utf8_lossy(&line).strip_prefix("test result: ") {
                for (total, word) in totals.iter_mut().zip(["passed", "failed", "ignored"]) {
                    *total += number_before(rest, word);
                }
            }
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("waiting for cargo: {error}"))?;
    Ok((totals, status.success()))
}

/// The number that stands before a word, as in `ok. 12 passed; 0 failed`.
fn number_before(text: &str, word: &str) -> u64 {
    let mut words = text.split([' ', ';']).filter(|part| !part.is_empty());
    let mut last = "";
    words
        .find_map(|part| {
            let before = std::mem::replace(&mut last, part);
            (part == word).then(|| before.parse().ok()).flatten()
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::number_before;

    #[test]
    fn reads_cargos_summary() {
        let line = "ok. 12 passed; 3 failed; 1 ignored; 0 measured; 7 filtered out; finished in 1s";
        assert_eq!(number_before(line, "passed"), 12);
        assert_eq!(number_before(line, "failed"), 3);
        assert_eq!(number_before(line, "ignored"), 1);
        assert_eq!(number_before("ok.", "passed"), 0);
    }
}
