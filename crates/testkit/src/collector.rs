//! The upstream OpenTelemetry Collector, built from its own modules.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::openssl::Pair;
use crate::places::Tool;
use crate::process::Process;
use crate::{free_port, tool, wait_for};

/// A running Collector that takes OTLP and writes OTLP JSON lines or sends OTLP on.
pub struct Collector {
    process: Process,
    folder: TempDir,
    grpc: u16,
    http: u16,
}

impl Collector {
    /// As a destination: everything it receives goes into [`received`](Self::received).
    pub fn writing() -> Self {
        Self::start("file", writes)
    }

    /// As a sender: what it receives it sends on by gRPC to `endpoint` (`host:port`), in batches.
    pub fn sending_to(endpoint: &str) -> Self {
        Self::start("otlp", |_| {
            format!(
                "otlp:\n    endpoint: {endpoint}\n    compression: gzip\n    tls: {{ insecure: true }}\n"
            )
        })
    }

    /// As a sender over mutual TLS: it trusts `ca` and shows `own`.
    pub fn sending_over_tls(endpoint: &str, ca: &Path, own: &Pair) -> Self {
        Self::start("otlp", |_| {
            format!(
                "otlp:\n    endpoint: {endpoint}\n    tls: {{ ca_file: {}, cert_file: {}, key_file: {} }}\n",
                ca.display(),
                own.cert.display(),
                own.key.display()
            )
        })
    }

    /// As a destination with mutual TLS: it shows `own` and takes what `client_ca` has issued.
    pub fn writing_over_tls(own: &Pair, client_ca: &Path) -> Self {
        let tls = format!(
            ", tls: {{ cert_file: {}, key_file: {}, client_ca_file: {} }}",
            own.cert.display(),
            own.key.display(),
            client_ca.display()
        );
        Self::start_with(&tls, "file", writes)
    }

    /// As in a comparison: what it receives it sends on by gRPC, uncompressed, in batches of its
    /// default size.
    pub fn bare(endpoint: &str) -> Self {
        Self::start("otlp", |_| {
            format!(
                "otlp:\n    endpoint: {endpoint}\n    compression: none\n    tls: {{ insecure: true }}\n"
            )
        })
    }

    /// As a sampler beside ours: each of `sets`, a name and the `policies` of the tail-sampling
    /// processor, decides `wait_ms` after the first span about all that is received, and what it
    /// keeps is [`kept_by`](Self::kept_by) it.
    pub fn sampling(wait_ms: u64, sets: &[(&str, &str)]) -> Self {
        let mut processors = String::new();
        let mut pipelines = String::new();
        let mut names = Vec::new();
        for (name, policies) in sets {
            processors += &format!(
                "  tail_sampling/{name}: {{ decision_wait: {wait_ms}ms, num_traces: 100000, policies: [{policies}] }}\n"
            );
            pipelines += &format!(
                "    traces/{name}: {{ receivers: [otlp], processors: [tail_sampling/{name}], exporters: [file/{name}] }}\n"
            );
            names.push((*name).to_owned());
        }
        let exporters = |folder: &Path| {
            let of = |name: &String| {
                let path = folder.join(name);
                format!(
                    "file/{name}: {{ path: {}, flush_interval: 100ms }}\n",
                    path.display()
                )
            };
            names.iter().map(of).collect::<Vec<_>>().join("  ")
        };
        Self::start_as("", &processors, exporters, &pipelines)
    }

    /// As in a comparison of samplers: what the tail-sampling processor with these settings keeps
    /// it sends on as [`bare`](Self::bare) does.
    pub fn bare_sampling(endpoint: &str, settings: &str) -> Self {
        let exporter = |_: &Path| {
            format!(
                "otlp:\n    endpoint: {endpoint}\n    compression: none\n    tls: {{ insecure: true }}\n"
            )
        };
        Self::start_as(
            "",
            &format!("  tail_sampling: {{ {settings} }}\n"),
            exporter,
            "    traces: { receivers: [otlp], processors: [tail_sampling, batch], exporters: [otlp] }\n",
        )
    }

    fn start(exporter: &str, config: impl Fn(&Path) -> String) -> Self {
        Self::start_with("", exporter, config)
    }

    /// `tls` is what its receivers have beside their endpoints.
    fn start_with(tls: &str, exporter: &str, config: impl Fn(&Path) -> String) -> Self {
        let pipeline = |signal| {
            format!(
                "    {signal}: {{ receivers: [otlp], processors: [batch], exporters: [{exporter}] }}\n"
            )
        };
        let pipelines: String = ["traces", "metrics", "logs"].map(pipeline).concat();
        Self::start_as(tls, "", config, &pipelines)
    }

    fn start_as(
        tls: &str,
        processors: &str,
        exporters: impl Fn(&Path) -> String,
        pipelines: &str,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (grpc, http) = (free_port(), free_port());
        let exporters = exporters(folder.path());
        let text = format!(
            "\
receivers:
  otlp:
    protocols:
      grpc: {{ endpoint: 127.0.0.1:{grpc}{tls} }}
      http: {{ endpoint: 127.0.0.1:{http}{tls} }}
processors:
  batch: {{ timeout: 100ms }}
{processors}exporters:
  {exporters}
service:
  telemetry:
    metrics: {{ level: none }}
  pipelines:
{pipelines}"
        );
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, text).expect("the configuration is written");
        let mut command = Command::new(tool(Tool::Collector));
        command.arg("--config").arg(&path).stdout(Stdio::null());
        let mut process = Process::start(&mut command, folder.path().join("collector.log"));
        wait_for("the Collector to listen", || {
            assert!(process.runs(), "the Collector ended:\n{}", process.log());
            [grpc, http]
                .iter()
                .all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
        });
        Collector {
            process,
            folder,
            grpc,
            http,
        }
    }

    /// `http://host:port` of its gRPC receiver.
    pub fn grpc(&self) -> String {
        format!("http://127.0.0.1:{}", self.grpc)
    }

    /// `http://host:port` of its HTTP receiver.
    pub fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// What it received so far, as OTLP JSON lines.
    pub fn received(&self) -> String {
        std::fs::read_to_string(self.out()).unwrap_or_default()
    }

    /// What a set of [`sampling`](Self::sampling) kept so far, as OTLP JSON lines.
    pub fn kept_by(&self, set: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(set)).unwrap_or_default()
    }

    /// Its process.
    pub fn pid(&mut self) -> u32 {
        self.process.child().id()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Ends it in order, so that it hands on what it holds.
    pub fn terminate(&mut self) {
        let status = self.process.terminate();
        assert!(status.success(), "{status}\n{}", self.process.log());
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }
}

/// The exporter of a destination.
fn writes(folder: &Path) -> String {
    format!(
        "file:\n    path: {}\n    flush_interval: 100ms\n",
        folder.join("out").display()
    )
}
