//! What is told: a checked, immutable event.

use std::fmt;

use ident::TenantId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// The longest id and the longest subject.
const MAX_ID_BYTES: usize = 128;
/// The longest type.
const MAX_KIND_BYTES: usize = 96;
/// The most that an event's data has as JSON.
pub const MAX_DATA_BYTES: usize = 32 << 10;

/// Something that happened and that somebody wants to be told of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Event {
    id: String,
    kind: String,
    time: Timestamp,
    subject: String,
    tenant: Option<TenantId>,
    data: Map<String, Value>,
}

/// Why something is no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The id.
    #[error("`{0}` is no event id: 1 to 128 of A-Z a-z 0-9 . _ : -")]
    Id(String),
    /// The type.
    #[error(
        "`{0}` is no event type: lower-case words with dots between, as stella.incident.opened"
    )]
    Kind(String),
    /// The subject.
    #[error("an event's subject has 1 to 128 bytes and no control characters")]
    Subject,
    /// The tenant.
    #[error("`{0}` is no tenant")]
    Tenant(String),
    /// The data.
    #[error("an event's data has at most {MAX_DATA_BYTES} bytes as JSON, not {0}")]
    Data(usize),
}

/// The first 128 bits of the SHA-256 of an event's id: fit for a file's name, and what events are
/// told apart by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 16]);

impl Event {
    /// Makes an event.
    ///
    /// - `id`: 1 to 128 bytes of `[A-Za-z0-9._:-]`. The same id twice is one event.
    /// - `kind`: its type, such as `stella.incident.opened`; at most 96 bytes.
    /// - `time`: when it happened.
    /// - `subject`: what it is about, an incident's id; order is kept within it.
    /// - `tenant`: whose it is; `None` for the site's.
    /// - `data`: at most 32 KiB as JSON.
    ///
    /// # Errors
    /// If a part is not as said here.
    pub fn new(
        id: &str,
        kind: &str,
        time: Timestamp,
        subject: &str,
        tenant: Option<TenantId>,
        data: Map<String, Value>,
    ) -> Result<Event, EventError> {
        let good = |b: u8| b.is_ascii_alphanumeric() || b"._:-".contains(&b);
        if id.is_empty() || id.len() > MAX_ID_BYTES || !id.bytes().all(good) {
            return Err(EventError::Id(egress::one_line(id)));
        }
        if !is_kind(kind) {
            return Err(EventError::Kind(egress::one_line(kind)));
        }
        let long = subject.is_empty() || subject.len() > MAX_ID_BYTES;
        if long || subject.chars().any(char::is_control) {
            return Err(EventError::Subject);
        }
        let bytes = serde_json::to_vec(&data).map_or(usize::MAX, |text| text.len());
        if bytes > MAX_DATA_BYTES {
            return Err(EventError::Data(bytes));
        }
        Ok(Event {
            id: id.to_owned(),
            kind: kind.to_owned(),
            time,
            subject: subject.to_owned(),
            tenant,
            data,
        })
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its type.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// When it happened.
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// What it is about: an incident's id.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whose it is.
    pub fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// What there is to say.
    pub fn data(&self) -> &Map<String, Value> {
        &self.data
    }

    /// A text of its data, if there is one under this key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.data.get(key)?.as_str()
    }

    /// A time of its data, if there is one under this key.
    pub fn time_of(&self, key: &str) -> Option<Timestamp> {
        self.text(key)?.parse().ok()
    }

    /// What tells it apart.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.id)
    }
}

/// Lower-case words with dots between.
fn is_kind(text: &str) -> bool {
    let word = |word: &str| {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        !word.is_empty() && word.bytes().all(good)
    };
    text.len() <= MAX_KIND_BYTES && text.split('.').all(word)
}

