//! The scenarios.

use std::path::PathBuf;
use std::time::Duration;

use egress::{Connector, Retry};
use jiff::Timestamp;
use meter::Meter;
use serde_json::{Map, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Fault, World};
use crate::{
    Config, Event, Limits, Listing, Metrics, Notifier, Outbox, Pattern, Runner, TargetConfig,
    TargetKind, TargetName, Templates, list,
};

/// Longer than any target here takes to answer.
const TIMEOUT: Duration = Duration::from_millis(1500);
/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A data directory and what runs on it.
pub(crate) struct Site {
    folder: TempDir,
    config: Config,
    running: Option<Running>,
}

struct Running {
    outbox: Outbox,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Site {
    pub(crate) fn new(kind: TargetKind) -> Self {
        let limits = Limits {
            retry: Retry {
                initial: Duration::from_millis(5),
                max: Duration::from_millis(20),
                ..Limits::default().retry
            },
            ..Limits::default()
        };
        Site {
            folder: tempfile::tempdir().unwrap(),
            config: Config {
                source: "urn:test".to_owned(),
                templates: Templates::default(),
                limits,
                targets: vec![TargetConfig {
                    name: TargetName::parse("t").unwrap(),
                    wants: vec![Pattern::parse("*").unwrap()],
                    timeout: TIMEOUT,
                    kind,
                }],
            },
            running: None,
        }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    pub(crate) fn start(&mut self) {
        let target = &self.config.targets[0];
        let targets = [(target.name.clone(), target.wants.clone())];
        let metrics = Metrics::new(&Meter::new());
        let outbox = Outbox::open(&self.root(), &targets, &self.config.limits, &metrics).unwrap();
        let notifiers = Notifier::all(&self.config, &Connector::open()).unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(Runner::new(outbox.clone(), notifiers).run(stop.clone()));
        self.running = Some(Running { outbox, stop, task });
    }

    /// In order, as at a shutdown.
    async fn stop(&mut self) {
        let running = self.running.take().unwrap();
        running.stop.cancel();
        running.task.await.unwrap();
    }

    pub(crate) fn put(&self, event: &Event) {
        self.running.as_ref().unwrap().outbox.put(event).unwrap();
    }

    pub(crate) fn list(&self) -> Listing {
        list(&self.root()).unwrap()
    }
}

pub(crate) fn event(id: &str, subject: &str) -> Event {
    let mut data = Map::new();
    data.insert("reason".into(), json!("it \"fails\"\r\nX-Evil: é"));
    data.insert("opened_at".into(), json!("2026-11-25T16:00:00Z"));
    let tenant = Some("acme".parse().unwrap());
    Event::new(
        id,
        "stella.incident.opened",
        Timestamp::now(),
        subject,
        tenant,
        data,
    )
    .unwrap()
}

pub(crate) async fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "waited {PATIENCE:?} for {what}");
}

/// In the order in which each came first.
fn firsts(taken: Vec<String>) -> Vec<String> {
    let mut firsts = Vec::new();
    for id in taken {
        if !firsts.contains(&id) {
            firsts.push(id);
        }
    }
    firsts
}

/// Guarantees: whatever goes wrong, and in whatever order, all is told in the end, and in order
/// within a subject.
pub(crate) async fn every_fault_is_survived(world: impl World) {
    let mut site = Site::new(world.kind());
    let mut faults = world.faults();
    faults.retain(|fault| *fault != Fault::Never);
    world.next(&faults);
    site.start();
    let ids = ["1", "2", "3", "4"];
    for id in ids {
        site.put(&event(id, "inc"));
    }
    wait_for("all to be told", || firsts(world.taken()).len() == 4).await;
    assert_eq!(firsts(world.taken()), ids);
    wait_for("all to be settled", || site.list().pending.is_empty()).await;
    assert!(site.list().dead.is_empty());
}

/// Guarantees: RESTARTABLE; what waits when the gateway stops is told by the next one.
pub(crate) async fn a_restart_while_it_fails_loses_nothing(world: impl World) {
    let mut site = Site::new(world.kind());
    world.always(Some(Fault::Refuse));
    site.start();
    site.put(&event("1", "inc"));
    site.put(&event("2", "inc"));
    let tried = || site.list().pending.iter().any(|one| one.entry.attempts > 1);
    wait_for("it to be tried", tried).await;
    let listing = site.list();
    assert!(listing.pending[0].entry.last_error.is_some());
    assert_eq!(
        listing.pending[1].entry.attempts, 0,
        "it waits behind the first"
    );
    site.stop().await;
    assert!(world.taken().is_empty());
    world.always(None);
    site.start();
    wait_for("both to be told", || world.taken().len() >= 2).await;
    assert_eq!(firsts(world.taken()), ["1", "2"]);
}

/// Guarantees: a message that a target refuses for good is put aside with the reason; the next of
/// the same subject goes on.
pub(crate) async fn what_is_refused_is_put_aside(world: impl World) {
    if !world.faults().contains(&Fault::Never) {
        return;
    }
    let mut site = Site::new(world.kind());
    world.next(&[Fault::Never]);
    site.start();
    site.put(&event("1", "inc"));
    site.put(&event("2", "inc"));
    wait_for("the second to be told", || !world.taken().is_empty()).await;
    assert_eq!(world.taken(), ["2"]);
    let dead = site.list().dead;
    assert_eq!((dead.len(), dead[0].entry.event.id()), (1, "1"));
    assert!(dead[0].entry.last_error.is_some());
}

/// Guarantees: where nothing fails, each event is told once, however often it is put, and over
/// restarts.
pub(crate) async fn all_is_told_once(world: impl World) {
    let mut site = Site::new(world.kind());
    for start in 0..3 {
        site.start();
        for id in ["1", "2", "3"] {
            site.put(&event(id, "inc"));
            site.put(&event(id, "inc"));
        }
        site.put(&event(&format!("of-{start}"), "inc"));
        wait_for("all to be settled", || site.list().pending.is_empty()).await;
        site.stop().await;
    }
    assert_eq!(world.taken(), ["1", "2", "3", "of-0", "of-1", "of-2"]);
}
