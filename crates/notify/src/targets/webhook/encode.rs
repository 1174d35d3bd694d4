//! The payload, its id and its signature.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;

use super::SigningKey;
use crate::target::Message;

/// The `webhook-id`: the same for each attempt, so that the receiver can tell a repetition. The
/// event's own id may hold dots, which the signed text is divided by.
pub(super) fn id(message: &Message) -> String {
    format!("msg_{}", message.event.digest())
}

/// `type`, `timestamp` and `data`, as the specification recommends, and beside them what people
/// read.
pub(super) fn payload(message: &Message) -> Vec<u8> {
    let event = &message.event;
    let value = json!({
        "type": event.kind(),
        "timestamp": event.time().to_string(),
        "id": event.id(),
        "subject": event.subject(),
        "tenant": event.tenant().map(|tenant| tenant.as_str()),
        "title": message.title,
        "text": message.text,
        "data": event.data(),
    });
    value.to_string().into_bytes()
}

/// The `webhook-signature`: `v1,` and base64 of HMAC-SHA-256 over `id.timestamp.payload`, for each
/// key.
pub(super) fn signature(keys: &[SigningKey], id: &str, seconds: i64, payload: &[u8]) -> String {
    let sign = |key: &SigningKey| {
        // HMAC takes keys of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).ok()?;
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(payload);
        Some(format!(
            "v1,{}",
            STANDARD.encode(mac.finalize().into_bytes())
        ))
    };
    let signatures: Vec<String> = keys.iter().filter_map(sign).collect();
    signatures.join(" ")
}
