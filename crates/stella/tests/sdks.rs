//! The real OpenTelemetry SDKs send; every item is found again by its id.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "this is a test"
)]

use testkit::collector::Collector;
use testkit::ids::{Ids, Sent};
use testkit::sdk::{Sdk, send};
use testkit::stella::Stella;
use testkit::wait_for;

const EACH: usize = 120;

/// Sends with each SDK over each of its protocols.
fn send_all(stella: &Stella) -> Sent {
    let (grpc, http) = (
        format!("http://{}", stella.at().grpc),
        format!("http://{}", stella.at().http),
    );
    let mut sent = Sent::default();
    for (sdk, protocol, endpoint, compression) in [
        (Sdk::Python, "grpc", &grpc, "none"),
        (Sdk::Python, "http-protobuf", &http, "gzip"),
        (Sdk::Python, "http-json", &http, "none"),
        (Sdk::Js, "grpc", &grpc, "gzip"),
        (Sdk::Js, "http-protobuf", &http, "none"),
        (Sdk::Js, "http-json", &http, "gzip"),
    ] {
        sent.extend(send(sdk, protocol, endpoint, compression, EACH));
    }
    assert_eq!(sent.spans.len(), 6 * EACH);
    sent
}

/// Guarantees: what the SDKs of Python and Node.js send over gRPC, HTTP with protobuf and HTTP
/// with JSON is in the journal, at the upstream Collector as an OTLP/gRPC destination, and in the
/// file destination's JSON lines, every span, point and record of it.
#[test]
fn every_item_of_the_sdks_is_found_again() {
    let collector = Collector::writing();
    let files = tempfile::tempdir().unwrap();
    let mut stella = Stella::start(
        env!("CARGO_BIN_EXE_stella"),
        &format!(
            "ship:\n  - {{ name: backend, otlp: {{ endpoint: '{}' }} }}\n  - {{ name: disk, file: {{ path: '{}' }} }}\n",
            collector.grpc(),
            files.path().display()
        ),
    );
    let sent = send_all(&stella);

    let journal = Ids::read(&stella.dump());
    assert_eq!(
        journal.missing(&sent),
        Vec::<String>::new(),
        "missing in the journal"
    );
    assert_eq!(journal.duplicates(), 0);

    let mut arrived = Ids::default();
    wait_for("the Collector to have everything", || {
        arrived = Ids::read(&collector.received());
        arrived.missing(&sent).is_empty()
    });
    assert_eq!(arrived.duplicates(), 0);

    assert_eq!(stella.metric("stella_items_lost_total"), 0.0);
    assert_eq!(
        stella.metric("otelcol_receiver_accepted_spans"),
        sent.spans.len() as f64
    );
    stella.terminate();
    let mut lines = String::new();
    read_all(files.path(), &mut lines);
    assert_eq!(
        Ids::read(&lines).missing(&sent),
        Vec::<String>::new(),
        "missing in the files"
    );
}

/// Guarantees: the same over OTLP/HTTP with gzip to the Collector.
#[test]
fn the_collector_takes_what_is_shipped_over_http() {
    let collector = Collector::writing();
    let stella = Stella::start(
        env!("CARGO_BIN_EXE_stella"),
        &format!(
            "ship: [{{ name: backend, otlp: {{ endpoint: '{}', protocol: http, compression: gzip }} }}]\n",
            collector.http()
        ),
    );
    let endpoint = format!("http://{}", stella.at().grpc);
    let sent = send(Sdk::Python, "grpc", &endpoint, "none", EACH);
    wait_for("the Collector to have everything", || {
        Ids::read(&collector.received()).missing(&sent).is_empty()
    });
}

/// Guarantees: the upstream Collector, as the sender, gets everything acknowledged and kept.
#[test]
fn the_collector_as_a_sender() {
    let stella = Stella::start(env!("CARGO_BIN_EXE_stella"), "");
    let mut collector = Collector::sending_to(&stella.at().grpc.to_string());
    let sent = send(Sdk::Js, "http-protobuf", &collector.http(), "none", EACH);
    collector.terminate();
    let journal = Ids::read(&stella.dump());
    assert_eq!(journal.missing(&sent), Vec::<String>::new());
}

fn read_all(folder: &std::path::Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "jsonl") {
            into.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}
