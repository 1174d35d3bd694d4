//! Sending what waits, one at a time for each target, each target by itself.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::shelf::{Take, millis};
use super::{Entry, Outbox, Slot};
use crate::Notifier;
use crate::target::{Class, Failure};

/// After an error of the disk. It is logged each time.
const DISK_PAUSE: Duration = Duration::from_secs(5);
/// How often requests are looked for and the gauges of age brought up to date.
const LOOK: Duration = Duration::from_secs(1);
/// How long a message that is under way may take once a stop was asked for.
const DRAIN: Duration = Duration::from_secs(5);

/// Sends what waits.
pub struct Runner {
    outbox: Outbox,
    notifiers: Vec<Arc<Notifier>>,
}

impl Runner {
    /// `notifiers` by the names that the outbox was opened with.
    pub fn new(outbox: Outbox, notifiers: Vec<Notifier>) -> Self {
        Runner {
            outbox,
            notifiers: notifiers.into_iter().map(Arc::new).collect(),
        }
    }

    /// Runs until told to stop. What is under way then may still end.
    pub async fn run(self, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        for (index, slot) in self.outbox.inner.slots.iter().enumerate() {
            let notifier = self.notifiers.iter().find(|n| *n.name() == slot.name);
            if let Some(notifier) = notifier {
                let worker = Worker {
                    outbox: self.outbox.clone(),
                    index,
                    notifier: Arc::clone(notifier),
                };
                tasks.spawn(worker.run(stop.clone()));
            }
        }
        tasks.spawn(look_around(self.outbox, stop));
        tasks.close();
        tasks.wait().await;
    }
}

/// Requests and gauges.
async fn look_around(outbox: Outbox, stop: CancellationToken) {
    loop {
        let inner = Arc::clone(&outbox.inner);
        let looked = tokio::task::spawn_blocking(move || {
            for slot in &inner.slots {
                slot.lock().report_age(inner.now());
            }
            inner.look_for_requests()
        });
        if let Ok(Err(error)) = looked.await {
            tracing::error!(%error, "the outbox's requests cannot be read");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

struct Worker {
    outbox: Outbox,
    index: usize,
    notifier: Arc<Notifier>,
}

impl Worker {
    async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let taken = self.on_shelf(|slot, outbox| slot.lock().take(outbox.inner.now()));
            let until = match taken.await {
                Ok(Take::Send(number, entry)) => {
                    self.send(number, &entry, &stop).await;
                    continue;
                }
                Ok(Take::Wait(at_ms)) => {
                    let now_ms = millis(self.outbox.inner.now());
                    Some(Duration::from_millis(at_ms.saturating_sub(now_ms)))
                }
                Ok(Take::Idle) => None,
                Err(error) => {
                    self.complain(&error);
                    Some(DISK_PAUSE)
                }
            };
            let Some(slot) = self.outbox.inner.slots.get(self.index) else {
                return;
            };
            // An hour at the most: what is too old is found without anything being put.
            let until = until.unwrap_or(Duration::from_secs(3600));
            tokio::select! {
                () = stop.cancelled() => {}
                () = slot.changed.notified() => {}
                () = tokio::time::sleep(until) => {}
            }
        }
    }

    async fn send(&self, number: u64, entry: &Entry, stop: &CancellationToken) {
        let drained = async {
            stop.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        let sent = tokio::select! {
            sent = self.notifier.notify(&entry.event) => Some(sent),
            () = drained => None,
        };
        let settled = match sent {
            Some(Ok(())) => {
                let event = entry.event.id();
                tracing::info!(target_name = %self.notifier.name(), event, "notified");
                self.on_shelf(move |slot, _| slot.lock().delivered(number))
                    .await
            }
            Some(Err(failure)) => {
                self.tell(entry, &failure);
                let random = rand::random::<f64>();
                self.on_shelf(move |slot, outbox| {
                    let now = outbox.inner.now();
                    slot.lock().failed(number, &failure, now, random)
                })
                .await
            }
            None => {
                self.on_shelf(move |slot, _| {
                    slot.lock().broken_off(number);
                    Ok(())
                })
                .await
            }
        };
        if let Err(error) = settled {
            self.complain(&error);
            tokio::time::sleep(DISK_PAUSE.min(LOOK)).await;
        }
    }

    /// Does something with the target's shelf where it may block.
    async fn on_shelf<T: Send + 'static>(
        &self,
        action: impl FnOnce(&Slot, &Outbox) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (outbox, index) = (self.outbox.clone(), self.index);
        let done = tokio::task::spawn_blocking(move || {
            let slot = outbox.inner.slots.get(index);
            let slot = slot.ok_or_else(|| io::Error::other("no such target"))?;
            action(slot, &outbox)
        });
        done.await.map_err(io::Error::other)?
    }

    fn tell(&self, entry: &Entry, failure: &Failure) {
        let (name, event) = (self.notifier.name(), entry.event.id());
        let attempts = entry.attempts + 1;
        match failure.class {
            Class::Misconfigured => {
                tracing::error!(target_name = %name, event, attempts, "not notified: {failure}");
            }
            _ => tracing::warn!(target_name = %name, event, attempts, "not notified: {failure}"),
        }
    }

    fn complain(&self, error: &io::Error) {
        tracing::error!(target_name = %self.notifier.name(), %error, "the outbox cannot be read or written");
    }
}
