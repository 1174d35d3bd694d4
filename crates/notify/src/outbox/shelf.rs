//! One target's part of the outbox: its folders and what is in them.
//!
//! A message is in `pending` until it is taken, then in `delivered` (as an empty file: only that it
//! was taken is kept), or in `dead`. What a crash leaves in two of them is put right at the next
//! start: `delivered` wins over `pending`, and `pending` over `dead`.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use egress::Backoff;
use jiff::Timestamp;

use super::Limits;
use super::entry::{Because, Dead, Entry, FileName, MAX_FILE_BYTES};
use super::queue::{MAX_WAIT_MS, Next, Queue, Waiting};
use crate::disk::{self, Disk};
use crate::event::{Digest, Event};
use crate::metrics::{Outcome, TargetMetrics};
use crate::target::{Class, Failure, TargetName};

/// The folders of the outbox.
pub(crate) const PENDING: &str = "pending";
pub(crate) const DEAD: &str = "dead";
pub(crate) const DELIVERED: &str = "delivered";
pub(crate) const DAMAGED: &str = "damaged";

pub(crate) struct Shelf {
    name: TargetName,
    root: PathBuf,
    disk: Disk,
    limits: Limits,
    metrics: TargetMetrics,
    queue: Queue,
    dead: BTreeMap<u64, Digest>,
    delivered: BTreeMap<u64, Digest>,
    /// All that is in one of these.
    known: HashSet<Digest>,
    next_number: u64,
}

/// What to do next.
pub(crate) enum Take {
    /// Send this, then say how it went.
    Send(u64, Box<Entry>),
    /// Look again at this time, in milliseconds since 1970.
    Wait(u64),
    /// Look again when something was put.
    Idle,
}

impl Shelf {
    /// Opens what is there, and puts right what a crash has left.
    pub(crate) fn open(
        name: TargetName,
        root: &Path,
        disk: Disk,
        limits: Limits,
        metrics: TargetMetrics,
    ) -> io::Result<Shelf> {
        let mut shelf = Shelf {
            name,
            root: root.to_owned(),
            disk,
            limits,
            metrics,
            queue: Queue::default(),
            dead: BTreeMap::new(),
            delivered: BTreeMap::new(),
            known: HashSet::new(),
            next_number: 1,
        };
        for folder in [PENDING, DEAD, DELIVERED] {
            shelf.disk.make_dir(&shelf.dir(folder))?;
        }
        for name in shelf.files(DELIVERED)? {
            shelf.known.insert(name.digest);
            shelf.delivered.insert(name.number, name.digest);
        }
        for name in shelf.files(PENDING)? {
            shelf.load(name)?;
        }
        for name in shelf.files(DEAD)? {
            if !shelf.known.insert(name.digest) {
                shelf.disk.remove(&shelf.path(DEAD, name))?;
                continue;
            }
            shelf.dead.insert(name.number, name.digest);
        }
        shelf.report();
        Ok(shelf)
    }

    fn load(&mut self, name: FileName) -> io::Result<()> {
        let path = self.path(PENDING, name);
        if self.known.contains(&name.digest) {
            return self.disk.remove(&path);
        }
        let Some(entry) = self.read(name)? else {
            return Ok(());
        };
        self.known.insert(name.digest);
        let bytes = std::fs::metadata(&path)?.len();
        self.queue
            .insert(name.number, waiting(&entry, name.digest, bytes));
        Ok(())
    }

    /// The oldest that would have to go for one of so many bytes.
    fn in_the_way(&self, bytes: u64) -> Vec<u64> {
        let Limits {
            max_entries,
            max_bytes,
            ..
        } = self.limits;
        self.queue.in_the_way(bytes, max_entries, max_bytes)
    }

