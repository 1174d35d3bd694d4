//! What runs: joining, looking at the list, forwarding, giving away what is for those that left.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use ident::{Signal, TenantId};
use shipper::otlp::{Sender, Stamp};
use shipper::{Connector, StatusHandle};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::door::ASK;
use crate::lanes::{Forwarding, Lanes, member_of};
use crate::member::{Member, Members};
use crate::rehome::rehome;
use crate::source::Source;
use crate::told::{self, Former};

/// How often what is due is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often a gateway that joins asks those that have not answered.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// Everything that a member does beside taking data in.
pub struct Runner {
    cluster: Cluster,
    source: Source,
    check: Duration,
    forwarding: Forwarding,
    connector: Connector,
    lanes: Lanes,
    /// The list that was read last, where it must be read twice.
    heard: Option<Members>,
    faulty: bool,
}

impl Runner {
    /// Puts it together; what is forwarded, and how, shows in the handles of `statuses`.
    pub fn new(
        cluster: Cluster,
        source: Source,
        check: Duration,
        forwarding: Forwarding,
        connector: Connector,
        metrics: shipper::Metrics,
        statuses: watch::Sender<Vec<StatusHandle>>,
    ) -> Runner {
        let lanes = Lanes::new(
            cluster.clone(),
            forwarding.clone(),
            connector.clone(),
            metrics,
            statuses,
        );
        Runner {
            cluster,
            source,
            check,
            forwarding,
            connector,
            lanes,
            heard: None,
            faulty: false,
        }
    }

    /// Runs until `stop`; then ships what is left for a moment, as shippers do.
    pub async fn run(mut self, stop: CancellationToken) {
        self.look().await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = self.join() => {}
        }
        let mut looked = Instant::now();
        while !stop.is_cancelled() {
            self.lanes.follow().await;
            self.cluster.look_for_room();
            self.give_away(&stop).await;
            if let Err(error) = self.cluster.forget() {
                tracing::warn!(%error, "the history of the cluster cannot be stored");
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(TICK.min(self.check)) => {}
            }
            if looked.elapsed() >= self.check {
                looked = Instant::now();
                self.look().await;
            }
        }
        self.lanes.stop().await;
    }

    /// Reads the list, and takes it over if it is another.
    async fn look(&mut self) {
        let (moves, twice) = self.source.moves();
        if !moves && self.heard.is_some() {
            return;
        }
        let members = match self.source.read(&self.connector).await {
            Ok(members) => members,
            Err(error) => {
                self.cluster.metrics().source_failures.inc();
                self.fault(
                    &error,
                    "the list of members is no good; the one before holds",
                );
                return;
            }
        };
        if twice && self.heard.replace(members.clone()).as_ref() != Some(&members) {
            return;
        }
        self.heard = Some(members.clone());
        let cluster = self.cluster.clone();
        let changed = tokio::task::spawn_blocking(move || cluster.change(members)).await;
        match changed {
            Ok(Ok(changed)) => {
                self.faulty = false;
                if changed {
                    let members = self.cluster.members();
                    let names: Vec<&str> = members.iter().map(|m| m.name.as_str()).collect();
                    tracing::info!(
                        members = names.join(", "),
                        "the list of members has changed"
                    );
                }
            }
            Ok(Err(error)) => {
                self.heard = None;
                self.fault(&error, "a change of the list of members waits");
            }
            Err(error) => self.fault(&error, "a change of the list of members was aborted"),
        }
    }

    fn fault(&mut self, error: &dyn std::fmt::Display, what: &str) {
        let error = error.to_string();
        if !std::mem::replace(&mut self.faulty, true) {
            tracing::error!(error, "{what}");
        } else {
            tracing::debug!(error, "{what}");
        }
    }

    /// Asks the others what was before, if that is not known. It needs the answer of one that
    /// knows, or of all that they know nothing; after the handover it would no longer count.
    async fn join(&mut self) {
        if !self.cluster.history().joining {
            return;
        }
        let until = Instant::now() + self.cluster.handover();
        tracing::info!("asking the other members who owned what before");
        let mut ignorant = Vec::new();
        let formers = loop {
            let members = self.cluster.members();
            let me = self.cluster.me();
            let mut answer = None;
            for member in members.iter().filter(|member| member.name != *me) {
                if ignorant.contains(&member.name) {
                    continue;
                }
                match ask(&self.forwarding, &self.connector, member).await {
                    Some(formers) if formers.is_empty() => ignorant.push(member.name.clone()),
                    Some(formers) => {
                        answer = Some(formers);
                        break;
                    }
                    None => {}
                }
            }
            let knows_nothing = |member: &Member| ignorant.contains(&member.name);
            let all = members.iter().all(|m| m.name == *me || knows_nothing(m));
            match answer {
                Some(formers) => break formers,
                None if all || Instant::now() >= until => break Vec::new(),
                None => tokio::time::sleep(ASK_AGAIN).await,
            }
            self.look().await;
        };
        let before = formers.len();
        while let Err(error) = self.cluster.joined(formers.clone()) {
            self.fault(&error, "the history of the cluster cannot be stored");
            tokio::time::sleep(TICK).await;
        }
        tracing::info!(lists_before = before, "this gateway has joined the cluster");
    }

    async fn give_away(&mut self, stop: &CancellationToken) {
        let (journal, now) = (self.cluster.journal(), self.cluster.journal().clock());
        let history = self.cluster.history();
        let consumers = journal.consumers();
        let names = consumers.iter().filter_map(|known| member_of(&known.name));
        for member in names.collect::<Vec<_>>() {
            if history.may_go_to(&member, now) || self.lanes.is_running(&member) {
                continue;
            }
            if let Err(error) = rehome(&self.cluster, &member, stop).await {
                self.fault(&error, "what is for a member that has left waits");
            }
        }
    }
}

/// What a member says was before; `None` if it does not answer.
async fn ask(
    forwarding: &Forwarding,
    connector: &Connector,
    member: &Member,
) -> Option<Vec<Former>> {
    let mut text = String::new();
    for _ in 0..told::MAX_PAGES {
        let config = shipper::otlp::Config {
            endpoint: member.endpoint.clone(),
            timeout: forwarding.otlp.timeout.min(Duration::from_secs(5)),
            stamp: Some(Arc::new(Asking { offset: text.len() })),
            ..forwarding.otlp.clone()
        };
        let sender = Sender::new(&config, connector.clone()).ok()?;
        let receipt = match sender.send(Signal::Traces, Bytes::new()).await {
            Ok(receipt) => receipt,
            Err(error) => {
                tracing::debug!(member = member.name.as_str(), %error, "no answer yet");
                return None;
            }
        };
        let (length, page) = told::parse_page(&receipt.message)?;
        text.push_str(page);
        if text.len() >= length {
            // A text that changed between two pages is none; it is asked for again.
            return told::parse(&text);
        }
        if page.is_empty() {
            return None;
        }
    }
    None
}

#[derive(Debug)]
struct Asking {
    offset: usize,
}

impl Stamp for Asking {
    fn stamp(&self, _: &TenantId, headers: &mut HeaderMap) {
        headers.insert(ASK, HeaderValue::from(self.offset));
    }
}
