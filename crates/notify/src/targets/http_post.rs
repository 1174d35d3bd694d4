//! What targets over HTTP have in common: one POST, and what its answer means.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use egress::http::{Answer, Client, Error, retry_after};
use egress::{ConnectError, Connector, Place, Secret, headers, shown};
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, StatusCode, Uri, Version};
use http_body_util::Full;
use url::Url;

use crate::config::ConfigError;
use crate::target::{Class, Failure};

/// Posts to one URL.
pub(crate) struct Poster {
    client: Client<Full<Bytes>>,
    uri: Uri,
    headers: HeaderMap,
    secrets: Vec<Secret>,
}

impl Poster {
    /// `headers` are sent along each time. The URL's path and query count as secrets: many a
    /// webhook's only protection is that nobody knows them.
    pub(crate) fn new(
        url: &Url,
        headers: &[(String, Secret)],
        tls: Option<Arc<tls::Client>>,
        connector: &Connector,
    ) -> Result<Poster, ConfigError> {
        let wrong = |source| ConfigError::Url {
            url: outside(url),
            source,
        };
        let place = Place::of(url, tls).map_err(wrong)?;
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let uri = PathAndQuery::try_from(path.as_str());
        let uri = uri.map_err(|_| wrong(egress::PlaceError::Url("has a bad path")))?;
        let ours = ["webhook-", "ce-"];
        let configured = headers::configured(headers, &ours, "is set by the target itself");
        let mut map = configured.map_err(|error| ConfigError::Header {
            name: egress::one_line(&error.name),
            what: error.what,
        })?;
        let mut secrets: Vec<Secret> = headers.iter().map(|(_, value)| value.clone()).collect();
        secrets.push(Secret::new(path));
        map.insert(header::USER_AGENT, headers::USER_AGENT);
        let host = HeaderValue::try_from(place.authority.as_str());
        let host = host.map_err(|_| wrong(egress::PlaceError::Url("names no host")))?;
        map.insert(header::HOST, host);
        Ok(Poster {
            client: Client::new(connector.clone(), place),
            uri: Uri::from(uri),
            headers: map,
            secrets,
        })
    }

    /// Posts once. No redirect is followed.
    pub(crate) async fn post(&self, headers: HeaderMap, body: Vec<u8>) -> Result<(), Failure> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.uri.clone())
            .version(Version::HTTP_11)
            .body(Full::new(Bytes::from(body)));
        let mut request = request.map_err(|error| Failure::new(Class::Misconfigured, error))?;
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().extend(headers);
        let answered = self.client.send(&request).await;
        let verdict = match &answered {
            Ok(answer) => verdict(answer, SystemTime::now()),
            Err(error @ Error::Connect(ConnectError::Sealed { .. })) => {
                Err(Failure::new(Class::Misconfigured, error))
            }
            Err(error) => Err(Failure::new(Class::Transient, error)),
        };
        verdict.map_err(|mut failure| {
            let secrets = self.secrets.iter();
            failure.message = secrets.fold(failure.message, |text, secret| secret.scrub(text));
            failure
        })
    }
}

/// Scheme, host and port of a URL: what may be shown.
pub(crate) fn outside(url: &Url) -> Url {
    let mut url = shown(url);
    url.set_path("");
    url
}

/// What an answer means.
fn verdict(answer: &Answer, now: SystemTime) -> Result<(), Failure> {
    let status = answer.status;
    if status.is_success() {
        return Ok(());
    }
    let class = match status.as_u16() {
        429 => Class::Throttled,
        // About this message.
        400 | 413 | 422 => Class::Refused,
        408 | 409 | 425 => Class::Transient,
        501 => Class::Misconfigured,
        500..=599 => Class::Transient,
        // A token that is missing, a URL that is wrong, a redirect: somebody has to mend it.
        _ => Class::Misconfigured,
    };
    let said = String::from_utf8_lossy(&answer.body);
    let mut failure = Failure::new(class, format!("HTTP {}: {}", status.as_u16(), said.trim()));
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        failure.retry_after = retry_after(&answer.headers, now);
    }
    Err(failure)
}
