//! OTLP/HTTP: `POST /v1/{traces,metrics,logs}` with protobuf or JSON bodies.
//!
//! OTLP specification, "OTLP/HTTP": the answer is in the request's own encoding, an error's body
//! is a `google.rpc.Status`, and a client that is to wait is told so with `Retry-After`.

use std::time::Instant;

use ::http::header::{
    ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response};
use bytes::Bytes;
use http_body::Body;
use ident::Signal;

use crate::body::collect;
use crate::connection::{Answer, Connection};
use crate::decompress::{Encoding, KNOWN, decompress};
use crate::intake::Taken;
use crate::{Kind, Refusal, grpc, rpc_status};

/// OTLP/HTTP's two encodings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    Protobuf,
    Json,
}

impl Media {
    fn of(headers: &HeaderMap) -> Option<Self> {
        match grpc::content_type(headers).as_slice() {
            b"application/x-protobuf" | b"application/protobuf" => Some(Media::Protobuf),
            b"application/json" => Some(Media::Json),
            _ => None,
        }
    }

    const fn content_type(self) -> HeaderValue {
        match self {
            Media::Protobuf => HeaderValue::from_static("application/x-protobuf"),
            Media::Json => HeaderValue::from_static("application/json"),
        }
    }
}

/// Answers one request.
pub(crate) async fn call<B>(connection: &Connection, request: Request<B>) -> Response<Answer>
where
    B: Body<Data = Bytes> + Unpin,
{
    let metrics = &connection.shared.metrics;
    if grpc::is_grpc(request.headers()) {
        let refusal = Refusal::new(
            Kind::UnknownPath,
            "this port speaks OTLP/HTTP; OTLP/gRPC has a port of its own, 4317 unless configured otherwise",
        );
        metrics.refuse(None, &refusal);
        return grpc::trailers_only(&refusal);
    }
    let begun = Instant::now();
    let media = Media::of(request.headers());
    let path = request.uri().path();
    let signal = Signal::ALL
        .into_iter()
        .find(|signal| signal.http_path() == path);
    let taken = match (signal, media) {
        (None, _) => Err(Refusal::new(
            Kind::UnknownPath,
            "no such path; OTLP/HTTP's are /v1/traces, /v1/metrics and /v1/logs",
        )),
        (Some(_), _) if request.method() != Method::POST => Err(Refusal::new(
            Kind::Method,
            "OTLP/HTTP requests are POST requests",
        )),
        (Some(_), None) => Err(Refusal::new(
            Kind::MediaType,
            "the content type is neither application/x-protobuf nor application/json",
        )),
        (Some(signal), Some(media)) => export(connection, signal, media, request).await,
    };
    match (taken, signal) {
        (Ok((taken, bytes)), Some(signal)) => {
            metrics.accept(signal, taken.items, bytes, begun.elapsed().as_secs_f64());
            success(signal, media.unwrap_or(Media::Protobuf), &taken)
        }
        (Ok(_), None) => refuse(media, &Refusal::new(Kind::UnknownPath, "no such path")),
        (Err(refusal), signal) => {
            metrics.refuse(signal, &refusal);
            refuse(media, &refusal)
        }
    }
}

async fn export<B>(
    connection: &Connection,
    signal: Signal,
    media: Media,
    request: Request<B>,
) -> Result<(Taken, usize), Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let limits = &connection.shared.limits;
    let (head, body) = request.into_parts();
    let mut lease = connection.enter(signal, &head.headers)?;
    let encoding = Encoding::parse(head.headers.get(CONTENT_ENCODING))?;
    let length = body
        .size_hint()
        .exact()
        .and_then(|length| usize::try_from(length).ok());
    if length.is_some_and(|length| length > limits.request_bytes) {
        return Err(Refusal::too_large("request", limits.request_bytes));
    }
    let body = collect(body, limits, limits.request_bytes, &mut lease, |_| {
        Ok(length)
    })
    .await?;
    let content = decompress(encoding, body, limits.decompressed_bytes, &mut lease)?;
    let payload = match media {
        Media::Protobuf => content,
        Media::Json => {
            let decoded = otlp::json::decode(signal, &content).map_err(|error| {
                Refusal::new(Kind::Malformed, format!("not OTLP {signal} JSON: {error}"))
            })?;
            lease.grow(decoded.len())?;
            Bytes::from(decoded)
        }
    };
    let bytes = payload.len();
    let shared = &connection.shared;
    let taken = shared
        .intake
        .take(
            &connection.peer,
            &mut lease,
            signal,
            payload,
            &shared.metrics,
        )
        .await?;
    Ok((taken, bytes))
}

fn success(signal: Signal, media: Media, taken: &Taken) -> Response<Answer> {
    let body = match media {
        Media::Protobuf => rpc_status::response(taken),
        Media::Json => rpc_status::response_json(signal, taken)
            .to_string()
            .into_bytes(),
    };
    let mut response = Response::new(Answer::new(body, None));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, media.content_type());
    response
}

/// The refusal in the request's encoding, or as JSON, which everyone can read, where it has none.
fn refuse(media: Option<Media>, refusal: &Refusal) -> Response<Answer> {
    let media = media.unwrap_or(Media::Json);
    let body = match media {
        Media::Protobuf => rpc_status::status(refusal),
        Media::Json => rpc_status::status_json(refusal).to_string().into_bytes(),
    };
    let mut response = Response::new(Answer::new(body, None));
    *response.status_mut() = refusal.kind.http_status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media.content_type());
    if let Some(wait) = refusal.retry_after {
        headers.insert(
            RETRY_AFTER,
            HeaderValue::from(wait.as_secs_f64().ceil().max(1.0) as u64),
        );
    }
    match refusal.kind {
        Kind::Encoding => {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(KNOWN));
        }
        Kind::Unauthenticated => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Kind::Method => {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        _ => {}
    }
    response
}
