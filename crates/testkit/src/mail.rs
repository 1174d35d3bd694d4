//! A real mail server: aiosmtpd, in a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde::Deserialize;
use tempfile::TempDir;

use crate::openssl::Pair;
use crate::places::Tool;
use crate::process::Process;
use crate::{free_port, repository, tool};

/// The user that it knows.
pub const USER: &str = "stella";
/// The user's password.
pub const PASSWORD: &str = "correct horse";

/// A running mail server.
pub struct MailServer {
    _process: Process,
    folder: TempDir,
    port: u16,
}

/// A letter that it has taken.
#[derive(Clone, Debug, Deserialize)]
pub struct Letter {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's receivers.
    pub to: Vec<String>,
    /// Headers and body.
    pub text: String,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Whether somebody had logged in.
    pub authenticated: bool,
}

impl MailServer {
    /// One that asks for STARTTLS and a login.
    pub fn starttls(own: &Pair) -> Self {
        Self::start("starttls", Some(own))
    }

    /// One that speaks TLS at once and asks for a login.
    pub fn implicit(own: &Pair) -> Self {
        Self::start("implicit", Some(own))
    }

    /// One without TLS or login.
    pub fn plain() -> Self {
        Self::start("plain", None)
    }

    fn start(mode: &str, own: Option<&Pair>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let mut command = Command::new(tool(Tool::SdkPython));
        command
            .arg(repository().join("tests/servers/smtp/server.py"))
            .arg(port.to_string())
            .arg(folder.path().join("letters"))
            .arg(mode)
            .args(own.map(|own| own.cert.clone()))
            .args(own.map(|own| own.key.clone()))
            .stdout(Stdio::piped());
        let mut process = Process::start(&mut command, folder.path().join("mail.log"));
        let stdout = process.child().stdout.take().expect("its output");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("its first line");
        assert_eq!(line.trim(), "listening", "{}", process.log());
        MailServer {
            _process: process,
            folder,
            port,
        }
    }

    /// Where it listens, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it has taken.
    pub fn letters(&self) -> Vec<Letter> {
        let text = std::fs::read_to_string(self.folder.path().join("letters"));
        let text = text.unwrap_or_default();
        let letter = |line: &str| serde_json::from_str(line).expect("a letter");
        text.lines().map(letter).collect()
    }
}
