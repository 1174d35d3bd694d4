//! The outbox on a disk that may fail and a clock that a test sets, without any target.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use meter::Meter;
use serde_json::Map;
use tempfile::TempDir;

use super::shelf::Take;
use super::*;
use crate::target::{Class, Failure};

struct Site {
    folder: TempDir,
    limits: Limits,
    meter: Meter,
    clock: Arc<AtomicI64>,
}

impl Site {
    fn new() -> Self {
        Site {
            folder: tempfile::tempdir().unwrap(),
            limits: Limits::default(),
            meter: Meter::new(),
            clock: Arc::new(AtomicI64::new(1_764_086_400)),
        }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    fn open(&mut self, disk: Disk) -> Result<Outbox, OpenError> {
        self.meter = Meter::new();
        let clock = Arc::clone(&self.clock);
        let now = move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap();
        let target = |name: &str, pattern: &str| {
            let name = TargetName::parse(name).unwrap();
            (name, vec![Pattern::parse(pattern).unwrap()])
        };
        let targets = [target("a", "*"), target("b", "stella.incident.*")];
        let metrics = Metrics::new(&self.meter);
        let (root, clock) = (self.root(), Arc::new(now));
        Outbox::open_with(&root, &targets, &self.limits, &metrics, disk, clock)
    }

    fn start(&mut self) -> Outbox {
        self.open(Disk::default()).unwrap()
    }

    fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    fn count(&self, target: &str, outcome: &str) -> f64 {
        let series =
            format!("stella_notifications_total{{outcome=\"{outcome}\",target=\"{target}\"}} ");
        let text = self.meter.encode();
        let line = text.lines().find_map(|line| line.strip_prefix(&series));
        line.map_or(0.0, |value| value.parse().unwrap())
    }
}

fn event(id: &str, subject: &str) -> Event {
    let time = Timestamp::UNIX_EPOCH;
    Event::new(
        id,
        "stella.incident.opened",
        time,
        subject,
        None,
        Map::new(),
    )
    .unwrap()
}

/// The id of what a target is sent next, if anything is due.
fn take(outbox: &Outbox, slot: usize) -> Option<(u64, String)> {
    let taken = outbox.inner.slots[slot].lock().take(outbox.inner.now());
    match taken.unwrap() {
        Take::Send(number, entry) => Some((number, entry.event.id().to_owned())),
        Take::Wait(_) | Take::Idle => None,
    }
}

fn taken(outbox: &Outbox, slot: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while let Some((number, id)) = take(outbox, slot) {
        outbox.inner.slots[slot].lock().delivered(number).unwrap();
        ids.push(id);
    }
    ids
}

fn fail(outbox: &Outbox, number: u64, class: Class) {
    let failure = Failure::new(class, "no");
    let now = outbox.inner.now();
    let failed = outbox.inner.slots[0]
        .lock()
        .failed(number, &failure, now, 0.5);
    failed.unwrap();
}

/// Guarantees: RESTARTABLE; what was put is there after a restart, in its order, for each target
/// that wants it, and once.
#[test]
fn what_was_put_is_there_after_a_restart() {
    let mut site = Site::new();
    let outbox = site.start();
    for id in ["1", "2", "3"] {
        let put = outbox.put(&event(id, "s")).unwrap();
        assert_eq!(
            put,
            Put {
                queued: 2,
                known: 0
            }
        );
    }
    assert_eq!(
        outbox.put(&event("2", "s")).unwrap(),
        Put {
            queued: 0,
            known: 2
        }
    );
    let other = Event::new(
        "4",
        "site.other",
        Timestamp::UNIX_EPOCH,
        "s",
        None,
        Map::new(),
    );
    assert_eq!(
        outbox.put(&other.unwrap()).unwrap().queued,
        1,
        "b does not want it"
    );
    drop(outbox);
    let outbox = site.start();
    assert_eq!(taken(&outbox, 0), ["1", "2", "3", "4"]);
    assert_eq!(taken(&outbox, 1), ["1", "2", "3"]);
    drop(outbox);
    let outbox = site.start();
    assert_eq!(
        outbox.put(&event("2", "s")).unwrap().known,
        2,
        "remembered after delivery"
    );
    assert_eq!(take(&outbox, 0), None);
}

/// Guarantees: a later event of a subject waits behind the earlier, also over a restart, while the
/// others go; waits grow and are kept over a restart; Retry-After is honoured.
#[test]
fn failures_wait_and_keep_order() {
    let mut site = Site::new();
    let outbox = site.start();
    for (id, subject) in [("1", "x"), ("2", "x"), ("3", "y")] {
        outbox.put(&event(id, subject)).unwrap();
    }
    let (number, id) = take(&outbox, 0).unwrap();
    assert_eq!(id, "1");
    fail(&outbox, number, Class::Transient);
    assert_eq!(take(&outbox, 0), None, "the target is left alone at first");
    site.pass(5);
    let (_, id) = take(&outbox, 0).unwrap();
    assert_eq!(id, "3", "the other subject, which has not failed");
    drop(outbox);
    let outbox = site.start();
    assert_eq!(
        taken(&outbox, 0),
        ["3", "1", "2"],
        "least failed first, then in order"
    );
    outbox.put(&event("4", "x")).unwrap();
    let (number, _) = take(&outbox, 0).unwrap();
    let mut failure = Failure::new(Class::Throttled, "HTTP 429");
    failure.retry_after = Some(Duration::from_secs(100));
    let now = outbox.inner.now();
    outbox.inner.slots[0]
        .lock()
        .failed(number, &failure, now, 0.5)
        .unwrap();
    for (seconds, due) in [(99, false), (1, true)] {
        site.pass(seconds);
        assert_eq!(take(&outbox, 0).is_some(), due, "after {seconds} s more");
    }
}

/// Guarantees: an event that is refused, tried often enough or too old goes to the dead letters,
/// counted; the next of its subject goes on; dead letters can be taken back.
#[test]
fn what_is_given_up_is_kept_and_comes_back() {
    let mut site = Site::new();
    site.limits.max_attempts = 2;
    let outbox = site.start();
    for id in ["1", "2", "3", "4"] {
        outbox.put(&event(id, "x")).unwrap();
    }
    let (number, _) = take(&outbox, 0).unwrap();
    fail(&outbox, number, Class::Refused);
    for _ in 0..2 {
        site.pass(3600);
        let (number, id) = take(&outbox, 0).unwrap();
        assert_eq!(id, "2");
        fail(&outbox, number, Class::Misconfigured);
    }
    site.pass(4 * 24 * 3600);
    assert_eq!(take(&outbox, 0), None);
    assert_eq!(site.count("a", "dead"), 4.0);
    let listing = list(&site.root()).unwrap();
    let why = |dead: &Listed| dead.entry.dead.as_ref().unwrap().because;
    let of_a = listing.dead.iter().filter(|dead| dead.target == "a");
    let reasons: Vec<Because> = of_a.map(why).collect();
    assert_eq!(
        reasons,
        [
            Because::Refused,
            Because::Attempts,
            Because::Age,
            Because::Age
        ]
    );
    assert_eq!(listing.dead[0].entry.last_error.as_deref(), Some("no"));
    drop(outbox);

    let retried = retry(&site.root(), &Which::Id("2".to_owned())).unwrap();
    assert_eq!((retried.revived, retried.by_gateway), (1, false));
    let unknown = retry(&site.root(), &Which::Id("9".to_owned())).unwrap_err();
    assert!(matches!(unknown, RetryError::Unknown(_)), "{unknown}");
    let outbox = site.start();
    assert_eq!(taken(&outbox, 0), ["2"]);
    drop(outbox);
    // `b` was never asked: its four wait, and are not dead.
    assert_eq!(retry(&site.root(), &Which::All).unwrap().revived, 3);
    let outbox = site.start();
    assert_eq!(taken(&outbox, 0), ["1", "3", "4"]);
    assert!(list(&site.root()).unwrap().dead.is_empty());
}

/// Guarantees: BOUNDED and LOSS-COUNTED; at the limit the oldest makes room, and the oldest dead
/// letter is dropped, both counted.
#[test]
fn at_the_limit_the_oldest_goes() {
    let mut site = Site::new();
    site.limits.max_entries = 3;
    site.limits.dead_letters = 2;
    let outbox = site.start();
    for n in 0..10 {
        outbox.put(&event(&n.to_string(), "x")).unwrap();
    }
    let listing = list(&site.root()).unwrap();
    let ids = |listed: &[Listed]| -> Vec<String> {
        let of_a = listed.iter().filter(|listed| listed.target == "a");
        of_a.map(|listed| listed.entry.event.id().to_owned())
            .collect()
    };
    assert_eq!(ids(&listing.pending), ["7", "8", "9"]);
    assert_eq!(ids(&listing.dead), ["5", "6"]);
    assert_eq!(
        (site.count("a", "dead"), site.count("a", "dropped")),
        (7.0, 5.0)
    );
    assert_eq!(site.meter.sum("stella_notify_outbox_events"), 6.0);
    assert_eq!(site.meter.sum("stella_notify_dead_letters"), 4.0);
}

/// Guarantees: what is remembered of deliveries is bounded, too.
#[test]
fn memory_of_deliveries_is_bounded() {
    let mut site = Site::new();
    site.limits.remembered = 3;
    let outbox = site.start();
    for n in 0..10 {
        outbox.put(&event(&n.to_string(), "x")).unwrap();
        taken(&outbox, 0);
    }
    let files = crate::disk::names(&site.root().join("delivered/a")).unwrap();
    assert_eq!(files.len(), 3, "{files:?}");
    assert_eq!(outbox.put(&event("9", "x")).unwrap().known, 2);
}

/// Guarantees: a damaged file costs its own event alone, loudly.
#[test]
fn a_damaged_file_costs_its_own_event_alone() {
    let mut site = Site::new();
    let outbox = site.start();
    for id in ["1", "2", "3"] {
        outbox.put(&event(id, id)).unwrap();
    }
    drop(outbox);
    let dir = site.root().join("pending/a");
    let files = crate::disk::names(&dir).unwrap();
    let whole = std::fs::read(dir.join(&files[1])).unwrap();
    std::fs::write(dir.join(&files[1]), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(dir.join("stray.txt"), "not ours").unwrap();
    assert_eq!(list(&site.root()).unwrap().damaged, 1);
    let outbox = site.start();
    assert_eq!(taken(&outbox, 0), ["1", "3"]);
    assert_eq!(site.count("a", "damaged"), 1.0);
    let kept = crate::disk::names(&site.root().join("damaged/a")).unwrap();
    assert_eq!(kept, [files[1].as_str()]);
}

/// Guarantees: two processes never have one outbox.
#[test]
fn it_is_locked() {
    let mut site = Site::new();
    let outbox = site.start();
    assert!(matches!(
        site.open(Disk::default()),
        Err(OpenError::InUse { .. })
    ));
    drop(outbox);
    site.start();
}

/// A disk that works for so many steps, as if the process were killed then.
fn dying(steps: usize) -> (Disk, Arc<AtomicUsize>) {
    let done = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&done);
    let fault = move |_: &'static str, _: &Path| -> io::Result<()> {
        match counter.fetch_add(1, Ordering::Relaxed) {
            n if n < steps => Ok(()),
            _ => Err(io::Error::other("killed")),
        }
    };
    let disk = Disk {
        fault: Some(Arc::new(fault)),
    };
    (disk, done)
}

