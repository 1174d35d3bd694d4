//! What the profile ships: the sampler, and for each destination its shippers.
//!
//! A shipper goes through the journal in order, and what sampling decides is a wait behind. So that
//! nothing else waits, a destination of several signals gets a shipper of its own for each signal
//! that is sampled: `NAME.traces` beside `NAME`. They share the destination itself. Once there, its
//! cursor says that such a signal has its own shipper, sampled or not: nothing is left out where
//! sampling is switched on or off.

use std::path::Path;
use std::sync::Arc;

use ident::Signal;
use journal::{ConsumerStatus, Journal, Position, Start};
use meter::Meter;
use profile::{Destination, Profile, Ship};
use sampler::metrics::{Filter, Passing};
use sampling::{Lookback, Ownership, Sampling};
use shipper::{Connector, Outlet, Shipper, StatusHandle};
use tls::Keeper;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::data_dir::DataDir;
use super::{tls as files, told};
use crate::error::{CliError, CliResult, Exit};

/// Everything that carries the journal on, not yet running.
pub struct Shipping {
    pub shippers: Vec<Shipper>,
    pub statuses: Vec<StatusHandle>,
    pub sampling: Option<Sampling>,
    pub follower: Option<Follower>,
    /// For shippers that are opened later.
    pub metrics: shipper::Metrics,
}

/// A shipper to be: one cursor of a destination.
struct Lane {
    name: String,
    signals: Vec<Signal>,
}

/// What others say about what is shipped.
#[derive(Default)]
pub struct Rules {
    /// Passes filters of metrics all the same.
    pub passing: Passing,
    /// Only what is this gateway's own is sampled, and shipped as far as it is sampled; `None`
    /// means all.
    pub own: Option<Arc<dyn Ownership>>,
}

/// Opens the sampler and the shippers.
pub fn open(
    profile: &Profile,
    data: &DataDir,
    journal: &Journal,
    connector: &Connector,
    meter: &Meter,
    keeper: &Keeper,
    rules: Rules,
) -> CliResult<Shipping> {
    let Rules { passing, own } = rules;
    let clean: Option<shipper::Clean> = own.is_some().then_some(cluster::clean);
    let known = journal.consumers();
    let sampled = |signal| match (&profile.sampling, signal) {
        (None, _) | (_, Signal::Metrics) => false,
        (Some(_), Signal::Traces) => true,
        (Some(sampling), Signal::Logs) => sampling.logs == sampler::config::Logs::WithTrace,
    };
    let lanes: Vec<(&Ship, Vec<Lane>)> = profile
        .ship
        .iter()
        .map(|ship| (ship, lanes(ship, sampled, &known)))
        .collect();
    let begin = |signal| {
        let all = lanes.iter().flat_map(|(ship, lanes)| {
            let own = lanes.iter().filter(|lane| lane.signals.contains(&signal));
            own.map(|lane| place(ship, lane, &known))
        });
        let places = all.map(|place| place.unwrap_or_default());
        places.min().unwrap_or(journal.stats().newest)
    };
    let mut sampling = match &profile.sampling {
        Some(config) => {
            let opened = Sampling::open(config, journal, &data.sampling(), meter, begin, own);
            Some(opened.map_err(|error| told(Exit::Failure, &error.to_string()))?)
        }
        None => {
            // Decisions with a gap would be wrong, should sampling come back.
            let _ = std::fs::remove_dir_all(data.sampling());
            None
        }
    };
    drop_cursors(profile, journal, &known, &lanes, sampling.as_ref())?;

    let metrics = shipper::Metrics::new(meter);
    let mut shippers = Vec::new();
    let mut followed = Vec::new();
    for (ship, lanes) in &lanes {
        let name = ship.name.as_str();
        let wrong = |error: &dyn std::fmt::Display| {
            told(
                Exit::BadInput,
                &format!("the destination `{name}`: {error}"),
            )
        };
        let filter = ship
            .metrics
            .as_ref()
            .map(|metrics| Filter::new(metrics, passing.clone()));
        let config = shipper::Config {
            metrics: filter.transpose().map_err(|error| wrong(&error))?,
            ..ship_config(ship, &data.dead_letters(), keeper)?
        };
        let outlet = Outlet::open(&config.destination, connector).map_err(|error| wrong(&error))?;
        for lane in lanes {
            let decisions = lane.signals.first().filter(|signal| sampled(**signal));
            let decisions = decisions.and_then(|signal| sampling.as_ref()?.decisions(*signal));
            let config = shipper::Config {
                name: lane.name.clone(),
                signals: Some(lane.signals.clone()),
                decisions,
                clean,
                ..config.clone()
            };
            let start = place(ship, lane, &known).map_or(Start::Oldest, Start::At);
            let opened = Shipper::open_at(config, start, &outlet, journal, &metrics);
            shippers.push(opened.map_err(|error| wrong(&error))?);
        }
        if ship.signals.contains(&profile::SignalName::Traces) {
            followed.push((shipper::Config { clean, ..config }, outlet));
        }
    }
    let statuses = shippers.iter().map(Shipper::status).collect();
    let lookbacks = sampling.as_mut().and_then(Sampling::lookbacks);
    let follower = lookbacks.map(|lookbacks| Follower {
        lookbacks,
        followed,
        journal: journal.clone(),
        metrics: metrics.clone(),
    });
    Ok(Shipping {
        metrics,
        shippers,
        statuses,
        sampling,
        follower,
    })
}

