//! Incidents from end to end: the real binary, its commands, and curl as a client that is not ours.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "this is a test"
)]

use std::process::{Command, Output};

use serde_json::{Value, json};
use testkit::pki::Pki;
use testkit::stella::Stella;
use testkit::wait_for;

const BINARY: &str = env!("CARGO_BIN_EXE_stella");
const ROOT: &str = "/telemetry/incidents";

fn example(name: &str) -> String {
    let file = testkit::repository().join("crates/testkit/data/otlp");
    file.join(name).display().to_string()
}

/// Asks with curl: the status and the body.
fn curl(url: &str, arguments: &[&str]) -> (u16, Value) {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--write-out", "\n%{http_code}"])
        .args(arguments)
        .arg(url)
        .output()
        .expect("curl is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (
        status.parse().unwrap(),
        serde_json::from_str(body).unwrap_or(Value::Null),
    )
}

fn post(stella: &Stella, path: &str, body: &Value, more: &[&str]) -> (u16, Value) {
    let (url, body) = (
        format!("http://{}{path}", stella.at().admin),
        body.to_string(),
    );
    let mut arguments = vec![
        "-H",
        "content-type: application/json",
        "--data-binary",
        &body,
    ];
    arguments.extend(more);
    curl(&url, &arguments)
}

fn read(stella: &Stella, arguments: &[&str]) -> Value {
    let all = [arguments, &["--output", "json"]].concat();
    serde_json::from_str(&stella.print(&all)).unwrap()
}

fn errors(output: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    (output.status.code(), text)
}

/// Guarantees: an incident is opened, looked at, extended and closed from the command line; it is
/// the same after `kill -9`; metrics, audit and the files say so.
#[test]
fn an_incident_from_the_command_line() {
    let mut stella = Stella::start(BINARY, "incidents: { capture_deadline: 0s }\n");
    let open = [
        "incident",
        "open",
        "--scope",
        "tenant=acme,service=scanner",
        "--reason",
        "p99 is high",
        "--ttl",
        "2h",
        "--approve-by",
        "ops",
        "--idempotency-key",
        "page-1",
    ];
    let text = stella.print(&open);
    assert!(text.contains("service=scanner,tenant=acme"), "{text}");
    assert!(text.contains("at the present rate"), "{text}");
    let one = read(&stella, &open);
    let id = one["id"].as_str().unwrap().to_owned();
    assert!(text.contains(&id), "one key, one incident: {text}");
    let active = format!(
        "stella_incident_active{{incident=\"{id}\",scope=\"service=scanner,tenant=acme\"}}"
    );
    assert_eq!(stella.series(&active), 1.0);
    let (code, told) = errors(&stella.run(&[
        "incident",
        "open",
        "--scope",
        "all",
        "--reason",
        "other",
        "--idempotency-key",
        "page-1",
    ]));
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains(&id) && told.contains("hint: use a new key"),
        "{told}"
    );

    stella.kill();
    let (code, told) = errors(&stella.run(&["incident", "list"]));
    assert_eq!(code, Some(5), "{told}");
    stella.start_again();
    assert_eq!(
        read(&stella, &["incident", "show", &id])["expires_at"],
        one["expires_at"]
    );
    assert_eq!(stella.series(&active), 1.0);
    let longer = read(&stella, &["incident", "extend", &id, "--ttl", "3h"]);
    assert!(longer["expires_at"].as_str() > one["expires_at"].as_str());
    let listed = stella.print(&["incident", "list", "--state", "open"]);
    assert!(
        listed.contains(&id) && listed.lines().count() == 1,
        "{listed}"
    );
    let closed = read(&stella, &["incident", "close", &id, "--note", "mended"]);
    assert_eq!(
        (&closed["state"], &closed["ended"]["note"]),
        (&json!("closed"), &json!("mended"))
    );
    assert_eq!(stella.print(&["incident", "list", "--state", "open"]), "");
    assert_eq!(stella.metric("stella_incident_active"), 0.0);
    assert_eq!(
        stella.series("stella_incidents_total{event=\"closed\"}"),
        1.0
    );
    let timeline = stella.print(&["incident", "timeline", &id]);
    for what in ["opened", "in_force", "extended", "closed", "released"] {
        assert!(timeline.contains(what), "{timeline}");
    }
    let log = stella.log();
    assert!(
        log.contains("audit") && log.contains("incident closed"),
        "{log}"
    );
    let file = stella.data_dir().join(format!("incidents/{id}.json"));
    let stored: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(
        (&stored["version"], &stored["incident"]["reason"]),
        (&json!(1), &json!("p99 is high"))
    );
}