/// What a life does until its disk dies: three events; the first is taken, the second refused, the
/// third fails once, all but the first come back. Which were acknowledged, and which were taken.
fn live(
    outbox: &Outbox,
    put: &mut BTreeSet<String>,
    sent: &mut Vec<String>,
    settled: &mut bool,
) -> io::Result<()> {
    for id in ["1", "2", "3"] {
        if outbox.put(&event(id, id)).is_ok() {
            put.insert(id.to_owned());
        }
    }
    let slot = &outbox.inner.slots[0];
    for _ in 0..3 {
        let Take::Send(number, entry) = slot.lock().take(outbox.inner.now())? else {
            continue;
        };
        let now = outbox.inner.now();
        let id = entry.event.id();
        let refused = Failure::new(Class::Refused, "no");
        let mut failed = Failure::new(Class::Transient, "no");
        failed.retry_after = Some(Duration::ZERO);
        match id {
            "1" => {
                sent.push(id.to_owned());
                slot.lock().delivered(number)?;
                *settled = true;
            }
            "2" => slot.lock().failed(number, &refused, now, 0.5)?,
            _ => slot.lock().failed(number, &failed, now, 0.5)?,
        }
    }
    outbox.inner.revive(&Which::All)?;
    Ok(())
}

/// Guarantees: RESTARTABLE; killed at any step whatsoever, an event that was acknowledged is told
/// after the restart unless it was before, none is in two places, and what was told and settled is
/// not told again.
#[test]
fn a_kill_at_any_step_loses_nothing() {
    let mut steps = 0;
    loop {
        let mut site = Site::new();
        // The folders are there: their making is the least of it, and has a test below.
        drop(site.start());
        let (disk, done) = dying(steps);
        let (mut put, mut sent) = (BTreeSet::new(), Vec::new());
        let mut settled = false;
        if let Ok(outbox) = site.open(disk) {
            let _ = live(&outbox, &mut put, &mut sent, &mut settled);
        }
        let finished = done.load(Ordering::Relaxed) <= steps;
        site.pass(3600);

        let outbox = site.start();
        let listing = list(&site.root()).unwrap();
        assert_eq!(listing.damaged, 0, "after {steps} steps");
        let mut places: Vec<String> = Vec::new();
        for listed in listing.pending.iter().chain(&listing.dead) {
            if listed.target == "a" {
                places.push(listed.entry.event.id().to_owned());
            }
        }
        let once: BTreeSet<&String> = places.iter().collect();
        assert_eq!(once.len(), places.len(), "after {steps} steps: {places:?}");
        outbox.inner.revive(&Which::All).unwrap();
        let again = taken(&outbox, 0);
        for id in &put {
            let told = sent.contains(id) || again.contains(id);
            assert!(told, "after {steps} steps {id} is lost: {sent:?} {again:?}");
        }
        let told_again = again.iter().any(|id| id == "1");
        assert!(!(settled && told_again), "after {steps} steps");
        if finished {
            assert_eq!(again, ["2", "3"], "after {steps} steps");
        }
        // Whoever is not sure puts it again, and then it is there, once.
        for id in ["1", "2", "3"] {
            outbox.put(&event(id, id)).unwrap();
        }
        let rest = taken(&outbox, 0);
        let all: BTreeSet<String> = [again, rest, sent].concat().into_iter().collect();
        assert_eq!(all.len(), 3, "after {steps} steps");
        if finished {
            break;
        }
        steps += 1;
    }
    assert!(steps > 45, "only {steps} steps were tried");
}