    /// Takes an event in, unless it is known. Durable when it returns.
    pub(crate) fn put(&mut self, event: &Event, now: Timestamp) -> io::Result<bool> {
        let digest = event.digest();
        if self.known.contains(&digest) {
            return Ok(false);
        }
        let entry = Entry::new(&self.name, event.clone(), now);
        let text = entry.encode().map_err(io::Error::other)?;
        let bytes = text.len() as u64;
        for number in self.in_the_way(bytes) {
            tracing::error!(target_name = %self.name, "the outbox is full: its oldest event goes to the dead letters");
            self.bury(number, Because::NoRoom, None, now)?;
        }
        let name = self.fresh_name(digest);
        self.disk.write(&self.path(PENDING, name), &text)?;
        self.known.insert(digest);
        self.queue
            .insert(name.number, waiting(&entry, digest, bytes));
        self.metrics.count(Outcome::Queued);
        self.report();
        Ok(true)
    }

    /// What to send now. It is in flight until [`delivered`](Self::delivered) or
    /// [`failed`](Self::failed) is called.
    pub(crate) fn take(&mut self, now: Timestamp) -> io::Result<Take> {
        let now_ms = millis(now);
        for number in self.queue.too_old(now_ms, self.limits.max_age_ms()) {
            self.bury(number, Because::Age, None, now)?;
        }
        loop {
            let number = match self.queue.next(now_ms) {
                Next::Send(number) => number,
                Next::Wait(at_ms) => return Ok(Take::Wait(at_ms)),
                Next::Idle => return Ok(Take::Idle),
            };
            let Some(waiting) = self.queue.get_mut(number) else {
                return Ok(Take::Idle);
            };
            let digest = waiting.digest;
            match self.read(FileName { number, digest })? {
                Some(entry) => {
                    if let Some(waiting) = self.queue.get_mut(number) {
                        waiting.in_flight = true;
                    }
                    return Ok(Take::Send(number, Box::new(entry)));
                }
                None => {
                    self.queue.remove(number);
                    self.known.remove(&digest);
                }
            }
        }
    }

    /// It was taken for good.
    pub(crate) fn delivered(&mut self, number: u64) -> io::Result<()> {
        self.queue.failures = 0;
        self.queue.not_before_ms = 0;
        let Some(waiting) = self.queue.remove(number) else {
            return Ok(());
        };
        self.metrics.count(Outcome::Delivered);
        let digest = waiting.digest;
        let name = FileName { number, digest };
        self.delivered.insert(number, digest);
        self.report();
        let (from, to) = (self.path(PENDING, name), self.path(DELIVERED, name));
        self.disk.rename(&from, &to)?;
        self.disk.empty(&to)?;
        while self.delivered.len() > self.limits.remembered {
            let Some((number, digest)) = self.delivered.pop_first() else {
                break;
            };
            self.known.remove(&digest);
            let name = FileName { number, digest };
            self.disk.remove(&self.path(DELIVERED, name))?;
        }
        Ok(())
    }

    /// It was not taken. `random` is in 0..1.
    pub(crate) fn failed(
        &mut self,
        number: u64,
        failure: &Failure,
        now: Timestamp,
        random: f64,
    ) -> io::Result<()> {
        let now_ms = millis(now);
        let retry = &self.limits.retry;
        let Some(waiting) = self.queue.get_mut(number) else {
            return Ok(());
        };
        waiting.in_flight = false;
        waiting.attempts = waiting.attempts.saturating_add(1);
        let asked = failure.retry_after;
        let wait = |failures: u32| {
            let wait = Backoff::after(failures).next(retry, asked, random);
            u64::try_from(wait.as_millis()).map_or(MAX_WAIT_MS, |ms| ms.min(MAX_WAIT_MS))
        };
        waiting.due_ms = now_ms + wait(waiting.attempts - 1);
        let (attempts, due_ms) = (waiting.attempts, waiting.due_ms);
        let name = FileName {
            number,
            digest: waiting.digest,
        };
        if failure.class == Class::Refused {
            // It answered: whoever comes next may be taken.
            self.queue.failures = 0;
            return self.bury(number, Because::Refused, Some(failure), now);
        }
        self.queue.not_before_ms = now_ms + wait(self.queue.failures);
        self.queue.failures = self.queue.failures.saturating_add(1);
        if attempts >= self.limits.max_attempts {
            return self.bury(number, Because::Attempts, Some(failure), now);
        }
        self.metrics.count(Outcome::Failed);
        let Some(mut entry) = self.read(name)? else {
            return Ok(());
        };
        entry.attempts = attempts;
        entry.retry_at = time(due_ms);
        entry.last_error = Some(failure.message.clone());
        let text = entry.encode().map_err(io::Error::other)?;
        self.disk.write(&self.path(PENDING, name), &text)
    }

