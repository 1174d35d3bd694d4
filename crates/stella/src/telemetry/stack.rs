//! What a profile's words mean for the parts: their configuration, and the parts put together.

use std::path::Path;
use std::sync::Arc;

use gateway::{Gateway, ListenerConfig};
use guard::SiteGuard;
use ident::Signal;
use journal::{Journal, Recovery};
use meter::{Description, Meter};
use profile::{Destination, Port, Profile, Ship};
use shipper::{Connector, Shipper, StatusHandle};
use tls::Keeper;

use super::data_dir::DataDir;
use super::guard::{self as site_guard, KeySets};
use super::incident::{self, Incidents};
use super::notify::{self, Notify};
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
            &stored.spans(),
        )
        .map_err(|error| told(Exit::Failure, &error.to_string()))?;
        day::count_again(&profile.quotas, &journal, &guard);
        let keeper = Keeper::new(&meter);
        let connector = Connector::open();
        let notify = notify::open(profile, data, &connector, &meter, &keeper)?;
        let (shippers, statuses) = shippers(profile, data, &journal, &connector, &meter, &keeper)?;
        let config = gateway_config(profile, insecure, &keeper)?;
        let seam = Arc::new(guard.clone());
        let gateway = Gateway::bind(config, seam, journal.clone(), &meter)
            .await
            .map_err(|error| told(Exit::Failure, &error.to_string()))?;
        let metrics = own_port(&keeper, profile, Port::Metrics, insecure).await?;
        let health = own_port(&keeper, profile, Port::Health, insecure).await?;
        let admin = own_port(&keeper, profile, Port::Admin, false).await?;
        let register = stored.start(profile, &journal, holds, &meter);
        let incidents = Incidents::open(register, profile, admin, insecure).await?;
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
    let text = "listen: { grpc: '127.0.0.1:0', http: '127.0.0.1:0', metrics: '127.0.0.1:0', health: '127.0.0.1:0', admin: '127.0.0.1:0' }\n";
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

fn shippers(
    profile: &Profile,
    data: &DataDir,
    journal: &Journal,
    connector: &Connector,
    meter: &Meter,
    keeper: &Keeper,
) -> CliResult<(Vec<Shipper>, Vec<StatusHandle>)> {
    // A destination that has left the profile no longer holds the journal's data back.
    for known in journal.consumers() {
        if !profile
            .ship
            .iter()
            .any(|ship| ship.name.as_str() == known.name)
        {
            tracing::warn!(
                name = known.name,
                "the profile no longer has this destination; its cursor is dropped"
            );
            journal
                .remove_consumer(&known.name)
                .map_err(|error| told(Exit::Failure, &error.to_string()))?;
        }
    }
    let metrics = shipper::Metrics::new(meter);
    let mut shippers = Vec::new();
    for ship in &profile.ship {
        let config = ship_config(ship, &data.dead_letters(), keeper)?;
        let shipper = Shipper::open(config, journal, connector, &metrics).map_err(|error| {
            let name = ship.name.as_str();
            told(
                Exit::BadInput,
                &format!("the destination `{name}`: {error}"),
            )
        })?;
        shippers.push(shipper);
    }
    let statuses = shippers.iter().map(Shipper::status).collect();
    Ok((shippers, statuses))
}

fn ship_config(ship: &Ship, dead_letters: &Path, keeper: &Keeper) -> CliResult<shipper::Config> {
    let name = ship.name.as_str();
    let destination = match ship.destination() {
        Some(Destination::Otlp(otlp)) => {
            shipper::DestinationConfig::Otlp(otlp_config(name, otlp, keeper)?)
        }
        Some(Destination::File(file)) => shipper::DestinationConfig::File(file_config(file)),
        None => {
            let message = format!("the destination `{name}` is not exactly one thing");
            return Err(CliError::new(Exit::BadInput, message));
        }
    };
    let signals: Vec<Signal> = ship.signals.iter().copied().map(Signal::from).collect();
    Ok(shipper::Config {
        signals: Some(signals),
        batch_max_bytes: ship.batch_max_bytes.as_usize(),
        in_flight: ship.in_flight,
        ..shipper::Config::new(name, destination, dead_letters)
    })
}

fn otlp_config(
    name: &str,
    otlp: &profile::OtlpDestination,
    keeper: &Keeper,
) -> CliResult<shipper::otlp::Config> {
    let mut headers = Vec::new();
    for (header, secret) in &otlp.headers {
        let value = secret.reveal().map_err(|error| {
            let message = format!("the destination `{name}`: the header `{header}`: {error}");
            told(Exit::BadInput, &message)
        })?;
        headers.push((header.clone(), shipper::Secret::new(value)));
    }
    let mut config = shipper::otlp::Config {
        protocol: match otlp.protocol {
            profile::Protocol::Grpc => shipper::otlp::Protocol::Grpc,
            profile::Protocol::Http => shipper::otlp::Protocol::Http,
        },
        compression: match otlp.compression {
            profile::Compression::None => shipper::otlp::Compression::None,
            profile::Compression::Gzip => shipper::otlp::Compression::Gzip,
            profile::Compression::Zstd => shipper::otlp::Compression::Zstd,
        },
        headers,
        timeout: otlp.timeout.0,
        ..shipper::otlp::Config::new(otlp.endpoint.url().clone())
    };
    if let Some(tls) = &otlp.tls {
        config.tls = Some(files::of_destination(keeper, name, tls, config.alpn())?);
    }
    Ok(config)
}

fn file_config(file: &profile::FileDestination) -> shipper::file::Config {
    shipper::file::Config {
        format: match file.format {
            profile::FileFormat::Json => shipper::file::Format::Json,
            profile::FileFormat::Proto => shipper::file::Format::Proto,
        },
        compression: match file.compression {
            profile::FileCompression::None => shipper::file::Compression::None,
            profile::FileCompression::Zstd => shipper::file::Compression::Zstd,
        },
        rotate_bytes: file.rotate_bytes.0,
        rotate_age: file.rotate_age.0,
        ..shipper::file::Config::new(&file.path)
    }
}
