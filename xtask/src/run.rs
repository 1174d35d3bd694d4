//! Running other programs, with one line of progress a step.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::places;

/// An error is a sentence for the person at the terminal.
pub type Outcome<T = ()> = Result<T, String>;

/// Where things are.
pub struct Context {
    /// The root of the repository.
    pub repository: PathBuf,
    /// The cache folder.
    pub cache: PathBuf,
}

impl Context {
    /// Finds the repository by this crate's place in it, and makes the cache folder.
    ///
    /// The place is the one that cargo tells now: the program may have been compiled in another
    /// clone that shares the target folder, and is gone.
    pub fn new() -> Outcome<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .ok_or("CARGO_MANIFEST_DIR is not set: run `cargo xtask`")?;
        let repository = PathBuf::from(package)
            .parent()
            .ok_or("xtask has no parent folder")?
            .to_path_buf();
        let cache = places::cache_dir().map_err(|error| error.to_string())?;
        std::fs::create_dir_all(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
        Ok(Context { repository, cache })
    }

    /// A `cargo` in the repository, with the target folder in the cache unless one is set.
    pub fn cargo<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(arguments).current_dir(&self.repository);
        if std::env::var_os("CARGO_TARGET_DIR").is_none() {
            command.env("CARGO_TARGET_DIR", self.cache.join("target"));
        }
        command
    }
}

/// Runs to the end; an exit code other than 0 is an error.
pub fn run(command: &mut Command) -> Outcome {
    let name = shown(command);
    let status = command
        .status()
        .map_err(|error| format!("could not start `{name}`: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{name}` failed: {status}"))
    }
}

/// As [`run`], but silent unless it fails; then everything it printed is shown.
pub fn run_quietly(command: &mut Command) -> Outcome<String> {
    let name = shown(command);
    let output = command
        .output()
        .map_err(|error| format!("could not start `{name}`: {error}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    eprint!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    Err(format!("`{name}` failed: {}", output.status))
}

/// Does one named step and prints how long it took.
pub fn step<T>(what: &str, action: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    println!("==> {what}");
    let start = Instant::now();
    let done = action().map_err(|error| format!("{what}: {error}"))?;
    println!("    {what}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(done)
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().map(OsStr::to_string_lossy));
    words.join(" ")
}
