//! What an answer means. Pure: headers and bytes in, a verdict out.
//!
//! The rules are those of the OTLP specification ("Failures", "OTLP/gRPC Throttling", "OTLP/HTTP
//! Response") and of gRPC over HTTP/2; where they leave room, or would lose data that the journal
//! still holds, the choice is told in the README beside this file.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use egress::http::retry_after;
use egress::one_line;
use http::StatusCode;
use http::header::{self, HeaderMap};
use ident::Signal;
use otlp::wire::{Fields, Raw};

use super::encode::PREFIX_BYTES;
use crate::destination::{Accepted, Class, Failure};

type Verdict = Result<Accepted, Failure>;

/// gRPC's codes by number.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// The verdict on a gRPC answer: the HTTP status, the headers, and the trailers if there were any.
pub(super) fn grpc(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    trailers: Option<&HeaderMap>,
) -> Verdict {
    // Where there is no body, the headers are the trailers ("Trailers-Only").
    let place = [trailers, Some(headers)]
        .into_iter()
        .flatten()
        .find(|map| map.contains_key("grpc-status"));
    let Some(place) = place else {
        return Err(without_grpc_status(status, headers));
    };
    let code = place
        .get("grpc-status")
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok())
        .unwrap_or(2);
    if code == 0 {
        return Ok(message(body).map(partial_success).unwrap_or_default());
    }
    let said = place
        .get("grpc-message")
        .map(|value| percent_decoded(value.as_bytes()))
        .unwrap_or_default();
    let retry_after = place
        .get("grpc-status-details-bin")
        .and_then(|value| retry_info(value.as_bytes()));
    let class = match code {
        1 | 4 | 10 | 11 | 14 | 15 => Class::Transient,
        8 if retry_after.is_none() && speaks_of_size(&said) => Class::Refused,
        8 => Class::Throttled,
        3 => Class::Refused,
        7 | 12 | 16 => Class::Misconfigured,
        _ => Class::Unclear,
    };
    let name = CODES.get(code).copied().unwrap_or("UNKNOWN");
    let mut failure = Failure::new(class, name, &said);
    failure.retry_after = retry_after;
    Err(failure)
}

/// An answer that did not come from a gRPC server, or broke off ("HTTP to gRPC Status Code
/// Mapping").
fn without_grpc_status(status: StatusCode, headers: &HeaderMap) -> Failure {
    if status == StatusCode::OK {
        let is_grpc = headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        return if is_grpc {
            Failure::new(
                Class::Transient,
                "",
                "the answer broke off before its status",
            )
        } else {
            Failure::new(
                Class::Misconfigured,
                "",
                "the answer is not gRPC; does the endpoint speak OTLP over HTTP?",
            )
        };
    }
    let class = match status.as_u16() {
        413 => Class::Refused,
        429 => Class::Throttled,
        502..=504 => Class::Transient,
        400 | 500 => Class::Unclear,
        _ => Class::Misconfigured,
    };
    let mut failure = Failure::new(class, format!("HTTP {}", status.as_u16()), "");
    failure.retry_after = retry_after(headers, SystemTime::now());
    failure
}

/// The verdict on an answer over HTTP.
pub(super) fn http(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    signal: Signal,
) -> Verdict {
    let json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if status.is_success() {
        return Ok(if json {
            json_partial_success(body, signal)
        } else {
            partial_success(body)
        });
    }
    let class = match status.as_u16() {
        408 | 502 | 503 | 504 => Class::Transient,
        429 => Class::Throttled,
        400 | 413 | 422 => Class::Refused,
        300..=399 | 401 | 403 | 404 | 405 | 406 | 407 | 415 | 501 => Class::Misconfigured,
        _ => Class::Unclear,
    };
    let code = format!("HTTP {}", status.as_u16());
    let mut failure = Failure::new(class, code, &http_message(body, json));
    if matches!(class, Class::Transient | Class::Throttled) {
        failure.retry_after = retry_after(headers, SystemTime::now());
    }
    Err(failure)
}

