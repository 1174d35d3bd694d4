//! The folder that a gateway keeps everything in, and the note in it that says where it listens.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};

use crate::cli;
use crate::error::{CliError, CliResult, Exit};

/// The folder and the places in it.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// The folder that the command line names, or the user's own.
    pub fn of(args: &cli::DataDir) -> CliResult<DataDir> {
        if let Some(path) = &args.path {
            return Ok(DataDir(path.clone()));
        }
        let base = etcetera::choose_base_strategy().map_err(|error| {
            CliError::new(
                Exit::Failure,
                format!("there is no data directory for this user: {error}"),
            )
            .hint("name one with --data-dir")
        })?;
        Ok(DataDir(base.data_dir().join("stella").join("telemetry")))
    }

    /// Makes the folder, for this user alone, if it is not there.
    pub fn create(&self) -> CliResult<()> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .map_err(|error| {
                let at = self.0.display();
                CliError::new(
                    Exit::Failure,
                    format!("the data directory {at} cannot be made: {error}"),
                )
                .hint("name another with --data-dir")
            })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the journal is.
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }

    /// The journal, or an error where none was ever written.
    pub fn existing_journal(&self) -> CliResult<PathBuf> {
        let path = self.journal();
        if path.is_dir() {
            return Ok(path);
        }
        let message = format!("there is no journal in {}", self.0.display());
        Err(CliError::new(Exit::BadInput, message)
            .hint("start a gateway with `stella telemetry up`, or name its folder with --data-dir"))
    }

    /// Where incidents are.
    pub fn incidents(&self) -> PathBuf {
        self.0.join("incidents")
    }

    /// Where the sampler keeps its decisions, its checkpoint and its overrides.
    pub fn sampling(&self) -> PathBuf {
        self.0.join("sampling")
    }

    /// Where a member of a cluster keeps who owned what.
    pub fn cluster(&self) -> PathBuf {
        self.0.join("cluster")
    }

    /// Where shippers put aside what a destination will not take.
    pub fn dead_letters(&self) -> PathBuf {
        self.0.join("dead-letters")
    }

    /// Where events wait that somebody is to be told of.
    pub fn notify(&self) -> PathBuf {
        self.0.join("notify")
    }

    fn note(&self) -> PathBuf {
        self.0.join("gateway.json")
    }

    /// Leaves word of where the gateway listens, for `status`, `send` and scripts.
    pub fn announce(&self, running: &Running) -> CliResult<()> {
        let text = serde_json::to_vec(running).map_err(std::io::Error::from)?;
        let fresh = self.0.join("gateway.json.new");
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(&text)?;
        std::fs::rename(fresh, self.note())?;
        Ok(())
    }

    /// Takes this process's note away again; another's stays.
    pub fn withdraw(&self) {
        if self
            .running()
            .is_some_and(|running| running.pid == std::process::id())
        {
            let _ = std::fs::remove_file(self.note());
        }
    }

    /// What the running gateway said of itself. A gateway that was killed leaves its note behind.
    pub fn running(&self) -> Option<Running> {
        serde_json::from_slice(&std::fs::read(self.note()).ok()?).ok()
    }
}

/// What a running gateway says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// OTLP over gRPC.
    pub grpc: SocketAddr,
    /// OTLP over HTTP.
    pub http: SocketAddr,
    /// `/metrics`.
    pub metrics: SocketAddr,
    /// `/live`, `/ready`, `/status`.
    pub health: SocketAddr,
    /// The admin API.
    pub admin: SocketAddr,
    /// Jaeger's remote sampling, if it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_sampling: Option<SocketAddr>,
    /// Which of these have TLS.
    #[serde(default)]
    pub tls: Encrypted,
    /// The folder that holds its data.
    pub data_dir: PathBuf,
    /// Its process.
    pub pid: u32,
}

impl Running {
    /// Where OTLP is taken, for a person.
    pub fn print_otlp(&self, out: &mut impl Write) -> std::io::Result<()> {
        let tls = if self.tls.grpc { " (TLS)" } else { "" };
        let scheme = Encrypted::scheme(self.tls.http);
        writeln!(out, "OTLP/gRPC   {}{tls}", self.grpc)?;
        writeln!(out, "OTLP/HTTP   {scheme}://{}", self.http)
    }
}

/// Which ports have TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encrypted {
    /// OTLP over gRPC.
    pub grpc: bool,
    /// OTLP over HTTP.
    pub http: bool,
    /// `/metrics`.
    pub metrics: bool,
    /// `/live`, `/ready`, `/status`.
    pub health: bool,
    /// The admin API.
    #[serde(default)]
    pub admin: bool,
}

impl Encrypted {
    /// `http` or `https`.
    pub fn scheme(encrypted: bool) -> &'static str {
        if encrypted { "https" } else { "http" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_found_until_it_is_withdrawn() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir(dir.path().join("a/b"));
        data.create().unwrap();
        assert_eq!(data.running(), None);
        let at: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let running = Running {
            grpc: at,
            http: at,
            metrics: at,
            health: at,
            admin: at,
            remote_sampling: None,
            tls: Encrypted::default(),
            data_dir: data.path().to_owned(),
            pid: std::process::id(),
        };
        data.announce(&running).unwrap();
        assert_eq!(data.running(), Some(running.clone()));
        data.withdraw();
        assert_eq!(data.running(), None);

        let other = Running {
            pid: u32::MAX,
            ..running
        };
        data.announce(&other).unwrap();
        data.withdraw();
        assert_eq!(data.running(), Some(other));
    }
}
