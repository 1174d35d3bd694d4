//! Certificates read back: what they say, and whether this CA issued them.

use std::net::IpAddr;
use std::path::Path;

use ident::TenantId;
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::names::{Holder, TrustDomain, Workload};
use crate::{Error, files};

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub der: Vec<u8>,
    pub common_name: String,
    pub names: Vec<Name>,
    /// Without leading zeros.
    pub serial: Vec<u8>,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
    pub server: bool,
    pub ca: bool,
}

/// A subject alternative name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Uri(String),
    Dns(String),
    Ip(IpAddr),
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Name::Uri(name) | Name::Dns(name) => f.write_str(name),
            Name::Ip(ip) => write!(f, "{ip}"),
        }
    }
}

/// Reads the first certificate of a PEM file.
pub(crate) fn certificate(path: &Path) -> Result<Certificate, Error> {
    let wrong = |what| Error::Content {
        path: path.to_owned(),
        what,
    };
    let der = pem(path, "CERTIFICATE", "holds no certificate")?;
    let (_, parsed) =
        X509Certificate::from_der(&der).map_err(|_| wrong("holds no X.509 certificate"))?;
    let unreadable = || wrong("holds a certificate that cannot be read");
    let extension = parsed
        .subject_alternative_name()
        .map_err(|_| unreadable())?;
    let names = extension.map_or(&[][..], |found| &found.value.general_names);
    let names = names
        .iter()
        .map(|name| match name {
            GeneralName::URI(uri) => Ok(Name::Uri((*uri).to_owned())),
            GeneralName::DNSName(name) => Ok(Name::Dns((*name).to_owned())),
            GeneralName::IPAddress(bytes) => ip(bytes).map(Name::Ip).ok_or_else(unreadable),
            _ => Err(wrong("has a name of a kind that this CA does not issue")),
        })
        .collect::<Result<Vec<_>, _>>()?;
    let usage = parsed.extended_key_usage().map_err(|_| unreadable())?;
    let common_name = parsed.subject().iter_common_name().next();
    let common_name = common_name.and_then(|name| name.as_str().ok());
    let certificate = Certificate {
        common_name: common_name.unwrap_or_default().to_owned(),
        names,
        serial: trimmed(parsed.raw_serial()).to_vec(),
        not_before: parsed.validity().not_before.to_datetime(),
        not_after: parsed.validity().not_after.to_datetime(),
        server: usage.is_some_and(|found| found.value.server_auth),
        ca: parsed.is_ca(),
        der: Vec::new(),
    };
    Ok(Certificate { der, ..certificate })
}

/// The first section of a PEM file that has the label.
pub(crate) fn pem(path: &Path, label: &str, missing: &'static str) -> Result<Vec<u8>, Error> {
    let bytes = files::read(path)?;
    Pem::iter_from_buffer(&bytes)
        .filter_map(Result::ok)
        .find(|section| section.label == label)
        .map(|section| section.contents)
        .ok_or_else(|| Error::Content {
            path: path.to_owned(),
            what: missing,
        })
}

/// A serial number as its digits, without zeros before it, which two encodings may differ in.
pub(crate) fn trimmed(serial: &[u8]) -> &[u8] {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    &serial[zeros.min(serial.len().saturating_sub(1))..]
}

/// A serial number in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

impl Certificate {
    /// Whether the CA's key signed it.
    pub(crate) fn is_of(&self, ca: &Certificate) -> bool {
        let (Ok((_, own)), Ok((_, ca))) = (
            X509Certificate::from_der(&self.der),
            X509Certificate::from_der(&ca.der),
        ) else {
            return false;
        };
        own.issuer() == ca.subject() && own.verify_signature(Some(ca.public_key())).is_ok()
    }

    /// The site's trust domain, which the CA's certificate carries as its only URI.
    pub(crate) fn trust_domain(&self) -> Option<TrustDomain> {
        self.names.iter().find_map(|name| match name {
            Name::Uri(uri) => uri.strip_prefix("spiffe://")?.parse().ok(),
            _ => None,
        })
    }

    /// Whom it is for, if it is one that this CA issues.
    pub(crate) fn holder(&self, domain: &TrustDomain) -> Option<Holder> {
        if self.ca {
            return None;
        }
        if let [Name::Uri(uri)] = self.names.as_slice() {
            let rest = uri.strip_prefix(&format!("spiffe://{domain}/tenant/"))?;
            let (tenant, name) = rest.split_once('/')?;
            return Some(Holder::Client {
                tenant: tenant.parse::<TenantId>().ok()?,
                name: name.parse::<Workload>().ok()?,
            });
        }
        let (mut dns, mut ips) = (Vec::new(), Vec::new());
        for name in &self.names {
            match name {
                Name::Dns(name) => dns.push(name.clone()),
                Name::Ip(ip) => ips.push(*ip),
                Name::Uri(_) => return None,
            }
        }
        self.server.then_some(Holder::Server { dns, ips })
    }
}
