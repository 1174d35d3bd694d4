//! `cluster`: the gateways that share the traces.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ident::MemberName;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::{Bytes, ClientTls, Compression, Endpoint, Profile, Secret, Time};

/// Several gateways behind a load balancer: each trace is decided by one of them, and the others
/// forward its spans.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// This gateway's name, as the members' list has it; with `dns`, its address. It belongs to
    /// the data directory: keep both together.
    pub name: ClusterName,
    /// The members, this gateway included. One of `members`, `file` and `dns`.
    #[serde(default)]
    pub members: Vec<ClusterMember>,
    /// A YAML file with such a list, read again when it changes. The same for all members.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// `host:port`: the members are the addresses of this name, each with OTLP/gRPC on this port.
    #[serde(default)]
    pub dns: Option<HostPort>,
    /// How often `file` or `dns` is looked at.
    #[serde(default = "check")]
    pub check: Time,
    /// How long after a change spans go to the former owner of their trace first: longer than
    /// traces last. Twice `sampling.remember` unless set.
    #[serde(default)]
    pub handover: Option<Time>,
    /// Headers to forward with, such as `authorization`. Values may be kept elsewhere:
    /// `${env:NAME}`, `${file:PATH}`. With `identity`, they or the certificate of `tls` must prove
    /// one of its `forwarders`.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Whom to trust and what to show to members, for `https://`; with `dns` it makes them
    /// `https://`.
    #[serde(default)]
    pub tls: Option<ClientTls>,
    /// How forwarded requests are compressed.
    #[serde(default)]
    pub compression: Compression,
    /// The most that one forwarded request holds before compression. No more than the members'
    /// `limits.request_bytes`.
    #[serde(default = "batch_max_bytes")]
    pub batch_max_bytes: Bytes,
    /// Forwarded requests in flight to each member.
    #[serde(default = "in_flight")]
    pub in_flight: usize,
    /// How long one forwarded request may take.
    #[serde(default = "timeout")]
    pub timeout: Time,
    /// Allows plaintext to members off loopback, and, without `identity`, takes what anybody
    /// forwards, unredacted. For networks that only the members reach.
    #[serde(default)]
    pub insecure: bool,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterMember {
    /// Its name, by which traces are given to it.
    pub name: ClusterName,
    /// Its OTLP/gRPC: `http://host:port`, or `https://host:port` with `tls`.
    pub endpoint: Endpoint,
}

/// A member's name: at most 48 of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct ClusterName(pub MemberName);

impl<'de> Deserialize<'de> for ClusterName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let name = text.parse().map(ClusterName);
        name.map_err(|error| {
            D::Error::custom(format!(
                "`{text}` names no member: {error}; write it as in gw-1"
            ))
        })
    }
}

/// A name and a port.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String")]
pub struct HostPort {
    /// The name.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl<'de> Deserialize<'de> for HostPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parts = text.rsplit_once(':');
        let good = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        match parts.map(|(host, port)| (host, port.parse())) {
            Some((host, Ok(port))) if !host.is_empty() && host.bytes().all(good) && port > 0 => {
                Ok(HostPort {
                    host: host.to_owned(),
                    port,
                })
            }
            _ => Err(D::Error::custom(
                "write a name and a port, as in gateways.example:4317",
            )),
        }
    }
}

fn check() -> Time {
    Time(Duration::from_secs(2))
}

fn batch_max_bytes() -> Bytes {
    Bytes(1 << 20)
}

const fn in_flight() -> usize {
    4
}

fn timeout() -> Time {
    Time(Duration::from_secs(10))
}

impl Cluster {
    /// How long spans go to former owners first after a change.
    pub fn handover(&self, sampling: &crate::Sampling) -> Duration {
        let own = self.handover.map(|time| time.0);
        own.unwrap_or(sampling.remember.0.saturating_mul(2))
    }
}

