//! `cargo xtask bench`: builds the release binaries and has the `bench` crate measure them.

use crate::places::Tool;
use crate::run::{Context, Outcome, run, step};
use crate::setup;

/// How long the destination is down, unless told otherwise.
const OUTAGE_SECONDS: &str = "60";

/// Measures, prints the table and writes `docs/BENCHMARKS.md`.
pub fn bench(outage_seconds: Option<&str>) -> Outcome {
    let context = Context::new()?;
    setup::setup(&context)?;
    step("building for release", || {
        let build = [
            "build",
            "--quiet",
            "--locked",
            "--release",
            "-p",
            "stella",
            "-p",
            "bench",
        ];
        run(&mut context.cargo(build))
    })?;
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => target.into(),
        None => context.cache.join("target"),
    }
    .join("release");
    let told = |error: std::io::Error| error.to_string();
    let collector = Tool::Collector.dir(&context.repository).map_err(told)?;
    let mut command = std::process::Command::new(target.join("bench"));
    command
        .arg("all")
        .arg(target.join("stella"))
        .arg(collector.join(Tool::Collector.entry()))
        .arg(context.repository.join("docs/BENCHMARKS.md"))
        .arg(outage_seconds.unwrap_or(OUTAGE_SECONDS));
    run(&mut command)
}
