//! The conformance suite, and what only a file has.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Mutex;

use serde_json::Value;
use tempfile::TempDir;

use super::Config;
use crate::config::TargetKind;
use crate::conformance::every::{Site, event, wait_for};
use crate::conformance::{Fault, World, every_scenario};

/// A folder, which is not there while writing fails.
struct Folder {
    folder: TempDir,
    half: Mutex<bool>,
}

impl Folder {
    fn new() -> Self {
        let world = Folder {
            folder: tempfile::tempdir().unwrap(),
            half: Mutex::new(false),
        };
        fs::create_dir(world.dir()).unwrap();
        world
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn path(&self) -> PathBuf {
        self.dir().join("events.jsonl")
    }
}

impl World for Folder {
    fn kind(&self) -> TargetKind {
        TargetKind::File(Config {
            path: self.path(),
            rotate_bytes: 1 << 20,
            keep: 2,
        })
    }

    fn faults(&self) -> Vec<Fault> {
        vec![Fault::Half]
    }

    /// What a crash in the middle of a line leaves.
    fn next(&self, faults: &[Fault]) {
        if faults.contains(&Fault::Half) {
            fs::write(self.path(), "{\"id\":\"0").unwrap();
            *self.half.lock().unwrap() = true;
        }
    }

    fn always(&self, fault: Option<Fault>) {
        match fault {
            Some(_) => fs::remove_dir_all(self.dir()).unwrap(),
            None => fs::create_dir(self.dir()).unwrap(),
        }
    }

    fn taken(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path()).unwrap_or_default();
        let whole = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let skip = usize::from(*self.half.lock().unwrap());
        let parsed = whole
            .skip(skip)
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        parsed
            .map(|line| line["id"].as_str().unwrap().to_owned())
            .collect()
    }
}

every_scenario!(Folder::new());

/// Guarantees: the file is for this user alone, BOUNDED by rotation, and nothing is lost in it.
#[tokio::test]
async fn it_is_private_and_rotates() {
    let world = Folder::new();
    let mut site = Site::new(TargetKind::File(Config {
        path: world.path(),
        rotate_bytes: 1000,
        keep: 2,
    }));
    site.start();
    for n in 0..9 {
        site.put(&event(&n.to_string(), "inc"));
    }
    wait_for("all to be settled", || site.list().pending.is_empty()).await;
    let mode = fs::metadata(world.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut names: Vec<_> = fs::read_dir(world.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["events.jsonl", "events.jsonl.1", "events.jsonl.2"]);
    assert_eq!(world.taken().last().unwrap(), "8");
}
