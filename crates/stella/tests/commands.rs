//! The commands as a person meets them: what they print, where, and how they exit.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "this is a test"
)]

use std::process::{Command, Output};

use testkit::stella::Stella;

const BINARY: &str = env!("CARGO_BIN_EXE_stella");

fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

fn texts(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn example(name: &str) -> String {
    testkit::repository()
        .join("crates/testkit/data/otlp")
        .join(name)
        .display()
        .to_string()
}

/// Guarantees: the main job as the README tells it: send, tail, kill, start again, all is there.
#[test]
fn what_was_sent_is_there_after_a_kill() {
    let mut stella = Stella::start(BINARY, "");
    for file in ["trace.json", "logs.json", "metrics.json", "events.json"] {
        for protocol in ["grpc", "http"] {
            stella.print(&["send", "--protocol", protocol, &example(file)]);
        }
    }
    stella.kill();
    let tail = stella.print(&["tail"]);
    assert_eq!(tail.lines().count(), 2 * (1 + 1 + 4 + 1), "{tail}");
    assert_eq!(tail.matches("I'm a server span").count(), 2, "{tail}");
    stella.start_again();
    let status: serde_json::Value =
        serde_json::from_str(&stella.print(&["status", "--output", "json"])).unwrap();
    assert_eq!(status["journal"]["items"], 14);
    let logs = stella.print(&["tail", "--signal", "logs", "--service", "my.service"]);
    assert_eq!(logs.lines().count(), 4, "{logs}");
    assert_eq!(stella.print(&["tail", "--service", "nobody"]), "");
    let check = stella.print(&["journal", "check"]);
    assert!(check.contains("sound"), "{check}");
    let dump = stella.print(&["journal", "dump", "--signal", "traces"]);
    assert_eq!(dump.lines().count(), 2, "{dump}");
    assert_eq!(
        stella.print(&["journal", "dump", "--from", "2500-01-01T00:00:00Z"]),
        ""
    );
    stella.terminate();
}

/// Guarantees: a graceful stop seals the journal, and the gateway's note of itself is gone.
#[test]
fn a_graceful_stop_leaves_a_sealed_journal() {
    let mut stella = Stella::start(BINARY, "");
    stella.print(&["send", &example("trace.json")]);
    assert!(
        stella
            .page(stella.at().health, "/ready")
            .starts_with("HTTP/1.1 200")
    );
    assert!(
        stella
            .page(stella.at().health, "/nothing")
            .starts_with("HTTP/1.1 404")
    );
    stella.terminate();
    let check = stella.print(&["journal", "check"]);
    assert!(check.contains("1 segments (1 sealed)"), "{check}");
    let (code, _, errors) = texts(&stella.run(&["status"]));
    assert_eq!(code, Some(5), "{errors}");
    assert!(
        errors.contains("no gateway runs on") && errors.contains("hint: "),
        "{errors}"
    );
}

/// Guarantees: damage is found, told, and said by the exit code; a repaired journal is sound.
#[test]
fn damage_is_found_and_repaired() {
    let mut stella = Stella::start(BINARY, "");
    stella.print(&["send", &example("trace.json"), &example("logs.json")]);
    stella.terminate();
    let journal = stella.data_dir().join("journal");
    let files =
        std::fs::read_dir(journal.join("segments")).or_else(|_| std::fs::read_dir(&journal));
    let segment = files
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .max_by_key(|path| path.metadata().unwrap().len())
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[200] ^= 0xff;
    std::fs::write(&segment, bytes).unwrap();
    let (code, out, _) = texts(&stella.run(&["journal", "check"]));
    assert_eq!(code, Some(4), "{out}");
    stella.run(&["journal", "check", "--repair"]);
    let (code, out, _) = texts(&stella.run(&["journal", "check"]));
    assert_eq!(code, Some(0), "{out}");
}

/// Guarantees: each wrong use exits with its code, says what and where, and ends with a hint.
#[test]
fn wrong_uses_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let data = folder.path().join("data").display().to_string();
    let profile = file("wrong.yaml", "journal:\n  windw: 5m\n");
    let other = folder.path().join("other").display().to_string();
    let open = file("open.yaml", "listen: { grpc: '0.0.0.0:0' }\n");
    let empty = file("empty.json", "");
    let torn = file("torn.json", "{\"resourceSpans\": [");
    let cases: &[(&[&str], i32, &str, &str)] = &[
        (
            &["telemetry", "up", "--profile", &profile],
            3,
            "wrong.yaml:2:3: unknown key `windw`",
            "did you mean `window`?",
        ),
        (
            &["telemetry", "up", "--profile", "/no/such/file"],
            3,
            "/no/such/file",
            "hint: ",
        ),
        (
            &["telemetry", "up", "--data-dir", &other, "--profile", &open],
            1,
            "plaintext off loopback",
            "--insecure",
        ),
        (
            &["telemetry", "up", "--log", "loud=shout"],
            2,
            "--log",
            "hint: ",
        ),
        (
            &["telemetry", "tail", "--data-dir", &data],
            3,
            "no journal",
            "stella telemetry up",
        ),
        (
            &["telemetry", "send", "--data-dir", &data, &empty],
            3,
            "the file is empty",
            "",
        ),
        (
            &["telemetry", "send", "--data-dir", &data, &torn],
            3,
            "not OTLP",
            "",
        ),
        (
            &[
                "telemetry",
                "send",
                "--endpoint",
                "http://127.0.0.1:1",
                &example("trace.json"),
            ],
            5,
            "was not taken",
            "hint: ",
        ),
        (
            &[
                "telemetry",
                "send",
                "--endpoint",
                "nowhere",
                &example("trace.json"),
            ],
            2,
            "--endpoint",
            "hint: ",
        ),
        (
            &["telemetry", "tail", "--signal", "spans"],
            2,
            "is not a signal",
            "",
        ),
    ];
    for (arguments, code, what, hint) in cases {
        let (got, _, errors) = texts(&run(arguments));
        assert_eq!(got, Some(*code), "{arguments:?}\n{errors}");
        assert!(
            errors.contains(what) && errors.contains(hint),
            "{arguments:?}\n{errors}"
        );
    }
}