/// Guarantees: commands that are wrong say what, where and what would be right.
#[test]
fn wrong_commands() {
    let stella = Stella::start(BINARY, "incidents: { max_open: 1 }\n");
    let open = |more: &[&str]| {
        let all = [&["incident", "open", "--reason", "x"], more].concat();
        errors(&stella.run(&all))
    };
    for (arguments, code, message, hint) in [
        (
            &["--scope", "servce=a"][..],
            3,
            "unknown key",
            "`attr.NAME`",
        ),
        (
            &["--scope", "all", "--ttl", "soon"],
            2,
            "--ttl: `soon` is not a length of time",
            "2h",
        ),
        (
            &["--scope", "all", "--ttl", "90h"],
            3,
            "90h is not allowed",
            "`incidents.max_ttl`",
        ),
        (
            &["--scope", "all", "--lookback", "2h"],
            3,
            "lookback of 2h",
            "`incidents.max_lookback`",
        ),
        (
            &["--scope", "all", "--idempotency-key", "two words"],
            3,
            "idempotency key",
            "without spaces",
        ),
    ] {
        let (got, told) = open(arguments);
        assert_eq!(got, Some(code), "{told}");
        assert!(told.contains(message) && told.contains(hint), "{told}");
    }
    assert_eq!(open(&["--scope", "all"]).0, Some(0));
    let (code, told) = open(&["--scope", "all"]);
    assert_eq!(code, Some(1));
    assert!(
        told.contains("1 incidents are open") && told.contains("hint: close one"),
        "{told}"
    );
    let (code, told) = errors(&stella.run(&["incident", "show", "42"]));
    assert!(
        code == Some(2) && told.contains("not an incident's id"),
        "{told}"
    );
    let (code, told) = errors(&stella.run(&["incident", "close", "inc-20260101T000000Z-000000"]));
    assert!(
        code == Some(3) && told.contains("no incident of this id"),
        "{told}"
    );
}

/// Guarantees: an incident ends by itself, and one whose time came while nothing ran ends at the
/// start.
#[test]
fn an_incident_expires() {
    let mut stella = Stella::start(BINARY, "");
    let open = |stella: &Stella| {
        let open = [
            "incident", "open", "--scope", "all", "--reason", "x", "--ttl", "1s",
        ];
        read(stella, &open)["id"].as_str().unwrap().to_owned()
    };
    let ended =
        |stella: &Stella, id: &str| read(stella, &["incident", "show", id])["ended"]["why"].clone();
    let first = open(&stella);
    wait_for("it expires", || ended(&stella, &first) == "expired");
    let second = open(&stella);
    stella.kill();
    stella.start_again();
    wait_for("it expires too", || ended(&stella, &second) == "expired");
    assert_eq!(stella.metric("stella_incident_active"), 0.0);
}

const SHORT_WINDOW: &str = "journal: { window: 1s, segment_bytes: 1MiB }\n";

/// Guarantees (RESTARTABLE): what an incident looks back to stays in the journal over its window
/// and over `kill -9`, while another gateway's leaves; it leaves when the incident is closed.
#[test]
fn retention_is_held() {
    let rest = format!("{SHORT_WINDOW}incidents: {{ capture_deadline: 0s }}\n");
    let mut held = Stella::start(BINARY, &rest);
    let other = Stella::start(BINARY, SHORT_WINDOW);
    let blocks = |stella: &Stella| stella.print(&["journal", "dump"]).lines().count();
    held.print(&["send", &example("trace.json")]);
    let open = [
        "incident",
        "open",
        "--scope",
        "all",
        "--reason",
        "x",
        "--lookback",
        "5m",
    ];
    let id = read(&held, &open)["id"].as_str().unwrap().to_owned();
    assert_eq!(blocks(&held), 1);
    other.print(&["send", &example("trace.json")]);
    wait_for("the other's leaves", || blocks(&other) == 0);
    assert_eq!(blocks(&held), 1);
    for _ in 0..2 {
        held.kill();
        held.start_again();
        // As long as it takes for the other's to leave: the window is over twice.
        other.print(&["send", &example("trace.json")]);
        wait_for("the other's leaves", || blocks(&other) == 0);
        assert_eq!(blocks(&held), 1);
    }
    assert!(held.metric("stella_journal_held_bytes") > 0.0);
    held.print(&["incident", "close", &id]);
    wait_for("it leaves", || blocks(&held) == 0);
}

