//! OTLP/gRPC: unary calls of the three `Export` methods, framed by hand.
//!
//! gRPC over HTTP/2 (grpc/grpc, `doc/PROTOCOL-HTTP2.md`) frames a message as one byte of flags,
//! four bytes of length, the message; the status stands in the trailers. Nothing is decoded here.

use std::time::{Duration, Instant};

use ::http::header::{CONTENT_TYPE, HeaderName};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http_body::Body;
use ident::Signal;

use crate::body::{after, collect};
use crate::connection::{Answer, Connection};
use crate::decompress::{Encoding, KNOWN_GRPC, decompress};
use crate::intake::Taken;
use crate::{Kind, Refusal, rpc_status};

const PREFIX_BYTES: usize = 5;
const CONTENT: HeaderValue = HeaderValue::from_static("application/grpc");
const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPT: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Whether a content type is one of gRPC's, in whatever encoding.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    content_type(headers).starts_with(b"application/grpc")
}

/// Whether it is gRPC with protobuf messages, which is all that is spoken here: not gRPC-Web, not
/// messages in JSON.
fn is_grpc_protobuf(headers: &HeaderMap) -> bool {
    matches!(
        content_type(headers).as_slice(),
        b"application/grpc" | b"application/grpc+proto"
    )
}

/// The media type without its parameters.
pub(crate) fn content_type(headers: &HeaderMap) -> Vec<u8> {
    let value = headers.get(CONTENT_TYPE).map_or(&[][..], |v| v.as_bytes());
    let kind = value.split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().to_ascii_lowercase()
}

/// Answers one call.
pub(crate) async fn call<B>(connection: &Connection, request: Request<B>) -> Response<Answer>
where
    B: Body<Data = Bytes> + Unpin,
{
    let metrics = &connection.shared.metrics;
    if request.version() < Version::HTTP_2 {
        let refusal = Refusal::new(
            Kind::Framing,
            "this port speaks gRPC, which is HTTP/2\nhint: OTLP/HTTP has a port of its own, 4318 unless configured otherwise\n",
        );
        metrics.refuse(None, &refusal);
        return plain(StatusCode::HTTP_VERSION_NOT_SUPPORTED, &refusal);
    }
    if !is_grpc_protobuf(request.headers()) {
        let refusal = Refusal::new(
            Kind::MediaType,
            "this port speaks gRPC with protobuf (application/grpc)\nhint: OTLP/HTTP has a port of its own, 4318 unless configured otherwise\n",
        );
        metrics.refuse(None, &refusal);
        return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, &refusal);
    }
    let begun = Instant::now();
    let path = request.uri().path();
    let signal = Signal::ALL
        .into_iter()
        .find(|signal| signal.grpc_path() == path);
    let taken = match signal {
        None => Err(Refusal::new(
            Kind::UnknownPath,
            "no such method; OTLP's Export methods are",
        )),
        Some(_) if request.method() != Method::POST => {
            Err(Refusal::new(Kind::Method, "gRPC calls are POST requests"))
        }
        Some(signal) => match deadline(request.headers()) {
            None => export(connection, signal, request).await,
            Some(time) => tokio::time::timeout(time, export(connection, signal, request))
                .await
                .unwrap_or_else(|_| Err(Refusal::new(Kind::Slow, "the call's deadline passed"))),
        },
    };
    match (taken, signal) {
        (Ok((taken, bytes)), Some(signal)) => {
            metrics.accept(signal, taken.items, bytes, begun.elapsed().as_secs_f64());
            success(&taken)
        }
        (Ok(_), None) => trailers_only(&Refusal::new(Kind::UnknownPath, "no such method")),
        (Err(refusal), signal) => {
            metrics.refuse(signal, &refusal);
            trailers_only(&refusal)
        }
    }
}

