//! What a peer's certificate says of it. Read once a connection, after the certificate has been
//! verified; nothing here verifies anything.

use ident::{Certificate, Fingerprint};
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::X509Name;

/// The most names of a certificate.
const MAX_NAMES: usize = 64;
/// The longest of them, and the longest subject, in bytes.
const MAX_NAME_BYTES: usize = 2048;

/// Why a certificate's names cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// It is not an X.509 certificate, or its names have a wrong encoding.
    #[error("the certificate cannot be read")]
    Encoding,
    /// It has more or longer names than are taken, or names with control characters.
    #[error(
        "the certificate has more than {MAX_NAMES} names, one of more than {MAX_NAME_BYTES} bytes, or one with control characters"
    )]
    Names,
}

/// Reads a certificate (DER).
///
/// # Errors
/// If a name cannot be told. Leaving one out could make its holder someone else, so the whole
/// certificate is refused.
pub(crate) fn read(der: &[u8]) -> Result<Certificate, FactsError> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| FactsError::Encoding)?;
    let (mut uris, mut dns_names, mut emails) = (Vec::new(), Vec::new(), Vec::new());
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| FactsError::Encoding)?;
    let names = names.map_or(&[][..], |extension| &extension.value.general_names);
    if names.len() > MAX_NAMES {
        return Err(FactsError::Names);
    }
    for name in names {
        match name {
            GeneralName::URI(uri) => uris.push(checked(uri)?),
            GeneralName::DNSName(name) => dns_names.push(checked(name)?),
            GeneralName::RFC822Name(address) => emails.push(checked(address)?),
            GeneralName::Invalid(..) => return Err(FactsError::Encoding),
            _ => {}
        }
    }
    let mut common = certificate.subject().iter_common_name();
    let common_name = match (common.next(), common.next()) {
        (Some(name), None) => Some(name.as_str().map_err(|_| FactsError::Encoding)?),
        _ => None,
    };
    let serial = certificate.serial.to_str_radix(16);
    Ok(Certificate {
        uris,
        dns_names,
        emails,
        subject: subject(certificate.subject())?,
        common_name: common_name.map(checked).transpose()?,
        serial,
        fingerprint: Fingerprint(Sha256::digest(der).into()),
        not_after: certificate.validity().not_after.timestamp(),
    })
}

fn checked(name: &str) -> Result<String, FactsError> {
    if name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return Err(FactsError::Names);
    }
    Ok(name.to_owned())
}

/// RFC 4514: the last part first, special characters escaped, so that no value can pass for two.
fn subject(name: &X509Name<'_>) -> Result<String, FactsError> {
    let mut text = String::new();
    let parts: Vec<_> = name.iter_rdn().collect();
    for part in parts.into_iter().rev() {
        for (at, attribute) in part.iter().enumerate() {
            if !text.is_empty() {
                text.push(if at == 0 { ',' } else { '+' });
            }
            let value = attribute.as_str().map_err(|_| FactsError::Encoding)?;
            match short(&attribute.attr_type().to_id_string()) {
                Some(short) => text.push_str(short),
                None => text.push_str(&attribute.attr_type().to_id_string()),
            }
            text.push('=');
            escape(&mut text, &checked(value)?);
            if text.len() > MAX_NAME_BYTES {
                return Err(FactsError::Names);
            }
        }
    }
    Ok(text)
}

/// RFC 4514's table, and the e-mail address that is common in practice.
fn short(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        _ => return None,
    })
}

fn escape(text: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (at, char) in value.chars().enumerate() {
        let edge = (at == 0 && matches!(char, ' ' | '#')) || (at == last && char == ' ');
        if edge || matches!(char, '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=') {
            text.push('\\');
        }
        text.push(char);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_passes_for_two() {
        let escaped = |value: &str| {
            let mut text = String::new();
            escape(&mut text, value);
            text
        };
        assert_eq!(escaped("a,O=b"), r"a\,O\=b");
        assert_eq!(escaped(" #a "), r"\ #a\ ");
        assert_eq!(escaped("#a"), r"\#a");
        assert_eq!(escaped("é"), "é");
    }

    #[test]
    fn bytes_that_are_no_certificate_are_refused() {
        for bytes in [&b""[..], b"x", &[0x30, 0x82, 0xff, 0xff], &[0; 64]] {
            assert_eq!(read(bytes), Err(FactsError::Encoding));
        }
    }

    #[test]
    fn names_with_control_characters_or_of_great_length_are_refused() {
        assert_eq!(checked("a\0b"), Err(FactsError::Names));
        assert_eq!(checked("a\nb"), Err(FactsError::Names));
        assert_eq!(
            checked(&"x".repeat(MAX_NAME_BYTES + 1)),
            Err(FactsError::Names)
        );
        assert!(checked("spiffe://site/tenant/a/b").is_ok());
    }
}
