//! The CA and what it does: issue, renew, revoke.

use std::fs::File;
use std::path::{Path, PathBuf};

use rand::RngExt;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use time::{Duration, OffsetDateTime};
use zeroize::Zeroizing;

use crate::files::{self, Access};
use crate::names::{self, Holder, TrustDomain};
use crate::parse::{self, Certificate};
use crate::revocation::{List, Revoked};
use crate::{Error, show};

/// Certificates are valid from a little before they are made, for machines whose clock is behind.
const BACKDATED: Duration = Duration::minutes(5);

/// How long something is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// From when.
    pub now: OffsetDateTime,
    /// How many days. A certificate never outlives the CA's.
    pub days: u32,
}

/// What `renew` changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// From when.
    pub now: OffsetDateTime,
    /// How many days; as long as before unless told.
    pub days: Option<u32>,
    /// Keep the key. A new one is made otherwise.
    pub keep_key: bool,
}

/// A certificate that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The certificate. PEM.
    pub cert: PathBuf,
    /// Its key. PEM (PKCS#8).
    pub key: PathBuf,
    /// The names in it.
    pub names: Vec<String>,
    /// The last second of its validity.
    pub not_after: OffsetDateTime,
}

/// A CA's folder.
#[derive(Clone, Debug)]
pub struct Pki {
    folder: PathBuf,
}

/// A CA whose key has been read, locked against other processes.
pub struct Unlocked {
    folder: PathBuf,
    ca: Certificate,
    domain: TrustDomain,
    issuer: Issuer<'static, KeyPair>,
    _lock: File,
}

impl Pki {
    /// The CA in `folder`, whether it is there yet or not.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Pki {
            folder: folder.into(),
        }
    }

    /// The CA's certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The list of revoked certificates.
    pub fn crl(&self) -> PathBuf {
        self.folder.join("ca.crl")
    }

    /// Makes a CA and an empty list of revoked certificates.
    ///
    /// # Errors
    /// If there is one already and `force` is not given, or files cannot be written.
    pub fn init(
        &self,
        domain: &TrustDomain,
        life: Lifetime,
        crl_days: u32,
        force: bool,
    ) -> Result<Issued, Error> {
        let (cert, key) = (self.ca(), self.folder.join("ca.key"));
        if let Some(there) = [&cert, &key, &self.crl()]
            .into_iter()
            .find(|path| path.exists() && !force)
        {
            return Err(Error::Exists(there.clone()));
        }
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&format!("{domain} CA"));
        params.not_before = life.now - BACKDATED;
        params.not_after = life.now + Duration::days(life.days.into());
        params.serial_number = Some(serial());
        // Path length 0: it issues certificates, never other CAs.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let uri = format!("spiffe://{domain}");
        params.subject_alt_names = vec![SanType::URI(uri.clone().try_into()?)];
        let not_after = params.not_after;
        let made = params.self_signed(&pair)?;
        files::folder(&self.folder)?;
        let secret = Zeroizing::new(pair.serialize_pem());
        files::write(&key, secret.as_bytes(), Access::Owner, force)?;
        files::write(&cert, made.pem().as_bytes(), Access::All, force)?;
        let issuer = Issuer::new(params, pair);
        let crl_life = Duration::days(crl_days.into());
        List::default().write(&self.crl(), &issuer, life.now, crl_life)?;
        Ok(Issued {
            cert,
            key,
            names: vec![uri],
            not_after,
        })
    }

    /// Reads the CA's key, and keeps other processes from using it until what is returned is
    /// dropped.
    ///
    /// # Errors
    /// If there is no CA, or its files cannot be read.
    pub fn unlock(&self) -> Result<Unlocked, Error> {
        let key = self.folder.join("ca.key");
        let file = File::open(&key).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::NoAuthority(self.folder.clone()),
            _ => Error::Io {
                path: key.clone(),
                source: error,
            },
        })?;
        file.lock().map_err(Error::io(&key))?;
        let ca = parse::certificate(&self.ca())?;
        let domain = ca.trust_domain().ok_or_else(|| Error::Content {
            path: self.ca(),
            what: "was not made by `pki init`: it names no trust domain",
        })?;
        let pair = key_pair(&key)?;
        let issuer = Issuer::from_ca_cert_der(&ca.der.as_slice().into(), pair)?;
        Ok(Unlocked {
            folder: self.folder.clone(),
            ca,
            domain,
            issuer,
            _lock: file,
        })
    }

    /// The CA and everything it has issued, as of `now`.
    ///
    /// # Errors
    /// If there is no CA, or files cannot be read.
    pub fn show(&self, now: OffsetDateTime) -> Result<Vec<show::Entry>, Error> {
        if !self.ca().exists() {
            return Err(Error::NoAuthority(self.folder.clone()));
        }
        show::entries(&self.folder, &self.ca(), &self.crl(), now)
    }
}

impl Unlocked {
    /// Issues a certificate with a new key.
    ///
    /// # Errors
    /// If a name cannot be in a certificate, or there is one already and `force` is not given.
    pub fn issue(&self, holder: &Holder, life: Lifetime, force: bool) -> Result<Issued, Error> {
        holder.check()?;
        let place = self.folder.join(holder.place());
        let (cert, key) = (with(&place, "pem"), with(&place, "key"));
        if let Some(there) = [&cert, &key]
            .into_iter()
            .find(|path| path.exists() && !force)
        {
            return Err(Error::Exists(there.clone()));
        }
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        if let Some(folder) = cert.parent() {
            files::folder(folder)?;
        }
        self.write(holder, life, &pair, (&cert, Some(&key)), force)
    }

