//! The profile: one YAML file that describes a stack.
//!
//! [`load`] reads a file and [`parse`] a text; both return a [`Profile`] whose every value has
//! been checked, or an [`Error`] that points at the line and column and, where a key is unknown,
//! names the nearest one that is known. Every key has a default, so an empty profile is the
//! embedded default: loopback listeners, a journal, nothing shipped.
//!
//! This crate runs nothing and opens nothing but the profile itself and the files that its
//! secrets are kept in.

mod cluster;
mod journal;
mod limits;
mod listen;
mod load;
mod notify;
mod redaction;
mod sampling;
mod secret;
mod ship;
mod tls;

pub use cluster::{Cluster, ClusterMember, ClusterName, HostPort};
pub use control::{Admin, Alertmanager, Config as Incidents, RemoteSampling};
pub use document::{Error, MAX_BYTES};
pub use journal::{AtLimit, Durability, Journal};
pub use limits::Limits;
pub use listen::Listen;
pub use load::{load, load_sampling, parse};
pub use notify::{
    CloudEventsMode, Notify, NotifyAlertmanager, NotifyCloudEvents, NotifyCommand, NotifyFile,
    NotifyLimits, NotifySmtp, NotifyTarget, NotifyTemplate, NotifyWebhook, SmtpSecurity,
};
pub use policy::identity::Identity;
pub use policy::quota::Quotas;
pub use policy::units::{Bytes, Time};
pub use redaction::Redaction;
pub use sampler::config::Sampling;
pub use sampler::metrics::{MetricRule, Metrics};
pub use secret::{Secret, SecretError};
pub use ship::{
    Compression, Destination, Endpoint, FileCompression, FileDestination, FileFormat, Name,
    OtlpDestination, Protocol, Ship, SignalName,
};
pub use tls::{ClientAuth, ClientTls, ListenerTls, MinVersion, Port, PortTls, Tls};

use schemars::JsonSchema;
use serde::Deserialize;

/// A whole stack for one environment.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Where the gateway listens.
    pub listen: Listen,
    /// TLS of these ports.
    pub tls: Tls,
    /// What the gateway takes at the most before it tells senders to wait.
    pub limits: Limits,
    /// Who is who, and so whose data it is. Without it everything is the tenant `default`'s,
    /// whoever sends it.
    pub identity: Option<Identity>,
    /// How much each tenant may send.
    pub quotas: Quotas,
    /// What must not be kept.
    pub redaction: Redaction,
    /// How the journal keeps what was taken.
    pub journal: Journal,
    /// Incidents: what they are where a request does not say, and what they may be at the most.
    pub incidents: Incidents,
    /// Who may use the admin port.
    pub admin: Admin,
    /// What SDKs are told that ask `listen.remote_sampling` how much to sample at the head.
    pub remote_sampling: RemoteSampling,
    /// Which traces are shipped. Without it all are.
    pub sampling: Option<Sampling>,
    /// The gateways that share the traces. Without it this one is alone.
    pub cluster: Option<Cluster>,
    /// Where the journal is shipped to. Each destination has its own durable cursor.
    pub ship: Vec<Ship>,
    /// Who is told of incidents.
    pub notify: Notify,
}

/// The profile's JSON Schema, from which its reference is written.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Profile)
}
