//! The upkeep thread: makes the next segment ahead, seals segments, writes cursors, lets old
//! segments leave, sets the gauges. None of it stands in the way of a commit.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::catalog::State;
use crate::cursor;
use crate::retention;
use crate::segment::ActiveSegment;
use crate::shared::{Shared, lock};

/// How often retention is looked at.
const TICK: Duration = Duration::from_secs(1);
/// The most segments that wait for sealing after failures; more are sealed at the next start.
const MAX_UNSEALED: usize = 16;

/// What other threads ask of the upkeep thread.
#[derive(Default)]
pub(crate) struct Jobs {
    state: Mutex<Todo>,
    wake: Condvar,
    /// Held while a cursor file is replaced.
    pub cursor_files: Mutex<()>,
}

#[derive(Default)]
struct Todo {
    seal: Vec<ActiveSegment>,
    spare: Spare,
    finish: bool,
}

/// The segment to come.
#[derive(Default)]
enum Spare {
    #[default]
    None,
    /// Asked for by its number.
    Wanted(u64),
    /// Being made; whoever changes this meanwhile does not want it any more.
    Making(u64),
    Ready(Box<ActiveSegment>),
}

impl Jobs {
    pub(crate) fn seal(&self, segment: ActiveSegment) {
        lock(&self.state).seal.push(segment);
        self.wake.notify_one();
    }

    /// Asks for the next segment to be made ahead.
    pub(crate) fn prepare(&self, id: u64) {
        lock(&self.state).spare = Spare::Wanted(id);
        self.wake.notify_one();
    }

    /// The segment that was asked for, if it is there; if not, it is not wanted any more.
    pub(crate) fn take_spare(&self) -> Option<ActiveSegment> {
        match std::mem::take(&mut lock(&self.state).spare) {
            Spare::Ready(segment) => Some(*segment),
            _ => None,
        }
    }

    /// Seals what is given, writes the cursors and ends the thread.
    pub(crate) fn finish(&self) {
        lock(&self.state).finish = true;
        self.wake.notify_one();
    }

    fn wait(&self, timeout: Duration) -> Todo {
        let todo = lock(&self.state);
        let (mut todo, _) = self
            .wake
            .wait_timeout_while(todo, timeout, |t| {
                t.seal.is_empty() && !t.finish && !matches!(t.spare, Spare::Wanted(_))
            })
            .unwrap_or_else(PoisonError::into_inner);
        let mut spare = Spare::None;
        if let Spare::Wanted(id) = todo.spare {
            todo.spare = Spare::Making(id);
            spare = Spare::Wanted(id);
        }
        Todo {
            seal: std::mem::take(&mut todo.seal),
            spare,
            finish: todo.finish,
        }
    }

    /// Keeps what was made, if it is still wanted; gives it back if not.
    fn keep_spare(&self, made: ActiveSegment) -> Option<ActiveSegment> {
        let mut todo = lock(&self.state);
        match todo.spare {
            Spare::Making(id) if id == made.id => {
                todo.spare = Spare::Ready(Box::new(made));
                None
            }
            _ => Some(made),
        }
    }
}

/// Runs until it is told to finish.
pub(crate) fn run(shared: &Shared) {
    let nap = shared
        .options
        .cursor_interval
        .clamp(Duration::from_millis(10), TICK);
    let mut unsealed: Vec<ActiveSegment> = Vec::new();
    let mut last_tick = Instant::now();
    let mut last_cursors = Instant::now();
    loop {
        let todo = shared.jobs.wait(nap);
        if let Spare::Wanted(id) = todo.spare {
            prepare(shared, id);
        }
        let fresh = !todo.seal.is_empty();
        unsealed.extend(todo.seal);
        let tick = last_tick.elapsed() >= TICK;
        if fresh || tick || todo.finish {
            unsealed.retain_mut(|segment| !seal(shared, segment));
            let excess = unsealed.len().saturating_sub(MAX_UNSEALED);
            unsealed.drain(..excess);
        }
        if todo.finish {
            if let Some(spare) = shared.jobs.take_spare() {
                spare.discard(&shared.env);
            }
            write_cursors(shared);
            set_gauges(shared);
            return;
        }
        if last_cursors.elapsed() >= nap {
            last_cursors = Instant::now();
            write_cursors(shared);
            retention::retry_full(shared);
        }
        if fresh || tick {
            last_tick = Instant::now();
            retention::expire(shared);
        }
        set_gauges(shared);
    }
}

/// A commit that finds no spare makes its segment itself, so trouble here is no trouble.
fn prepare(shared: &Shared, id: u64) {
    let made = ActiveSegment::prepare(&shared.env, &shared.dir, id, shared.now(), shared.sync());
    match made {
        Ok(made) => {
            if let Some(unwanted) = shared.jobs.keep_spare(made) {
                unwanted.discard(&shared.env);
            }
        }
        Err(trouble) => tracing::debug!(%trouble, "the next segment is not made ahead"),
    }
}

fn seal(shared: &Shared, segment: &mut ActiveSegment) -> bool {
    let known = lock(&shared.catalog).segments.contains_key(&segment.id);
    if !known {
        return true;
    }
    match segment.seal(&shared.env, shared.sync()) {
        Ok(file_bytes) => {
            if let Some(info) = lock(&shared.catalog).segments.get_mut(&segment.id) {
                info.state = State::Sealed;
                info.file_bytes = file_bytes;
            }
            true
        }
        Err(trouble) => {
            tracing::warn!(%trouble, "a segment is not sealed yet; it stays readable");
            false
        }
    }
}

fn write_cursors(shared: &Shared) {
    if let Err(error) = cursor::write_moved(shared) {
        tracing::warn!(%error, "cursors are not written yet; a restart now would repeat some data");
    }
}

fn set_gauges(shared: &Shared) {
    let stats = lock(&shared.catalog).stats();
    let metrics = &shared.metrics;
    metrics.bytes.set(stats.bytes as f64);
    let (_, held) = retention::total_and_held(shared);
    metrics.held_bytes.set(held as f64);
    metrics.segments.set(stats.segments as f64);
    metrics.pending_bytes.set(shared.queue.reserved() as f64);
    let held = match stats.oldest_unix_nano {
        0 => 0,
        oldest => shared.now().saturating_sub(oldest),
    };
    metrics.window_seconds.set(held as f64 / 1e9);
}