/// What a `google.rpc.Status`, a JSON one, or a plain text says.
fn http_message(body: &[u8], json: bool) -> String {
    if json {
        let status: Option<serde_json::Value> = serde_json::from_slice(body).ok();
        return status
            .and_then(|status| Some(status.get("message")?.as_str()?.to_owned()))
            .unwrap_or_default();
    }
    let mut fields = Fields::new(body);
    let message = fields.by_ref().find_map(|field| match field.value {
        Raw::Bytes(text) if field.number == 2 => std::str::from_utf8(text).ok(),
        _ => None,
    });
    match (message, std::str::from_utf8(body)) {
        (Some(message), _) => message.to_owned(),
        (None, Ok(text)) => text.to_owned(),
        (None, Err(_)) => String::new(),
    }
}

/// The message of a gRPC body, if it is there in full and not compressed.
fn message(body: &[u8]) -> Option<&[u8]> {
    let (prefix, rest) = body.split_first_chunk::<PREFIX_BYTES>()?;
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 {
        return None;
    }
    rest.get(..usize::try_from(u32::from_be_bytes(length)).ok()?)
}

/// `Export*ServiceResponse { partial_success = 1 { rejected_* = 1; error_message = 2 } }`, which is
/// the same for all signals.
fn partial_success(response: &[u8]) -> Accepted {
    let mut accepted = Accepted::default();
    for field in Fields::new(response) {
        let (1, Raw::Bytes(partial)) = (field.number, field.value) else {
            continue;
        };
        for field in Fields::new(partial) {
            match (field.number, field.value) {
                (1, Raw::Varint(count)) => {
                    accepted.rejected = u64::try_from(count as i64).unwrap_or(0);
                }
                (2, Raw::Bytes(text)) => {
                    accepted.message = one_line(&String::from_utf8_lossy(text));
                }
                _ => {}
            }
        }
    }
    accepted
}

fn json_partial_success(body: &[u8], signal: Signal) -> Accepted {
    let response: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let key = match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Logs => "rejectedLogRecords",
    };
    let partial = response.get("partialSuccess");
    let text = |key| Some(partial?.get(key)?.as_str().unwrap_or_default());
    let count = partial.and_then(|partial| partial.get(key)?.as_u64());
    Accepted {
        rejected: count
            .or_else(|| text(key)?.parse().ok())
            .unwrap_or_default(),
        message: one_line(text("errorMessage").unwrap_or_default()),
    }
}

/// Whether a refusal speaks of the size of the message, as grpc-go, grpc-java and tonic word it.
fn speaks_of_size(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "larger than",
        "too large",
        "exceeds maximum",
        "message size",
        "length too",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// The delay of a `google.rpc.RetryInfo` in a `google.rpc.Status`, base64 with or without padding.
fn retry_info(details: &[u8]) -> Option<Duration> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let status = LENIENT.decode(details).ok()?;
    let field = |message, number| {
        Fields::new(message).filter_map(move |field| match field.value {
            Raw::Bytes(bytes) if field.number == number => Some(bytes),
            _ => None,
        })
    };
    let info = field(&status, 3)
        .find(|any| field(any, 1).any(|type_url| type_url.ends_with(b"/google.rpc.RetryInfo")))?;
    // RetryInfo without a delay asks to try again, at once if need be.
    let delay = field(info, 2).flat_map(|info| field(info, 1)).last();
    let (mut seconds, mut nanos) = (0, 0);
    for part in Fields::new(delay.unwrap_or_default()) {
        match (part.number, part.value) {
            (1, Raw::Varint(value)) => seconds = u64::try_from(value as i64).unwrap_or(0),
            (2, Raw::Varint(value)) => nanos = u32::try_from(value as i64).unwrap_or(0),
            _ => {}
        }
    }
    Some(Duration::from_secs(seconds).saturating_add(Duration::from_nanos(u64::from(nanos))))
}

/// gRPC's `grpc-message`: UTF-8 with percent encoding.
fn percent_decoded(value: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after
            .get(..2)
            .filter(|_| byte == b'%')
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match escaped {
            Some(escaped) => {
                bytes.push(escaped);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
