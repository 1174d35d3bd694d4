//! What a verified client certificate says of its holder.

use std::fmt;

/// The names in a certificate whose chain has been verified. Made once a connection.
///
/// To tell who someone is, use the names of the kinds that the CA vouches for ([`uris`],
/// [`dns_names`], [`emails`]) or the [`fingerprint`]; the subject is free text of many forms.
///
/// [`uris`]: Certificate::uris
/// [`dns_names`]: Certificate::dns_names
/// [`emails`]: Certificate::emails
/// [`fingerprint`]: Certificate::fingerprint
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// URIs among the subject alternative names, such as a SPIFFE ID, in the certificate's order.
    pub uris: Vec<String>,
    /// DNS names among them.
    pub dns_names: Vec<String>,
    /// E-mail addresses among them.
    pub emails: Vec<String>,
    /// The subject as RFC 4514 writes it, the most special part first. Empty where there is none.
    pub subject: String,
    /// The common name, if there is exactly one.
    pub common_name: Option<String>,
    /// The serial number in lower-case hexadecimal digits, without leading zeros. It means nothing
    /// without the issuer.
    pub serial: String,
    /// SHA-256 over the certificate (DER), as `openssl x509 -fingerprint -sha256` computes it.
    pub fingerprint: Fingerprint,
    /// The last second of its validity, in seconds after 1970.
    pub not_after: i64,
}

impl Certificate {
    /// How many alternative names it has.
    pub fn names(&self) -> usize {
        self.uris.len() + self.dns_names.len() + self.emails.len()
    }
}

/// A SHA-256 digest of a certificate; prints as lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