    /// It was neither taken nor refused: the sending was broken off.
    pub(crate) fn broken_off(&mut self, number: u64) {
        if let Some(waiting) = self.queue.get_mut(number) {
            waiting.in_flight = false;
        }
    }

    /// Puts it with the dead letters.
    fn bury(
        &mut self,
        number: u64,
        because: Because,
        failure: Option<&Failure>,
        now: Timestamp,
    ) -> io::Result<()> {
        let Some(waiting) = self.queue.get_mut(number) else {
            return Ok(());
        };
        let (digest, attempts) = (waiting.digest, waiting.attempts);
        let name = FileName { number, digest };
        if let Some(mut entry) = self.read(name)? {
            entry.attempts = attempts;
            entry.retry_at = None;
            entry.dead = Some(Dead { at: now, because });
            if let Some(failure) = failure {
                entry.last_error = Some(failure.message.clone());
            }
            let id = entry.event.id();
            let why = entry.last_error.as_deref().unwrap_or("-");
            tracing::error!(target_name = %self.name, event = id, because = because.as_str(), why, "an event is given up; `notify retry` sends it after all");
            let text = entry.encode().map_err(io::Error::other)?;
            let (from, to) = (self.path(PENDING, name), self.path(DEAD, name));
            match self.disk.write(&to, &text) {
                Ok(()) => self.disk.remove(&from)?,
                // A full disk has room for another name, if not for the reason.
                Err(_) => self.disk.rename(&from, &to)?,
            }
            self.dead.insert(number, digest);
            self.metrics.count(Outcome::Dead);
        }
        self.queue.remove(number);
        while self.dead.len() > self.limits.dead_letters {
            self.drop_oldest_dead()?;
        }
        self.report();
        Ok(())
    }

    fn drop_oldest_dead(&mut self) -> io::Result<()> {
        let Some((number, digest)) = self.dead.pop_first() else {
            return Ok(());
        };
        tracing::error!(target_name = %self.name, event = %digest, "there are too many dead letters: the oldest is dropped");
        self.metrics.count(Outcome::Dropped);
        self.known.remove(&digest);
        let name = FileName { number, digest };
        self.disk.remove(&self.path(DEAD, name))
    }

    /// Takes dead letters back: the one of this digest, or all. How many; one for which there is no
    /// room stays.
    pub(crate) fn revive(&mut self, which: Option<Digest>, now: Timestamp) -> io::Result<usize> {
        let chosen = self.dead.iter().filter(|(_, digest)| match which {
            Some(wanted) => wanted == **digest,
            None => true,
        });
        let chosen: Vec<(u64, Digest)> = chosen.map(|(n, digest)| (*n, *digest)).collect();
        let mut revived = 0;
        for (number, digest) in chosen {
            let name = FileName { number, digest };
            let path = self.path(DEAD, name);
            let bytes = disk::read(&path, MAX_FILE_BYTES)?;
            let mut entry = match Entry::decode(&bytes, name) {
                Ok(entry) => entry,
                Err(why) => {
                    self.set_aside(&path, name, &why)?;
                    self.dead.remove(&number);
                    self.known.remove(&digest);
                    continue;
                }
            };
            entry.since = now;
            entry.attempts = 0;
            entry.dead = None;
            let text = entry.encode().map_err(io::Error::other)?;
            let bytes = text.len() as u64;
            if !self.in_the_way(bytes).is_empty() {
                break;
            }
            self.disk.write(&self.path(PENDING, name), &text)?;
            self.disk.remove(&path)?;
            self.dead.remove(&number);
            self.queue.insert(number, waiting(&entry, digest, bytes));
            self.metrics.count(Outcome::Revived);
            revived += 1;
        }
        // Somebody believes that it works again.
        self.queue.failures = 0;
        self.queue.not_before_ms = 0;
        self.report();
        Ok(revived)
    }

