//! The conformance suite with a shell script as the program, and what only a program has.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use super::Config;
use crate::config::TargetKind;
use crate::conformance::every::{Site, event, wait_for};
use crate::conformance::{Fault, World, every_scenario};

/// Does what the first line of `next` says, or else what `always` says.
const SCRIPT: &str = r#"#!/bin/sh
cd "$1"
fault=$(/usr/bin/head -n 1 next)
/usr/bin/sed -i 1d next
[ -n "$fault" ] || fault=$(/bin/cat always)
case "$fault" in
    Refuse) echo "not now" >&2; exit 1 ;;
    Hang) /bin/sleep 60 ;;
    Half) /usr/bin/head -c 5 >/dev/null; kill -9 $$ ;;
    AnswerLost) /bin/cat >>taken; exit 3 ;;
    Misconfigured) exit 78 ;;
    Never) exit 65 ;;
    *) /bin/cat >>taken ;;
esac
"#;

struct Script(TempDir);

impl Script {
    fn new() -> Self {
        let world = Script(tempfile::tempdir().unwrap());
        world.write("next", "");
        world.write("always", "");
        world.write("taken", "");
        world.program("script", SCRIPT);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Started by the shell, so that no other test's fork holds it open for writing.
    fn program(&self, name: &str, text: &str) -> Config {
        self.write(name, text);
        fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o700)).unwrap();
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        Config {
            run: vec![
                "/bin/sh".to_owned(),
                text(self.path(name)),
                text(self.path("")),
            ],
        }
    }
}

impl World for Script {
    fn kind(&self) -> TargetKind {
        TargetKind::Command(self.program("script", SCRIPT))
    }

    fn next(&self, faults: &[Fault]) {
        let lines: String = faults.iter().map(|fault| format!("{fault:?}\n")).collect();
        self.write("next", &lines);
    }

    fn always(&self, fault: Option<Fault>) {
        let word = fault.map(|fault| format!("{fault:?}"));
        self.write("always", &word.unwrap_or_default());
    }

    fn taken(&self) -> Vec<String> {
        let text = self.read("taken");
        let whole = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let id = |line: &str| {
            serde_json::from_str::<Value>(line).unwrap()["id"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        whole.map(id).collect()
    }
}

every_scenario!(Script::new());

/// Guarantees: no shell looks at arguments, no environment is passed on, what is said is bounded,
/// and what was started and left behind is ended.
#[tokio::test]
async fn it_is_started_alone() {
    let world = Script::new();
    let mut config = world.program(
        "alone",
        "cd \"$1\"; /usr/bin/env >env; echo \"$2\" >argument; (/bin/sleep 600; echo late >late) & echo $! >pid; /usr/bin/yes noise | /usr/bin/head -c 1000000 >&2; exit 1",
    );
    config.run.push("$(touch x); `id`".to_owned());
    let mut site = Site::new(TargetKind::Command(config));
    site.start();
    site.put(&event("1", "inc"));
    wait_for("the attempt", || {
        let pending = site.list().pending;
        pending.first().is_some_and(|one| one.entry.attempts > 0)
    })
    .await;
    assert_eq!(world.read("argument"), "$(touch x); `id`\n");
    let environment = world.read("env");
    for name in ["HOME=", "PATH=/", "CARGO"] {
        assert!(!environment.contains(name), "{environment}");
    }
    let said = site.list().pending[0].entry.last_error.clone().unwrap();
    assert!(
        said.contains("exit status: 1: noise") && said.len() < 600,
        "{said}"
    );
    let pid = world.read("pid").trim().to_owned();
    let state = |pid: &str| fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // It is gone, or a zombie that nobody has waited for.
    wait_for("what it left to end", || {
        let state = state(&pid);
        state.is_empty() || state.contains(") Z ")
    })
    .await;
}

/// Guarantees: what is no program's absolute path is refused.
#[test]
fn a_program_is_named_by_its_path() {
    for run in [vec![], vec!["page"], vec!["/bin/true", "a\0b"]] {
        let run = run.into_iter().map(str::to_owned).collect();
        assert!(super::Command::new(&Config { run }).is_err());
    }
}