    /// Issues a certificate like `cert` with the same names, in its place.
    ///
    /// # Errors
    /// If it is not one of this CA, or was revoked, or files cannot be read or written.
    pub fn renew(&self, cert: &Path, renewal: Renewal) -> Result<Issued, Error> {
        let before = self.own(cert)?;
        if self.list()?.has(&before.serial) {
            return Err(Error::Revoked(cert.to_owned()));
        }
        let holder = before
            .holder(&self.domain)
            .ok_or_else(|| Error::Foreign(cert.to_owned()))?;
        let key = with_extension(cert, "key");
        let days = (before.not_after - before.not_before).whole_days();
        let life = Lifetime {
            now: renewal.now,
            days: renewal.days.unwrap_or(u32::try_from(days).unwrap_or(1)),
        };
        if renewal.keep_key {
            let pair = key_pair(&key)?;
            let mut issued = self.write(&holder, life, &pair, (cert, None), true)?;
            issued.key = key;
            return Ok(issued);
        }
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        self.write(&holder, life, &pair, (cert, Some(&key)), true)
    }

    /// Puts a certificate on the list of revoked ones and writes the list. One that is on it stays.
    ///
    /// # Errors
    /// If it is not one of this CA, or the list cannot be read or written.
    pub fn revoke(&self, cert: &Path, life: Lifetime) -> Result<Revoked, Error> {
        let own = self.own(cert)?;
        let mut list = self.list()?;
        let revoked = Revoked {
            serial: own.serial,
            at: life.now,
        };
        if !list.has(&revoked.serial) {
            list.revoked.push(revoked.clone());
        }
        self.write_list(&list, life)?;
        Ok(revoked)
    }

    /// Writes the list anew, so that it is not too old.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn refresh_list(&self, life: Lifetime) -> Result<usize, Error> {
        let list = self.list()?;
        self.write_list(&list, life)?;
        Ok(list.revoked.len())
    }

    fn own(&self, path: &Path) -> Result<Certificate, Error> {
        let certificate = parse::certificate(path)?;
        if certificate.ca || !certificate.is_of(&self.ca) {
            return Err(Error::Foreign(path.to_owned()));
        }
        Ok(certificate)
    }

    fn list(&self) -> Result<List, Error> {
        List::read(&Pki::at(&self.folder).crl(), &self.ca)
    }

    fn write_list(&self, list: &List, life: Lifetime) -> Result<(), Error> {
        let path = Pki::at(&self.folder).crl();
        let days = Duration::days(life.days.into());
        list.write(&path, &self.issuer, life.now, days)
    }

    fn write(
        &self,
        holder: &Holder,
        life: Lifetime,
        pair: &KeyPair,
        (cert, key): (&Path, Option<&Path>),
        force: bool,
    ) -> Result<Issued, Error> {
        if life.now >= self.ca.not_after {
            return Err(Error::Expired);
        }
        let params = self.params(holder, life)?;
        let (not_after, names) = (params.not_after, shown(&params.subject_alt_names));
        let made = params.signed_by(pair, &self.issuer)?;
        // The key first: a certificate without its key is of no use to anyone.
        if let Some(key) = key {
            let secret = Zeroizing::new(pair.serialize_pem());
            files::write(key, secret.as_bytes(), Access::Owner, force)?;
        }
        files::write(cert, made.pem().as_bytes(), Access::All, force)?;
        Ok(Issued {
            cert: cert.to_owned(),
            key: key.map(Path::to_owned).unwrap_or_default(),
            names,
            not_after,
        })
    }

    fn params(&self, holder: &Holder, life: Lifetime) -> Result<CertificateParams, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&holder.common_name());
        params.not_before = (life.now - BACKDATED).max(self.ca.not_before);
        let wanted = life.now + Duration::days(life.days.into());
        params.not_after = wanted.min(self.ca.not_after);
        params.serial_number = Some(serial());
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        match holder {
            Holder::Client { tenant, name } => {
                let uri = names::spiffe(&self.domain, tenant, name);
                params.subject_alt_names = vec![SanType::URI(uri.try_into()?)];
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
            Holder::Server { dns, ips } => {
                for name in dns {
                    let name = name.as_str().try_into()?;
                    params.subject_alt_names.push(SanType::DnsName(name));
                }
                let ips = ips.iter().map(|ip| SanType::IpAddress(*ip));
                params.subject_alt_names.extend(ips);
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }
        }
        Ok(params)
    }
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// 127 random bits (RFC 5280, section 4.1.2.2: positive, at most 20 bytes), never with a zero first.
fn serial() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::rng().random();
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn key_pair(path: &Path) -> Result<KeyPair, Error> {
    let bytes = files::read(path)?;
    let wrong = || Error::Content {
        path: path.to_owned(),
        what: "holds no private key that can be used",
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong())?;
    KeyPair::from_pem(text).map_err(|_| wrong())
}

fn shown(names: &[SanType]) -> Vec<String> {
    let text = |name: &SanType| match name {
        SanType::URI(name) | SanType::DnsName(name) | SanType::Rfc822Name(name) => {
            name.as_str().to_owned()
        }
        SanType::IpAddress(ip) => ip.to_string(),
        _ => String::new(),
    };
    names.iter().map(text).collect()
}

/// `place` with `.extension` after whatever dots it has.
fn with(place: &Path, extension: &str) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

/// The path with its last extension replaced.
fn with_extension(path: &Path, extension: &str) -> PathBuf {
    path.with_extension(extension)
}