    /// Brings the gauges up to date.
    pub(crate) fn report(&self) {
        self.metrics
            .waiting(self.queue.len(), self.queue.bytes(), self.dead.len());
    }

    /// Since when the oldest waits, in milliseconds since 1970.
    pub(crate) fn report_age(&self, now: Timestamp) {
        let since = self.queue.oldest_ms();
        let age = since.map_or(0, |since| millis(now).saturating_sub(since));
        self.metrics.oldest(age as f64 / 1000.0);
    }

    /// The entry of a file in `pending`; one that is damaged is set aside.
    fn read(&mut self, name: FileName) -> io::Result<Option<Entry>> {
        let path = self.path(PENDING, name);
        let why = match disk::read(&path, MAX_FILE_BYTES) {
            Ok(bytes) => match Entry::decode(&bytes, name) {
                Ok(entry) => return Ok(Some(entry)),
                Err(why) => why,
            },
            Err(error) if error.kind() == io::ErrorKind::InvalidData => error.to_string(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let path = path.display();
                tracing::error!(%path, "an event's file is gone from the outbox");
                self.metrics.count(Outcome::Damaged);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        self.set_aside(&path, name, &why)?;
        Ok(None)
    }

    fn set_aside(&self, path: &Path, name: FileName, why: &str) -> io::Result<()> {
        let shown = path.display();
        tracing::error!(path = %shown, why, "an event's file is damaged; it is moved to `{DAMAGED}`");
        self.metrics.count(Outcome::Damaged);
        self.disk.make_dir(&self.dir(DAMAGED))?;
        self.disk.rename(path, &self.path(DAMAGED, name))
    }

    /// The entries of a folder by number. What a write has left half done is removed, and of two
    /// with one number the second is passed over.
    fn files(&mut self, folder: &str) -> io::Result<Vec<FileName>> {
        let dir = self.dir(folder);
        let mut files: Vec<FileName> = Vec::new();
        for name in disk::names(&dir)? {
            if name.ends_with(".new") {
                self.disk.remove(&dir.join(name))?;
                continue;
            }
            let Some(name) = FileName::parse(&name) else {
                continue;
            };
            self.next_number = self.next_number.max(name.number.saturating_add(1));
            if files.last().is_some_and(|last| last.number == name.number) {
                let why = "another file has its number";
                self.set_aside(&self.path(folder, name), name, why)?;
                continue;
            }
            files.push(name);
        }
        Ok(files)
    }

    fn fresh_name(&mut self, digest: Digest) -> FileName {
        let number = self.next_number;
        // Even if this one fails: what it left behind must not meet another's number.
        self.next_number = number.saturating_add(1);
        FileName { number, digest }
    }

    fn dir(&self, folder: &str) -> PathBuf {
        self.root.join(folder).join(self.name.as_str())
    }

    fn path(&self, folder: &str, name: FileName) -> PathBuf {
        self.dir(folder).join(name.to_string())
    }
}

fn waiting(entry: &Entry, digest: Digest, bytes: u64) -> Waiting {
    Waiting {
        digest,
        subject: entry.event.subject().to_owned(),
        bytes,
        since_ms: millis(entry.since),
        attempts: entry.attempts,
        due_ms: entry.retry_at.map_or(0, millis),
        in_flight: false,
    }
}

pub(crate) fn millis(time: Timestamp) -> u64 {
    u64::try_from(time.as_millisecond()).unwrap_or(0)
}

fn time(ms: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()
}
