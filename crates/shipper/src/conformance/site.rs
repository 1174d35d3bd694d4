//! A journal, a shipper and a world, as one.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use ident::Signal;
use journal::{Durability, Journal, Options, Position, Record, Start};
use meter::Meter;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::World;
use super::items::{self, Item};
use crate::batch::Batch;
use crate::config::{Config, DestinationConfig};
use crate::destination::{Accepted, Answering, Class, Destination};
use crate::file;
use crate::metrics::Metrics;
use crate::shipper::{Outlet, Shipper};
use crate::status::StatusHandle;

/// The shipper's name.
pub(crate) const NAME: &str = "s";
/// How long a test waits for what never happens. No test depends on it to pass.
const PATIENCE: Duration = Duration::from_secs(60);

/// An attempt to send, as the core made it.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub tenant: String,
    pub signal: Signal,
    pub items: u64,
    pub bytes: usize,
    pub at: Instant,
    /// `None` while it lasts.
    pub ended: Option<Result<Accepted, Class>>,
}

type Attempts = Arc<Mutex<Vec<Attempt>>>;

/// A destination whose attempts are noted.
struct Watched {
    inner: Box<dyn Destination>,
    attempts: Attempts,
}

impl Destination for Watched {
    fn send<'a>(&'a self, batch: &'a Batch) -> Answering<'a> {
        let number = {
            let mut attempts = self.attempts.lock().unwrap();
            attempts.push(Attempt {
                tenant: batch.tenant.to_string(),
                signal: batch.signal,
                items: batch.items(),
                bytes: batch.bytes(),
                at: Instant::now(),
                ended: None,
            });
            attempts.len() - 1
        };
        Box::pin(async move {
            let answer = self.inner.send(batch).await;
            let ended = answer.clone().map_err(|failure| failure.class);
            self.attempts.lock().unwrap()[number].ended = Some(ended);
            answer
        })
    }

    fn max_in_flight(&self) -> usize {
        self.inner.max_in_flight()
    }

    fn tick(&self) {
        self.inner.tick();
    }
}

/// What was appended.
#[derive(Clone, Debug)]
pub(crate) struct Appended {
    pub position: Position,
    pub items: Vec<Item>,
}

/// All of it. Scenarios change `config` before they start.
pub(crate) struct Site<W> {
    pub world: W,
    pub config: Config,
    pub meter: Meter,
    pub appended: Vec<Appended>,
    attempts: Attempts,
    metrics: Metrics,
    journal: Option<Journal>,
    next: u64,
    dir: TempDir,
}

/// A shipper that runs.
pub(crate) struct Running {
    task: JoinHandle<bool>,
    stop: CancellationToken,
    pub status: StatusHandle,
}

