//! The register, against gateways that fail and processes that end.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use super::*;
use crate::incident::tests::{after, asked, now};
use crate::incident::{Count, Key, What};
use crate::seam::{Event, Period, Room};

type Span = (Timestamp, Option<Timestamp>);

/// Where no capture is awaited, so that a hold ends with its incident.
pub(crate) fn plain() -> Config {
    Config {
        capture_deadline: policy::units::Time(Duration::ZERO),
        ..Config::default()
    }
}

/// A gateway that remembers what it was asked, and may refuse. Sampling and the outbox are
/// durable, retention is not, as in the real one.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) sampled: Mutex<BTreeMap<String, (Scope, Duration)>>,
    pub(crate) held: Mutex<BTreeMap<IncidentId, Span>>,
    pub(crate) events: Mutex<Vec<Event>>,
    pub(crate) room: Mutex<Room>,
    pub(crate) periods: Mutex<Vec<Period>>,
    broken: AtomicBool,
}

impl Fake {
    fn fails(&self) -> Result<(), String> {
        match self.broken.load(Ordering::Relaxed) {
            true => Err("broken".to_owned()),
            false => Ok(()),
        }
    }

    pub(crate) fn seams(fake: &Arc<Fake>) -> Seams {
        Seams {
            sampling: fake.clone(),
            retention: fake.clone(),
            metrics: fake.clone(),
            events: fake.clone(),
        }
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.events
            .lock()
            .unwrap()
            .iter()
            .map(|event| event.kind)
            .collect()
    }

    fn sampled(&self) -> Vec<String> {
        self.sampled.lock().unwrap().keys().cloned().collect()
    }
}

impl Sampling for Fake {
    fn keep_all(
        &self,
        id: &IncidentId,
        scope: &Scope,
        lookback: Duration,
    ) -> Result<Option<Timestamp>, String> {
        self.fails()?;
        let mut sampled = self.sampled.lock().unwrap();
        sampled
            .entry(id.to_string())
            .or_insert((scope.clone(), lookback));
        Ok(Some(after(1)))
    }

    fn end(&self, id: &str) -> Result<(), String> {
        self.fails()?;
        self.sampled.lock().unwrap().remove(id);
        Ok(())
    }

    fn kept(&self, id: &IncidentId) -> Option<Count> {
        let known = self.sampled.lock().unwrap().contains_key(id.as_str());
        known.then_some(Count {
            before_spans: 3,
            before_done: true,
            during_spans: 5,
        })
    }

    fn in_force(&self) -> Vec<String> {
        self.sampled()
    }
}

impl Retention for Fake {
    fn hold(&self, id: &IncidentId, from: Timestamp, to: Option<Timestamp>) {
        self.held.lock().unwrap().insert(id.clone(), (from, to));
    }

    fn release(&self, id: &IncidentId) {
        self.held.lock().unwrap().remove(id);
    }

    fn room(&self) -> Room {
        *self.room.lock().unwrap()
    }
}

impl seam::Metrics for Fake {
    fn pass(&self, periods: Vec<Period>) {
        *self.periods.lock().unwrap() = periods;
    }
}

impl Events for Fake {
    fn put(&self, event: &Event) -> Result<(), String> {
        self.fails()?;
        let mut events = self.events.lock().unwrap();
        if events.iter().all(|known| known.id != event.id) {
            events.push(event.clone());
        }
        Ok(())
    }
}

pub(crate) fn register(dir: &Path, fake: &Arc<Fake>, config: Config, at: Timestamp) -> Register {
    let (store, loaded) = Store::open(dir).unwrap();
    let register = Register::start(store, loaded, config, Fake::seams(fake), &Meter::new());
    register.tick(at);
    register
}

fn fresh() -> (TempDir, Arc<Fake>, Register) {
    let (dir, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::default()));
    let register = register(dir.path(), &fake, plain(), now());
    (dir, fake, register)
}

fn open(register: &Register, asked: Open, at: Timestamp) -> Result<Opened, Failure> {
    register.open(asked, at, |_| Ok(None))
}

fn what(incident: &Incident) -> Vec<What> {
    incident.timeline.iter().map(|entry| entry.what).collect()
}

