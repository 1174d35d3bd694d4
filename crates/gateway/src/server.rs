//! The gateway: both listeners, bound together and served together.

use std::net::SocketAddr;
use std::sync::Arc;

use journal::Journal;
use meter::Meter;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::budget::Budget;
use crate::connection::Shared;
use crate::intake::Intake;
use crate::listener::Listener;
use crate::metrics::Metrics;
use crate::{BindError, Config, Guard, ListenerConfig, Transport};

/// Two bound ports that are not yet served: senders can connect already, and wait.
pub struct Gateway {
    grpc: Listener,
    http: Listener,
    drain: std::time::Duration,
}

impl Gateway {
    /// Binds both ports.
    ///
    /// # Errors
    /// Where a port cannot be had, or would be plaintext off loopback without having been asked
    /// for.
    pub async fn bind(
        config: Config,
        guard: Arc<dyn Guard>,
        journal: Journal,
        meter: &Meter,
    ) -> Result<Gateway, BindError> {
        let metrics = Metrics::new(meter);
        let limits = config.limits;
        let budget = Budget::new(
            limits.in_flight_bytes,
            Some(metrics.in_flight_bytes.clone()),
        );
        let shared = |transport| {
            Arc::new(Shared {
                intake: Intake {
                    guard: Arc::clone(&guard),
                    journal: journal.clone(),
                },
                limits: limits.clone(),
                budget: Arc::clone(&budget),
                metrics: metrics.of(transport),
            })
        };
        let grpc = listen(&config.grpc, Transport::Grpc, shared(Transport::Grpc)).await?;
        let http = listen(&config.http, Transport::Http, shared(Transport::Http)).await?;
        Ok(Gateway {
            grpc,
            http,
            drain: limits.drain_timeout,
        })
    }

    /// Where OTLP/gRPC listens.
    pub fn grpc_addr(&self) -> SocketAddr {
        self.grpc.addr
    }

    /// Where OTLP/HTTP listens.
    pub fn http_addr(&self) -> SocketAddr {
        self.http.addr
    }

    /// Serves until `shutdown`, then drains: stops accepting, finishes what is under way (at most
    /// for the drain timeout), and returns. What was acknowledged is in the journal.
    pub async fn serve(self, shutdown: CancellationToken) {
        let kill = CancellationToken::new();
        let both = async {
            tokio::join!(
                self.grpc.serve(shutdown.clone(), kill.clone()),
                self.http.serve(shutdown.clone(), kill.clone()),
            );
        };
        let overdue = async {
            shutdown.cancelled().await;
            tokio::time::sleep(self.drain).await;
            kill.cancel();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = both => {}
            () = overdue => {}
        }
    }
}

async fn listen(
    config: &ListenerConfig,
    transport: Transport,
    shared: Arc<Shared>,
) -> Result<Listener, BindError> {
    let (addr, name) = (config.addr, transport.as_str());
    if !addr.ip().is_loopback() && !config.insecure && config.tls.is_none() {
        return Err(BindError::Plaintext {
            transport: name,
            addr,
        });
    }
    let failed = |source| BindError::Io {
        transport: name,
        addr,
        source,
    };
    let socket = TcpListener::bind(addr).await.map_err(failed)?;
    let addr = socket.local_addr().map_err(failed)?;
    Ok(Listener {
        socket,
        addr,
        transport,
        tls: config.tls.clone(),
        shared,
    })
}
