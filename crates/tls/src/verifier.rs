//! Who may connect: certificates of known CAs, and revocation as far as lists say.
//!
//! The issuer of a sender's own certificate must have a list here once there is any: a list that
//! went missing does not let revoked senders in. CAs further up are checked where there is a list
//! of them. A list past its `nextUpdate` still counts, since what it revokes stays revoked; its age
//! is a metric and a warning.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};

use crate::Error;
use crate::facts;

/// A verifier of senders' certificates.
pub(crate) fn verifier(
    roots: &Arc<RootCertStore>,
    lists: &[CertificateRevocationListDer<'static>],
    required: bool,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let builder = || {
        let roots = Arc::clone(roots);
        let builder = WebPkiClientVerifier::builder_with_provider(roots, crate::provider())
            .with_crls(lists.iter().cloned());
        if required {
            builder
        } else {
            builder.allow_unauthenticated()
        }
    };
    let setup = |error: rustls::server::VerifierBuilderError| Error::Setup(error.to_string());
    let whole_chain = builder().allow_unknown_revocation_status();
    let own = builder().only_check_end_entity_revocation();
    Ok(Arc::new(Senders {
        own_known: (!lists.is_empty())
            .then(|| own.build())
            .transpose()
            .map_err(setup)?,
        whole_chain: whole_chain.build().map_err(setup)?,
    }))
}

#[derive(Debug)]
struct Senders {
    /// Checks signatures, time, use, and revocation wherever there is a list.
    whole_chain: Arc<dyn ClientCertVerifier>,
    /// Where there are lists: the same for the sender's own certificate, which must be in the
    /// domain of one.
    own_known: Option<Arc<dyn ClientCertVerifier>>,
}

impl ClientCertVerifier for Senders {
    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self
            .whole_chain
            .verify_client_cert(own, intermediates, now)?;
        if let Some(own_known) = &self.own_known {
            own_known.verify_client_cert(own, intermediates, now)?;
        }
        // A certificate whose names cannot all be told has no identity to go by.
        facts::read(own).map_err(|_| {
            rustls::Error::InvalidCertificate(rustls::CertificateError::BadEncoding)
        })?;
        Ok(verified)
    }

    fn offer_client_auth(&self) -> bool {
        self.whole_chain.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.whole_chain.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.whole_chain.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.whole_chain
            .verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.whole_chain
            .verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.whole_chain.supported_verify_schemes()
    }
}