/// Guarantees: an open incident samples, holds and tells; its end takes all of it back, once.
#[test]
fn an_incident_is_in_force_until_it_ends() {
    let (_dir, fake, register) = fresh();
    let one = open(&register, asked("service=a", 600, 60), now())
        .unwrap()
        .incident;
    assert_eq!(one.in_force_from, Some(after(1)));
    assert_eq!(
        fake.sampled.lock().unwrap()[one.id.as_str()].1,
        Duration::from_secs(60)
    );
    assert_eq!(fake.held.lock().unwrap()[&one.id], (after(-60), None));
    assert_eq!(register.scopes().len(), 1);
    let closed = register
        .close(&one.id, "me", Some("mended"), after(30))
        .unwrap();
    assert_eq!(closed.kept.unwrap().before_spans, 3);
    assert!(fake.sampled().is_empty() && fake.held.lock().unwrap().is_empty());
    assert!(register.scopes().is_empty());
    let again = register.close(&one.id, "me", None, after(31)).unwrap();
    assert_eq!(
        what(&again),
        [What::Opened, What::InForce, What::Closed, What::Released]
    );
    assert_eq!(
        fake.kinds(),
        ["stella.incident.opened", "stella.incident.closed"]
    );
    let last = fake.events.lock().unwrap()[1].clone();
    assert_eq!(last.data["kept"]["before_spans"], 3);
    assert_eq!(last.data["closed_by"], "me");
    assert!(matches!(
        register.close(
            &"inc-20261125T162430Z-ffffff".parse().unwrap(),
            "me",
            None,
            now()
        ),
        Err(Failure::Refused(Refusal::Unknown))
    ));
}

/// Guarantees: an incident expires by itself, in the process and while no process runs.
#[test]
fn it_expires_by_itself() {
    let (dir, fake, register_) = fresh();
    open(&register_, asked("service=a", 600, 60), now()).unwrap();
    open(&register_, asked("service=b", 900, 60), now()).unwrap();
    register_.tick(after(599));
    assert_eq!(register_.list(Some(State::Open), 9).len(), 2);
    register_.tick(after(600));
    let open = register_.list(Some(State::Open), 9);
    assert_eq!(open.len(), 1);
    assert_eq!(fake.sampled(), [open[0].id.to_string()]);
    drop(register_);
    let register_ = register(dir.path(), &fake, plain(), after(10_000));
    assert!(register_.list(Some(State::Open), 9).is_empty());
    assert!(fake.sampled().is_empty());
    assert_eq!(
        fake.kinds()
            .iter()
            .filter(|kind| kind.ends_with("expired"))
            .count(),
        2
    );
}

/// Guarantees (RESTARTABLE): after each step of any life, a new process finds the same incidents,
/// holds what they hold, and tells nothing twice.
#[test]
fn a_restart_after_each_step_changes_nothing() {
    let (dir, fake, mut live) = fresh();
    let mut id = None;
    for step in 0..5 {
        let at = after(step * 10);
        match (step, &id) {
            (0, _) => {
                id = Some(
                    open(&live, asked("service=a", 600, 60), at)
                        .unwrap()
                        .incident
                        .id,
                )
            }
            (1, _) => drop(open(&live, asked("service=b,tenant=t", 25, 0), at).unwrap()),
            (2, Some(id)) => drop(
                live.extend(id, Duration::from_secs(900), "me", None, at)
                    .unwrap(),
            ),
            (3, Some(id)) => drop(live.close(id, "me", None, at).unwrap()),
            _ => live.tick(at),
        }
        let before = (
            live.list(None, 9),
            fake.sampled(),
            fake.held.lock().unwrap().clone(),
            fake.kinds(),
        );
        drop(live);
        // A new process holds nothing.
        fake.held.lock().unwrap().clear();
        live = register(dir.path(), &fake, plain(), at);
        let after = (
            live.list(None, 9),
            fake.sampled(),
            fake.held.lock().unwrap().clone(),
            fake.kinds(),
        );
        assert_eq!(before, after, "step {step}");
    }
    assert!(live.list(Some(State::Open), 9).is_empty());
}

