//! Test support: the real binary, the upstream Collector, the real SDKs, an independent sender.
//!
//! Everything here fails by panicking with what a person needs to know. What `cargo xtask test`
//! installs and is not there is a failure that says so, never a skipped test. Nothing here is
//! shipped.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "test support fails by panicking"
)]

pub mod alertmanager;
pub mod canary;
pub mod client;
pub mod collector;
pub mod http_service;
pub mod ids;
pub mod jwt;
pub mod load;
pub mod mail;
pub mod messages;
pub mod mixed;
pub mod openssl;
pub mod pki;
pub mod places;
pub mod process;
pub mod sdk;
pub mod stella;
pub mod traces;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use places::Tool;

/// How long anything may take before a test gives up on it. Generous: machines are slow at times.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The repository's root.
///
/// Where cargo runs the program, cargo says so: what was compiled in may be another clone that
/// shares the target folder, and gone.
pub fn repository() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    package
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file())
        .expect("a package lies within the repository")
        .to_owned()
}

/// The program (or folder) of an installed tool.
pub fn tool(tool: Tool) -> PathBuf {
    let repository = repository();
    let ready = tool
        .is_ready(&repository)
        .expect("the tool's pins can be read");
    assert!(
        ready,
        "{tool:?} is not installed: run `cargo xtask test`, which installs it"
    );
    tool.dir(&repository)
        .expect("the tool's pins can be read")
        .join(tool.entry())
}

/// Waits until `done` says so.
pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < until, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A port of the loopback address that was free a moment ago.
pub fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("an address").port()
}
