//! A line.

use serde_json::json;

use crate::target::Message;

/// The event with its words, on one line. The command gets the same on its standard input.
pub(crate) fn line(message: &Message) -> Vec<u8> {
    let event = &message.event;
    let value = json!({
        "id": event.id(),
        "type": event.kind(),
        "time": event.time().to_string(),
        "subject": event.subject(),
        "tenant": event.tenant().map(|tenant| tenant.as_str()),
        "title": message.title,
        "text": message.text,
        "data": event.data(),
    });
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    line
}
