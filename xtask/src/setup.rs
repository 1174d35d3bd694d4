//! Installs what the tests need into the cache folder, each thing once.
//!
//! Nothing outside the cache folder is written, and nothing is fetched but packages from the
//! registries of Rust, Go, Python and npm. A folder counts as there when its stamp was written,
//! which happens last; so a run that was interrupted is done again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::places::{DONE, Tool};
use crate::run::{Context, Outcome, run_quietly, step};

const BUILDER: &str = "go.opentelemetry.io/collector/cmd/builder@v0.165.0";
const CARGO_DENY: &str = "0.20.2";

/// Installs every tool that is missing.
pub fn setup(context: &Context) -> Outcome {
    let _lock = lock(context)?;
    cargo_deny(context)?;
    for tool in Tool::ALL {
        let dir = tool
            .dir(&context.repository)
            .map_err(|error| error.to_string())?;
        match tool {
            Tool::Collector => once(&dir, "the upstream Collector (some minutes)", || {
                collector(context, tool, &dir)
            })?,
            Tool::Alertmanager => once(&dir, "Alertmanager (a minute or two)", || {
                alertmanager(context, tool, &dir)
            })?,
            Tool::SdkPython => once(&dir, "the OpenTelemetry SDK for Python", || {
                sdk_python(context, &dir)
            })?,
            Tool::SdkJs => {
                once(&dir, "the OpenTelemetry SDK for Node.js", || {
                    sdk_js(context, tool, &dir)
                })?;
            }
        }
    }
    Ok(())
}

/// The path of the installed cargo-deny.
pub fn cargo_deny_path(context: &Context) -> PathBuf {
    context
        .cache
        .join(format!("cargo-deny-{CARGO_DENY}/bin/cargo-deny"))
}

/// One setup at a time; held until dropped, and by the system released with the process.
fn lock(context: &Context) -> Outcome<File> {
    let path = context.cache.join("setup.lock");
    let file = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    file.lock()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(file)
}

fn once(dir: &Path, what: &str, make: impl FnOnce() -> Outcome) -> Outcome {
    if dir.join(DONE).is_file() {
        return Ok(());
    }
    step(&format!("installing {what}"), || {
        let told = |error: std::io::Error| format!("{}: {error}", dir.display());
        if dir.exists() {
            fs::remove_dir_all(dir).map_err(told)?;
        }
        fs::create_dir_all(dir).map_err(told)?;
        make()?;
        fs::write(dir.join(DONE), "").map_err(told)
    })
}

/// The official crate, without the features that fetch advisories (their database is a git
/// repository, which an offline site does not reach) and hardly optimised: it runs for a second.
fn cargo_deny(context: &Context) -> Outcome {
    let dir = context.cache.join(format!("cargo-deny-{CARGO_DENY}"));
    let target = context.cache.join("cargo-deny-target");
    once(&dir, "cargo-deny (a minute or two)", || {
        run_quietly(
            context
                .cargo(["install", "cargo-deny", "--locked", "--no-default-features"])
                .args(["--version", CARGO_DENY, "--root"])
                .arg(&dir)
                .env("CARGO_TARGET_DIR", &target)
                .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
                .env("CARGO_PROFILE_RELEASE_LTO", "off")
                .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
        )?;
        fs::remove_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))
    })
}

fn collector(context: &Context, tool: Tool, dir: &Path) -> Outcome {
    copy_pins(context, tool, dir, "tests/servers/collector")?;
    run_quietly(go(context, dir, "go".into()).args(["install", BUILDER]))?;
    let builder = dir.join("bin/builder");
    run_quietly(go(context, dir, builder).args(["--config", "manifest.yaml"]))?;
    Ok(())
}

/// Its pin is the one line that `go install` takes. Later versions embed a web page that their
/// modules do not hold.
fn alertmanager(context: &Context, tool: Tool, dir: &Path) -> Outcome {
    copy_pins(context, tool, dir, "tests/servers/alertmanager")?;
    let pin = dir.join("version");
    let version =
        fs::read_to_string(&pin).map_err(|error| format!("{}: {error}", pin.display()))?;
    run_quietly(go(context, dir, "go".into()).args(["install", version.trim()]))?;
    Ok(())
}

/// Go, or a program that runs it, with modules and builds in the cache.
fn go(context: &Context, dir: &Path, program: PathBuf) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(dir)
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod -modcacherw -buildvcs=false")
        .env("GOBIN", dir.join("bin"))
        .env("GOMODCACHE", context.cache.join("go/mod"))
        .env("GOCACHE", context.cache.join("go/build"));
    command
}

fn sdk_python(context: &Context, dir: &Path) -> Outcome {
    let program = ["python3.11", "python3"]
        .into_iter()
        .find(|name| {
            Command::new(name)
                .arg("--version")
                .output()
                .is_ok_and(|out| out.status.success())
        })
        .ok_or(
            "neither `python3.11` nor `python3` can be run\nhint: install Python 3.11 or newer",
        )?;
    run_quietly(Command::new(program).args(["-m", "venv"]).arg(dir))?;
    run_quietly(
        Command::new(dir.join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(["--no-deps", "--only-binary=:all:", "--requirement"])
            .arg(context.repository.join("tests/sdk/python/requirements.txt")),
    )?;
    // The pins are complete, or this says what is missing.
    run_quietly(Command::new(dir.join("bin/python")).args(["-m", "pip", "check"]))?;
    Ok(())
}

fn sdk_js(context: &Context, tool: Tool, dir: &Path) -> Outcome {
    copy_pins(context, tool, dir, "tests/sdk/js")?;
    run_quietly(
        Command::new("npm")
            .args([
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--loglevel=error",
            ])
            .current_dir(dir),
    )?;
    Ok(())
}

/// Copies the tool's pins into its folder, with their paths below `from`.
fn copy_pins(context: &Context, tool: Tool, dir: &Path, from: &str) -> Outcome {
    for pin in tool.pins() {
        let below = Path::new(pin)
            .strip_prefix(from)
            .map_err(|error| format!("{pin}: {error}"))?;
        let target = dir.join(below);
        let told = |error: std::io::Error| format!("{}: {error}", target.display());
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(told)?;
        }
        fs::copy(context.repository.join(pin), &target).map_err(told)?;
    }
    Ok(())
}
