//! The list of revoked certificates. It is its own record: the next list is made of the one before.

use std::path::Path;

use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair, RevocationReason,
    RevokedCertParams, SerialNumber,
};
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use crate::parse::{self, Certificate};
use crate::{Error, files};

/// A revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number, without leading zeros.
    pub(crate) serial: Vec<u8>,
    pub(crate) at: OffsetDateTime,
}

impl Revoked {
    /// Its serial number in hexadecimal digits.
    pub fn serial(&self) -> String {
        parse::hex(&self.serial)
    }
}

/// A list as it was last written.
#[derive(Debug, Default)]
pub(crate) struct List {
    /// Counts up from list to list (RFC 5280, section 5.2.3).
    number: u64,
    pub(crate) revoked: Vec<Revoked>,
}

impl List {
    /// Reads the list in `path`, which must be the CA's own.
    pub(crate) fn read(path: &Path, ca: &Certificate) -> Result<List, Error> {
        let wrong = |what| Error::Content {
            path: path.to_owned(),
            what,
        };
        let der = parse::pem(path, "X509 CRL", "holds no revocation list")?;
        let unreadable = || wrong("holds a revocation list that cannot be read");
        let (_, list) = CertificateRevocationList::from_der(&der).map_err(|_| unreadable())?;
        let (_, ca) = X509Certificate::from_der(&ca.der).map_err(|_| unreadable())?;
        list.verify_signature(ca.public_key())
            .map_err(|_| wrong("is not a list of this CA, or was changed"))?;
        let number = list.crl_number().and_then(|number| number.try_into().ok());
        let revoked = list.iter_revoked_certificates().map(|entry| Revoked {
            serial: parse::trimmed(entry.raw_serial()).to_vec(),
            at: entry.revocation_date.to_datetime(),
        });
        Ok(List {
            number: number.ok_or_else(unreadable)?,
            revoked: revoked.collect(),
        })
    }

    pub(crate) fn has(&self, serial: &[u8]) -> bool {
        self.revoked.iter().any(|revoked| revoked.serial == serial)
    }

    /// Signs the list anew and writes it.
    pub(crate) fn write(
        &self,
        path: &Path,
        issuer: &Issuer<'_, KeyPair>,
        now: OffsetDateTime,
        life: Duration,
    ) -> Result<(), Error> {
        let entry = |revoked: &Revoked| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&revoked.serial),
            revocation_time: revoked.at,
            reason_code: Some(RevocationReason::Unspecified),
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: now,
            next_update: now + life,
            crl_number: SerialNumber::from(self.number + 1),
            issuing_distribution_point: None,
            revoked_certs: self.revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let text = list.signed_by(issuer)?.pem()?;
        files::write(path, text.as_bytes(), files::Access::All, true)
    }
}
