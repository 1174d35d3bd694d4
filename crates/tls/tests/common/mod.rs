//! A small server that speaks TLS, and a client that is openssl.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use meter::Meter;
use tempfile::TempDir;
use testkit::openssl::{Authority, Pair, Wanted};
use tls::{Alpn, ClientAuth, Identity, Keeper, MinVersion, Server, ServerFiles};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The timeout of handshakes: long, unless it is what is tested.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// A CA, a folder, and a runtime for what serves.
pub struct Site {
    pub folder: TempDir,
    pub ca: Authority,
    pub meter: Meter,
    pub keeper: Keeper,
    pub runtime: Runtime,
}

impl Site {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let meter = Meter::new();
        Site {
            ca: Authority::root(&folder.path().join("ca")),
            keeper: Keeper::new(&meter),
            meter,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap(),
            folder,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Files of a server that asks for client certificates as told.
    pub fn files(&self, pair: &Pair, client_auth: ClientAuth) -> ServerFiles {
        ServerFiles {
            identity: identity(pair),
            client_ca: Some(self.ca.ca()),
            client_auth,
            crls: Vec::new(),
            min_version: MinVersion::Tls12,
            alpn: Alpn::Either,
        }
    }

    /// A server with a good certificate that asks for client certificates as told.
    pub fn serve(&self, client_auth: ClientAuth) -> SocketAddr {
        let pair = self.ca.issue(&Wanted::server("server"));
        self.serve_files(self.files(&pair, client_auth))
    }

    pub fn serve_files(&self, files: ServerFiles) -> SocketAddr {
        let server = self.keeper.server("test", files).unwrap();
        self.serve_with(server, TIMEOUT)
    }

    /// Answers each line with the line and who said it, until `end`.
    pub fn serve_with(&self, server: Arc<Server>, timeout: Duration) -> SocketAddr {
        let listener = self
            .runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let addr = listener.local_addr().unwrap();
        self.runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let server = Arc::clone(&server);
                tokio::spawn(async move {
                    if let Ok(session) = server.accept(stream, timeout).await {
                        talk(session).await;
                    }
                });
            }
        });
        addr
    }

    /// How often handshakes failed for a reason.
    pub fn failures(&self, reason: &str) -> u64 {
        let label = format!("reason=\"{reason}\"");
        self.sum("stella_tls_handshake_failures_total", &label) as u64
    }

    /// The sum of a metric's values whose labels hold `label`.
    pub fn sum(&self, name: &str, label: &str) -> f64 {
        let text = self.meter.encode();
        let lines = text
            .lines()
            .filter(|line| line.starts_with(name) && line.contains(label));
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Two looks: changed files are taken at the second.
    pub fn look_twice(&self) {
        self.keeper.look();
        self.keeper.look();
    }
}

async fn talk(session: tls::Session<tokio::net::TcpStream>) {
    let tls::Session {
        stream,
        certificate,
        mut trust,
    } = session;
    let who = certificate.map_or("nobody".to_owned(), |known| {
        format!("{:?} {}", known.uris, known.fingerprint)
    });
    let mut stream = tokio::io::BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        tokio::select! {
            read = stream.read_line(&mut line) => {
                if !matches!(read, Ok(1..)) {
                    return;
                }
            }
            reason = trust.lost() => {
                let text = format!("distrusted: {}\n", reason.as_str());
                let _ = stream.write_all(text.as_bytes()).await;
                let _ = stream.shutdown().await;
                return;
            }
        }
        let text = format!("{} by {who}\n", line.trim_end());
        if stream.write_all(text.as_bytes()).await.is_err() || line == "end\n" {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

/// The files of a pair.
pub fn identity(pair: &Pair) -> Identity {
    Identity {
        cert: pair.cert.clone(),
        key: pair.key.clone(),
    }
}

/// The fingerprint, as openssl computes it.
pub fn fingerprint(cert: &Path) -> String {
    let text = testkit::openssl::openssl(&[
        "x509",
        "-noout",
        "-fingerprint",
        "-sha256",
        "-in",
        cert.to_str().unwrap(),
    ]);
    let (_, hex) = text.trim().split_once('=').unwrap();
    hex.replace(':', "").to_lowercase()
}

/// An open connection of openssl's, on which lines go to and fro.
pub struct Talk {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Talk {
    pub fn open(addr: SocketAddr, arguments: &[&str]) -> Self {
        let mut child = Command::new("openssl")
            .args(["s_client", "-quiet", "-connect", &addr.to_string()])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Talk {
            child,
            stdin,
            stdout,
        }
    }

    /// Says a line and returns the answer.
    pub fn say(&mut self, line: &str) -> String {
        self.stdin.write_all(line.as_bytes()).unwrap();
        self.stdin.write_all(b"\n").unwrap();
        self.hear()
    }

    pub fn hear(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Arguments that show a certificate.
pub fn show(pair: &Pair) -> [&str; 4] {
    [
        "-cert",
        pair.cert.to_str().unwrap(),
        "-key",
        pair.key.to_str().unwrap(),
    ]
}