/// Guarantees: the same request with the same key opens one incident, also after a restart and
/// after its end; another request with it is refused.
#[test]
fn a_key_opens_one_incident() {
    let (dir, fake, live) = fresh();
    let with = |key: &str, request: &[u8]| Open {
        key: Key::new(key, request),
        ..asked("all", 600, 0)
    };
    let first = open(&live, with("k", b"one"), now()).unwrap();
    let again = open(&live, with("k", b"one"), after(5)).unwrap();
    assert!(first.fresh && !again.fresh);
    assert_eq!(first.incident.id, again.incident.id);
    live.close(&first.incident.id, "me", None, after(6))
        .unwrap();
    drop(live);
    let live = register(dir.path(), &fake, plain(), after(7));
    let again = open(&live, with("k", b"one"), after(8)).unwrap();
    assert_eq!((again.fresh, again.incident.id), (false, first.incident.id));
    assert!(matches!(
        open(&live, with("k", b"two"), after(9)),
        Err(Failure::Refused(Refusal::KeyReused { .. }))
    ));
    assert!(open(&live, with("l", b"one"), after(9)).unwrap().fresh);
}

/// Guarantees: what fails for a time is tried again until it is done, in the right order, and
/// reaches as far back as it was to.
#[test]
fn what_fails_is_tried_again() {
    let (_dir, fake, live) = fresh();
    fake.broken.store(true, Ordering::Relaxed);
    let one = open(&live, asked("service=a", 600, 60), now())
        .unwrap()
        .incident;
    assert_eq!((one.in_force_from, fake.kinds().len()), (None, 0));
    assert_eq!(fake.held.lock().unwrap().len(), 1);
    live.extend(&one.id, Duration::from_secs(900), "me", None, after(5))
        .unwrap();
    fake.broken.store(false, Ordering::Relaxed);
    live.tick(after(10));
    assert_eq!(
        fake.sampled.lock().unwrap()[one.id.as_str()].1,
        Duration::from_secs(70)
    );
    assert_eq!(
        fake.kinds(),
        ["stella.incident.opened", "stella.incident.extended"]
    );
    fake.broken.store(true, Ordering::Relaxed);
    live.close(&one.id, "me", None, after(20)).unwrap();
    assert_eq!(fake.sampled().len(), 1);
    fake.broken.store(false, Ordering::Relaxed);
    live.tick(after(21));
    assert!(fake.sampled().is_empty());
    assert_eq!(fake.kinds().len(), 3);
}

/// Guarantees: a full disk refuses what is new and leaves nothing of it in force; an end needs no
/// disk and is stored when there is one.
#[test]
fn a_disk_that_fails() {
    let (dir, fake, live) = fresh();
    let one = open(&live, asked("service=a", 600, 60), now())
        .unwrap()
        .incident;
    let (here, away) = (dir.path().to_owned(), dir.path().with_extension("away"));
    std::fs::rename(&here, &away).unwrap();
    assert!(matches!(
        open(&live, asked("service=b", 600, 60), after(1)),
        Err(Failure::Store(_))
    ));
    assert_eq!(
        (fake.sampled().len(), fake.held.lock().unwrap().len()),
        (1, 1)
    );
    assert!(matches!(
        live.close(&one.id, "me", None, after(1)),
        Err(Failure::Store(_))
    ));
    assert_eq!(fake.sampled().len(), 1);
    live.tick(after(700));
    assert!(fake.sampled().is_empty());
    std::fs::rename(&away, &here).unwrap();
    live.tick(after(701));
    let (_, loaded) = Store::open(&here).unwrap();
    assert!(!loaded.incidents[&one.id].is_open());
}

/// Guarantees: over the budget or the disk an incident is neither opened nor extended, and the
/// numbers are told.
#[test]
fn what_does_not_fit_is_refused() {
    let (_dir, fake, live) = fresh();
    *fake.room.lock().unwrap() = Room {
        bytes_per_second: (1 << 20) as f64,
        held: Duration::from_secs(3600),
        free_bytes: None,
    };
    let most = 20 << 10;
    let one = open(&live, asked("service=a", most - 60, 60), now()).unwrap();
    assert_eq!(one.estimate.bytes, most << 20);
    let more = live.extend(
        &one.incident.id,
        Duration::from_secs(most),
        "me",
        None,
        after(60),
    );
    assert!(matches!(
        more,
        Err(Failure::Refused(Refusal::OverBudget { .. }))
    ));
    assert_eq!(
        live.get(&one.incident.id).unwrap().expires_at,
        one.incident.expires_at
    );
    // One that ends earlier adds nothing.
    open(&live, asked("service=b", 600, 60), now()).unwrap();
    let over = open(&live, asked("service=c", most, 60), now());
    assert!(matches!(
        over,
        Err(Failure::Refused(Refusal::OverBudget { .. }))
    ));
}

