//! The alert. Its labels are the same for every event of an incident, since they are what an
//! Alertmanager knows an alert by.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::Config;
use crate::event::Event;
use crate::target::Message;

/// For how long an alert fires that is no incident's.
const PASSING: SignedDuration = SignedDuration::from_mins(5);
/// For how long an incident's alert fires whose end is not known.
const OPEN_ENDED: SignedDuration = SignedDuration::from_hours(24);

/// The body of the request: a list with the one alert.
pub(super) fn alerts(config: &Config, message: &Message) -> Vec<u8> {
    let (starts, ends) = span(&message.event);
    let mut alert = json!({
        "labels": labels(config, &message.event),
        "annotations": {
            "summary": message.title,
            "description": message.text,
            "event": message.event.id(),
        },
        "startsAt": starts.to_string(),
        "endsAt": ends.to_string(),
    });
    if let (Some(url), Some(alert)) = (&config.generator_url, alert.as_object_mut()) {
        alert.insert("generatorURL".to_owned(), Value::from(url.as_str()));
    }
    json!([alert]).to_string().into_bytes()
}

fn labels(config: &Config, event: &Event) -> Map<String, Value> {
    let mut labels: Map<String, Value> = config
        .labels
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    let incident = event.kind().starts_with("stella.incident.");
    let (name, subject) = match incident {
        true => ("StellaIncident", "incident"),
        false => ("StellaNotification", "subject"),
    };
    let mut label = |name: &str, value: &str| {
        // An empty label is the same as none.
        if !value.is_empty() {
            labels.entry(name).or_insert(Value::from(value));
        }
    };
    label("alertname", name);
    label(subject, event.subject());
    label("tenant", event.tenant().map_or("", |t| t.as_str()));
    label("scope", event.text("scope").unwrap_or_default());
    label("severity", event.text("severity").unwrap_or("warning"));
    labels
}

/// From when to when it fires. An end in the past resolves it; an Alertmanager wants no end before
/// the beginning.
fn span(event: &Event) -> (Timestamp, Timestamp) {
    let time = event.time();
    let starts = event.time_of("opened_at").unwrap_or(time).min(time);
    let after = |wait| time.checked_add(wait).unwrap_or(time);
    let ends = match event.kind() {
        "stella.incident.opened" | "stella.incident.extended" => event
            .time_of("expires_at")
            .unwrap_or_else(|| after(OPEN_ENDED)),
        "stella.incident.closed" | "stella.incident.expired" => time,
        _ => after(PASSING),
    };
    (starts, ends.max(starts))
}
