//! Captures of incidents from end to end: the real binary writes them, `sha256sum`, `diff` and
//! generated types read them.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "this is a test"
)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde_json::Value;
use testkit::ids::Ids;
use testkit::stella::Stella;
use testkit::traces::{One, Sender};
use testkit::wait_for;

const BINARY: &str = env!("CARGO_BIN_EXE_stella");

fn one(trace: u8, id: u64, service: &'static str) -> One {
    One {
        trace: [trace; 16],
        id,
        service,
        error: false,
    }
}

fn send(stella: &Stella, spans: &[One], records: &[(Option<[u8; 16]>, String)]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let endpoint = format!("http://{}", stella.at().grpc);
        let mut sender = Sender::connect(endpoint).await.unwrap();
        sender.send(spans).await.unwrap();
        if !records.is_empty() {
            sender.send_logs(records).await.unwrap();
        }
    });
}

fn read(stella: &Stella, arguments: &[&str]) -> Value {
    let all = [arguments, &["--output", "json"]].concat();
    serde_json::from_str(&stella.print(&all)).unwrap()
}

fn open(stella: &Stella, scope: &str) -> String {
    let open = [
        "incident",
        "open",
        "--scope",
        scope,
        "--reason",
        "slow",
        "--lookback",
        "5m",
    ];
    read(stella, &open)["id"].as_str().unwrap().to_owned()
}

