//! What a profile's words mean for the parts: their configuration, and the parts put together.

use std::sync::Arc;

use ::cluster::Runner;
use egress::Connector;
use gateway::{Gateway, ListenerConfig};
use guard::SiteGuard;
use journal::{Journal, Recovery};
use meter::{Description, Meter};
use profile::{Port, Profile};
use sampler::metrics::Passing;
use sampling::Sampling;
use shipper::{Shipper, StatusHandle};
use tls::Keeper;

use super::cluster::{self, Clustered, Told};
use super::data_dir::DataDir;
use super::guard::{self as site_guard, KeySets};
use super::incident::{self, Effects, Incidents};
use super::notify::{self, Notify};
use super::ship::{self, Follower, Shipping};
use super::{day, tls as files, told};
use crate::error::{CliError, CliResult, Exit};
use crate::ops::process::ProcessMetrics;
use crate::ops::server;

/// A gateway whose ports are bound and whose journal is open, not yet running.
pub struct Stack {
    pub meter: Meter,
    pub process: ProcessMetrics,
    pub journal: Journal,
    pub recovery: Recovery,
    pub guard: SiteGuard,
    pub key_sets: KeySets,
    pub gateway: Gateway,
    pub shippers: Vec<Shipper>,
    pub statuses: Vec<StatusHandle>,
    pub sampling: Option<Sampling>,
    pub follower: Option<Follower>,
    pub members: Option<Told>,
    pub runner: Option<Runner>,
    pub metrics: server::Port,
    pub health: server::Port,
    pub incidents: Incidents,
    pub keeper: Keeper,
    pub notify: Option<Notify>,
}

impl Stack {
    /// Opens the journal, the destinations and the ports, in this order: what was acknowledged is
    /// readable before anything new is taken.
    pub async fn open(profile: &Profile, data: &DataDir, insecure: bool) -> CliResult<Stack> {
        let meter = Meter::new();
        let process = ProcessMetrics::new(&meter);
        // Before anything is made on the disk: a policy may be wrong.
        let (guard, key_sets) = site_guard::of_profile(profile, &meter)?;
        let stored = incident::Stored::load(data)?;
        let (journal, recovery, holds) = Journal::open_holding(
            &data.journal(),
            journal_options(profile),
            &meter,
            &stored.spans(profile),
        )
        .map_err(|error| told(Exit::Failure, &error.to_string()))?;
        day::count_again(&profile.quotas, &journal, &guard);
        let keeper = Keeper::new(&meter);
        let connector = Connector::open();
        let notify = notify::open(profile, data, &connector, &meter, &keeper)?;
        let passing = Passing::default();
        let clustered = cluster::open(profile, data, &journal, &connector, &meter).await?;
        let Shipping {
            shippers,
            statuses,
            sampling,
            follower,
            metrics: shipping,
        } = ship::open(
            profile,
            data,
            &journal,
            &connector,
            &meter,
            &keeper,
            ship::Rules {
                passing: passing.clone(),
                own: cluster::ownership(clustered.as_ref()),
            },
        )?;
        let config = gateway_config(profile, insecure, &keeper)?;
        let seam: Arc<dyn gateway::Guard> = match &clustered {
            Some(clustered) => Arc::new(clustered.door(guard.clone(), profile)),
            None => Arc::new(guard.clone()),
        };
        let members = clustered.as_ref().map(Clustered::told);
        let runner = match clustered {
            Some(clustered) => clustered.runner(profile, data, &keeper, shipping)?,
            None => None,
        };
        let gateway = Gateway::bind(config, seam, journal.clone(), &meter)
            .await
            .map_err(|error| told(Exit::Failure, &error.to_string()))?;
        let metrics = own_port(&keeper, profile, Port::Metrics, insecure).await?;
        let health = own_port(&keeper, profile, Port::Health, insecure).await?;
        let admin = own_port(&keeper, profile, Port::Admin, false).await?;
        let effects = Effects {
            journal: journal.clone(),
            sampling: sampling.as_ref().map(Sampling::control),
            outbox: notify.as_ref().map(Notify::outbox),
            passing,
            holds,
        };
        let register = stored.start(profile, effects, &meter);
        let incidents =
            Incidents::open(register, profile, &journal, admin, insecure, &meter).await?;
        Ok(Stack {
            meter,
            process,
            journal,
            recovery,
            guard,
            key_sets,
            gateway,
            shippers,
            statuses,
            sampling,
            follower,
            members,
            runner,
            metrics,
            health,
            incidents,
            keeper,
            notify,
        })
    }
}