/// Guarantees: the first start may be killed at any step, too.
#[test]
fn the_first_start_may_be_killed() {
    for steps in 0..40 {
        let mut site = Site::new();
        let (disk, _) = dying(steps);
        drop(site.open(disk));
        let outbox = site.start();
        assert_eq!(outbox.put(&event("1", "x")).unwrap().queued, 2);
        assert_eq!(taken(&outbox, 0), ["1"]);
    }
}

/// Guarantees: a full disk refuses a put, and what is put once there is room is told once.
#[test]
fn a_full_disk_refuses_and_recovers() {
    let mut site = Site::new();
    let full = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&full);
    let fault = move |step: &'static str, _: &Path| match (asked.load(Ordering::Relaxed), step) {
        (1, "write") => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(()),
    };
    let outbox = site.open(Disk {
        fault: Some(Arc::new(fault)),
    });
    let outbox = outbox.unwrap();
    outbox.put(&event("1", "x")).unwrap();
    full.store(1, Ordering::Relaxed);
    assert!(outbox.put(&event("2", "x")).is_err());
    let (number, _) = take(&outbox, 0).unwrap();
    fail(&outbox, number, Class::Refused);
    assert_eq!(site.count("a", "dead"), 1.0, "a dead letter needs no room");
    full.store(0, Ordering::Relaxed);
    assert_eq!(outbox.put(&event("2", "x")).unwrap().queued, 2);
    assert_eq!(taken(&outbox, 0), ["2"]);
    drop(outbox);
    let outbox = site.start();
    assert_eq!(take(&outbox, 0), None);
    assert_eq!(list(&site.root()).unwrap().dead.len(), 1);
}

