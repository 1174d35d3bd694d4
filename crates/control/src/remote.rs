//! Jaeger's remote sampling: what SDKs are told that ask how much to sample at the head.
//!
//! `GET /sampling?service=NAME` answers as Jaeger's collector does on port 5778 (its
//! `api_v2/sampling.proto`, as JSON). A service that an open incident may be about is sampled
//! whole; tenant and attributes of the scope are not known here, so they do not narrow it.

use http::StatusCode;

use crate::config::RemoteSampling;
use crate::incident::Scope;

/// The answer to a request for `path` with `query`: a status, and JSON or a text.
pub fn answer(
    config: &RemoteSampling,
    open: &[Scope],
    path: &str,
    query: Option<&str>,
) -> Option<(StatusCode, String)> {
    if !matches!(path, "/" | "/sampling") {
        return None;
    }
    let asked = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let mut services = asked
        .filter(|(key, _)| key == "service")
        .map(|(_, name)| name);
    // Jaeger's words.
    let (Some(service), None) = (services.next(), services.next()) else {
        let text = "'service' parameter must be provided once\n".to_owned();
        return Some((StatusCode::BAD_REQUEST, text));
    };
    let rate = rate(config, open, &service);
    let body = serde_json::json!({
        "strategyType": "PROBABILISTIC",
        "probabilisticSampling": { "samplingRate": rate },
    });
    Some((StatusCode::OK, body.to_string()))
}

/// The share of traces that a service is to sample.
fn rate(config: &RemoteSampling, open: &[Scope], service: &str) -> f64 {
    if open.iter().any(|scope| scope.may_have_service(service)) {
        return 1.0;
    }
    let named = config.services.get(service);
    named.copied().unwrap_or(config.default)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guarantees: the profile's shares, and all of a service that an open incident is about.
    #[test]
    fn an_incident_raises_its_own_services() {
        let config = RemoteSampling {
            default: 0.1,
            services: [("quiet".to_owned(), 0.01)].into(),
        };
        let ask = |open: &[&str], query| {
            let open: Vec<Scope> = open.iter().map(|scope| scope.parse().unwrap()).collect();
            let (status, body) = answer(&config, &open, "/sampling", query).unwrap();
            assert_eq!(status, StatusCode::OK);
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["strategyType"], "PROBABILISTIC");
            body["probabilisticSampling"]["samplingRate"]
                .as_f64()
                .unwrap()
        };
        assert_eq!(ask(&[], Some("service=quiet")), 0.01);
        assert_eq!(ask(&[], Some("service=a%20b")), 0.1);
        assert_eq!(
            ask(&["service=quiet,tenant=acme"], Some("service=quiet")),
            1.0
        );
        assert_eq!(ask(&["service=quiet"], Some("service=other")), 0.1);
        assert_eq!(ask(&["service=a b"], Some("service=a+b")), 1.0);
        assert_eq!(ask(&["tenant=acme"], Some("service=other")), 1.0);
        for bad in [None, Some(""), Some("service=a&service=b")] {
            let (status, _) = answer(&config, &[], "/sampling", bad).unwrap();
            assert_eq!(status, StatusCode::BAD_REQUEST, "{bad:?}");
        }
        assert!(answer(&config, &[], "/other", None).is_none());
    }
}
