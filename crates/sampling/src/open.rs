//! Putting a process's sampling together: from what is stored, or from nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use ident::Signal;
use journal::{Filter, Journal, Position, Start};
use meter::Meter;
use sampler::config::{Logs, Sampling as Config};
use sampler::{Sampler, Selection};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::control::{Book, Control};
use crate::decisions::{Decisions, Unknown, Writer, make_dir};
use crate::lookback::{Lookback, Round, holder_of, name_of};
use crate::metrics::Metrics;
use crate::ownership::Ownership;
use crate::stage::{Deciding, Stage, try_next};
use crate::store::{Lookback as State, Store};

/// The consumer that holds what a restart reads back.
const HOLDER: &str = "_sampler.read";
/// Commands that wait.
const MAX_COMMANDS: usize = 16;

/// Why sampling cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] sampler::config::ConfigError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] journal::OpenError),
    /// A file of sampling's.
    #[error("the sampler's files in {path} cannot be used: {source}\nhint: see to the disk, or remove the folder: decisions then begin anew", path = .path.display())]
    Files {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A process's sampling, ready to run.
pub struct Sampling {
    stage: Stage,
    control: Control,
    lookbacks: Option<mpsc::UnboundedReceiver<Lookback>>,
}

impl Sampling {
    /// Opens what is stored in `dir`. Blocks before `begin` of a signal need no decision, where
    /// there are none yet: no shipper will ask for them. With `own`, only what is this gateway's
    /// own is decided.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(
        config: &Config,
        journal: &Journal,
        dir: &Path,
        meter: &Meter,
        begin: impl Fn(Signal) -> Position,
        own: Option<Arc<dyn Ownership>>,
    ) -> Result<Sampling, OpenError> {
        let files = |source| OpenError::Files {
            path: dir.to_owned(),
            source,
        };
        make_dir(dir).map_err(files)?;
        let store = Store::new(dir);
        let book = Arc::new(Book::open(&store).map_err(files)?);
        let mut sampler = match store.checkpoint() {
            Some(checkpoint) => {
                let read_from = checkpoint.read_from();
                (Sampler::resume(config, checkpoint)?, Some(read_from))
            }
            None => (Sampler::new(config)?, None),
        };
        give_overrides(&mut sampler.0, &book);
        let (sampler, read_from) = sampler;
        let signals = match config.logs {
            Logs::All => &[Signal::Traces][..],
            Logs::WithTrace => &[Signal::Traces, Signal::Logs][..],
        };
        let wait = sampler.lag_nanos(Signal::Traces);
        let mut deciding = Vec::new();
        for signal in signals {
            let dir = store.decisions(signal.as_str());
            let writer = Writer::open(&dir, begin(*signal), Unknown::Whole).map_err(files)?;
            let start = Start::At(writer.until());
            let reader = journal.reader(start, Filter::signal(*signal));
            deciding.push(Deciding {
                signal: *signal,
                reader: match signal {
                    // Of most blocks the sampler has noted all that it needs, but what is a
                    // gateway's own of a block is told by its payload.
                    Signal::Traces if own.is_none() => reader.heads_only(),
                    // Shippers follow as soon as they have its decisions.
                    _ => reader.leading(),
                },
                next: None,
                writer,
                extra: sampler.lag_nanos(*signal) - wait,
            });
        }
        let start = read_back_from(journal, &mut deciding, &sampler, read_from, own.as_ref());
        let (commands, heard) = mpsc::channel(MAX_COMMANDS);
        // BOUNDED by the number of overrides.
        let (tell, lookbacks) = mpsc::unbounded_channel();
        let control = Control {
            commands,
            book: Arc::clone(&book),
        };
        let stage = Stage {
            config: config.clone(),
            holder: journal.consumer(HOLDER, Start::At(start))?,
            observe: journal.reader(Start::At(start), Filter::signal(Signal::Traces)),
            journal: journal.clone(),
            store,
            metrics: Metrics::new(meter),
            sampler,
            next: None,
            own,
            unknown: false,
            deciding,
            checkpoint: None,
            book,
            commands: heard,
            lookbacks: tell,
            one_lookback: Arc::new(Semaphore::new(1)),
            stop: CancellationToken::new(),
            selection: Selection::default(),
            reading_back: true,
            flushed: Instant::now(),
            ticked: Instant::now(),
        };
        Ok(Sampling {
            stage,
            control,
            lookbacks: Some(lookbacks),
        })
    }

    /// What shippers of a signal follow; `None` where all of it is shipped.
    pub fn decisions(&self, signal: Signal) -> Option<Decisions> {
        let mut all = self.stage.deciding.iter();
        let found = all.find(|deciding| deciding.signal == signal)?;
        Some(found.writer.decisions().clone())
    }

    /// The names of look backs that are not shipped to their end.
    pub fn open_lookbacks(&self) -> Vec<String> {
        let entries = self.stage.book.entries();
        let names = entries.iter().flat_map(|entry| {
            let second = entry.lookback != State::Done;
            let first = entry.first.is_some_and(|first| !first.shipped);
            let rounds = [(second, Round::Second), (first, Round::First)].into_iter();
            let open = rounds.filter(|(open, _)| *open);
            open.map(|(_, round)| name_of(entry.number, round))
        });
        names.collect()
    }

    /// The journal's consumers that are its own: no destination can have such a name.
    pub fn holders(&self) -> Vec<String> {
        let lookbacks = self.open_lookbacks();
        let lookbacks = lookbacks.iter().map(|name| holder_of(name));
        [HOLDER.to_owned()].into_iter().chain(lookbacks).collect()
    }

    /// What an incident speaks to.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Look backs to follow, as they come; those too that a restart has interrupted. To be taken
    /// once.
    pub fn lookbacks(&mut self) -> Option<mpsc::UnboundedReceiver<Lookback>> {
        self.lookbacks.take()
    }

    /// Runs until `stop`, or until the journal is closed, on a thread of its own.
    pub async fn run(self, stop: CancellationToken) {
        let mut stage = self.stage;
        stage.stop = stop;
        let (tell, ended) = oneshot::channel::<()>();
        let spawned = on_a_thread("sampler", 0, async move {
            stage.run().await;
            drop(tell);
        });
        match spawned {
            Ok(()) => {
                let _ = ended.await;
            }
            Err(error) => tracing::error!(%error, "sampling has no thread; traces are not shipped"),
        }
    }
}

