//! Processes under full load: the bare server, the gateway, the Collector, and what the kernel says
//! of them.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use testkit::collector::Collector;
use testkit::stella::Stella;

use crate::load::Outcome;
use crate::measure::{self, median, quantile, sorted};
use crate::traffic::{SPANS, Traces};

/// Requests of a round at full load: one and a half million spans.
pub const REQUESTS: u64 = 3000;
/// Requests before, not measured.
pub const WARM_UP: u64 = 300;

/// One process under full load; each figure is the median of all rounds.
pub struct Full {
    pub name: &'static str,
    pub cpu_per_million: f64,
    /// × the reference of the same round: median, least, most.
    pub times_reference: [f64; 3],
    /// × the same with our windows, of the same round.
    pub times_windows: f64,
    pub spans_per_second: f64,
    pub peak_mb: f64,
}

/// What is under load.
pub enum Process {
    Server(Server),
    Stella(Box<Stella>),
    Collector(Box<Collector>),
}

impl Process {
    pub fn pid(&mut self) -> u32 {
        match self {
            Process::Server(server) => server.child.id(),
            Process::Stella(stella) => stella.at().pid,
            Process::Collector(collector) => collector.pid(),
        }
    }

    pub fn addr(&self) -> String {
        match self {
            Process::Server(server) => server.addr.clone(),
            Process::Stella(stella) => stella.at().grpc.to_string(),
            Process::Collector(collector) => collector.grpc().replace("http://", ""),
        }
    }
}

/// A process and what its rounds gave.
pub struct Loaded {
    pub name: &'static str,
    pub process: Process,
    pub pid: u32,
    pub files: Option<[PathBuf; 3]>,
    /// New traces, where they matter.
    pub traces: Option<Traces>,
    pub cpu_per_million: Vec<f64>,
    pub spans_per_second: Vec<f64>,
    pub request_bytes: f64,
}

impl Loaded {
    pub fn new(name: &'static str, mut process: Process) -> Self {
        Loaded {
            name,
            pid: process.pid(),
            process,
            files: None,
            traces: None,
            cpu_per_million: Vec::new(),
            spans_per_second: Vec::new(),
            request_bytes: 0.0,
        }
    }

    /// CPU seconds while the load is sent, what is shipped a little later included.
    pub fn measure(&mut self) {
        let (pid, addr) = (self.pid, self.process.addr());
        let files = self.files.as_ref();
        load_of(&addr, WARM_UP, 0.0, files, self.traces);
        std::thread::sleep(Duration::from_secs(1));
        let before = measure::cpu_seconds(pid);
        let outcome = load_of(&addr, REQUESTS, 0.0, files, self.traces);
        std::thread::sleep(Duration::from_secs(2));
        let cpu = measure::cpu_seconds(pid) - before;
        if matches!(self.process, Process::Stella(_)) {
            assert_eq!(outcome.refused, 0, "the gateway refused under load");
        }
        let spans = (outcome.acknowledged * SPANS) as f64;
        self.cpu_per_million.push(cpu / spans * 1e6);
        self.spans_per_second.push(spans / outcome.seconds);
        self.request_bytes = outcome.bytes as f64 / REQUESTS as f64;
    }
}

/// The rows of the report; the first is the reference, the second the same with our windows.
pub fn rows(all: &[Loaded]) -> Vec<Full> {
    let over = |row: &Loaded, reference: &Loaded| {
        let pairs = row.cpu_per_million.iter().zip(&reference.cpu_per_million);
        sorted(pairs.map(|(row, reference)| row / reference))
    };
    all.iter()
        .map(|row| {
            let times = over(row, &all[0]);
            Full {
                name: row.name,
                cpu_per_million: median(row.cpu_per_million.iter().copied()),
                times_reference: [0.5, 0.0, 1.0].map(|q| quantile(&times, q)),
                times_windows: median(over(row, &all[1])),
                spans_per_second: median(row.spans_per_second.iter().copied()),
                peak_mb: measure::memory_mb(row.pid).1,
            }
        })
        .collect()
}

/// Sends so many requests, as a process of its own.
pub fn load(addr: &str, requests: u64, per_second: f64, files: Option<&[PathBuf; 3]>) -> Outcome {
    load_of(addr, requests, per_second, files, None)
}

/// The same of such traces.
pub fn load_of(
    addr: &str,
    requests: u64,
    per_second: f64,
    files: Option<&[PathBuf; 3]>,
    traces: Option<Traces>,
) -> Outcome {
    let me = std::env::current_exe().expect("this program");
    let output = Command::new(me)
        .args(traces.map_or(Vec::new(), |traces| {
            [["traces".to_owned()].as_slice(), &traces.words()].concat()
        }))
        .args(["load", addr, &requests.to_string(), &per_second.to_string()])
        .args(files.into_iter().flatten())
        .stderr(Stdio::inherit())
        .output()
        .expect("the load runs");
    assert!(output.status.success(), "the load failed");
    serde_json::from_slice(&output.stdout).expect("its outcome")
}

/// A bare server as a process.
pub struct Server {
    child: Child,
    pub addr: String,
}

impl Server {
    pub fn start(windows: &[&str]) -> Self {
        let me = std::env::current_exe().expect("this program");
        let mut child = Command::new(me)
            .arg("server")
            .args(windows)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut addr = String::new();
        let stdout = child.stdout.take().expect("its output");
        BufReader::new(stdout)
            .read_line(&mut addr)
            .expect("its address");
        Server {
            child,
            addr: addr.trim().to_owned(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
