//! Programs with the real OpenTelemetry SDKs, as `tests/sdk` has them.

use std::process::Command;

use crate::ids::Sent;
use crate::places::Tool;
use crate::{repository, tool};

/// Whose SDK sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sdk {
    /// Python's.
    Python,
    /// That of Node.js.
    Js,
}

/// Sends spans, points and records, `each` of every kind, and returns what was acknowledged; any
/// export that is not fails the test.
pub fn send(sdk: Sdk, protocol: &str, endpoint: &str, compression: &str, each: usize) -> Sent {
    let tests = repository().join("tests/sdk");
    let mut command = match sdk {
        Sdk::Python => {
            let mut command = Command::new(tool(Tool::SdkPython));
            command.arg(tests.join("python/send.py"));
            command
        }
        Sdk::Js => {
            let mut command = Command::new("node");
            command
                .arg(tests.join("js/send.mjs"))
                .env("STELLA_SDK_JS", tool(Tool::SdkJs));
            command
        }
    };
    let each = each.to_string();
    let run = format!("{sdk:?}-{protocol}");
    command
        .args([
            "--endpoint",
            endpoint,
            "--protocol",
            protocol,
            "--run",
            &run,
        ])
        .args(["--compression", compression])
        .args(["--spans", &each, "--points", &each, "--records", &each]);
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "{run}: {}\n{errors}",
        output.status
    );
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{run}: {error}\n{out}\n{errors}"))
}