impl Running {
    /// Stops as `kill -9` does, as far as a task can.
    pub(crate) async fn abort(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Stops in order.
    pub(crate) async fn shut_down(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

impl<W: World> Site<W> {
    pub(crate) fn new(world: W) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let unused = DestinationConfig::File(file::Config::new(dir.path().join("unused")));
        let mut config = Config::new(NAME, unused, dir.path().join("dead"));
        config.batch_max_bytes = 8 << 10;
        let (meter, metrics, journal) = open(&dir);
        Site {
            world,
            config,
            meter,
            metrics,
            journal: Some(journal),
            appended: Vec::new(),
            attempts: Attempts::default(),
            next: 0,
            dir,
        }
    }

    /// Closes the journal and opens it again, as another process would.
    pub(crate) async fn reopen(&mut self) {
        if let Some(journal) = self.journal.take() {
            journal.close().await.unwrap();
        }
        let (meter, metrics, journal) = open(&self.dir);
        (self.meter, self.metrics, self.journal) = (meter, metrics, Some(journal));
    }

    fn journal(&self) -> &Journal {
        self.journal.as_ref().unwrap()
    }

    /// Appends one request of so many items.
    pub(crate) async fn append(&mut self, tenant: &str, signal: Signal, count: u64) {
        self.append_padded(tenant, signal, count, 10).await;
    }

    /// Appends one request of so many items of at least so many bytes.
    pub(crate) async fn append_padded(
        &mut self,
        tenant: &str,
        signal: Signal,
        count: u64,
        padding: usize,
    ) {
        let payload = items::request(signal, tenant, self.next..self.next + count, padding);
        self.next += count;
        let items = items::items(signal, &payload).unwrap();
        assert_eq!(items.len() as u64, count);
        let position = self.append_bytes(tenant, signal, count, payload).await;
        self.appended.push(Appended { position, items });
    }

    /// Appends bytes as they are.
    pub(crate) async fn append_bytes(
        &mut self,
        tenant: &str,
        signal: Signal,
        items: u64,
        payload: Vec<u8>,
    ) -> Position {
        let record = Record {
            tenant: tenant.parse().unwrap(),
            signal,
            items,
            min_time_unix_nano: 0,
            max_time_unix_nano: 0,
            payload: Bytes::from(payload),
        };
        self.journal().append(record).await.unwrap()
    }

    /// Appends requests of several tenants and all signals, mixed.
    pub(crate) async fn append_mix(&mut self, requests: u64) {
        for i in 0..requests {
            let tenant = ["acme", "globex", "initech"][i as usize % 3];
            let signal = Signal::ALL[(i / 3) as usize % 3];
            self.append(tenant, signal, i % 5 + 1).await;
        }
    }

    pub(crate) fn start(&self) -> Running {
        let destination = Box::new(Watched {
            inner: self.world.destination(),
            attempts: Arc::clone(&self.attempts),
        });
        let shipper = Shipper::open_at(
            self.config.clone(),
            Start::Oldest,
            &Outlet::of(destination),
            self.journal(),
            &self.metrics,
        )
        .unwrap();
        let (status, stop) = (shipper.status(), CancellationToken::new());
        let task = tokio::spawn(shipper.run(stop.clone()));
        Running { task, stop, status }
    }

    /// How far the stored cursor is.
    pub(crate) fn cursor(&self) -> Position {
        let consumers = self.journal().consumers();
        let ours = consumers.iter().find(|consumer| consumer.name == NAME);
        ours.unwrap().position
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.attempts.lock().unwrap().clone()
    }

    /// Items that were appended, sorted.
    pub(crate) fn expected(&self) -> Vec<Item> {
        let mut items: Vec<Item> = self
            .appended
            .iter()
            .flat_map(|appended| appended.items.clone())
            .collect();
        items.sort();
        items
    }

    /// Items that were taken, sorted, each as often as it was taken.
    pub(crate) fn arrived(&self) -> Vec<Item> {
        let taken = self.world.taken();
        let mut items: Vec<Item> = taken.into_iter().flat_map(|taken| taken.items).collect();
        items.sort();
        items
    }

    /// Everything arrived as it was, and once.
    pub(crate) fn assert_exactly_once(&self) {
        assert_eq!(ids(&self.arrived()), ids(&self.expected()));
        assert_eq!(self.arrived(), self.expected());
    }

    /// Everything arrived as it was, maybe more than once.
    pub(crate) fn assert_at_least_once(&self) {
        let set = |items: Vec<Item>| items.into_iter().collect::<BTreeSet<_>>();
        assert_eq!(set(self.arrived()), set(self.expected()));
    }

    /// RESTARTABLE: what lies before the cursor has arrived.
    pub(crate) fn assert_cursor_is_behind_what_arrived(&self) {
        let cursor = self.cursor();
        let arrived: BTreeSet<Item> = self.arrived().into_iter().collect();
        for appended in &self.appended {
            if appended.position < cursor {
                for item in &appended.items {
                    assert!(arrived.contains(item), "{} is behind the cursor", item.id);
                }
            }
        }
    }

    /// Waits until the shipper has nothing left to do.
    pub(crate) async fn settled(&self, running: &Running) {
        let end = self.appended.last().map(|appended| appended.position);
        wait_until("the shipper to have nothing left to do", || {
            let status = running.status.get();
            status.in_flight == 0 && status.lag_bytes == 0 && Some(status.position) > end
        })
        .await;
    }

    /// The lines of all dead letters.
    pub(crate) fn dead_letters(&self) -> Vec<serde_json::Value> {
        let Ok(files) = fs::read_dir(self.dir.path().join("dead")) else {
            return Vec::new();
        };
        files
            .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
            .flat_map(|text| {
                let lines = text.lines();
                lines
                    .map(|line| serde_json::from_str(line).unwrap())
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// One series of the metrics, by its name and labels as Prometheus text has them.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let text = self.meter.encode();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
        Some(line.parse().unwrap())
    }

    /// Nothing was given up.
    pub(crate) fn assert_nothing_lost(&self, running: &Running) {
        let status = running.status.get();
        assert_eq!((status.lost_items, status.dead_letter_items), (0, 0));
        assert_eq!(self.meter.sum("stella_items_lost_total"), 0.0);
        assert_eq!(self.dead_letters(), Vec::<serde_json::Value>::new());
    }
}

/// The ids alone, which are quicker to read where a test fails.
pub(crate) fn ids(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.id.as_str()).collect()
}

fn open(dir: &TempDir) -> (Meter, Metrics, Journal) {
    let meter = Meter::new();
    let options = Options {
        durability: Durability::Os,
        // Some reads come from the disk.
        cache_bytes: 16 << 10,
        ..Options::default()
    };
    let (journal, _) = Journal::open(&dir.path().join("journal"), options, &meter).unwrap();
    (meter.clone(), Metrics::new(&meter), journal)
}

/// Waits for it. Lets paused time go on in small steps, so that sockets come before timers.
pub(crate) async fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
