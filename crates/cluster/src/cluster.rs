//! A gateway's part in the cluster: what it knows, shared by all that ask where a span goes.

mod change;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use ident::MemberName;
use journal::{Block, Journal, ReadError};
use meter::Meter;
use sampling::{Own, Ownership};
use tokio::sync::watch;

pub(crate) use change::ChangeError;

use crate::history::{At, Epoch, History, Next};
use crate::lanes::is_cursor;
use crate::member::{Member, Members};
use crate::metrics::Metrics;
use crate::pick;
use crate::store::Store;
use crate::told;

/// What a gateway is told of its cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its own name.
    pub me: MemberName,
    /// Who takes part now; none if that cannot be read, which does where a list is stored.
    pub members: Option<Members>,
    /// How long after a change spans go to former owners first.
    pub handover: Duration,
    /// How far a change looks back for traces that stay.
    pub look_back: Duration,
    /// The most traces that stay at a change.
    pub max_staying: usize,
}

/// Why a gateway cannot take part.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is not in the list, and never was.
    #[error("`{me}` is not among the members: {}\nhint: set `cluster.name` to one of them, or add this gateway to the list", .members.join(", "))]
    NotListed {
        /// Its name.
        me: MemberName,
        /// Those that are.
        members: Vec<String>,
    },
    /// The folder is another member's.
    #[error(
        "the data directory is that of the member `{was}`, but `cluster.name` is `{me}`\nhint: a member keeps its name and its data directory together; name another with --data-dir"
    )]
    Another {
        /// Whose it is.
        was: MemberName,
        /// Who wants it.
        me: MemberName,
    },
    /// A file.
    #[error("the cluster's files in {path} cannot be used: {source}\nhint: see to the disk; if a file is damaged, remove the folder: the gateway then joins anew", path = .path.display())]
    Files {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] ReadError),
}

/// A gateway's part in the cluster. Clones are the same.
#[derive(Clone, Debug)]
pub struct Cluster(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    journal: Journal,
    store: Store,
    metrics: Metrics,
    history: RwLock<History>,
    changes: watch::Sender<u64>,
    /// Bytes that senders may still bring before the next look; none if it is not known yet.
    room: AtomicI64,
}

