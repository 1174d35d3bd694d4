//! Incidents in the gateway: the register put together with the journal, its ports, its clock.

mod capture;
mod client;
pub mod commands;
mod event_seam;
mod http;
mod journal_seam;
mod metrics_seam;
mod sampling_seam;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use control::access::Access;
use control::api::Api;
use control::incident::IncidentId;
use control::seam::Absent;
use control::{Loaded, Register, Seams, Store};
use jiff::Timestamp;
use journal::{Hold, Journal};
use meter::Meter;
use profile::{Port, Profile, RemoteSampling};
use sampler::metrics::Passing;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trigger::Watch;

use super::data_dir::DataDir;
use super::told;
use crate::error::{CliError, CliResult, Exit};
use crate::ops::server;
use event_seam::EventSeam;
use journal_seam::JournalSeam;
use metrics_seam::MetricsSeam;
use sampling_seam::SamplingSeam;
use watch::Watcher;

/// How often incidents are looked at: expiry, and what is to be tried again.
const TICK: Duration = Duration::from_secs(1);

/// Incidents as they were when the gateway stopped.
pub struct Stored {
    store: Store,
    loaded: Loaded,
}

impl Stored {
    /// Reads them. A damaged file is no error.
    pub fn load(data: &DataDir) -> CliResult<Stored> {
        let dir = data.incidents();
        let (store, loaded) = Store::open(&dir).map_err(|error| {
            let at = dir.display();
            CliError::new(
                Exit::Failure,
                format!("{at}: incidents cannot be read: {error}"),
            )
            .hint("this user must be able to write there")
        })?;
        Ok(Stored { store, loaded })
    }

    /// What the journal must not let go, from the moment it is opened.
    pub fn spans(&self, profile: &Profile) -> Vec<(u64, u64)> {
        self.held(profile).map(|(_, span)| span).collect()
    }

    fn held(&self, profile: &Profile) -> impl Iterator<Item = (IncidentId, (u64, u64))> + use<> {
        let all = self.loaded.holds(&profile.incidents).into_iter();
        all.map(|(id, from, to)| (id, journal_seam::span(from, to)))
    }

    /// Goes on with them. `holds` are those of [`spans`](Self::spans).
    pub fn start(self, profile: &Profile, effects: Effects, meter: &Meter) -> Register {
        let Effects {
            journal,
            sampling,
            outbox,
            passing,
            holds,
        } = effects;
        let held = self.held(profile).zip(holds);
        let held = held.map(|((id, span), hold)| (id, (span, hold)));
        let retention = JournalSeam::new(journal.clone(), held.collect());
        let seams = Seams {
            sampling: match sampling {
                Some(control) => Arc::new(SamplingSeam::new(control)),
                None => Arc::new(Absent),
            },
            retention: Arc::new(retention),
            metrics: Arc::new(MetricsSeam(passing)),
            events: match outbox {
                Some(outbox) => Arc::new(EventSeam(outbox)),
                None => Arc::new(Absent),
            },
        };
        let config = profile.incidents.clone();
        Register::start(self.store, self.loaded, config, seams, meter)
    }
}

/// What incidents have an effect on.
pub struct Effects {
    pub journal: Journal,
    pub sampling: Option<::sampling::Control>,
    pub outbox: Option<::notify::Outbox>,
    pub passing: Passing,
    pub holds: Vec<Hold>,
}

/// The journal's clock: what incidents hold is told by the times of its blocks.
fn clock(journal: &Journal) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(journal.clock())).unwrap_or(Timestamp::MAX)
}

/// Incidents of a gateway whose ports are bound.
pub struct Incidents {
    pub register: Register,
    journal: Journal,
    watcher: Option<Watcher>,
    pub admin: server::Port,
    access: Access,
    remote: Option<(server::Port, RemoteSampling)>,
}

impl Incidents {
    /// Binds what is still to be bound, and checks who may use it.
    pub async fn open(
        register: Register,
        profile: &Profile,
        journal: &Journal,
        admin: server::Port,
        insecure: bool,
        meter: &Meter,
    ) -> CliResult<Incidents> {
        let (addr, tokens) = (admin.addr()?, profile.admin.token_file.as_deref());
        let by_certificate = profile
            .tls
            .of(Port::Admin)
            .is_some_and(|tls| tls.client_auth == profile::ClientAuth::Required);
        if !addr.ip().is_loopback() && !by_certificate && tokens.is_none() {
            let message = format!("admin on {addr} would let anybody in");
            return Err(CliError::new(Exit::Failure, message).hint(
                "listen on 127.0.0.1, ask for client certificates with `tls: { admin: { client_auth: required } }`, or name tokens with `admin: { token_file: … }`",
            ));
        }
        let access =
            Access::new(addr, tokens).map_err(|error| told(Exit::BadInput, &error.to_string()))?;
        let remote = match profile.listen.remote_sampling {
            Some(addr) => Some((
                bind_remote(addr, insecure).await?,
                profile.remote_sampling.clone(),
            )),
            None => None,
        };
        let metrics = watch::Metrics::new(meter);
        let watcher = match profile.incidents.triggers.as_slice() {
            [] => None,
            triggers => Some(Watcher {
                watch: Watch::new(triggers).map_err(|(key, message, hint)| {
                    CliError::new(Exit::BadInput, format!("`{key}`: {message}")).hint(hint)
                })?,
                triggers: triggers.to_vec(),
                journal: journal.clone(),
                register: register.clone(),
                metrics,
            }),
        };
        Ok(Incidents {
            register,
            journal: journal.clone(),
            watcher,
            admin,
            access,
            remote,
        })
    }

    /// Where remote sampling listens.
    pub fn remote_addr(&self) -> std::io::Result<Option<SocketAddr>> {
        self.remote
            .as_ref()
            .map(|(port, _)| port.addr())
            .transpose()
    }

    /// Serves and keeps time until `stop`.
    pub fn run(self, tasks: &TaskTracker, stop: &CancellationToken) {
        if let Some((port, config)) = self.remote {
            let handler = http::remote(self.register.clone(), config);
            tasks.spawn(server::serve(port, handler, stop.clone()));
        }
        if let Some(watcher) = self.watcher {
            let stop = stop.clone();
            tasks.spawn_blocking(move || watcher.run(&stop));
        }
        let (register, journal) = (self.register.clone(), self.journal.clone());
        tasks.spawn(keep_time(register, journal, stop.clone()));
        let api = Api::new(self.register, self.access);
        let handler = http::admin(api, self.journal);
        tasks.spawn(server::serve(self.admin, handler, stop.clone()));
    }
}

async fn bind_remote(addr: SocketAddr, insecure: bool) -> CliResult<server::Port> {
    if !addr.ip().is_loopback() && !insecure {
        let message = format!("remote_sampling on {addr} would be plaintext off loopback");
        return Err(CliError::new(Exit::Failure, message)
            .hint("listen on 127.0.0.1, or allow it with --insecure"));
    }
    server::Port::bind(addr, None).await.map_err(|error| {
        let message = format!("cannot listen for remote_sampling on {addr}: {error}");
        CliError::new(Exit::Failure, message)
            .hint("choose another port under `listen: { remote_sampling: … }` in a profile")
    })
}

async fn keep_time(register: Register, journal: Journal, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let (register, now) = (register.clone(), clock(&journal));
        let ticked = tokio::task::spawn_blocking(move || register.tick(now));
        if let Err(error) = ticked.await {
            tracing::error!(%error, "incidents could not be looked at");
        }
    }
}