/// Guarantees: a second gateway on the same data is refused, and the first goes on.
#[test]
fn one_gateway_a_journal() {
    let stella = Stella::start(BINARY, "");
    let profile = stella.folder().join("profile.yaml").display().to_string();
    let second = stella.run(&["up", "--profile", &profile]);
    let (code, _, errors) = texts(&second);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("is in use by process"), "{errors}");
    stella.print(&["send", &example("trace.json")]);
}

/// Guarantees: a closed pipe is no error.
#[test]
fn a_closed_pipe_is_no_error() {
    let stella = Stella::start(BINARY, "");
    for _ in 0..20 {
        stella.print(&["send", &example("metrics.json")]);
    }
    let script = format!(
        "'{BINARY}' telemetry tail -n 100000 --data-dir '{}' | head -n 1; exit ${{PIPESTATUS[0]}}",
        stella.data_dir().display()
    );
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    let (code, _, errors) = texts(&output);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
}

/// Guarantees: the demo's traffic, made for all three signals, is taken through the real port.
#[test]
fn the_demo_makes_all_three_signals() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let profile = folder.path().join("p.yaml");
    std::fs::write(&profile, "listen: { grpc: '127.0.0.1:0', http: '127.0.0.1:0', metrics: '127.0.0.1:0', health: '127.0.0.1:0', admin: '127.0.0.1:0' }\n").unwrap();
    let mut command = Command::new(BINARY);
    command
        .args(["telemetry", "up", "--demo", "--data-dir"])
        .arg(&data)
        .arg("--profile")
        .arg(&profile);
    command.stdout(std::process::Stdio::null());
    let mut process = testkit::process::Process::start(&mut command, folder.path().join("log"));
    let items = |signal: &str| {
        let output = run(&[
            "telemetry",
            "journal",
            "dump",
            "--signal",
            signal,
            "--data-dir",
            data.to_str().unwrap(),
        ]);
        String::from_utf8_lossy(&output.stdout).lines().count()
    };
    testkit::wait_for("traffic of all signals", || {
        ["traces", "metrics", "logs"]
            .iter()
            .all(|signal| items(signal) > 0)
    });
    assert!(process.terminate().success());
}
