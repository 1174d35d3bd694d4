//! `listen`: the addresses of the gateway's ports.

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the gateway listens. Loopback unless told otherwise; port 0 takes a free one.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// OTLP over gRPC.
    #[schemars(with = "String")]
    pub grpc: SocketAddr,
    /// OTLP over HTTP: `/v1/traces`, `/v1/metrics`, `/v1/logs`.
    #[schemars(with = "String")]
    pub http: SocketAddr,
    /// The gateway's own metrics: `/metrics`, as Prometheus text.
    #[schemars(with = "String")]
    pub metrics: SocketAddr,
    /// Health and state: `/live`, `/ready`, `/status`.
    #[schemars(with = "String")]
    pub health: SocketAddr,
    /// The admin API: `/telemetry/incidents`, `/openapi.json`. Off loopback it needs TLS, and
    /// client certificates or `admin.token_file`.
    #[schemars(with = "String")]
    pub admin: SocketAddr,
    /// Jaeger's remote sampling, `/sampling?service=NAME`: off unless an address is given, such as
    /// `127.0.0.1:5778`.
    #[schemars(with = "Option<String>")]
    pub remote_sampling: Option<SocketAddr>,
}

impl Default for Listen {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Listen {
            grpc: loopback(4317),
            http: loopback(4318),
            metrics: loopback(8888),
            health: loopback(13133),
            admin: loopback(13134),
            remote_sampling: None,
        }
    }
}
