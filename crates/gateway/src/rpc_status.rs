//! The few protobuf messages that answers consist of, written by hand.
//!
//! `google.rpc.Status` and `google.rpc.RetryInfo` (googleapis, `google/rpc/status.proto` and
//! `error_details.proto`), and OTLP's `Export…ServiceResponse` with its partial success.

use ident::Signal;
use serde_json::{Value, json};

use crate::Refusal;
use crate::intake::Taken;

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// `google.rpc.Status` of a refusal, as protobuf.
pub(crate) fn status(refusal: &Refusal) -> Vec<u8> {
    let mut status = Vec::new();
    number(&mut status, 1, u64::from(refusal.kind.grpc_code()));
    field(&mut status, 2, refusal.message.as_bytes());
    if let Some(wait) = refusal.retry_after {
        let mut delay = Vec::new();
        number(&mut delay, 1, wait.as_secs());
        number(&mut delay, 2, u64::from(wait.subsec_nanos()));
        let mut info = Vec::new();
        field(&mut info, 1, &delay);
        let mut any = Vec::new();
        field(&mut any, 1, RETRY_INFO.as_bytes());
        field(&mut any, 2, &info);
        field(&mut status, 3, &any);
    }
    status
}

/// The same as JSON.
pub(crate) fn status_json(refusal: &Refusal) -> Value {
    let mut status = json!({"code": refusal.kind.grpc_code(), "message": refusal.message});
    if let Some(wait) = refusal.retry_after {
        let delay = format!("{}s", wait.as_secs_f64());
        status["details"] = json!([{"@type": RETRY_INFO, "retryDelay": delay}]);
    }
    status
}

/// `Export…ServiceResponse`, as protobuf: empty unless there is a partial success to tell.
pub(crate) fn response(taken: &Taken) -> Vec<u8> {
    let mut response = Vec::new();
    if taken.rejected_items > 0 || taken.message.is_some() {
        let mut partial = Vec::new();
        number(&mut partial, 1, taken.rejected_items);
        field(
            &mut partial,
            2,
            taken.message.as_deref().unwrap_or_default().as_bytes(),
        );
        field(&mut response, 1, &partial);
    }
    response
}

/// The same as JSON.
pub(crate) fn response_json(signal: Signal, taken: &Taken) -> Value {
    if taken.rejected_items == 0 && taken.message.is_none() {
        return json!({});
    }
    let rejected = match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Logs => "rejectedLogRecords",
    };
    let message = taken.message.as_deref().unwrap_or_default();
    json!({"partialSuccess": {rejected: taken.rejected_items.to_string(), "errorMessage": message}})
}

/// A varint field; proto3 leaves out a zero.
fn number(out: &mut Vec<u8>, number: u8, value: u64) {
    if value > 0 {
        out.push(number << 3);
        varint(out, value);
    }
}

/// A length-delimited field; an empty one is left out.
fn field(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    if !content.is_empty() {
        out.push(number << 3 | 2);
        varint(out, content.len() as u64);
        out.extend_from_slice(content);
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
