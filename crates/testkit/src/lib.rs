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
pub mod openssl;
pub mod pki;
pub mod places;
pub mod process;
pub mod sdk;
pub mod stella;
pub mod traces;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use places::Tool;

/// How long anything may take before a test gives up on it. Generous: machines are slow at times.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The repository's root.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("crates/testkit lies two folders deep")
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
