//! A site's CA, made by `stella telemetry pki`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::openssl::Pair;

/// A CA for the trust domain `site.example` with a server certificate for this machine.
pub struct Pki {
    binary: PathBuf,
    folder: TempDir,
}

impl Pki {
    /// Makes one with `binary`.
    pub fn new(binary: &str) -> Self {
        let pki = Pki {
            binary: PathBuf::from(binary),
            folder: tempfile::tempdir().expect("a folder"),
        };
        let names = ["--dns", "localhost", "--ip", "127.0.0.1"];
        pki.good(&[&["init", "--trust-domain", "site.example"], &names[..]].concat());
        pki
    }

    /// A folder for the test's own files; it goes with this value.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `stella telemetry pki ARGUMENTS --dir …`.
    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(&self.binary)
            .args(["telemetry", "pki"])
            .args(arguments)
            .arg("--dir")
            .arg(self.path(""))
            .output()
            .expect("the binary runs")
    }

    /// The same; it must succeed. What it printed.
    pub fn good(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// A file of the CA's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("pki").join(name)
    }

    /// The CA's certificate.
    pub fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// The server's certificate.
    pub fn server(&self) -> Pair {
        Pair {
            cert: self.path("servers/localhost.pem"),
            key: self.path("servers/localhost.key"),
        }
    }

    /// A new sender's certificate.
    pub fn client(&self, tenant: &str, name: &str) -> Pair {
        self.good(&["issue", "client", "--tenant", tenant, "--name", name]);
        Pair {
            cert: self.path(&format!("clients/{tenant}/{name}.pem")),
            key: self.path(&format!("clients/{tenant}/{name}.key")),
        }
    }

    /// What a profile says to use it.
    pub fn profile(&self) -> String {
        let server = self.server();
        format!(
            "tls:\n  cert: {}\n  key: {}\n  client_ca: {}\n  crl: [{}]\n",
            server.cert.display(),
            server.key.display(),
            self.ca().display(),
            self.path("ca.crl").display()
        )
    }
}