async fn export<B>(
    connection: &Connection,
    signal: Signal,
    request: Request<B>,
) -> Result<(Taken, usize), Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let limits = &connection.shared.limits;
    let (head, body) = request.into_parts();
    let mut lease = connection.enter(signal, &head.headers)?;
    let encoding = Encoding::parse(head.headers.get(ENCODING))?;
    let limit = limits.request_bytes.saturating_add(PREFIX_BYTES);
    let framed = collect(body, limits, limit, &mut lease, |head| {
        let length = prefix(head).map(|(_, length)| length);
        if length.is_some_and(|length| length > limits.request_bytes) {
            return Err(Refusal::too_large("request", limits.request_bytes));
        }
        Ok(length.map(|length| length + PREFIX_BYTES))
    })
    .await?;

    let Some((compressed, length)) = prefix(&framed) else {
        return Err(Refusal::new(Kind::Framing, "the call has no message"));
    };
    if length > limits.request_bytes {
        return Err(Refusal::too_large("request", limits.request_bytes));
    }
    let message = after(framed, PREFIX_BYTES);
    if message.len() != length {
        let problem = if message.len() < length {
            "is cut short"
        } else {
            "is followed by more"
        };
        return Err(Refusal::new(
            Kind::Framing,
            format!("the call's message {problem}"),
        ));
    }
    let payload = match (compressed, encoding) {
        (0, _) => decompress(
            Encoding::Identity,
            message,
            limits.decompressed_bytes,
            &mut lease,
        )?,
        (1, Encoding::Identity) => {
            let text = "the message is marked as compressed, but grpc-encoding does not say how";
            return Err(Refusal::new(Kind::Framing, text));
        }
        (1, _) => decompress(encoding, message, limits.decompressed_bytes, &mut lease)?,
        _ => {
            return Err(Refusal::new(
                Kind::Framing,
                "the message's flags are not gRPC's",
            ));
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

/// The flags and the length before a message.
fn prefix(framed: &[u8]) -> Option<(u8, usize)> {
    let [flags, a, b, c, d, ..] = *framed else {
        return None;
    };
    Some((flags, u32::from_be_bytes([a, b, c, d]) as usize))
}

/// The time that `grpc-timeout` allows: at most eight digits and a unit.
fn deadline(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count = Some(digits)
        .filter(|digits| digits.len() <= 8)?
        .parse::<u64>()
        .ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

fn success(taken: &Taken) -> Response<Answer> {
    let message = rpc_status::response(taken);
    let mut framed = Vec::with_capacity(PREFIX_BYTES + message.len());
    framed.push(0);
    framed.extend_from_slice(&u32::try_from(message.len()).unwrap_or(0).to_be_bytes());
    framed.extend_from_slice(&message);
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(STATUS, HeaderValue::from_static("0"));
    let mut response = Response::new(Answer::new(framed, Some(trailers)));
    response.headers_mut().insert(CONTENT_TYPE, CONTENT);
    response
}

/// A status without a message: everything stands in the headers ("Trailers-Only").
pub(crate) fn trailers_only(refusal: &Refusal) -> Response<Answer> {
    let mut response = Response::new(Answer::default());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, CONTENT);
    headers.insert(STATUS, HeaderValue::from(refusal.kind.grpc_code()));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(&refusal.message)) {
        headers.insert(MESSAGE, message);
    }
    let details = STANDARD_NO_PAD.encode(rpc_status::status(refusal));
    if let Ok(details) = HeaderValue::from_str(&details) {
        headers.insert(DETAILS, details);
    }
    if refusal.kind == Kind::Encoding {
        headers.insert(ACCEPT, HeaderValue::from_static(KNOWN_GRPC));
    }
    response
}

/// `grpc-message` is percent-encoded outside of printable ASCII.
fn percent_encoded(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b'%' | ..b' ' | b'\x7f'.. => encoded.push_str(&format!("%{byte:02X}")),
            _ => encoded.push(char::from(byte)),
        }
    }
    encoded
}

/// An answer for one who does not speak gRPC.
fn plain(status: StatusCode, refusal: &Refusal) -> Response<Answer> {
    let mut response = Response::new(Answer::new(refusal.message.clone(), None));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
