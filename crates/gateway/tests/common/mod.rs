//! What the gateway's tests share: a running gateway with a real journal, clients, data.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test support; each test file uses some of it"
)]

pub mod client;
pub mod data;
pub mod frames;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gateway::{Config, Gateway, Guard, Limits, ListenerConfig, OpenGuard};
use ident::{Signal, TenantId};
use journal::seam::Env;
use journal::{Block, Filter, Journal, Options, ReadError, Start};
use meter::Meter;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What a gateway is started with.
pub struct Setup {
    pub limits: Limits,
    pub options: Options,
    pub env: Env,
    pub guard: Arc<dyn Guard>,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            limits: Limits::default(),
            options: Options::default(),
            env: Env::default(),
            guard: Arc::new(OpenGuard::new(TenantId::default_tenant())),
        }
    }
}

impl Setup {
    pub fn limits(limits: Limits) -> Self {
        Setup {
            limits,
            ..Setup::default()
        }
    }

    pub fn guard(guard: impl Guard) -> Self {
        Setup {
            guard: Arc::new(guard),
            ..Setup::default()
        }
    }
}

/// A gateway that runs on free ports, with its journal in a directory of its own.
pub struct Rig {
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    pub journal: Journal,
    pub meter: Meter,
    pub stop: CancellationToken,
    pub serving: JoinHandle<()>,
    _dir: TempDir,
}

impl Rig {
    pub async fn start() -> Self {
        Rig::with(Setup::default()).await
    }

    pub async fn with(setup: Setup) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let meter = Meter::new();
        let (journal, _) =
            Journal::open_with(dir.path(), setup.options, &meter, setup.env).unwrap();
        let config = Config {
            grpc: loopback(),
            http: loopback(),
            limits: setup.limits,
        };
        let gateway = Gateway::bind(config, setup.guard, journal.clone(), &meter)
            .await
            .unwrap();
        let stop = CancellationToken::new();
        Rig {
            grpc: gateway.grpc_addr(),
            http: gateway.http_addr(),
            journal,
            meter,
            serving: tokio::spawn(gateway.serve(stop.clone())),
            stop,
            _dir: dir,
        }
    }

    /// All blocks, the oldest first.
    pub fn blocks(&self) -> Vec<Block> {
        let mut reader = self.journal.reader(Start::Oldest, Filter::default());
        std::iter::from_fn(|| match reader.try_next() {
            Err(ReadError::Closed) => None,
            block => block.unwrap(),
        })
        .collect()
    }

    /// The names of all items in the journal, decoded by prost.
    pub fn kept(&self) -> Vec<String> {
        let names = |b: &Block| data::names(b.signal, &b.payload);
        self.blocks().iter().flat_map(names).collect()
    }

    /// The value of a metric's series; 0 if there is none.
    pub fn metric(&self, series: &str) -> f64 {
        let text = self.meter.encode();
        let value = |line: &str| line.strip_prefix(series)?.trim().parse().ok();
        text.lines().find_map(value).unwrap_or(0.0)
    }

    /// How often a listener has refused a request for a reason.
    pub fn refused(&self, transport: &str, reason: &str) -> f64 {
        self.metric(&format!(
            "stella_gateway_refused_requests_total{{reason=\"{reason}\",transport=\"{transport}\"}}"
        ))
    }

    /// How many items a listener has `accepted` or `refused`.
    pub fn items(&self, verb: &str, signal: Signal, transport: &str) -> f64 {
        let items = signal.items_name();
        self.metric(&format!(
            "otelcol_receiver_{verb}_{items}{{receiver=\"otlp\",transport=\"{transport}\"}}"
        ))
    }

    /// `connections`, `connections_refused_total`, `connection_errors_total`.
    pub fn connections(&self, what: &str, transport: &str) -> f64 {
        self.metric(&format!(
            "stella_gateway_{what}{{transport=\"{transport}\"}}"
        ))
    }

    /// The gateway goes on: a good request on either port is acknowledged and is what the journal
    /// has got since.
    pub async fn goes_on(&self) {
        let before = self.kept().len();
        let body = data::request(Signal::Traces, &["goes-on-http"]);
        let answer = client::post(self.http, Signal::Traces, client::PROTOBUF, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let body = data::request(Signal::Logs, &["goes-on-grpc"]);
        let status = client::export(self.grpc, Signal::Logs, body).await;
        assert_eq!(status.code(), tonic::Code::Ok, "{status:?}");
        let kept = self.kept();
        assert_eq!(&kept[before..], ["goes-on-http", "goes-on-grpc"]);
        until("no bytes in flight", || {
            self.metric("stella_gateway_in_flight_bytes") == 0.0
        })
        .await;
    }
}

pub fn loopback() -> ListenerConfig {
    ListenerConfig {
        addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        insecure: false,
        tls: None,
    }
}

/// Waits until a condition holds. A test that waits in vain fails by its message.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..6000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain: {what}");
}