impl Cluster {
    /// Opens what is stored in `dir`; what a crash left undone is done.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        options: Options,
        journal: &Journal,
        dir: &Path,
        meter: &Meter,
    ) -> Result<Cluster, OpenError> {
        let files = |source| OpenError::Files {
            path: dir.to_owned(),
            source,
        };
        let store = Store::open(dir).map_err(files)?;
        let me = &options.me;
        let members = || options.members.iter().flat_map(Members::iter);
        let history = match store.load().map_err(files)? {
            Some(history) if history.me != *me => {
                let (was, me) = (history.me, me.clone());
                return Err(OpenError::Another { was, me });
            }
            Some(history) => history,
            None => {
                let listed = options.members.clone();
                let listed = listed.filter(|members| members.get(me).is_some());
                let Some(members) = listed else {
                    return Err(OpenError::NotListed {
                        me: me.clone(),
                        members: members().map(|m| m.name.to_string()).collect(),
                    });
                };
                let first = Epoch {
                    number: 0,
                    from: journal.stats().newest,
                    since_unix_nano: journal.clock(),
                    handover_nanos: nanos(options.handover),
                    members,
                    stay: None,
                };
                let history = History::begin(me.clone(), first);
                store.put(&history).map_err(files)?;
                history
            }
        };
        let cluster = Cluster(Arc::new(Inner {
            options,
            journal: journal.clone(),
            store,
            metrics: Metrics::new(meter),
            history: RwLock::new(history),
            changes: watch::Sender::new(0),
            room: AtomicI64::new(i64::MAX),
        }));
        cluster.find_stays().map_err(|error| match error {
            ChangeError::Read(error) => OpenError::Journal(error),
            ChangeError::Write(error) => files(error),
            ChangeError::TooOften => files(io::Error::other(error.to_string())),
        })?;
        cluster.show();
        Ok(cluster)
    }

    /// Whether a folder holds a member's state.
    pub fn is_stored(dir: &Path) -> bool {
        Store::is_stored(dir)
    }

    /// This gateway's name.
    pub fn me(&self) -> &MemberName {
        &self.0.options.me
    }

    /// What it knows now.
    pub fn history(&self) -> History {
        self.read().clone()
    }

    /// The list it goes by.
    pub(crate) fn members(&self) -> Vec<Member> {
        let history = self.read();
        let current = history.current();
        current.map_or_else(Vec::new, |epoch| epoch.members.iter().cloned().collect())
    }

    pub(crate) fn digest(&self) -> String {
        let history = self.read();
        let current = history.current();
        current.map_or_else(String::new, |epoch| epoch.members.digest().to_owned())
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.0.journal
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn handover(&self) -> Duration {
        self.0.options.handover
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Whether senders may bring so many bytes, which then count: what is left of the journal is
    /// for other members.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.0.room.fetch_sub(bytes, Ordering::Relaxed) > 0
    }

    /// BOUNDED without a standstill: two members whose journals are full with what is for each
    /// other must be able to take some of it. So senders leave them a tenth and two segments.
    pub(crate) fn look_for_room(&self) {
        let journal = &self.0.journal;
        let options = journal.options();
        let reserve = options.max_bytes / 10 + 2 * options.segment_bytes;
        let most = options
            .max_bytes
            .saturating_sub(reserve.min(options.max_bytes / 2));
        let consumers = journal.consumers();
        let lanes = consumers
            .iter()
            .filter(|consumer| is_cursor(&consumer.name));
        let behind = lanes.map(|consumer| consumer.lag_bytes).max().unwrap_or(0);
        let room = i64::try_from(most).unwrap_or(i64::MAX) - i64::try_from(behind).unwrap_or(0);
        self.0.room.store(room, Ordering::Relaxed);
        self.0.metrics.short.set(f64::from(u8::from(room <= 0)));
    }

    pub(crate) fn told(&self) -> String {
        told::text(&self.read(), self.0.journal.clock())
    }

    fn show(&self) {
        let (metrics, history) = (&self.0.metrics, self.read());
        let now = self.0.journal.clock();
        let handover = history.handover_until(now).is_some();
        let members = history.current().map_or(0, |epoch| epoch.members.count());
        metrics.members.set(members as f64);
        metrics.staying.set(history.staying(now) as f64);
        metrics.handover.set(f64::from(u8::from(handover)));
        metrics.joining.set(f64::from(u8::from(history.joining)));
    }

    fn tell(&self) {
        self.0.changes.send_modify(|count| *count += 1);
        self.show();
    }

    fn read(&self) -> RwLockReadGuard<'_, History> {
        self.0
            .history
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, History> {
        self.0
            .history
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a block's items go that go to `to`, into `out`; `None` while that is not known.
    pub(crate) fn others(&self, block: &Block, to: &MemberName, out: &mut Vec<u8>) -> Option<u64> {
        let history = self.read();
        match history.at(block.position, block.appended_unix_nano) {
            At::Unknown => None,
            At::Alone => Some(0),
            At::Known(route) => {
                let found = pick::others(&route, block, Next::To(to), out);
                Some(found.unwrap_or_else(|error| {
                    tracing::error!(%error, position = %block.position, "a block cannot be read; it is not forwarded");
                    0
                }))
            }
        }
    }
}

impl Ownership for Cluster {
    fn own(&self, block: &Block) -> Option<Own> {
        let history = self.read();
        match history.at(block.position, block.appended_unix_nano) {
            At::Unknown => None,
            At::Alone => Some(Own::All),
            // What cannot be read is the sampler's to tell of.
            At::Known(route) => Some(pick::own(&route, block).unwrap_or(Own::All)),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
