//! The guard through the real binary: whose data it is, how much of it, and what must not be kept.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is a test"
)]

mod canaries;
mod certificates;
mod fairness;
mod key_sets;
mod many_tenants;
mod policies;
mod quotas;
mod rates;
mod tenant_names;
mod tokens;

use std::path::Path;

use policy::identity::token::opaque::NewToken;
use serde_json::{Value, json};
use testkit::client::{self, Answer, Headers, JSON, PROTOBUF};
use testkit::messages::wire;
use testkit::stella::Stella;

const BINARY: &str = env!("CARGO_BIN_EXE_stella");

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A sender with an opaque token: the value of its header, and the token's digest.
struct Holder {
    bearer: String,
    digest: String,
}

impl Holder {
    fn new() -> Self {
        let token = NewToken::new(rand::random());
        Holder {
            bearer: format!("Bearer {}", token.reveal()),
            digest: token.digest().to_string(),
        }
    }

    fn headers(&self) -> [(&str, &str); 1] {
        [("authorization", &self.bearer)]
    }
}

/// A profile's `identity` with a tenant for each holder.
fn tenants(holders: &[(&str, &Holder)]) -> String {
    let mut text = "identity:\n  tenants:\n".to_owned();
    for (name, holder) in holders {
        text += &format!(
            "    {name}: {{ match: [{{ token: '{}' }}] }}\n",
            holder.digest
        );
    }
    text
}

/// A request with one log record that says `body`.
fn log(body: &str) -> Value {
    json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [
        {"timeUnixNano": "1764000000000000000", "body": {"stringValue": body}}
    ]}]}]})
}

/// Sends a log record over HTTP (protobuf and JSON) and over gRPC; all answers must be alike, and
/// the three codes are HTTP's and gRPC's.
fn send_each_way(stella: &Stella, headers: Headers<'_>, body: &str) -> [Answer; 3] {
    let request = log(body);
    let binary = wire("logs", &request);
    let at = stella.at();
    [
        client::post(at.http, "logs", PROTOBUF, headers, &binary),
        client::post(
            at.http,
            "logs",
            JSON,
            headers,
            request.to_string().as_bytes(),
        ),
        client::call(at.grpc, "logs", headers, binary),
    ]
}

fn codes(answers: &[Answer; 3]) -> [u32; 3] {
    [answers[0].code, answers[1].code, answers[2].code]
}

/// What both transports answer.
const TAKEN: [u32; 3] = [200, 200, 0];
const UNAUTHENTICATED: [u32; 3] = [401, 401, 16];
const DENIED: [u32; 3] = [403, 403, 7];

/// How many senders were refused for a reason.
fn denied(stella: &Stella, reason: &str) -> f64 {
    stella.series(&format!(
        "stella_guard_denied_requests_total{{reason=\"{reason}\"}}"
    ))
}

/// The lines of the audit log.
fn audit(stella: &Stella) -> Vec<String> {
    let log = stella.log();
    let lines = log.lines().filter(|line| line.contains("audit"));
    lines.map(str::to_owned).collect()
}
