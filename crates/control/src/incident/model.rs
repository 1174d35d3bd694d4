//! An incident's record, as it is stored.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use policy::units::Time;
use serde::{Deserialize, Serialize};

use super::{Key, Scope};

/// An incident's name: `inc-20261125T162430Z-7f3a9c`, when it was opened and a bit of chance. It
/// sorts by time and is safe in file names, URLs and labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct IncidentId(String);

/// A text that is no incident's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an incident's id\nhint: an id looks like inc-20261125T162430Z-7f3a9c; `incident list` shows them"
)]
pub struct ParseIdError;

impl IncidentId {
    /// The name of an incident that is opened now. `chance` must be random.
    pub fn new(now: Timestamp, chance: [u8; 3]) -> Self {
        let [a, b, c] = chance;
        let when = now.strftime("%Y%m%dT%H%M%SZ");
        IncidentId(format!("inc-{when}-{a:02x}{b:02x}{c:02x}"))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When it was opened, to the second, as its name says.
    pub fn opened_at(&self) -> Option<Timestamp> {
        let when = self.0.get(4..20)?;
        let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", when).ok()?;
        jiff::tz::Offset::UTC.to_timestamp(civil).ok()
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for IncidentId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let pattern = b"inc-00000000T000000Z-hhhhhh";
        let fits = |(byte, wanted): (&u8, &u8)| match wanted {
            b'0' => byte.is_ascii_digit(),
            b'h' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            other => byte == other,
        };
        let good = text.len() == pattern.len() && text.as_bytes().iter().zip(pattern).all(fits);
        good.then(|| IncidentId(text.to_owned()))
            .ok_or(ParseIdError)
    }
}

impl<'de> Deserialize<'de> for IncidentId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether it is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Everything in its scope is kept.
    Open,
    /// It is over.
    Closed,
}

/// What opened it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A request that says everything.
    Request,
    /// The site-wide toggle.
    Mode,
    /// A group of alerts of Alertmanager, by the digest of its key.
    Alertmanager(String),
    /// A trigger of the profile, by its name.
    Trigger(String),
}

impl Origin {
    /// Whether nobody asked for it in person.
    pub fn is_automatic(&self) -> bool {
        matches!(self, Origin::Alertmanager(_) | Origin::Trigger(_))
    }
}

/// Why it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Somebody closed it.
    Closed,
    /// Its time was over.
    Expired,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: Why,
    /// Who closed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It was opened.
    Opened,
    /// Sampling keeps everything in scope from now on.
    InForce,
    /// Its end was moved.
    Extended,
    /// Somebody closed it.
    Closed,
    /// Its time was over.
    Expired,
    /// Its capture was taken.
    Captured,
    /// Nobody took its capture in time.
    CaptureMissed,
    /// Retention is no longer held.
    Released,
}

impl What {
    /// Every one.
    pub const ALL: [What; 8] = [
        What::Opened,
        What::InForce,
        What::Extended,
        What::Closed,
        What::Expired,
        What::Captured,
        What::CaptureMissed,
        What::Released,
    ];

    /// Its word, as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            What::Opened => "opened",
            What::InForce => "in_force",
            What::Extended => "extended",
            What::Closed => "closed",
            What::Expired => "expired",
            What::Captured => "captured",
            What::CaptureMissed => "capture_missed",
            What::Released => "released",
        }
    }
}

/// An entry of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// Who, if somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What is to be said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What retention is kept from leaving: what was appended from `from` to `to`, or to now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// From when on.
    pub from: Timestamp,
    /// Until when; open incidents have no end yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// When the hold ends by itself; set as the incident is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// It has ended.
    #[serde(default)]
    pub released: bool,
}

/// Its capture: what the journal held of it, written out once it is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// Whether it was taken.
    pub state: CaptureState,
    /// Until when the journal waits for it.
    pub deadline: Timestamp,
    /// When it was taken, given up or missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Who took it or gave it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// `sha256:…` of the manifest of what was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
}

/// Whether a capture was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaptureState {
    /// Not yet; the journal holds what it needs.
    Pending,
    /// It was.
    Taken,
    /// Somebody released the hold without one.
    GivenUp,
    /// Its deadline passed first.
    Missed,
}

impl CaptureState {
    /// For a person.
    pub const fn as_str(self) -> &'static str {
        match self {
            CaptureState::Pending => "pending",
            CaptureState::Taken => "taken",
            CaptureState::GivenUp => "given up",
            CaptureState::Missed => "missed",
        }
    }
}

/// What sampling kept because of it: spans that no policy would have kept.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Count {
    /// Spans from before it was opened.
    pub before_spans: u64,
    /// Whether what is from before has all been looked at.
    pub before_done: bool,
    /// Spans from while it was open.
    pub during_spans: u64,
}

/// A declared period in which everything in a scope is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its name.
    pub id: IncidentId,
    /// What it is about.
    pub scope: Scope,
    /// Why it was opened.
    pub reason: String,
    /// Who opened it.
    pub opened_by: String,
    /// Who approved, if anybody, in the words of who opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// What opened it.
    pub origin: Origin,
    /// What keeps a repeated request from opening another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// How far back it goes.
    pub lookback: Time,
    /// Since when sampling keeps everything in scope, once it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force_from: Option<Timestamp>,
    /// How it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// What is kept from leaving the journal.
    pub hold: Hold,
    /// What was kept, as of the last time it was stored; nothing where nothing is sampled away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Count>,
    /// Its capture, once it is over and where one is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<Capture>,
    /// What happened, oldest first.
    pub timeline: Vec<Entry>,
    /// How many entries of the timeline have been handed to notifications.
    #[serde(default)]
    pub told: usize,
}

impl Incident {
    /// Whether it is in force.
    pub fn state(&self) -> State {
        match self.ended {
            None => State::Open,
            Some(_) => State::Closed,
        }
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    /// Whether its capture is awaited.
    pub fn awaits_capture(&self) -> bool {
        let capture = self.capture.as_ref();
        capture.is_some_and(|capture| capture.state == CaptureState::Pending)
    }

    /// How far back it goes.
    pub fn lookback(&self) -> Duration {
        self.lookback.0
    }
}
