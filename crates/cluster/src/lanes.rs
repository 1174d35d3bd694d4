//! Forwarding: a shipper for each other member, from a durable cursor of its own.
//!
//! RESTARTABLE, BOUNDED and LOSS-COUNTED as every shipper: what is for a member that is down waits
//! in the journal. What is for one that has left for good is given to the present owners.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use ident::{MemberName, Signal, TenantId};
use journal::{Block, Position, Start};
use shipper::otlp::Stamp;
use shipper::{Connector, DestinationConfig, Outlet, Route, Shipper, StatusHandle, Way};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::cluster::Cluster;
use crate::door::LIST;
use crate::member::Members;

/// What cursors and shippers of lanes are called by, before the member's name. No destination can
/// have such a name.
const PREFIX: &str = "_cluster.";

/// How to forward.
#[derive(Clone, Debug)]
pub struct Forwarding {
    /// How to talk to members; each has its own endpoint.
    pub otlp: shipper::otlp::Config,
    /// The signals that are forwarded.
    pub signals: Vec<Signal>,
    /// The header that names the tenant.
    pub tenant_header: HeaderName,
    /// What shippers are told beside that.
    pub shipper: shipper::Config,
}

/// The cursor of what is for a member.
pub fn cursor_of(name: &MemberName) -> String {
    format!("{PREFIX}{name}")
}

/// Whether a cursor is that of a lane.
pub fn is_cursor(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// The member that a cursor is for.
pub(crate) fn member_of(cursor: &str) -> Option<MemberName> {
    cursor.strip_prefix(PREFIX)?.parse().ok()
}

/// The shippers that run.
pub(crate) struct Lanes {
    cluster: Cluster,
    forwarding: Forwarding,
    connector: Connector,
    metrics: shipper::Metrics,
    running: BTreeMap<MemberName, Lane>,
    statuses: watch::Sender<Vec<StatusHandle>>,
}

struct Lane {
    endpoint: Url,
    stop: CancellationToken,
    task: JoinHandle<bool>,
    status: StatusHandle,
}

impl Lanes {
    pub(crate) fn new(
        cluster: Cluster,
        forwarding: Forwarding,
        connector: Connector,
        metrics: shipper::Metrics,
        statuses: watch::Sender<Vec<StatusHandle>>,
    ) -> Self {
        Lanes {
            cluster,
            forwarding,
            connector,
            metrics,
            running: BTreeMap::new(),
            statuses,
        }
    }

    /// Starts and stops what the list asks for.
    pub(crate) async fn follow(&mut self) {
        let history = self.cluster.history();
        let now = self.cluster.journal().clock();
        // Of a member that has moved, the newest place. A lane that is new begins where its member
        // came in, the last time: what was for it before has been given to others.
        let mut wanted: BTreeMap<MemberName, (Url, Position)> = BTreeMap::new();
        let mut before: Option<&Members> = None;
        for epoch in &history.epochs {
            for member in epoch.members.iter() {
                let stayed = before.is_some_and(|before| before.get(&member.name).is_some());
                let known = wanted.get(&member.name).map(|(_, from)| *from);
                let from = known.filter(|_| stayed).unwrap_or(epoch.from);
                wanted.insert(member.name.clone(), (member.endpoint.clone(), from));
            }
            before = Some(&epoch.members);
        }
        wanted.retain(|name, _| *name != history.me && history.may_go_to(name, now));
        let stay = |name: &MemberName, lane: &Lane| {
            let place = wanted.get(name);
            place.is_some_and(|(endpoint, _)| *endpoint == lane.endpoint)
        };
        let gone: Vec<MemberName> = self
            .running
            .iter()
            .filter(|(name, lane)| !stay(name, lane))
            .map(|(name, _)| name.clone())
            .collect();
        for name in gone {
            self.end(&name).await;
        }
        for (name, (endpoint, from)) in wanted {
            if !self.running.contains_key(&name) {
                self.begin(&name, endpoint, from);
            }
        }
        self.show();
    }

    /// Ends all of them.
    pub(crate) async fn stop(&mut self) {
        self.running.values().for_each(|lane| lane.stop.cancel());
        let names: Vec<MemberName> = self.running.keys().cloned().collect();
        for name in names {
            self.end(&name).await;
        }
    }

    /// Those whose lanes run.
    pub(crate) fn is_running(&self, name: &MemberName) -> bool {
        self.running.contains_key(name)
    }

    async fn end(&mut self, name: &MemberName) {
        if let Some(lane) = self.running.remove(name) {
            lane.stop.cancel();
            let _ = lane.task.await;
        }
    }

    fn begin(&mut self, name: &MemberName, endpoint: Url, from: Position) {
        let route = Arc::new(To {
            cluster: self.cluster.clone(),
            member: name.clone(),
        });
        let stamp = Stamped {
            cluster: self.cluster.clone(),
            tenant_header: self.forwarding.tenant_header.clone(),
        };
        let otlp = shipper::otlp::Config {
            endpoint: endpoint.clone(),
            stamp: Some(Arc::new(stamp)),
            ..self.forwarding.otlp.clone()
        };
        let config = shipper::Config {
            name: cursor_of(name),
            destination: DestinationConfig::Otlp(otlp),
            signals: Some(self.forwarding.signals.clone()),
            route: Some(route),
            ..self.forwarding.shipper.clone()
        };
        let (journal, start) = (self.cluster.journal(), Start::At(from));
        let opened = Outlet::open(&config.destination, &self.connector)
            .and_then(|out| Shipper::open_at(config, start, &out, journal, &self.metrics));
        match opened {
            Ok(shipper) => {
                let stop = CancellationToken::new();
                let status = shipper.status();
                let task = tokio::spawn(shipper.run(stop.clone()));
                let lane = Lane {
                    endpoint,
                    stop,
                    task,
                    status,
                };
                self.running.insert(name.clone(), lane);
            }
            // Tried again with the next look at the list.
            Err(error) => {
                tracing::error!(member = name.as_str(), %error, "nothing is forwarded to a member");
            }
        }
    }

    fn show(&self) {
        let handles = self.running.values().map(|lane| lane.status.clone());
        self.statuses.send_replace(handles.collect());
    }
}

/// What of a block goes to a member.
#[derive(Debug)]
struct To {
    cluster: Cluster,
    member: MemberName,
}

impl Route for To {
    fn way(&self, block: &Block, out: &mut Vec<u8>) -> Way {
        match self.cluster.others(block, &self.member, out) {
            None => Way::Unknown,
            Some(0) => Way::Nothing,
            Some(items) => Way::Part { items },
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.cluster.changes()
    }
}

/// Says whose data it is, and by what list it is forwarded.
#[derive(Debug)]
struct Stamped {
    cluster: Cluster,
    tenant_header: HeaderName,
}

impl Stamp for Stamped {
    fn stamp(&self, tenant: &TenantId, headers: &mut HeaderMap) {
        if let Ok(tenant) = HeaderValue::try_from(tenant.as_str()) {
            headers.insert(self.tenant_header.clone(), tenant);
        }
        if let Ok(list) = HeaderValue::try_from(self.cluster.digest()) {
            headers.insert(LIST, list);
        }
    }
}