/// Guarantees: a clock that goes back holds nothing up for longer than an hour.
#[test]
fn a_clock_that_goes_back_does_little() {
    let mut site = Site::new();
    let outbox = site.start();
    outbox.put(&event("1", "x")).unwrap();
    let (number, _) = take(&outbox, 0).unwrap();
    fail(&outbox, number, Class::Transient);
    site.pass(-30 * 24 * 3600);
    assert_eq!(take(&outbox, 0), None);
    let until = match outbox.inner.slots[0]
        .lock()
        .take(outbox.inner.now())
        .unwrap()
    {
        Take::Wait(until) => until,
        Take::Send(..) | Take::Idle => panic!("it waits"),
    };
    let now = u64::try_from(outbox.inner.now().as_millisecond()).unwrap();
    assert!(until <= now + 3_600_000);
}

/// Guarantees: what version 1 of the format has written is read, and what is written today is the
/// same bytes.
#[test]
fn the_golden_outbox_opens() {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            match from.is_dir() {
                true => copy(&from, &to),
                false => drop(std::fs::copy(from, to).unwrap()),
            }
        }
    }
    let golden = Path::new("tests/golden/v1");
    let folder = tempfile::tempdir().unwrap();
    copy(golden, folder.path());
    let listing = list(folder.path()).unwrap();
    assert_eq!(
        (listing.pending.len(), listing.dead.len(), listing.damaged),
        (1, 1, 0)
    );
    for (place, listed) in [("pending", &listing.pending[0]), ("dead", &listing.dead[0])] {
        let name = entry::FileName {
            number: listed.number,
            digest: listed.entry.event.digest(),
        };
        let file = golden.join(place).join("oncall").join(name.to_string());
        assert_eq!(listed.entry.encode().unwrap(), std::fs::read(file).unwrap());
    }
    let targets = [(
        TargetName::parse("oncall").unwrap(),
        vec![Pattern::parse("*").unwrap()],
    )];
    let metrics = Metrics::new(&Meter::new());
    let outbox = Outbox::open(folder.path(), &targets, &Limits::default(), &metrics).unwrap();
    for known in ["inc-6.closed", "inc-7.opened", "inc-7.extended.1"] {
        assert_eq!(
            outbox.put(&event(known, "inc-7")).unwrap().known,
            1,
            "{known}"
        );
    }
    assert_eq!(outbox.inner.revive(&Which::All).unwrap(), 1);
    let again = outbox.put(&event("inc-7.closed", "inc-7")).unwrap();
    assert_eq!(again.queued, 1);
    let newest = list(folder.path()).unwrap().pending;
    assert_eq!(newest.last().unwrap().number, 4, "numbers go on");
}
