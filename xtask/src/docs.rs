//! `cargo xtask docs`: the reference pages that are generated from the code.
//!
//! The binary writes them: `stella reference` prints the names of its pages, one a line, and
//! `stella reference NAME` prints one. They lie in `docs/reference/NAME.md`, or under the name itself
//! where it has an ending.

use std::collections::BTreeSet;
use std::fs;

use crate::run::{Context, Outcome, run_quietly};

/// What is done with the pages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Write them.
    Write,
    /// Fail where the written ones differ.
    Check,
}

/// Writes or checks every page; a page in the folder that the binary does not know is stale too.
pub fn docs(context: &Context, mode: Mode) -> Outcome {
    let dir = context.repository.join("docs/reference");
    let told = |error: std::io::Error| format!("{}: {error}", dir.display());
    let names: BTreeSet<String> = stella(context, &[])?.lines().map(str::to_owned).collect();
    let file = |name: &str| match name.contains('.') {
        true => name.to_owned(),
        false => format!("{name}.md"),
    };
    let files: BTreeSet<String> = names.iter().map(|name| file(name)).collect();
    if names.is_empty() {
        return Err("`stella reference` names no page".into());
    }
    fs::create_dir_all(&dir).map_err(told)?;
    let mut stale = Vec::new();
    for name in &names {
        let page = stella(context, &[name])?;
        let path = dir.join(file(name));
        if fs::read_to_string(&path).is_ok_and(|written| written == page) {
            continue;
        }
        match mode {
            Mode::Write => fs::write(&path, page).map_err(told)?,
            Mode::Check => stale.push(file(name)),
        }
    }
    for entry in fs::read_dir(&dir).map_err(told)? {
        let entry = entry.map_err(told)?;
        let file = entry.file_name().to_string_lossy().into_owned();
        if files.contains(&file) {
            continue;
        }
        match mode {
            Mode::Write => fs::remove_file(entry.path()).map_err(told)?,
            Mode::Check => stale.push(file),
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!(
        "stale in docs/reference: {}\nhint: run `cargo xtask docs`",
        stale.join(", ")
    ))
}

fn stella(context: &Context, page: &[&str]) -> Outcome<String> {
    let run = [
        "run",
        "--quiet",
        "--locked",
        "--package",
        "stella",
        "--",
        "reference",
    ];
    run_quietly(&mut context.cargo(run.iter().chain(page)))
}