/// The requests of a file, each after its length.
fn requests(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let (mut rest, mut all) = (&bytes[..], Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (request, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        all.push(request.to_vec());
        rest = after;
    }
    all
}

fn spans(path: &Path) -> BTreeSet<(u8, u64)> {
    let requests = requests(path).into_iter();
    let requests = requests.map(|bytes| ExportTraceServiceRequest::decode(&*bytes).unwrap());
    let scopes = requests
        .flat_map(|r| r.resource_spans)
        .flat_map(|r| r.scope_spans);
    let spans = scopes.flat_map(|scope| scope.spans);
    let id = |id: &[u8]| u64::from_be_bytes(id.try_into().unwrap());
    spans
        .map(|span| (span.trace_id[0], id(&span.span_id)))
        .collect()
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Guarantees (SAME-BYTES, VERIFY-WITHOUT-US, RESTARTABLE): on close a capture is awaited and the
/// journal holds, over its window and `kill -9`; the capture has the whole traces and the records
/// of the scope and time, the same bytes each time, checkable with `sha256sum`; once it is taken the
/// hold is released.
#[test]
fn a_capture_is_awaited_and_taken() {
    let mut stella = Stella::start(BINARY, "journal: { window: 1s, segment_bytes: 1MiB }\n");
    let blocks = |stella: &Stella| stella.print(&["journal", "dump"]).lines().count();
    let record = |trace: u8, id: &str| (Some([trace; 16]), id.to_owned());
    send(
        &stella,
        &[one(1, 1, "a"), one(1, 2, "b"), one(2, 3, "b")],
        &[record(1, "in"), record(2, "out")],
    );
    let id = open(&stella, "service=a");
    // The rest of a trace in scope, of another service; and one of another tenant is not there.
    send(
        &stella,
        &[one(1, 4, "c"), one(3, 5, "a"), one(4, 6, "c")],
        &[],
    );
    let folder = stella.folder().to_owned();
    let dir = |name: &str| folder.join(name).display().to_string();
    let [first, second, last] = ["first", "second", "last"].map(dir);
    let early = stella.run(&["incident", "capture", &id, "--output", &first]);
    let told = String::from_utf8(early.stderr).unwrap();
    assert!(
        early.status.code() == Some(3) && told.contains("is open\nhint: close it first"),
        "{told}"
    );
    let closed = read(&stella, &["incident", "close", &id]);
    assert_eq!(
        (
            closed["capture"]["state"].as_str(),
            &closed["hold"]["released"]
        ),
        (Some("pending"), &Value::Bool(false))
    );
    // What comes later does not belong to it.
    send(&stella, &[one(1, 7, "a")], &[]);
    stella.kill();
    stella.start_again();
    let shown = stella.print(&["incident", "show", &id]);
    assert!(
        shown.contains("capture     pending: the journal holds"),
        "{shown}"
    );
    assert!(
        stella
            .print(&["status"])
            .contains("its capture is awaited until")
    );
    assert_eq!(stella.metric("stella_incident_captures_pending"), 1.0);

    let take = |stella: &Stella, dir: &str, more: &[&str]| {
        let all = [
            &[
                "incident", "capture", &id, "--output", dir, "--format", "both",
            ],
            more,
        ]
        .concat();
        stella.run(&all)
    };
    for dir in [&first, &second] {
        assert!(take(&stella, dir, &["--leave-pending"]).status.success());
    }
    succeeds(Command::new("diff").args(["--recursive", &first, &second]));
    succeeds(
        Command::new("sha256sum")
            .args(["--check", "--strict", "MANIFEST"])
            .current_dir(&first),
    );
    let data = Path::new(&first).join("data/default");
    assert_eq!(
        spans(&data.join("traces.pb")),
        [(1, 1), (1, 2), (1, 4), (3, 5)].into()
    );
    let logs = requests(&data.join("logs.pb"));
    let records: usize = logs
        .iter()
        .flat_map(|bytes| {
            ExportLogsServiceRequest::decode(&**bytes)
                .unwrap()
                .resource_logs
        })
        .flat_map(|resource| resource.scope_logs)
        .map(|scope| scope.log_records.len())
        .sum();
    assert_eq!(records, 1);
    let json = Ids::read(&std::fs::read_to_string(data.join("traces.jsonl")).unwrap());
    assert_eq!(json.spans.len(), 4);
    let about: Value =
        serde_json::from_slice(&std::fs::read(Path::new(&first).join("capture.json")).unwrap())
            .unwrap();
    assert_eq!(
        (&about["incident"]["id"], &about["whole_traces"]),
        (&Value::String(id.clone()), &Value::Bool(true))
    );
    let used = take(&stella, &first, &[]);
    assert!(
        String::from_utf8(used.stderr)
            .unwrap()
            .contains("is not empty\nhint: ")
    );

    assert!(blocks(&stella) > 0);
    assert!(take(&stella, &last, &[]).status.success());
    succeeds(Command::new("diff").args(["--recursive", &first, &last]));
    let shown = read(&stella, &["incident", "show", &id]);
    assert_eq!(
        (
            shown["capture"]["state"].as_str(),
            &shown["hold"]["released"]
        ),
        (Some("taken"), &Value::Bool(true))
    );
    let digest = Command::new("sha256sum")
        .arg(Path::new(&last).join("MANIFEST"))
        .output()
        .unwrap();
    let digest = String::from_utf8(digest.stdout).unwrap()[..64].to_owned();
    assert_eq!(shown["capture"]["manifest"], format!("sha256:{digest}"));
    wait_for("the journal to let go", || blocks(&stella) == 0);
    let again = stella.run(&["incident", "capture", &id, "--output", &dir("again")]);
    let told = String::from_utf8(again.stderr).unwrap();
    assert!(
        again.status.code() == Some(3) && told.contains("it is taken\nhint: "),
        "{told}"
    );
}

/// Guarantees: a capture that nobody takes is missed at its deadline, which lets the journal go; one
/// that is given up by releasing the hold says so.
#[test]
fn a_capture_that_nobody_takes() {
    let rest =
        "incidents: { capture_deadline: 2s }\njournal: { window: 1s, segment_bytes: 1MiB }\n";
    let mut stella = Stella::start(BINARY, rest);
    send(&stella, &[one(1, 1, "a")], &[]);
    let id = open(&stella, "all");
    let closed = read(&stella, &["incident", "close", &id]);
    assert_eq!(closed["capture"]["state"], "pending");
    stella.kill();
    stella.start_again();
    let state = |stella: &Stella, id: &str| {
        read(stella, &["incident", "show", id])["capture"]["state"].clone()
    };
    wait_for("it is missed", || state(&stella, &id) == "missed");
    let timeline = stella.print(&["incident", "timeline", &id]);
    assert!(
        timeline.contains("capture_missed") && timeline.contains("released"),
        "{timeline}"
    );
    assert_eq!(
        stella.series("stella_incidents_total{event=\"capture_missed\"}"),
        1.0
    );
}

/// Guarantees: for an incident whose file is damaged, all that it may hold is held over the window
/// and `kill -9`, counted and logged, until the file is moved away.
#[test]
fn a_damaged_incident_keeps_its_hold() {
    let mut stella = Stella::start(BINARY, "journal: { window: 1s, segment_bytes: 1MiB }\n");
    let blocks = |stella: &Stella| stella.print(&["journal", "dump"]).lines().count();
    send(&stella, &[one(1, 1, "a")], &[]);
    let id = open(&stella, "all");
    stella.kill();
    let file = stella.data_dir().join(format!("incidents/{id}.json"));
    std::fs::write(&file, "{").unwrap();
    stella.start_again();
    assert_eq!(stella.metric("stella_incident_damaged_holds"), 1.0);
    assert!(
        stella
            .log()
            .contains("all that its incident may hold is held")
    );
    // The window is over twice, as another gateway's journal shows.
    let other = Stella::start(BINARY, "journal: { window: 1s, segment_bytes: 1MiB }\n");
    send(&other, &[one(1, 1, "a")], &[]);
    wait_for("the other's leaves", || blocks(&other) == 0);
    assert_eq!(blocks(&stella), 1);
    std::fs::remove_file(&file).unwrap();
    wait_for("it leaves", || blocks(&stella) == 0);
    assert_eq!(stella.metric("stella_incident_damaged_holds"), 0.0);
}
