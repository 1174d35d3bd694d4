//! The real binary, on free ports and in a folder of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;
use tempfile::TempDir;

use crate::PATIENCE;
use crate::process::Process;

/// Listeners on free ports; put before the rest of a profile.
pub const LISTEN: &str = "listen: { grpc: '127.0.0.1:0', http: '127.0.0.1:0', metrics: '127.0.0.1:0', health: '127.0.0.1:0', admin: '127.0.0.1:0' }\n";

/// A gateway and its folder. The folder outlives the process, so that it can be started again.
pub struct Stella {
    binary: PathBuf,
    /// Before the folder, so that a failed test can show the log that is in it.
    process: Option<Process>,
    folder: TempDir,
    at: Option<Addresses>,
    /// More arguments for `up`.
    arguments: Vec<String>,
}

/// Where a gateway listens, as it says itself.
#[derive(Clone, Debug, Deserialize)]
pub struct Addresses {
    /// OTLP/gRPC.
    pub grpc: SocketAddr,
    /// OTLP/HTTP.
    pub http: SocketAddr,
    /// `/metrics`.
    pub metrics: SocketAddr,
    /// `/ready`.
    pub health: SocketAddr,
    /// The admin API.
    pub admin: SocketAddr,
    /// Its process.
    pub pid: u32,
}

impl Stella {
    /// Starts `binary` with a profile: `rest` is what follows the listeners.
    pub fn start(binary: &str, rest: &str) -> Self {
        Self::start_at(binary, LISTEN, rest)
    }

    /// The same with other listeners: `listen` is that line of the profile.
    pub fn start_at(binary: &str, listen: &str, rest: &str) -> Self {
        Self::start_with(binary, listen, rest, &[])
    }

    /// The same with more arguments for `up`, as `--log debug`.
    pub fn start_with(binary: &str, listen: &str, rest: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(
            folder.path().join("profile.yaml"),
            format!("{listen}{rest}"),
        )
        .expect("the profile is written");
        let mut stella = Stella {
            binary: PathBuf::from(binary),
            folder,
            process: None,
            at: None,
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
        };
        stella.start_again();
        stella
    }

    /// Starts it once more, on the same data. The ports are others.
    pub fn start_again(&mut self) {
        let mut command = Command::new(&self.binary);
        command
            .args(["telemetry", "up", "--output", "json", "--profile"])
            .arg(self.folder().join("profile.yaml"))
            .arg("--data-dir")
            .arg(self.data_dir())
            .args(&self.arguments)
            .stdout(Stdio::piped());
        let mut process = Process::start(&mut command, self.folder().join("stella.log"));
        let line = first_line(&mut process);
        let at = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{error}: {line:?}\n{}", process.log()));
        (self.process, self.at) = (Some(process), Some(at));
    }

    /// Where it listens.
    pub fn at(&self) -> &Addresses {
        self.at.as_ref().expect("it was started")
    }

    /// A folder for the test's own files; it goes with this value.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder that it keeps its data in.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// SIGTERM; it must end well.
    pub fn terminate(&mut self) {
        let mut process = self.process.take().expect("it runs");
        let status = process.terminate();
        assert!(status.success(), "{status}\n{}", process.log());
    }

    /// Runs `stella telemetry ARGUMENTS --data-dir …`.
    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(&self.binary)
            .arg("telemetry")
            .args(arguments)
            .arg("--data-dir")
            .arg(self.data_dir())
            .output()
            .expect("the binary runs")
    }

    /// The same; it must succeed. What it printed.
    pub fn print(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{arguments:?}: {}\n{errors}",
            output.status
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Everything in the journal, as OTLP JSON lines.
    pub fn dump(&self) -> String {
        self.print(&["journal", "dump", "--output", "otlp-json"])
    }

    /// What the journal holds of one tenant, as OTLP JSON lines.
    pub fn dump_of(&self, tenant: &str) -> String {
        let dump = ["journal", "dump", "--output", "otlp-json", "--tenant"];
        self.print(&[&dump[..], &[tenant]].concat())
    }

    /// The text of a page of its own ports, such as `/metrics`.
    pub fn page(&self, addr: SocketAddr, path: &str) -> String {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(addr).expect("the port is open");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n"
        )
        .expect("the request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("stella.log")).unwrap_or_default()
    }

    /// The value of one series, as in `stella_x_total{reason="y"}`; 0 if there is none.
    pub fn series(&self, series: &str) -> f64 {
        let page = self.page(self.at().metrics, "/metrics");
        let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        page.lines().find_map(value).unwrap_or(0.0)
    }

    /// The sum of a metric over its labels.
    pub fn metric(&self, name: &str) -> f64 {
        let page = self.page(self.at().metrics, "/metrics");
        let of_name = page.lines().filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        of_name
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

/// What `up` prints and how it ends with a profile that it does not take.
pub fn refused(binary: &str, profile: &str) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("profile.yaml");
    std::fs::write(&path, profile).expect("the profile is written");
    Command::new(binary)
        .args(["telemetry", "up", "--profile"])
        .arg(&path)
        .arg("--data-dir")
        .arg(folder.path().join("data"))
        .output()
        .expect("the binary runs")
}

/// What it prints first. A gateway that says nothing for long fails the test, which would wait for
/// ever, and its threads are shown.
fn first_line(process: &mut Process) -> String {
    let stdout = process.child().stdout.take().expect("its output");
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        let _ = tell.send(read.map(|_| line));
    });
    told.recv_timeout(PATIENCE)
        .unwrap_or_else(|_| panic!("no word for {PATIENCE:?}:\n{}", process.threads()))
        .expect("its first line")
}
