//! Why a handshake failed, as few words that can be labels.

use std::io;

use rustls::{CertificateError, Error};

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The peer's certificate has expired.
    Expired,
    /// The peer's certificate is not valid yet.
    NotYetValid,
    /// No CA that is trusted here issued the peer's certificate.
    UnknownCa,
    /// The peer's certificate bears the name of a CA that is trusted here, but not its signature;
    /// or the peer does not hold its key.
    BadSignature,
    /// The peer's certificate was revoked.
    Revoked,
    /// There are revocation lists, but none of the CA that issued the peer's certificate.
    RevocationUnknown,
    /// The peer's certificate is wrong in another way: its use, its encoding, its names.
    BadCertificate,
    /// The peer has no certificate, and one is required.
    NoCertificate,
    /// The peer speaks no version or cipher that is spoken here.
    Incompatible,
    /// The peer does not speak TLS, or breaks its rules.
    Protocol,
    /// The peer ended the handshake: it may not trust our certificate.
    RefusedByPeer,
    /// The peer was gone before the end.
    Disconnected,
    /// The handshake took too long, or its turn never came.
    Timeout,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 13] = [
        Reason::Expired,
        Reason::NotYetValid,
        Reason::UnknownCa,
        Reason::BadSignature,
        Reason::Revoked,
        Reason::RevocationUnknown,
        Reason::BadCertificate,
        Reason::NoCertificate,
        Reason::Incompatible,
        Reason::Protocol,
        Reason::RefusedByPeer,
        Reason::Disconnected,
        Reason::Timeout,
    ];

    /// The word in labels and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Expired => "expired",
            Reason::NotYetValid => "not_yet_valid",
            Reason::UnknownCa => "unknown_ca",
            Reason::BadSignature => "bad_signature",
            Reason::Revoked => "revoked",
            Reason::RevocationUnknown => "revocation_unknown",
            Reason::BadCertificate => "bad_certificate",
            Reason::NoCertificate => "no_certificate",
            Reason::Incompatible => "incompatible",
            Reason::Protocol => "protocol",
            Reason::RefusedByPeer => "refused_by_peer",
            Reason::Disconnected => "disconnected",
            Reason::Timeout => "timeout",
        }
    }

    /// Of what a handshake ended with.
    pub(crate) fn of_io(error: &io::Error) -> Self {
        match tls_error(error) {
            Some(error) => Reason::of(error),
            None => Reason::Disconnected,
        }
    }

    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => of_certificate(error),
            Error::NoCertificatesPresented => Reason::NoCertificate,
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Reason::Incompatible,
            Error::AlertReceived(_) => Reason::RefusedByPeer,
            _ => Reason::Protocol,
        }
    }
}

/// rustls' own error inside an I/O error.
pub(crate) fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref::<Error>()
}

fn of_certificate(error: &CertificateError) -> Reason {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Reason::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Reason::NotYetValid
        }
        CertificateError::UnknownIssuer => Reason::UnknownCa,
        CertificateError::BadSignature => Reason::BadSignature,
        CertificateError::Revoked => Reason::Revoked,
        CertificateError::UnknownRevocationStatus => Reason::RevocationUnknown,
        _ => Reason::BadCertificate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_distinct() {
        let words: std::collections::BTreeSet<_> =
            Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
    }

    #[test]
    fn an_error_without_tls_in_it_is_a_lost_connection() {
        let error = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(Reason::of_io(&error), Reason::Disconnected);
        let error = io::Error::new(io::ErrorKind::InvalidData, Error::NoCertificatesPresented);
        assert_eq!(Reason::of_io(&error), Reason::NoCertificate);
    }
}
