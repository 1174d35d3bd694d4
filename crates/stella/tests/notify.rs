//! Notifications with the real binary: the outbox of a gateway that is killed, and the commands.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use jiff::Timestamp;
use meter::Meter;
use notify::{Event, Limits, Metrics, Outbox, Pattern, TargetName};
use serde_json::{Map, Value};
use testkit::stella::{LISTEN, Stella};
use testkit::wait_for;

const BINARY: &str = env!("CARGO_BIN_EXE_stella");

fn event(id: &str) -> Event {
    let data = Map::from_iter([("reason".to_owned(), Value::from("it fails"))]);
    Event::new(
        id,
        "stella.incident.opened",
        Timestamp::now(),
        "inc-1",
        None,
        data,
    )
    .unwrap()
}

/// Puts events as a gateway does whose incidents are opened.
fn put(data_dir: &Path, target: &str, ids: impl IntoIterator<Item = String>) {
    let targets = [(
        TargetName::parse(target).unwrap(),
        vec![Pattern::parse("*").unwrap()],
    )];
    let metrics = Metrics::new(&Meter::new());
    let root = data_dir.join("notify");
    let outbox = Outbox::open(&root, &targets, &Limits::default(), &metrics).unwrap();
    for id in ids {
        outbox.put(&event(&id)).unwrap();
    }
}

fn ids(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    // What a kill has left half written is no line.
    let parsed = whole.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    parsed
        .map(|line| line["id"].as_str().unwrap().to_owned())
        .collect()
}

fn stella(arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("telemetry").args(arguments).output().unwrap()
}

fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// A program that takes what it is given once the file `open` is there.
fn gate(folder: &Path) -> PathBuf {
    let script = folder.join("gate.sh");
    fs::write(
        &script,
        "cd \"$1\" && [ -e open ] || { echo 'closed for now' >&2; exit 1; }\n/bin/cat >>taken\n",
    )
    .unwrap();
    script
}

fn gated(folder: &Path, limits: &str) -> String {
    format!(
        "notify:\n  limits: {{ {limits} }}\n  targets:\n    - name: gate\n      command: {{ run: [/bin/sh, '{}', '{}'] }}\n",
        gate(folder).display(),
        folder.display()
    )
}

/// Guarantees: RESTARTABLE; what waits is told in order though the gateway is killed again and
/// again while it tells, and nothing is lost.
#[test]
fn a_killed_gateway_tells_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("told.jsonl");
    let profile = format!(
        "notify: {{ targets: [{{ name: told, file: {{ path: '{}' }} }}] }}\n",
        out.display()
    );
    let mut stella = Stella::start(BINARY, &profile);
    stella.kill();
    let expected: Vec<String> = (0..400).map(|n| format!("e{n:03}")).collect();
    put(&stella.data_dir(), "told", expected.iter().cloned());
    let mut kills = 0;
    for _ in 0..20 {
        stella.start_again();
        let before = ids(&out).len();
        wait_for("it to tell some more", || {
            ids(&out).len() > before + 20 || ids(&out).last() == expected.last()
        });
        if ids(&out).last() == expected.last() {
            break;
        }
        stella.kill();
        kills += 1;
    }
    wait_for("the last", || ids(&out).last() == expected.last());
    assert!(kills > 0, "it was never killed while it told");
    let mut told = ids(&out);
    // At least once: what was being told when it was killed comes again.
    assert!(
        told.len() <= expected.len() + kills,
        "{} {kills}",
        told.len()
    );
    told.dedup();
    assert_eq!(told, expected);
    wait_for("the outbox to be empty", || {
        stella.series("stella_notify_outbox_events{target=\"told\"}") == 0.0
    });
    assert_eq!(
        stella.print(&["notify", "list"]),
        "0 pending, 0 dead letters\n"
    );
}

