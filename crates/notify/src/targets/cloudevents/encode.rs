//! An event as CloudEvents' HTTP protocol binding 1.0 has it.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::Mode;
use crate::event::Event;
use crate::target::Message;

const VERSION: &str = "1.0";

/// Headers and body.
pub(super) fn request(mode: Mode, source: &str, message: &Message) -> (HeaderMap, Vec<u8>) {
    let event = &message.event;
    let attributes = attributes(source, event);
    let data = Value::Object(event.data().clone());
    let mut headers = HeaderMap::new();
    match mode {
        Mode::Binary => {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
            for (name, value) in attributes {
                let name = HeaderName::try_from(format!("ce-{name}"));
                if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(escaped(&value))) {
                    headers.insert(name, value);
                }
            }
            (headers, data.to_string().into_bytes())
        }
        Mode::Structured => {
            let json = HeaderValue::from_static("application/cloudevents+json; charset=utf-8");
            headers.insert(header::CONTENT_TYPE, json);
            let mut object: Map<String, Value> = attributes
                .into_iter()
                .map(|(name, value)| (name.to_owned(), Value::from(value)))
                .collect();
            object.insert("datacontenttype".to_owned(), "application/json".into());
            object.insert("data".to_owned(), data);
            (headers, Value::Object(object).to_string().into_bytes())
        }
    }
}

/// The context attributes; `tenant` is an extension.
fn attributes(source: &str, event: &Event) -> Vec<(&'static str, String)> {
    let mut attributes = vec![
        ("specversion", VERSION.to_owned()),
        ("id", event.id().to_owned()),
        ("source", source.to_owned()),
        ("type", event.kind().to_owned()),
        ("subject", event.subject().to_owned()),
        ("time", event.time().to_string()),
    ];
    if let Some(tenant) = event.tenant() {
        attributes.push(("tenant", tenant.as_str().to_owned()));
    }
    attributes
}

/// As a header's value (section 3.1.3.2): what is not printable ASCII, and spaces, quotes and
/// percent signs, become `%XX` of their UTF-8 bytes.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'"' | b'%' => out.push_str(&format!("%{byte:02X}")),
            0x21..=0x7e => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