/// Guarantees: as many closed incidents are kept as the profile says, the newest; raised sampling
/// that belongs to none is ended, but not where the record is only damaged.
#[test]
fn old_ones_are_forgotten_and_strays_are_ended() {
    let (dir, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::default()));
    let damaged = "inc-20261125T162430Z-dddddd";
    std::fs::write(dir.path().join(format!("{damaged}.json")), "x").unwrap();
    for id in [damaged, "inc-20261125T162430Z-eeeeee", "stray"] {
        fake.sampled
            .lock()
            .unwrap()
            .insert(id.to_owned(), (Scope::all(), Duration::ZERO));
    }
    let config = Config {
        keep_closed: 2,
        ..plain()
    };
    let live = register(dir.path(), &fake, config, now());
    assert_eq!(fake.sampled(), [damaged]);
    for n in 0..4 {
        let one = open(&live, asked("all", 600, 0), after(n))
            .unwrap()
            .incident;
        live.close(&one.id, "me", None, after(n)).unwrap();
    }
    live.tick(after(5));
    let kept: Vec<Timestamp> = live
        .list(None, 9)
        .iter()
        .map(|known| known.opened_at)
        .collect();
    assert_eq!(kept, [after(3), after(2)]);
    assert_eq!(Store::open(dir.path()).unwrap().1.incidents.len(), 2);
}

/// Guarantees: what a damaged file's incident may hold is held, as long as it can be and no longer,
/// also after a restart; it ends where the file is moved away.
#[test]
fn a_damaged_file_keeps_its_hold() {
    let (dir, fake) = (tempfile::tempdir().unwrap(), Arc::new(Fake::default()));
    let name = "inc-20261125T162430Z-dddddd";
    let file = dir.path().join(format!("{name}.json"));
    std::fs::write(&file, "x").unwrap();
    std::fs::write(dir.path().join("other.json"), "x").unwrap();
    let seconds = u64::try_from(after(100).as_second()).unwrap();
    let written = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
    std::fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_modified(written)
        .unwrap();
    let config = Config::default();
    let (_, loaded) = Store::open(dir.path()).unwrap();
    let id: IncidentId = name.parse().unwrap();
    let (most, day) = (3600, 24 * 3600);
    let held = (after(-most), Some(after(100 + day)));
    assert_eq!(loaded.holds(&config), [(id.clone(), held.0, held.1)]);
    for life in 0..2 {
        fake.held.lock().unwrap().clear();
        let live = register(dir.path(), &fake, config.clone(), after(200));
        assert_eq!(
            fake.held.lock().unwrap().get(&id),
            Some(&held),
            "life {life}"
        );
        live.tick(after(100 + 2 * day - 1));
        assert_eq!(fake.held.lock().unwrap().len(), 1);
    }
    let live = register(dir.path(), &fake, config.clone(), after(200));
    live.tick(after(100 + 2 * day));
    assert!(fake.held.lock().unwrap().is_empty());
    let live = register(dir.path(), &fake, config, after(200));
    std::fs::remove_file(&file).unwrap();
    live.tick(after(201));
    assert!(fake.held.lock().unwrap().is_empty());
}

/// Guarantees: filters of metrics are told of scopes and times, of incidents that are over too, and
/// at once.
#[test]
fn filters_are_told_of_scopes_and_times() {
    let (_dir, fake, live) = fresh();
    let one = open(&live, asked("service=a", 600, 60), now())
        .unwrap()
        .incident;
    let period = |to| Period {
        scope: "service=a".parse().unwrap(),
        from: after(-60),
        to,
    };
    assert_eq!(*fake.periods.lock().unwrap(), [period(None)]);
    live.close(&one.id, "me", None, after(20)).unwrap();
    assert_eq!(*fake.periods.lock().unwrap(), [period(Some(after(20)))]);
    live.tick(after(30));
    assert_eq!(*fake.periods.lock().unwrap(), [period(Some(after(20)))]);
}
