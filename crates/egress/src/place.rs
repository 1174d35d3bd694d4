//! A URL as a connection needs it.

use std::sync::Arc;

use url::Url;

/// Where a URL leads.
#[derive(Clone, Debug)]
pub struct Place {
    /// The host without brackets, for connecting.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Host and, where it is not the scheme's own, port: the `Host` header.
    pub authority: String,
    /// TLS, for `https://`.
    pub tls: Option<Arc<tls::Client>>,
}

/// Why a URL leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// `https://` without a word on whom to trust.
    #[error(
        "no CA is named that vouches for it\nhint: add `tls: {{ ca: FILE }}`; the system's own bundle is a file too, such as /etc/ssl/certs/ca-certificates.crt"
    )]
    NoCa,
    /// Anything else.
    #[error("{0}\nhint: write it as in http://127.0.0.1:4317")]
    Url(&'static str),
}

impl Place {
    /// Where `url` leads. `https://` needs `tls`, and `http://` must have none: nothing goes in the
    /// clear that was meant to be encrypted.
    ///
    /// # Errors
    /// If the two do not agree, if it is another scheme, or if it holds credentials.
    pub fn of(url: &Url, tls: Option<Arc<tls::Client>>) -> Result<Place, PlaceError> {
        match (url.scheme(), &tls) {
            ("http", None) | ("https", Some(_)) => {}
            ("https", None) => return Err(PlaceError::NoCa),
            ("http", Some(_)) => return Err(PlaceError::Url("has `tls`, but is not https://")),
            _ => return Err(PlaceError::Url("is neither http:// nor https://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            let what = "holds credentials, which belong into `headers`";
            return Err(PlaceError::Url(what));
        }
        let host = match url.host() {
            Some(url::Host::Domain(name)) => name.to_owned(),
            Some(url::Host::Ipv4(address)) => address.to_string(),
            Some(url::Host::Ipv6(address)) => address.to_string(),
            None => return Err(PlaceError::Url("names no host")),
        };
        Ok(Place {
            host,
            port: url.port_or_known_default().unwrap_or(80),
            authority: authority(url),
            tls,
        })
    }
}

/// Host and, where it is not the scheme's own, port of a URL: its `Host` header.
pub fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// A URL without what may be a secret.
pub fn shown(url: &Url) -> Url {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url
}