/// Every metric that a gateway has: one is put together in a temporary folder and asked.
pub fn metric_descriptions() -> CliResult<Vec<Description>> {
    let runtime = super::runtime()?;
    let folder = std::env::temp_dir().join(format!("stella-reference-{}", std::process::id()));
    let data = DataDir::of(&crate::cli::DataDir {
        path: Some(folder.clone()),
    })?;
    data.create()?;
    let text = "listen: { grpc: '127.0.0.1:0', http: '127.0.0.1:0', metrics: '127.0.0.1:0', health: '127.0.0.1:0', admin: '127.0.0.1:0' }\nsampling: { policies: [{ name: all, type: always_sample }] }\ncluster: { name: a, members: [{ name: a, endpoint: 'http://127.0.0.1:4317' }] }\n";
    let described = runtime.block_on(async {
        let profile = profile::parse("reference", text)?;
        let stack = Stack::open(&profile, &data, false).await?;
        let described = stack.meter.descriptions();
        let closed = stack.journal.close().await;
        closed.map_err(|error| CliError::new(Exit::Failure, error))?;
        Ok::<_, CliError>(described)
    });
    let _ = std::fs::remove_dir_all(&folder);
    described
}

async fn own_port(
    keeper: &Keeper,
    profile: &Profile,
    port: Port,
    insecure: bool,
) -> CliResult<server::Port> {
    let name = port.as_str();
    let addr = match port {
        Port::Grpc => profile.listen.grpc,
        Port::Http => profile.listen.http,
        Port::Metrics => profile.listen.metrics,
        Port::Health => profile.listen.health,
        Port::Admin => profile.listen.admin,
    };
    let tls = files::of_port(keeper, profile, port)?;
    if !addr.ip().is_loopback() && !insecure && tls.is_none() {
        let message = format!("{name} on {addr} would be plaintext off loopback");
        let or = match port {
            Port::Admin => "",
            _ => ", or allow it with --insecure",
        };
        return Err(CliError::new(Exit::Failure, message).hint(format!(
            "listen on 127.0.0.1, give it TLS with `tls: {{ {name}: {{ enabled: true }} }}`{or}"
        )));
    }
    server::Port::bind(addr, tls).await.map_err(|error| {
        CliError::new(
            Exit::Failure,
            format!("cannot listen for {name} on {addr}: {error}"),
        )
        .hint(format!(
            "choose another port under `listen: {{ {name}: … }}` in a profile"
        ))
    })
}

fn journal_options(profile: &Profile) -> journal::Options {
    let journal = &profile.journal;
    journal::Options {
        durability: match journal.durability {
            profile::Durability::Fsync => journal::Durability::Fsync,
            profile::Durability::Os => journal::Durability::Os,
        },
        at_limit: match journal.at_limit {
            profile::AtLimit::PushBack => journal::AtLimit::PushBack,
            profile::AtLimit::DropOldest => journal::AtLimit::DropOldest,
        },
        window: journal.window.0,
        max_bytes: journal.max_bytes.0,
        hold_bytes: profile.incidents.disk_budget.0,
        segment_bytes: journal.segment_bytes.0,
        cache_bytes: journal.cache_bytes.as_usize(),
        ..journal::Options::default()
    }
}

fn gateway_config(
    profile: &Profile,
    insecure: bool,
    keeper: &Keeper,
) -> CliResult<gateway::Config> {
    let limits = &profile.limits;
    Ok(gateway::Config {
        grpc: ListenerConfig {
            addr: profile.listen.grpc,
            insecure,
            tls: files::of_port(keeper, profile, Port::Grpc)?,
        },
        http: ListenerConfig {
            addr: profile.listen.http,
            insecure,
            tls: files::of_port(keeper, profile, Port::Http)?,
        },
        limits: gateway::Limits {
            request_bytes: limits.request_bytes.as_usize(),
            decompressed_bytes: limits.decompressed_bytes.as_usize(),
            in_flight_bytes: limits.in_flight_bytes.as_usize(),
            connection_in_flight_bytes: limits.connection_in_flight_bytes.as_usize(),
            connections: limits.connections,
            streams: limits.streams,
            read_timeout: limits.read_timeout.0,
            idle_timeout: limits.idle_timeout.0,
            drain_timeout: limits.drain_timeout.0,
            ..gateway::Limits::default()
        },
    })
}