/// Guarantees: where a capture is awaited the hold outlives the incident, until somebody gives the
/// capture up by releasing it.
#[test]
fn a_hold_outlives_its_incident() {
    let rest = format!("{SHORT_WINDOW}incidents: {{ capture_deadline: 1h }}\n");
    let mut stella = Stella::start(BINARY, &rest);
    let blocks = |stella: &Stella| stella.print(&["journal", "dump"]).lines().count();
    stella.print(&["send", &example("trace.json")]);
    let (_, one) = post(
        &stella,
        ROOT,
        &json!({ "scope": "all", "reason": "x" }),
        &[],
    );
    let id = one["id"].as_str().unwrap().to_owned();
    let closed = read(&stella, &["incident", "close", &id]);
    assert_eq!(closed["hold"]["released"], false);
    stella.kill();
    stella.start_again();
    let other = Stella::start(BINARY, SHORT_WINDOW);
    other.print(&["send", &example("trace.json")]);
    wait_for("the other's leaves", || blocks(&other) == 0);
    assert_eq!(blocks(&stella), 1);
    let at = format!("{ROOT}/{id}");
    let (status, released) = post(
        &stella,
        &at,
        &json!({ "hold": "released" }),
        &["-X", "PATCH"],
    );
    assert_eq!((status, &released["hold"]["released"]), (200, &json!(true)));
    let (state, by) = (&released["capture"]["state"], &released["capture"]["by"]);
    assert_eq!((state, by), (&json!("given_up"), &json!("loopback")));
    wait_for("it leaves", || blocks(&stella) == 0);
}

