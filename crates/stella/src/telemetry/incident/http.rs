//! The edge of the admin API and of remote sampling: bodies, time limits, threads that may block.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use control::Register;
use control::api::{Api, MAX_BODY};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use journal::Journal;
use profile::RemoteSampling;

use super::clock;
use crate::ops::server::Handler;

/// How long a body may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The admin API. Who asks is settled before the body is read.
pub fn admin(api: Api, journal: Journal) -> Handler {
    let api = Arc::new(api);
    Arc::new(move |request, peer| {
        let (api, journal) = (Arc::clone(&api), journal.clone());
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let actor = match api.admit(&head, &peer) {
                Ok(actor) => actor,
                Err(refused) => return refused.map(Full::from),
            };
            let body = match read(body).await {
                Ok(body) => body,
                Err(status) => return api.refuse_body(status).map(Full::from),
            };
            // It may block on the disk.
            let answered = tokio::task::spawn_blocking(move || {
                api.answer(&head, &body, &actor, clock(&journal))
            });
            match answered.await {
                Ok(response) => response.map(Full::from),
                Err(error) => {
                    tracing::error!(%error, "a request to the admin port was not answered");
                    status(StatusCode::INTERNAL_SERVER_ERROR)
                }
            }
        })
    })
}

async fn read(body: Incoming) -> Result<Bytes, StatusCode> {
    let all = Limited::new(body, MAX_BODY).collect();
    match tokio::time::timeout(BODY_TIMEOUT, all).await {
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
    }
}

/// Remote sampling, as Jaeger's collector answers.
pub fn remote(register: Register, config: RemoteSampling) -> Handler {
    Arc::new(move |request, _| {
        let uri = request.uri();
        let answered = match *request.method() {
            Method::GET | Method::HEAD => {
                control::remote::answer(&config, &register.scopes(), uri.path(), uri.query())
            }
            _ => Some((StatusCode::METHOD_NOT_ALLOWED, String::new())),
        };
        let response = match answered {
            None => status(StatusCode::NOT_FOUND),
            Some((code, text)) => {
                let kind = match code {
                    StatusCode::OK => "application/json",
                    _ => "text/plain; charset=utf-8",
                };
                let mut response = Response::new(Full::from(text));
                *response.status_mut() = code;
                let kind = HeaderValue::from_static(kind);
                response.headers_mut().insert(CONTENT_TYPE, kind);
                response
            }
        };
        Box::pin(std::future::ready(response))
    })
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