/// The key at fault, what is wrong, and what would be right.
type Wrong = (&'static str, String, String);

/// What the types alone cannot say.
pub(crate) fn check_profile(profile: &Profile) -> Result<(), Wrong> {
    let Some(cluster) = &profile.cluster else {
        return Ok(());
    };
    let wrong = |key, message: &str, hint: &str| Err((key, message.to_owned(), hint.to_owned()));
    let sources = [
        !cluster.members.is_empty(),
        cluster.file.is_some(),
        cluster.dns.is_some(),
    ];
    if sources.into_iter().filter(|said| *said).count() != 1 {
        return wrong(
            "cluster",
            "the cluster's members are not said in exactly one way",
            "give it one of `members`, `file` and `dns`",
        );
    }
    let Some(sampling) = &profile.sampling else {
        return wrong(
            "cluster",
            "there is a `cluster`, but no `sampling`: traces need not come together where all are shipped",
            "leave `cluster` out, or give the profile a `sampling`",
        );
    };
    cluster.check_members()?;
    let handover = cluster.handover(sampling);
    let (least, most) = (sampling.wait.0, Duration::from_secs(24 * 3600));
    if !(least..=most).contains(&handover) {
        return wrong(
            "handover",
            "traces under way would not be over within the handover",
            "`cluster.handover` goes from `sampling.wait` to 24h",
        );
    }
    if !(Duration::from_millis(50)..=Duration::from_secs(3600)).contains(&cluster.check.0) {
        let hint = "`cluster.check` goes from 50ms to 1h";
        return wrong("check", "the list would not be looked at in time", hint);
    }
    if !(1..=64).contains(&cluster.in_flight) {
        let hint = "`cluster.in_flight` goes from 1 to 64";
        return wrong(
            "in_flight",
            "a cluster with no or too many requests in flight",
            hint,
        );
    }
    let most = profile.limits.request_bytes.0;
    if !(4096..=most).contains(&cluster.batch_max_bytes.0) {
        return Err((
            "batch_max_bytes",
            format!("forwarded batches of {}", cluster.batch_max_bytes),
            format!(
                "`cluster.batch_max_bytes` goes from 4KiB to `limits.request_bytes`, {}",
                profile.limits.request_bytes
            ),
        ));
    }
    let journal = &profile.journal;
    if journal.max_bytes.0 < 8 * journal.segment_bytes.0 {
        return Err((
            "max_bytes",
            format!("a journal of {} is too small for a cluster", journal.max_bytes),
            "it needs room for eight segments (`journal.segment_bytes`), since some of it is kept for other members".to_owned(),
        ));
    }
    cluster.check_safety(profile)
}

impl Cluster {
    fn check_members(&self) -> Result<(), Wrong> {
        let name = |member: &ClusterMember| member.name.0.to_string();
        let mut names: Vec<String> = self.members.iter().map(name).collect();
        names.sort();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err((
                "members",
                format!("two members are named `{}`", pair[0]),
                "give each gateway a name of its own".to_owned(),
            ));
        }
        let me = self.name.0.as_str();
        if !names.is_empty() && !names.iter().any(|name| name == me) {
            return Err((
                "members",
                format!("`{me}` is not among the members: {}", names.join(", ")),
                "set `cluster.name` to one of them, or add this gateway to the list".to_owned(),
            ));
        }
        Ok(())
    }

    /// REDACT-FIRST: what is forwarded is taken as it is, so not everybody may forward.
    fn check_safety(&self, profile: &Profile) -> Result<(), Wrong> {
        let host = |endpoint: &Endpoint| match endpoint.url().host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        for member in &self.members {
            let url = member.endpoint.url();
            let name = &member.name.0;
            if !matches!(url.path(), "" | "/") {
                return Err((
                    "members",
                    format!("the endpoint of `{name}` has a path; OTLP/gRPC has none"),
                    "write it as in http://gw-1:4317".to_owned(),
                ));
            }
            match (url.scheme(), &self.tls) {
                ("https", None) => {
                    return Err((
                        "members",
                        format!(
                            "`{name}` is https://, but `cluster` names no CA that vouches for it"
                        ),
                        "add `tls: { ca: FILE }` to `cluster`".to_owned(),
                    ));
                }
                ("http", Some(_)) => {
                    return Err((
                        "members",
                        format!("`cluster` has `tls`, but `{name}` is http://"),
                        "write its endpoint as https://".to_owned(),
                    ));
                }
                ("http", None) if !host(&member.endpoint) && !self.insecure => {
                    return Err((
                        "members",
                        format!("spans would go to `{name}` in plaintext, off loopback"),
                        "write its endpoint as https:// and add `tls`, or allow it with `cluster: { insecure: true }`".to_owned(),
                    ));
                }
                _ => {}
            }
        }
        if self.dns.is_some() && self.tls.is_none() && !self.insecure {
            return Err((
                "dns",
                "spans would go to the members in plaintext".to_owned(),
                "add `tls` to `cluster`, or allow it with `cluster: { insecure: true }`".to_owned(),
            ));
        }
        let Some(identity) = &profile.identity else {
            return Ok(());
        };
        let proves = self
            .headers
            .keys()
            .any(|name| name.eq_ignore_ascii_case("authorization"))
            || self.tls.as_ref().is_some_and(|tls| tls.cert.is_some());
        if identity.forwarders.is_empty() || !proves {
            return Err((
                "cluster",
                "members would not be let in by each other: with `identity`, they must prove to be forwarders".to_owned(),
                "list their identity among `identity.forwarders`, for all tenants, and give `cluster` a `tls.cert`, or an `authorization` under `headers`".to_owned(),
            ));
        }
        Ok(())
    }
}
