//! Names that go into certificates, checked.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ident::TenantId;

use crate::Error;

/// The site's part of every SPIFFE ID: lower-case letters, digits, `.`, `-`, `_` (SPIFFE ID,
/// section 2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustDomain(String);

/// A sender's own name within its tenant: one segment of a SPIFFE ID's path (section 2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload(String);

/// Whom a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Who sends telemetry for a tenant.
    Client {
        /// Whose data it sends.
        tenant: TenantId,
        /// Which sender.
        name: Workload,
    },
    /// What senders connect to.
    Server {
        /// DNS names, `*` as the first label allowed.
        dns: Vec<String>,
        /// Addresses.
        ips: Vec<IpAddr>,
    },
}

const SEGMENT_HINT: &str = "write letters, digits, `.`, `-` and `_`, 63 at the most";

impl TrustDomain {
    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TrustDomain {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b);
        if name.is_empty() || name.len() > 255 || !name.bytes().all(good) {
            return Err(Error::Name {
                name: name.to_owned(),
                kind: "trust domain",
                hint: "write lower-case letters, digits, `.`, `-` and `_`, as in `site.example`",
            });
        }
        Ok(TrustDomain(name.to_owned()))
    }
}

impl Workload {
    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Workload {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        segment(name, "sender's name").map(|()| Workload(name.to_owned()))
    }
}

fn segment(name: &str, kind: &'static str) -> Result<(), Error> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    let fits = (1..=63).contains(&name.len()) && !matches!(name, "." | "..");
    if fits && name.bytes().all(good) {
        return Ok(());
    }
    Err(Error::Name {
        name: name.to_owned(),
        kind,
        hint: SEGMENT_HINT,
    })
}

impl Holder {
    /// Whether every name can be in a certificate.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            // Tenants may have characters that SPIFFE does not allow in a path.
            Holder::Client { tenant, .. } => segment(tenant.as_str(), "tenant for a certificate"),
            Holder::Server { dns, ips } if dns.is_empty() && ips.is_empty() => Err(Error::Nameless),
            Holder::Server { dns, .. } => dns.iter().try_for_each(|name| dns_name(name)),
        }
    }

    /// The common name, for people: what verifies goes by the other names.
    pub(crate) fn common_name(&self) -> String {
        match self {
            Holder::Client { name, .. } => name.as_str().to_owned(),
            Holder::Server { dns, ips } => {
                let ips = ips.iter().map(ToString::to_string);
                // RFC 5280, appendix A.1: 64 characters at the most.
                let mut fitting = dns
                    .iter()
                    .cloned()
                    .chain(ips)
                    .filter(|name| name.len() <= 64);
                fitting.next().unwrap_or_else(|| "server".to_owned())
            }
        }
    }

    /// Where its certificate is, below the folder and without `.pem`.
    pub(crate) fn place(&self) -> String {
        match self {
            Holder::Client { tenant, name } => format!("clients/{tenant}/{}", name.as_str()),
            Holder::Server { dns, ips } => {
                let first = dns.first().cloned();
                let first = first.or_else(|| ips.first().map(ToString::to_string));
                let name = first.unwrap_or_default();
                format!("servers/{}", name.replace('*', "_").replace(':', "-"))
            }
        }
    }
}

/// The SPIFFE ID of a sender.
pub(crate) fn spiffe(domain: &TrustDomain, tenant: &TenantId, name: &Workload) -> String {
    format!("spiffe://{domain}/tenant/{tenant}/{}", name.as_str())
}

fn dns_name(name: &str) -> Result<(), Error> {
    let rest = name.strip_prefix("*.").unwrap_or(name);
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let bytes = label.as_bytes();
        bytes.len() <= 63
            && bytes.iter().all(|b| inner(*b))
            && edge(bytes.first())
            && edge(bytes.last())
    };
    if name.len() <= 253 && rest.split('.').all(label) && rest.parse::<IpAddr>().is_err() {
        return Ok(());
    }
    Err(Error::Name {
        name: name.to_owned(),
        kind: "DNS name",
        hint: "write it as in `gateway.site.example`; addresses go with --ip",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_lead_elsewhere_are_refused() {
        for name in ["", ".", "..", "a/b", "a b", "ä", "a\0", &"x".repeat(64)] {
            assert!(name.parse::<Workload>().is_err(), "{name:?}");
        }
        for name in ["", "Site", "a/b", "spiffe://a", "a b"] {
            assert!(name.parse::<TrustDomain>().is_err(), "{name:?}");
        }
        for name in [
            "",
            ".",
            "..",
            "a..b",
            "-a",
            "a/b",
            "*",
            "a.*",
            "127.0.0.1",
            "../x",
        ] {
            assert!(dns_name(name).is_err(), "{name:?}");
        }
        for name in ["localhost", "a.b.example", "*.site.example", "_x.y"] {
            assert!(dns_name(name).is_ok(), "{name:?}");
        }
        assert!("scanner-1.a_b".parse::<Workload>().is_ok());
    }

    #[test]
    fn a_tenant_that_no_spiffe_id_can_name_is_refused() {
        let holder = |tenant: &str| Holder::Client {
            tenant: tenant.parse().unwrap(),
            name: "x".parse().unwrap(),
        };
        assert!(holder("acme").check().is_ok());
        assert!(holder("acme*").check().is_err());
        assert_eq!(holder("acme").place(), "clients/acme/x");
    }

    #[test]
    fn a_server_is_called_by_its_first_name() {
        let holder = |dns: &[&str], ips: &[&str]| Holder::Server {
            dns: dns.iter().map(|name| (*name).to_owned()).collect(),
            ips: ips.iter().map(|ip| ip.parse().unwrap()).collect(),
        };
        assert_eq!(holder(&["*.a.b"], &[]).place(), "servers/_.a.b");
        assert_eq!(holder(&[], &["::1"]).place(), "servers/--1");
        assert_eq!(holder(&[], &["::1"]).common_name(), "::1");
        assert!(matches!(holder(&[], &[]).check(), Err(Error::Nameless)));
    }
}
