//! `cluster` as a profile describes it: this gateway's part, its guard, what runs.

use std::sync::Arc;

use cluster::{Cluster, Door, Forwarding, Member, Members, Options, Runner, Source};
use egress::Connector;
use guard::SiteGuard;
use http::HeaderName;
use ident::Signal;
use journal::Journal;
use meter::Meter;
use profile::{Profile, Sampling};
use sampler::config::Logs;
use serde::{Deserialize, Serialize};
use shipper::StatusHandle;
use tls::Keeper;
use tokio::sync::watch;

use super::data_dir::DataDir;
use super::status::ShipperReport;
use super::{tls as files, told};
use crate::error::{CliError, CliResult, Exit};

/// A gateway's part in a cluster, not yet running.
pub struct Clustered {
    pub cluster: Cluster,
    source: Source,
    connector: Connector,
    lanes: watch::Sender<Vec<StatusHandle>>,
}

/// What can be told of it while it runs.
#[derive(Clone)]
pub struct Told {
    cluster: Cluster,
    lanes: watch::Receiver<Vec<StatusHandle>>,
}

/// Opens it, if the profile has one.
pub async fn open(
    profile: &Profile,
    data: &DataDir,
    journal: &Journal,
    connector: &Connector,
    meter: &Meter,
) -> CliResult<Option<Clustered>> {
    let (Some(config), Some(sampling)) = (&profile.cluster, &profile.sampling) else {
        return Ok(None);
    };
    let source = source(config)?;
    let dir = data.cluster();
    let members = match source.read(connector).await {
        Ok(members) => Some(members),
        Err(error) if Cluster::is_stored(&dir) => {
            tracing::warn!(%error, "the list of members is no good; the one before holds");
            None
        }
        Err(error) => return Err(told(Exit::BadInput, &error.to_string())),
    };
    let options = Options {
        me: config.name.0.clone(),
        members,
        handover: config.handover(sampling),
        // As long as the sampler may know a trace.
        look_back: sampling.wait.0 + sampling.remember.0.saturating_mul(2),
        max_staying: sampling.remember_traces.saturating_mul(2),
    };
    let cluster = Cluster::open(options, journal, &dir, meter)
        .map_err(|error| told(Exit::BadInput, &error.to_string()))?;
    Ok(Some(Clustered {
        cluster,
        source,
        connector: connector.clone(),
        lanes: watch::Sender::new(Vec::new()),
    }))
}

fn source(config: &profile::Cluster) -> CliResult<Source> {
    if let Some(path) = &config.file {
        return Ok(Source::File(path.clone()));
    }
    if let Some(dns) = &config.dns {
        return Ok(Source::Dns {
            host: dns.host.clone(),
            port: dns.port,
            scheme: if config.tls.is_some() {
                "https"
            } else {
                "http"
            },
        });
    }
    let member = |member: &profile::ClusterMember| Member {
        name: member.name.0.clone(),
        endpoint: member.endpoint.url().clone(),
    };
    let members = Members::new(config.members.iter().map(member).collect());
    let members = members.map_err(|error| told(Exit::BadInput, &error.to_string()))?;
    Ok(Source::Fixed(members))
}

impl Clustered {
    /// The guard of a member.
    pub fn door(&self, site: SiteGuard, profile: &Profile) -> Door {
        let open = profile.cluster.as_ref().is_some_and(|c| c.insecure);
        Door::new(site, self.cluster.clone(), open)
    }

    /// What can be told of it.
    pub fn told(&self) -> Told {
        Told {
            cluster: self.cluster.clone(),
            lanes: self.lanes.subscribe(),
        }
    }

    /// What is to run.
    pub fn runner(
        self,
        profile: &Profile,
        data: &DataDir,
        keeper: &Keeper,
        metrics: shipper::Metrics,
    ) -> CliResult<Option<Runner>> {
        let (Some(config), Some(sampling)) = (&profile.cluster, &profile.sampling) else {
            return Ok(None);
        };
        let forwarding = forwarding(config, sampling, profile, data, keeper)?;
        Ok(Some(Runner::new(
            self.cluster,
            self.source,
            config.check.0,
            forwarding,
            self.connector,
            metrics,
            self.lanes,
        )))
    }
}

