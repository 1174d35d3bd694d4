//! The letter.

use std::time::SystemTime;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Letter};

use super::config::Addresses;
use crate::target::Message;

/// Writes it. Its id follows from the event's, so that a repetition can be told; its date is the
/// event's.
pub(super) fn letter(addresses: &Addresses, message: &Message) -> Result<Letter, String> {
    let event = &message.event;
    let domain = addresses.domain();
    let mut builder = Letter::builder()
        .from(addresses.from.clone())
        .subject(message.title.clone())
        .message_id(Some(format!("<{}@{domain}>", event.digest())))
        .date(SystemTime::try_from(event.time()).unwrap_or(SystemTime::UNIX_EPOCH))
        .header(ContentType::TEXT_PLAIN);
    // Mail programs show an incident's letters together.
    let thread = crate::event::Digest::of(event.subject());
    builder = builder.references(format!("<{thread}.incident@{domain}>"));
    let to: &[Mailbox] = &addresses.to;
    for to in to {
        builder = builder.to(to.clone());
    }
    // RFC 3834: no vacation notices in answer.
    for (name, value) in [
        ("Auto-Submitted", "auto-generated"),
        ("X-Stella-Event", event.id()),
    ] {
        let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|e| e.to_string())?;
        builder = builder.raw_header(HeaderValue::new(name, value.to_owned()));
    }
    builder
        .body(message.text.clone())
        .map_err(|error| error.to_string())
}