/// Runs on a thread of its own, with timers of its own: a process that ends at once may drop the
/// others before this thread is done with them. It gives way to others by so much as `nice` says,
/// which on Linux is of the thread alone.
pub(crate) fn on_a_thread(
    name: &str,
    nice: i32,
    work: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let thread = std::thread::Builder::new().name(name.to_owned());
    let run = move || {
        if nice != 0
            && let Err(error) = rustix::process::nice(nice)
        {
            tracing::debug!(%error, "a thread keeps its priority");
        }
        runtime.block_on(work);
    };
    thread.spawn(run).map(drop)
}

/// Before anything is observed.
pub(crate) fn give_overrides(sampler: &mut Sampler, book: &Book) {
    for entry in book.entries().iter() {
        if let Err(error) = sampler.keep_all(entry.as_override()) {
            tracing::error!(id = entry.id, %error, "an override is not in force");
        }
    }
}

/// Where to observe from, so that what is cut next is decided rightly.
fn read_back_from(
    journal: &Journal,
    deciding: &mut [Deciding],
    sampler: &Sampler,
    checkpoint: Option<Position>,
    own: Option<&Arc<dyn Ownership>>,
) -> Position {
    let times = deciding.iter_mut().filter_map(|deciding| {
        let read = try_next(&mut deciding.reader, own, &mut false);
        deciding.next = read.ok().and_then(|(next, _)| next);
        let seen = deciding.next.as_ref()?;
        Some(seen.block.appended_unix_nano)
    });
    let first = times.min().unwrap_or_else(|| journal.clock());
    let lead = sampler.recut_lead_nanos();
    let by_time = journal.position_at(first.saturating_sub(lead));
    // The checkpoint may be of a configuration that remembered for a shorter time.
    checkpoint.map_or(by_time, |read_from| read_from.min(by_time))
}
