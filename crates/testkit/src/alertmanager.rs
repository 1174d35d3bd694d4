//! Prometheus' Alertmanager, built from its own module.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::places::Tool;
use crate::process::Process;
use crate::{free_port, tool, wait_for};

/// A running Alertmanager that tells nobody.
pub struct Alertmanager {
    _process: Process,
    _folder: TempDir,
    port: u16,
}

impl Alertmanager {
    /// Starts one.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let config = folder.path().join("alertmanager.yml");
        std::fs::write(
            &config,
            "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n",
        )
        .expect("the configuration is written");
        let mut command = Command::new(tool(Tool::Alertmanager));
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null());
        let mut process = Process::start(&mut command, folder.path().join("alertmanager.log"));
        let server = |process: &mut Process| {
            assert!(process.runs(), "Alertmanager ended:\n{}", process.log());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        };
        wait_for("Alertmanager to listen", || server(&mut process));
        Alertmanager {
            _process: process,
            _folder: folder,
            port,
        }
    }

    /// `http://host:port`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The alerts that fire, as its API v2 has them.
    pub fn alerts(&self) -> Vec<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        write!(
            stream,
            "GET /api/v2/alerts HTTP/1.0\r\nhost: 127.0.0.1:{}\r\n\r\n",
            self.port
        )
        .expect("the request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}