/// The cursors of a destination.
fn lanes(ship: &Ship, sampled: impl Fn(Signal) -> bool, known: &[ConsumerStatus]) -> Vec<Lane> {
    let name = ship.name.as_str();
    let signals: Vec<Signal> = ship.signals.iter().copied().map(Signal::from).collect();
    let own = |signal: Signal| format!("{name}.{signal}");
    let apart = |signal: Signal| {
        let there = known.iter().any(|c| c.name == own(signal));
        there || (sampled(signal) && signals.len() > 1)
    };
    let (split, rest): (Vec<Signal>, Vec<Signal>) =
        signals.iter().partition(|signal| apart(**signal));
    let mut lanes: Vec<Lane> = split
        .into_iter()
        .map(|signal| Lane {
            name: own(signal),
            signals: vec![signal],
        })
        .collect();
    if !rest.is_empty() {
        lanes.insert(
            0,
            Lane {
                name: name.to_owned(),
                signals: rest,
            },
        );
    }
    lanes
}

/// Where a lane is or begins, if anything is known of it or of its destination.
fn place(ship: &Ship, lane: &Lane, known: &[ConsumerStatus]) -> Option<Position> {
    let of = |name: &str| known.iter().find(|c| c.name == name).map(|c| c.position);
    of(&lane.name).or_else(|| of(ship.name.as_str()))
}

/// What has left the profile no longer holds the journal's data back.
fn drop_cursors(
    profile: &Profile,
    journal: &Journal,
    known: &[ConsumerStatus],
    lanes: &[(&Ship, Vec<Lane>)],
    sampling: Option<&Sampling>,
) -> CliResult<()> {
    let lookbacks = sampling.map(Sampling::open_lookbacks).unwrap_or_default();
    let lanes_of = |ship: &Ship, all: &[Lane]| {
        let follows = |lookback: &String| format!("{}.{lookback}", ship.name.as_str());
        let own = all.iter().map(|lane| lane.name.clone());
        own.chain(lookbacks.iter().map(follows)).collect::<Vec<_>>()
    };
    let mut wanted: Vec<String> = lanes
        .iter()
        .flat_map(|(ship, all)| lanes_of(ship, all))
        .collect();
    if let Some(sampling) = sampling {
        wanted.extend(sampling.holders());
    }
    let members = |name: &str| profile.cluster.is_some() && cluster::is_cursor(name);
    let gone = |known: &&ConsumerStatus| !wanted.contains(&known.name) && !members(&known.name);
    for gone in known.iter().filter(gone) {
        tracing::warn!(
            name = gone.name,
            "the profile no longer has this destination; its cursor is dropped"
        );
        journal
            .remove_consumer(&gone.name)
            .map_err(|error| told(Exit::Failure, &error.to_string()))?;
    }
    Ok(())
}

/// Ships what look backs find, to every destination of traces, each with a cursor of its own.
pub struct Follower {
    lookbacks: UnboundedReceiver<Lookback>,
    followed: Vec<(shipper::Config, Outlet)>,
    journal: Journal,
    metrics: shipper::Metrics,
}

impl Follower {
    /// Runs until the shutdown. What is not shipped by then is after a restart.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut under_way = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = under_way.join_next() => {}
                lookback = self.lookbacks.recv() => match lookback {
                    Some(lookback) => {
                        under_way.spawn(self.follow(lookback, &shutdown));
                    }
                    None => break,
                }
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    fn follow(
        &self,
        lookback: Lookback,
        shutdown: &CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        let mut running = JoinSet::new();
        let mut names = Vec::new();
        let mut all_open = true;
        for (config, outlet) in &self.followed {
            let name = format!("{}.{}", config.name, lookback.name);
            let config = shipper::Config {
                name: name.clone(),
                signals: Some(vec![Signal::Traces]),
                decisions: Some(lookback.decisions.clone()),
                ..config.clone()
            };
            let start = Start::At(lookback.start);
            match Shipper::open_at(config, start, outlet, &self.journal, &self.metrics) {
                Ok(shipper) => {
                    running.spawn(shipper.run(shutdown.clone()));
                    names.push(name);
                }
                Err(error) => {
                    all_open = false;
                    tracing::error!(name, %error, "a look back is not shipped before a restart");
                }
            }
        }
        let journal = self.journal.clone();
        async move {
            let mut all_ended = all_open;
            while let Some(ended) = running.join_next().await {
                all_ended &= ended.unwrap_or(false);
            }
            if !all_ended {
                return;
            }
            // In this order: cursors that are gone must not lead to a second shipping.
            lookback.shipped();
            for name in names {
                if let Err(error) = journal.remove_consumer(&name) {
                    tracing::warn!(name, %error, "a cursor stays until the next start");
                }
            }
        }
    }
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
    Ok(shipper::Config {
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
    let headers = super::headers(&otlp.headers, |error| {
        told(
            Exit::BadInput,
            &format!("the destination `{name}`: {error}"),
        )
    })?;
    let mut config = shipper::otlp::Config {
        protocol: match otlp.protocol {
            profile::Protocol::Grpc => shipper::otlp::Protocol::Grpc,
            profile::Protocol::Http => shipper::otlp::Protocol::Http,
        },
        compression: compression(otlp.compression),
        headers,
        timeout: otlp.timeout.0,
        ..shipper::otlp::Config::new(otlp.endpoint.url().clone())
    };
    if let Some(tls) = &otlp.tls {
        config.tls = Some(files::of_destination(keeper, name, tls, config.alpn())?);
    }
    Ok(config)
}

pub fn compression(wanted: profile::Compression) -> shipper::otlp::Compression {
    match wanted {
        profile::Compression::None => shipper::otlp::Compression::None,
        profile::Compression::Gzip => shipper::otlp::Compression::Gzip,
        profile::Compression::Zstd => shipper::otlp::Compression::Zstd,
    }
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

#[cfg(test)]
mod tests;