fn forwarding(
    config: &profile::Cluster,
    sampling: &Sampling,
    profile: &Profile,
    data: &DataDir,
    keeper: &Keeper,
) -> CliResult<Forwarding> {
    let wrong = |message: String| told(Exit::BadInput, &format!("`cluster`: {message}"));
    let headers = super::headers(&config.headers, wrong)?;
    // Each lane puts its member's in its place.
    let placeholder = "http://127.0.0.1:4317".parse();
    let placeholder = placeholder.map_err(|_| CliError::new(Exit::Failure, "no endpoint"))?;
    let mut otlp = shipper::otlp::Config {
        compression: super::ship::compression(config.compression),
        headers,
        timeout: config.timeout.0,
        ..shipper::otlp::Config::new(placeholder)
    };
    if let Some(tls) = &config.tls {
        let client = files::of_target(keeper, "cluster", tls, otlp.alpn());
        otlp.tls = Some(client.map_err(|error| wrong(error.to_string()))?);
    }
    let signals = match sampling.logs {
        Logs::All => vec![Signal::Traces],
        Logs::WithTrace => vec![Signal::Traces, Signal::Logs],
    };
    let header = profile
        .identity
        .as_ref()
        .map(|identity| &identity.tenant_header);
    let header = header.cloned().unwrap_or_default();
    let tenant_header = HeaderName::try_from(header.as_str());
    let destination = shipper::DestinationConfig::Otlp(otlp.clone());
    Ok(Forwarding {
        otlp,
        signals,
        tenant_header: tenant_header.map_err(|error| wrong(error.to_string()))?,
        shipper: shipper::Config {
            batch_max_bytes: config.batch_max_bytes.as_usize(),
            in_flight: config.in_flight,
            ..shipper::Config::new("cluster", destination, data.dead_letters())
        },
    })
}

/// A gateway's part in a cluster, for `status`.
#[derive(Debug, Serialize, Deserialize)]
pub struct ClusterReport {
    name: String,
    members: Vec<String>,
    /// Whether it still asks the others what was before it.
    joining: bool,
    /// Until when spans go to former owners first, in nanoseconds since 1970; none if no change is
    /// that young.
    handover_until_unix_nano: Option<u64>,
    /// Traces that it keeps although another owns them.
    staying_traces: usize,
    forwards: Vec<ShipperReport>,
}

impl Told {
    /// What it is now.
    pub fn report(&self, journal: &Journal) -> ClusterReport {
        let history = self.cluster.history();
        let now = journal.clock();
        let members = history.current().map(|epoch| &epoch.members);
        ClusterReport {
            name: history.me.to_string(),
            members: members
                .map(|members| members.iter().map(|m| m.name.to_string()).collect())
                .unwrap_or_default(),
            joining: history.joining,
            handover_until_unix_nano: history.handover_until(now),
            staying_traces: history.staying(now),
            forwards: self
                .lanes
                .borrow()
                .iter()
                .map(|handle| ShipperReport::of(&handle.get()))
                .collect(),
        }
    }
}

impl ClusterReport {
    /// For people.
    pub fn print(&self, out: &mut impl std::io::Write) -> std::io::Result<()> {
        let members = self.members.join(", ");
        let ours = match self.members.contains(&self.name) {
            true => "",
            false => ", of which it is none any more",
        };
        writeln!(out, "cluster     {} among {members}{ours}", self.name)?;
        if self.joining {
            writeln!(out, "            joining: asks the others what was before")?;
        }
        if self.handover_until_unix_nano.is_some() {
            writeln!(
                out,
                "            handover: spans go to former owners first; {} traces stay here",
                self.staying_traces
            )?;
        }
        for lane in &self.forwards {
            lane.print(out, "forwards to")?;
        }
        Ok(())
    }
}

/// Whom the sampler asks what is this gateway's own.
pub fn ownership(clustered: Option<&Clustered>) -> Option<Arc<dyn sampling::Ownership>> {
    let cluster = clustered.map(|clustered| clustered.cluster.clone())?;
    Some(Arc::new(cluster))
}