impl Digest {
    /// That of an id.
    pub fn of(id: &str) -> Digest {
        let full: [u8; 32] = Sha256::digest(id.as_bytes()).into();
        let mut half = [0; 16];
        half.copy_from_slice(&full[..16]);
        Digest(half)
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Digest> {
        let good = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 32 || !text.bytes().all(good) {
            return None;
        }
        u128::from_str_radix(text, 16)
            .ok()
            .map(|number| Digest(number.to_be_bytes()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Which events a target wants: a type, or the beginning of types as in `stella.incident.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Reads one.
    ///
    /// # Errors
    /// What is not one.
    pub fn parse(text: &str) -> Result<Pattern, EventError> {
        let words = text.strip_suffix(".*").unwrap_or(text);
        match text == "*" || is_kind(words) {
            true => Ok(Pattern(text.to_owned())),
            false => Err(EventError::Kind(egress::one_line(text))),
        }
    }

    /// Whether it means this type.
    pub fn matches(&self, kind: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => kind.starts_with(beginning),
            None => self.0 == kind,
        }
    }
}

/// An event as it is written: CloudEvents' words for its parts.
#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    time: Timestamp,
    subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    data: Map<String, Value>,
}

impl From<Event> for Stored {
    fn from(event: Event) -> Self {
        Stored {
            id: event.id,
            kind: event.kind,
            time: event.time,
            subject: event.subject,
            tenant: event.tenant.map(|tenant| tenant.as_str().to_owned()),
            data: event.data,
        }
    }
}

impl TryFrom<Stored> for Event {
    type Error = EventError;

    fn try_from(stored: Stored) -> Result<Event, EventError> {
        let tenant = stored.tenant.map(|name| match name.parse() {
            Ok(tenant) => Ok(tenant),
            Err(_) => Err(EventError::Tenant(egress::one_line(&name))),
        });
        Event::new(
            &stored.id,
            &stored.kind,
            stored.time,
            &stored.subject,
            tenant.transpose()?,
            stored.data,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, kind: &str, subject: &str) -> Result<Event, EventError> {
        Event::new(id, kind, Timestamp::UNIX_EPOCH, subject, None, Map::new())
    }

    /// Guarantees: what could break a header, a file name or a line is no event.
    #[test]
    fn parts_are_checked() {
        assert!(event("inc-1.opened", "stella.incident.opened", "inc-1").is_ok());
        for id in ["", "a b", "a/b", "a\r\nb", "é", &"x".repeat(129)] {
            assert!(event(id, "a.b", "s").is_err(), "{id:?}");
        }
        for kind in ["", "A.b", "a..b", "a.b.", "a b", "a\n", &"x".repeat(97)] {
            assert!(event("i", kind, "s").is_err(), "{kind:?}");
        }
        for subject in ["", "a\r\nBcc: b", "a\u{7f}", &"x".repeat(129)] {
            assert!(event("i", "a.b", subject).is_err(), "{subject:?}");
        }
        let mut data = Map::new();
        data.insert("x".into(), "y".repeat(MAX_DATA_BYTES).into());
        let large = Event::new("i", "a", Timestamp::UNIX_EPOCH, "s", None, data);
        assert!(matches!(large, Err(EventError::Data(_))));
    }

    #[test]
    fn what_is_written_is_read_and_checked_again() {
        let tenant = Some("acme".parse().unwrap());
        let mut data = Map::new();
        data.insert("reason".into(), "x\ny".into());
        let time = "2026-11-25T16:00:00Z".parse().unwrap();
        let event = Event::new("i.1", "stella.test", time, "inc", tenant, data).unwrap();
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        let wrong = text.replace("i.1", "i 1");
        assert!(serde_json::from_str::<Event>(&wrong).is_err());
    }

    #[test]
    fn patterns_mean_types() {
        let matches = |pattern: &str, kind| Pattern::parse(pattern).unwrap().matches(kind);
        assert!(matches("*", "a.b"));
        assert!(matches("a.*", "a.b.c"));
        assert!(!matches("a.*", "ab.c"));
        assert!(matches("a.b", "a.b"));
        assert!(!matches("a.b", "a.b.c"));
        assert!(Pattern::parse("a*").is_err());
        assert_eq!(
            Digest::parse(&Digest::of("x").to_string()),
            Some(Digest::of("x"))
        );
    }
}