/// Guarantees: what would not fit on the disk is refused with the numbers.
#[test]
fn an_incident_that_does_not_fit() {
    let stella = Stella::start(BINARY, "incidents: { disk_budget: 1 }\n");
    let open = ["incident", "open", "--scope", "all", "--reason", "x"];
    for _ in 0..5 {
        stella.print(&["send", &example("metrics.json")]);
    }
    let (code, told) = errors(&stella.run(&open));
    assert_eq!(code, Some(1), "{told}");
    for part in [
        "+ 2h, about ",
        "at the present rate",
        "free",
        "disk budget for holds (1 B)",
        "hint: shorten",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(stella.print(&["incident", "list"]), "");
}

/// Guarantees: the API answers curl, and no browser's page of another site: a wrong `Host`, a
/// foreign `Origin`, a body without its content type, one that is too large or too slow.
#[test]
fn the_api_and_who_may_not_use_it() {
    let stella = Stella::start(BINARY, "");
    let at = format!("http://{}", stella.at().admin);
    let (status, document) = curl(&format!("{at}/openapi.json"), &[]);
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    let on = json!({ "mode": "on", "reason": "storm" });
    let (status, mode) = post(&stella, &format!("{ROOT}/mode"), &on, &[]);
    assert_eq!((status, &mode["incident"]["scope"]), (200, &json!("all")));
    let evil = |more: &[&str]| {
        post(
            &stella,
            ROOT,
            &json!({ "scope": "all", "reason": "x" }),
            more,
        )
    };
    assert_eq!(evil(&["-H", "host: evil.example"]).0, 421);
    assert_eq!(evil(&["-H", "origin: http://evil.example"]).0, 403);
    assert_eq!(evil(&["-H", "sec-fetch-site: cross-site"]).0, 403);
    let (status, problem) = evil(&["-H", "content-type: text/plain"]);
    assert_eq!(
        (status, &problem["type"]),
        (415, &json!("urn:stella:problem:not-json"))
    );
    let large = stella.folder().join("large");
    std::fs::write(&large, vec![b' '; 300 << 10]).unwrap();
    let data = format!("@{}", large.display());
    let json = [
        "-H",
        "content-type: application/json",
        "-H",
        "expect:",
        "--data-binary",
        &data,
    ];
    assert_eq!(curl(&format!("{at}{ROOT}"), &json).0, 413);
    // Only the one that was asked for properly is there.
    assert_eq!(
        read(&stella, &["incident", "list"])["incidents"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        stella.series("stella_incident_requests_refused_total{code=\"wrong-host\"}"),
        1.0
    );
    assert!(
        stella
            .log()
            .contains("a request to the admin port was refused")
    );
}

/// Guarantees: with a token file nobody is let in without a token, and the token's name is what is
/// recorded; with client certificates, the certificate's.
#[test]
fn who_may_use_it() {
    let pki = Pki::new(BINARY);
    let client = pki.client("acme", "oncall");
    let token: Value = serde_json::from_slice(
        &Command::new(BINARY)
            .args(["telemetry", "token", "new", "--output", "json"])
            .output()
            .unwrap()
            .stdout,
    )
    .unwrap();
    let tokens = pki.folder().join("tokens");
    std::fs::write(
        &tokens,
        format!("oncall {}\n", token["digest"].as_str().unwrap()),
    )
    .unwrap();
    let stella = Stella::start(
        BINARY,
        &format!("admin: {{ token_file: '{}' }}\n", tokens.display()),
    );
    let list = format!("http://{}{ROOT}", stella.at().admin);
    let (status, problem) = curl(&list, &[]);
    assert_eq!(
        (status, &problem["type"]),
        (401, &json!("urn:stella:problem:unauthenticated"))
    );
    let header = format!("authorization: Bearer {}", token["token"].as_str().unwrap());
    assert_eq!(curl(&list, &["-H", &header]).0, 200);
    assert_eq!(
        curl(&list, &["-H", &header.replace("stella_", "stella_0")]).0,
        401
    );
    let shown = stella.folder().join("token");
    std::fs::write(&shown, token["token"].as_str().unwrap()).unwrap();
    let open = ["incident", "open", "--scope", "all", "--reason", "x"];
    let (code, told) = errors(&stella.run(&open));
    assert!(code == Some(1) && told.contains("--token-file"), "{told}");
    let with = [&open[..], &["--token-file", shown.to_str().unwrap()]].concat();
    let by = read(&stella, &with)["opened_by"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(by.starts_with("token:oncall"), "{by}");

    let server = pki.server();
    let rest = format!(
        "tls: {{ admin: {{ cert: '{}', key: '{}', client_ca: '{}' }} }}\n",
        server.cert.display(),
        server.key.display(),
        pki.ca().display(),
    );
    let stella = Stella::start(BINARY, &rest);
    let url = format!("https://localhost:{}{ROOT}", stella.at().admin.port());
    let ca = pki.ca().display().to_string();
    let (cert, key) = (
        client.cert.display().to_string(),
        client.key.display().to_string(),
    );
    assert_eq!(curl(&url, &["--cacert", &ca]).0, 0);
    assert_eq!(
        curl(&url, &["--cacert", &ca, "--cert", &cert, "--key", &key]).0,
        200
    );
    let with = [
        &open[..],
        &[
            "--ca",
            &ca,
            "--cert",
            &cert,
            "--key",
            &key,
            "--server-name",
            "localhost",
        ],
    ]
    .concat();
    let by = read(&stella, &with)["opened_by"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        by.starts_with("certificate:spiffe://") && by.contains("acme"),
        "{by}"
    );
    let (code, told) = errors(&stella.run(&open));
    assert!(
        code == Some(2) && told.contains("the admin port has TLS"),
        "{told}"
    );
}

/// Guarantees: off loopback the admin port needs TLS, and certificates or tokens; `--insecure`
/// changes nothing about it.
#[test]
fn off_loopback_it_is_closed_to_strangers() {
    let pki = Pki::new(BINARY);
    let server = pki.server();
    let pair = format!(
        "cert: '{}', key: '{}'",
        server.cert.display(),
        server.key.display()
    );
    let up = |rest: &str| {
        let profile = pki.folder().join("profile.yaml");
        let listen = "listen: { grpc: '127.0.0.1:0', http: '127.0.0.1:0', metrics: '127.0.0.1:0', health: '127.0.0.1:0', admin: '0.0.0.0:0' }\n";
        std::fs::write(&profile, format!("{listen}{rest}")).unwrap();
        let output = Command::new(BINARY)
            .args(["telemetry", "up", "--insecure", "--profile"])
            .arg(&profile)
            .arg("--data-dir")
            .arg(pki.folder().join("data"))
            .output()
            .unwrap();
        errors(&output)
    };
    let (code, told) = up("");
    assert!(
        code == Some(1) && told.contains("admin on 0.0.0.0:0 would be plaintext"),
        "{told}"
    );
    assert!(!told.contains("--insecure"), "{told}");
    let (code, told) = up(&format!("tls: {{ admin: {{ {pair} }} }}\n"));
    assert!(
        code == Some(1) && told.contains("would let anybody in"),
        "{told}"
    );
    let (code, told) = up("admin: { token_file: /nowhere }\n");
    assert!(code == Some(1) && told.contains("plaintext"), "{told}");
    let (code, told) = up(&format!(
        "tls: {{ admin: {{ {pair} }} }}\nadmin: {{ token_file: /nowhere }}\n"
    ));
    assert!(code == Some(3) && told.contains("/nowhere"), "{told}");
}

/// Guarantees: SDKs that ask are told the profile's shares, and everything while an incident that
/// may be about them is open.
#[test]
fn remote_sampling_follows_incidents() {
    let listen = testkit::stella::LISTEN.replace(" }", ", remote_sampling: '127.0.0.1:0' }");
    let rest = "remote_sampling: { default: 0.1, services: { quiet: 0.01 } }\n";
    let stella = Stella::start_at(BINARY, &listen, rest);
    let note: Value =
        serde_json::from_slice(&std::fs::read(stella.data_dir().join("gateway.json")).unwrap())
            .unwrap();
    let at = note["remote_sampling"].as_str().unwrap().to_owned();
    let rate = |service: &str| {
        let (status, answer) = curl(&format!("http://{at}/sampling?service={service}"), &[]);
        assert_eq!(
            (status, &answer["strategyType"]),
            (200, &json!("PROBABILISTIC"))
        );
        answer["probabilisticSampling"]["samplingRate"]
            .as_f64()
            .unwrap()
    };
    assert_eq!((rate("quiet"), rate("other")), (0.01, 0.1));
    let open = [
        "incident",
        "open",
        "--scope",
        "service=quiet",
        "--reason",
        "x",
    ];
    let id = read(&stella, &open)["id"].as_str().unwrap().to_owned();
    assert_eq!((rate("quiet"), rate("other")), (1.0, 0.1));
    stella.print(&["incident", "close", &id]);
    assert_eq!(rate("quiet"), 0.01);
    assert_eq!(curl(&format!("http://{at}/sampling"), &[]).0, 400);
}

/// Guarantees: a damaged incident is told of, and keeps neither the gateway nor others from going
/// on.
#[test]
fn a_damaged_incident() {
    let mut stella = Stella::start(BINARY, "");
    let open = ["incident", "open", "--scope", "all", "--reason", "x"];
    let [first, second] = [(); 2].map(|()| read(&stella, &open)["id"].as_str().unwrap().to_owned());
    stella.kill();
    let file = stella.data_dir().join(format!("incidents/{first}.json"));
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    stella.start_again();
    assert_eq!(stella.metric("stella_incident_files_damaged"), 1.0);
    assert!(stella.log().contains(&first), "{}", stella.log());
    let listed = stella.print(&["incident", "list"]);
    assert!(
        listed.contains(&second) && !listed.contains(&first),
        "{listed}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
}

/// Guarantees: who the profile names is told of an incident's opening, extension and end, in this
/// order and once, over `kill -9`.
#[test]
fn somebody_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events");
    let rest = format!(
        "notify: {{ targets: [{{ name: log, file: {{ path: '{}' }} }}] }}\n",
        file.display()
    );
    let mut stella = Stella::start(BINARY, &rest);
    let open = [
        "incident",
        "open",
        "--scope",
        "service=a,tenant=acme",
        "--reason",
        "slow",
    ];
    let id = read(&stella, &open)["id"].as_str().unwrap().to_owned();
    read(&stella, &["incident", "extend", &id, "--ttl", "3h"]);
    stella.kill();
    stella.start_again();
    read(&stella, &["incident", "close", &id, "--note", "mended"]);
    let told = || -> Vec<Value> {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let lines = text.lines().map(serde_json::from_str);
        lines.map_while(Result::ok).collect()
    };
    wait_for("the end is told", || told().len() >= 3);
    let kinds: Vec<Value> = told().iter().map(|event| event["type"].clone()).collect();
    let expected = ["opened", "extended", "closed"].map(|what| format!("stella.incident.{what}"));
    assert_eq!(kinds, expected);
    let last = &told()[2];
    assert_eq!(
        (&last["subject"], &last["data"]["note"]),
        (&json!(id), &json!("mended"))
    );
}