/// Guarantees: dead letters are listed with their reason and taken back, by a running gateway and
/// without one.
#[test]
fn dead_letters_are_seen_and_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let profile = gated(
        folder.path(),
        "max_attempts: 2, retry_initial: 10ms, retry_max: 20ms",
    );
    let mut stella = Stella::start(BINARY, &profile);
    stella.kill();
    put(
        &stella.data_dir(),
        "gate",
        ["e1".to_owned(), "e2".to_owned()],
    );
    let listed = stella.print(&["notify", "list"]);
    assert!(listed.contains("pending  gate             e1"), "{listed}");
    stella.start_again();
    let dead = "stella_notifications_total{outcome=\"dead\",target=\"gate\"}";
    wait_for("both to be given up", || stella.series(dead) == 2.0);
    let listed = stella.print(&["notify", "list", "--output", "json"]);
    let lines: Vec<Value> = listed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{listed}");
    assert_eq!(lines[0]["state"], "dead");
    assert_eq!(lines[0]["dead"]["because"], "attempts");
    assert_eq!(lines[0]["event"]["id"], "e1");
    assert!(
        lines[0]["last_error"]
            .as_str()
            .unwrap()
            .contains("closed for now"),
        "{listed}"
    );

    fs::write(folder.path().join("open"), "").unwrap();
    let retried = stella.print(&["notify", "retry", "e2"]);
    assert_eq!(retried, "1 taken back; the running gateway sends them\n");
    let taken = folder.path().join("taken");
    wait_for("the one that was asked for", || ids(&taken) == ["e2"]);

    stella.terminate();
    let unknown = stella.run(&["notify", "retry", "nothing"]);
    assert_eq!(unknown.status.code(), Some(3));
    assert!(text(&unknown).1.contains("hint"), "{unknown:?}");
    let retried = stella.print(&["notify", "retry", "--all", "--output", "json"]);
    assert_eq!(retried, "{\"revived\":1,\"by_gateway\":false}\n");
    stella.start_again();
    wait_for("the other", || ids(&taken) == ["e2", "e1"]);
}

/// Guarantees: `notify test` says of each target how it went, in words and in its exit code.
#[test]
fn targets_are_tested() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("site.yaml");
    let out = folder.path().join("out.jsonl");
    let more = format!(
        "    - {{ name: out, file: {{ path: '{}' }} }}\n",
        out.display()
    );
    fs::write(
        &profile,
        format!("{LISTEN}{}{more}", gated(folder.path(), "events: 10")),
    )
    .unwrap();
    let profile = profile.to_str().unwrap();

    let tested = stella(&["notify", "test", "--profile", profile]);
    let (said, _) = text(&tested);
    assert_eq!(tested.status.code(), Some(5), "{said}");
    assert!(
        said.contains("gate: FAILED") && said.contains("closed for now"),
        "{said}"
    );
    assert!(said.contains("out: taken (file "), "{said}");
    assert_eq!(ids(&out).len(), 1);

    let tested = stella(&[
        "notify",
        "test",
        "out",
        "--profile",
        profile,
        "--output",
        "json",
    ]);
    let (said, _) = text(&tested);
    assert_eq!(tested.status.code(), Some(0), "{said}");
    let line: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (line["target"].as_str(), line["ok"].as_bool()),
        (Some("out"), Some(true))
    );

    let unknown = stella(&["notify", "test", "other", "--profile", profile]);
    assert_eq!(unknown.status.code(), Some(3));
    assert!(text(&unknown).1.contains("`gate`, `out`"), "{unknown:?}");
}

/// Guarantees: what is wrong in a profile is said with its place and a hint, and no secret is shown.
#[test]
fn wrong_targets_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    fs::write(&key, "whsec_hunter22hunter").unwrap();
    let target = |kind: &str| format!("notify:\n  targets:\n    - name: t\n      {kind}\n");
    let hook = format!(
        "webhook: {{ url: 'http://127.0.0.1:1/T0PSECRET', secret_file: '{}' }}",
        key.display()
    );
    let template = "notify:\n  targets: [{ name: t, file: { path: /tmp/x } }]\n  templates:\n    stella.incident.opened:\n      text: |\n        fine\n        {% if %}\n";
    for (profile, words) in [
        (target(&hook), "others can read it"),
        (
            target("command: { run: [page] }"),
            "the target `t`: `run` does not begin",
        ),
        (
            target("alertmanager: { url: 'https://am:9093' }"),
            "no CA is named",
        ),
        (
            target("smtp: { host: h, insecure: true, from: x, to: [y] }"),
            "`x` is no address",
        ),
        (template.to_owned(), "line 2: syntax error"),
    ] {
        let path = folder.path().join("site.yaml");
        fs::write(&path, &profile).unwrap();
        let tested = stella(&["notify", "test", "--profile", path.to_str().unwrap()]);
        let (said, errors) = text(&tested);
        assert_eq!(tested.status.code(), Some(3), "{profile}\n{said}{errors}");
        assert!(
            errors.contains(words) && errors.contains("hint:"),
            "{profile}\n{errors}"
        );
        for secret in ["hunter22", "T0PSECRET"] {
            assert!(!errors.contains(secret), "{errors}");
        }
    }
}
