//! What an incident does to the gateway, as traits that the binary implements. Every call may do
//! I/O and block for some milliseconds; none waits for the network.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::incident::{Count, Incident, IncidentId, Scope};

/// Sampling: from now on keep all in a scope, and what the journal holds from before.
pub trait Sampling: Send + Sync {
    /// Keeps all in `scope` from the next block on, and reads `lookback` again. Durable when it
    /// returns; asked again with the same id it gives the first answer. `None` where nothing is
    /// sampled away, so that all is kept anyway.
    ///
    /// # Errors
    /// In words, if it is not in force. It is asked again later.
    fn keep_all(
        &self,
        id: &IncidentId,
        scope: &Scope,
        lookback: Duration,
    ) -> Result<Option<Timestamp>, String>;

    /// Ends it, durably; no effect on what is not in force.
    ///
    /// # Errors
    /// In words, if it is still in force. It is asked again later.
    fn end(&self, id: &str) -> Result<(), String>;

    /// What it has kept, if that is known.
    fn kept(&self, id: &IncidentId) -> Option<Count>;

    /// The ids of all that are in force.
    fn in_force(&self) -> Vec<String>;
}

/// Retention: what the journal must not let go, and how much room there is.
pub trait Retention: Send + Sync {
    /// Keeps what was appended from `from` to `to` (or for ever on) from leaving, in place of what
    /// was held for this incident before.
    fn hold(&self, id: &IncidentId, from: Timestamp, to: Option<Timestamp>);

    /// Lets go.
    fn release(&self, id: &IncidentId);

    /// How much comes in, and how much fits.
    fn room(&self) -> Room;
}

/// Metrics: what filters would leave out is shipped all the same in an incident's scope.
pub trait Metrics: Send + Sync {
    /// Whose scopes these are, and when: all that are known, in place of those before.
    fn pass(&self, periods: Vec<Period>);
}

/// A scope, and the times between which everything in it passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// Which telemetry.
    pub scope: Scope,
    /// From when on data was appended.
    pub from: Timestamp,
    /// Until when; open incidents have no end yet.
    pub to: Option<Timestamp>,
}

/// How much comes in, and how much fits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Room {
    /// Bytes a second that the journal grows by, averaged over what it holds.
    pub bytes_per_second: f64,
    /// How much of the past it holds.
    pub held: Duration,
    /// Bytes that the file system has free, if it says so.
    pub free_bytes: Option<u64>,
}

/// Who is told: notifications.
pub trait Events: Send + Sync {
    /// Takes an event, durably. The same id again is the same event.
    ///
    /// # Errors
    /// In words, if it was not taken. It is given again later.
    fn put(&self, event: &Event) -> Result<(), String>;
}

/// Something that happened to an incident, shaped as a CloudEvent.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its own id, made of the incident's and its place in the timeline.
    pub id: String,
    /// `stella.incident.opened`, `.extended`, `.closed` or `.expired`.
    pub kind: &'static str,
    /// When it happened.
    pub time: Timestamp,
    /// The incident. Order is kept within it.
    pub incident: IncidentId,
    /// Whose it is, where the scope says so.
    pub tenant: Option<ident::TenantId>,
    /// What is to be said.
    pub data: Map<String, Value>,
}

/// Nothing is sampled away, nobody is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Absent;

impl Sampling for Absent {
    fn keep_all(
        &self,
        _: &IncidentId,
        _: &Scope,
        _: Duration,
    ) -> Result<Option<Timestamp>, String> {
        Ok(None)
    }

    fn end(&self, _: &str) -> Result<(), String> {
        Ok(())
    }

    fn kept(&self, _: &IncidentId) -> Option<Count> {
        None
    }

    fn in_force(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Metrics for Absent {
    fn pass(&self, _: Vec<Period>) {}
}

impl Events for Absent {
    fn put(&self, _: &Event) -> Result<(), String> {
        Ok(())
    }
}

/// The event of the timeline's entry at `at`, where it is one that people are told of.
pub(crate) fn event(incident: &Incident, at: usize) -> Option<Event> {
    use crate::incident::What;
    let entry = incident.timeline.get(at)?;
    let kind = match entry.what {
        What::Opened => "stella.incident.opened",
        What::Extended => "stella.incident.extended",
        What::Closed => "stella.incident.closed",
        What::Expired => "stella.incident.expired",
        What::InForce | What::Captured | What::CaptureMissed | What::Released => return None,
    };
    let mut data = Map::new();
    let mut say = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            data.insert(key.to_owned(), Value::String(value));
        }
    };
    say("reason", Some(incident.reason.clone()));
    say("scope", Some(incident.scope.to_string()));
    say("opened_by", Some(incident.opened_by.clone()));
    say("approved_by", incident.approved_by.clone());
    say("opened_at", Some(incident.opened_at.to_string()));
    say("expires_at", Some(incident.expires_at.to_string()));
    say("lookback", Some(incident.lookback.to_string()));
    say(
        "note",
        entry.note.clone().filter(|_| entry.what != What::Opened),
    );
    if let (What::Closed | What::Expired, Some(ended)) = (entry.what, &incident.ended) {
        say("closed_at", Some(ended.at.to_string()));
        say("closed_by", ended.by.clone());
        let because = entry.what.as_str();
        say("ended_because", Some(because.to_owned()));
        if let Some(kept) = incident
            .kept
            .and_then(|kept| serde_json::to_value(kept).ok())
        {
            data.insert("kept".to_owned(), kept);
        }
    }
    Some(Event {
        id: format!("{}.{}.{at}", incident.id, entry.what.as_str()),
        kind,
        time: entry.at,
        incident: incident.id.clone(),
        tenant: incident.scope.tenant.clone(),
        data,
    })
}
