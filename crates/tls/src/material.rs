//! From PEM to certificates, keys, CAs and revocation lists. Pure: the bytes are read already.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use crate::Error;
use crate::files::{Role, Snapshot, Source};

/// The most certificates of a chain, beginning with our own.
const MAX_CHAIN: usize = 10;

/// The files of a certificate of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The chain: our own certificate first, then those of intermediate CAs. PEM.
    pub cert: PathBuf,
    /// The private key. PEM: PKCS#8, SEC1 or PKCS#1, not encrypted.
    pub key: PathBuf,
}

impl Identity {
    pub(crate) fn sources(&self) -> [Source; 2] {
        [
            Source {
                role: Role::Certificate,
                path: self.cert.clone(),
            },
            Source {
                role: Role::Key,
                path: self.key.clone(),
            },
        ]
    }
}

/// Our own certificate with its key, and when the first of the chain expires.
pub(crate) fn certified(snapshot: &Snapshot) -> Result<(Arc<CertifiedKey>, i64), Error> {
    let (certs, keys) = (snapshot.of(Role::Certificate)?, snapshot.of(Role::Key)?);
    let ([(cert_path, cert)], [(key_path, key)]) = (certs.as_slice(), keys.as_slice()) else {
        return Err(Error::Combination {
            what: "a certificate and its key belong together",
            hint: "name both, or neither",
        });
    };
    let (chain, expires) = certificates(Role::Certificate, cert_path, cert)?;
    if chain.len() > MAX_CHAIN {
        return Err(content(
            Role::Certificate,
            cert_path,
            format!("has {} certificates", chain.len()),
            "our own certificate and those of its intermediate CAs are enough",
        ));
    }
    // What the parser says may quote the file, which no error of a key does.
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
        let why = "holds no private key that can be used".to_owned();
        let hint = "it is PEM, as PKCS#8, SEC1 or PKCS#1; `openssl pkey -in FILE` decrypts one with a password";
        content(Role::Key, key_path, why, hint)
    })?;
    let made = CertifiedKey::from_der(chain, key, &crate::provider());
    let certified = made.map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => Error::Mismatch {
            cert: cert_path.to_path_buf(),
            key: key_path.to_path_buf(),
        },
        rustls::Error::InvalidCertificate(error) => content(
            Role::Certificate,
            cert_path,
            format!("cannot be used: {error}"),
            "it is an X.509 certificate of version 3",
        ),
        _ => content(
            Role::Key,
            key_path,
            "is of a kind that cannot be used".to_owned(),
            "use ECDSA (P-256, P-384), Ed25519, or RSA of 2048 bits or more",
        ),
    })?;
    Ok((Arc::new(certified), expires))
}

/// The CAs that are trusted, and when the first of them expires.
pub(crate) fn roots(snapshot: &Snapshot) -> Result<(Arc<RootCertStore>, i64), Error> {
    let (mut store, mut first) = (RootCertStore::empty(), i64::MAX);
    for (path, bytes) in snapshot.of(Role::Ca)? {
        let (certificates, expires) = certificates(Role::Ca, path, bytes)?;
        first = first.min(expires);
        for (at, certificate) in certificates.into_iter().enumerate() {
            store.add(certificate).map_err(|error| {
                let why = format!(
                    "holds a certificate ({}) that cannot be used: {error}",
                    at + 1
                );
                content(Role::Ca, path, why, "take that one out")
            })?;
        }
    }
    Ok((Arc::new(store), first))
}

/// Revocation lists, and when the first of them is due to be replaced.
pub(crate) fn revocation_lists(
    snapshot: &Snapshot,
) -> Result<(Vec<CertificateRevocationListDer<'static>>, Option<i64>), Error> {
    let (mut lists, mut first) = (Vec::new(), None::<i64>);
    for (path, bytes) in snapshot.of(Role::Crl)? {
        let hint = "it is PEM; `openssl crl -inform DER -in FILE` makes it so";
        let bad = |why: &str| content(Role::Crl, path, why.to_owned(), hint);
        let found = CertificateRevocationListDer::pem_slice_iter(bytes);
        let found = found
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| bad("is not PEM"))?;
        if found.is_empty() {
            return Err(bad("holds no revocation list"));
        }
        for list in found {
            let (_, parsed) = CertificateRevocationList::from_der(&list)
                .map_err(|_| bad("holds a revocation list that cannot be read"))?;
            if let Some(next) = parsed.next_update() {
                let next = next.timestamp();
                first = Some(first.map_or(next, |first| first.min(next)));
            }
            lists.push(list);
        }
    }
    Ok((lists, first))
}

/// All certificates of a file, at least one, and when the first of them expires.
fn certificates(
    role: Role,
    path: &Path,
    bytes: &[u8],
) -> Result<(Vec<CertificateDer<'static>>, i64), Error> {
    let hint = "it is PEM; `openssl x509 -inform DER -in FILE` makes it so";
    let bad = |why: &str| content(role, path, why.to_owned(), hint);
    let found = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| bad("is not PEM"))?;
    if found.is_empty() {
        return Err(bad("holds no certificate"));
    }
    let mut first = i64::MAX;
    for der in &found {
        let (_, parsed) = X509Certificate::from_der(der)
            .map_err(|_| bad("holds a certificate that cannot be read"))?;
        first = first.min(parsed.validity().not_after.timestamp());
    }
    Ok((found, first))
}

fn content(role: Role, path: &Path, why: String, hint: &'static str) -> Error {
    Error::Content {
        what: role.as_str(),
        path: path.to_owned(),
        why,
        hint,
    }
}
