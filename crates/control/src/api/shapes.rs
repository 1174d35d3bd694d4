//! What requests and answers look like. The OpenAPI document is made from these types.

use jiff::Timestamp;
use policy::units::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::estimate::Estimate;
use crate::incident::{Capture, CaptureState, Count, Entry, Incident, Origin, State, What, Why};

/// `POST /telemetry/incidents`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenRequest {
    /// What it is about: `service=scanner,tenant=acme,attr.key=value`, or `all`.
    pub scope: String,
    /// Why.
    pub reason: String,
    /// How long, such as `2h`; the profile's `incidents.ttl` if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Time>,
    /// How far back, such as `15m`; the profile's `incidents.lookback` if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookback: Option<Time>,
    /// Who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// Who asks. It is recorded beside what the connection proves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// `PATCH /telemetry/incidents/{id}`: exactly one of `ttl`, `state`, `hold` and `captured`.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChangeRequest {
    /// Extend: it ends so long from now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Time>,
    /// Close: `closed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Closing>,
    /// Let retention go: `released`. Only once it is closed. A capture that is awaited is given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Releasing>,
    /// Its capture was taken: `sha256:…` of the capture's manifest. Retention is let go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub captured: Option<String>,
    /// What is to be said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who asks. It is recorded beside what the connection proves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// The state that may be asked for.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// Over.
    Closed,
}

/// What may become of a hold.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Releasing {
    /// Let go.
    Released,
}

/// `POST /telemetry/incidents/mode`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModeRequest {
    /// `on` opens the incident about everything if it is not open, `off` closes it if it is.
    pub mode: Mode,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asks. It is recorded beside what the connection proves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// The toggle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The incident about everything is open.
    On,
    /// It is not.
    Off,
}

/// The toggle and its incident.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ModeView {
    /// Whether the incident about everything is open.
    pub mode: Mode,
    /// It, or the one that was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentView>,
}

/// Incidents, the newest first.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ListView {
    /// They.
    pub incidents: Vec<IncidentView>,
}

/// What happened, oldest first.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TimelineView {
    /// The incident.
    pub id: String,
    /// It.
    pub timeline: Vec<EntryView>,
}

/// An incident. Times are RFC 3339, lengths of time as in `2h` or `15m`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct IncidentView {
    id: String,
    state: State,
    scope: String,
    reason: String,
    /// What the connection proves, and who the request says.
    opened_by: String,
    /// Who approved it, as `opened_by` says: nothing proves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<String>,
    origin: OriginView,
    /// The trigger that opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    trigger: Option<String>,
    #[schemars(with = "String")]
    opened_at: Timestamp,
    #[schemars(with = "String")]
    expires_at: Timestamp,
    lookback: Time,
    /// Since when sampling keeps everything in scope. Missing while that has not been brought about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    in_force_from: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<EndedView>,
    hold: HoldView,
    /// Its capture, once it is over and where one is awaited.
    #[serde(skip_serializing_if = "Option::is_none")]
    capture: Option<CaptureView>,
    /// What was kept that sampling would have let go. Missing where nothing is sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<Count>,
    /// What it will hold; of open ones, where one incident is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    estimate: Option<EstimateView>,
}

/// What opened it.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OriginView {
    Request,
    Mode,
    Alertmanager,
    Trigger,
}

/// What the journal held of it, written out once it is over.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct CaptureView {
    state: CaptureState,
    /// Until when the journal waits for it.
    #[schemars(with = "String")]
    deadline: Timestamp,
    /// When it was taken, given up or missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// `sha256:…` of its manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<String>,
}

impl From<Capture> for CaptureView {
    fn from(capture: Capture) -> Self {
        CaptureView {
            state: capture.state,
            deadline: capture.deadline,
            at: capture.at,
            by: capture.by,
            manifest: capture.manifest,
        }
    }
}

/// How it ended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct EndedView {
    #[schemars(with = "String")]
    at: Timestamp,
    why: Why,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// What the journal must not let go.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct HoldView {
    #[schemars(with = "String")]
    from: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    to: Option<Timestamp>,
    /// When it is released by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    until: Option<Timestamp>,
    released: bool,
}

/// An entry of a timeline.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EntryView {
    #[schemars(with = "String")]
    at: Timestamp,
    what: What,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// What the journal will hold for all open incidents together, at the present rate.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct EstimateView {
    /// For a person: `15m + 2h, about 41.0 GiB at the present rate; 120.0 GiB free`.
    text: String,
    bytes: u64,
    bytes_per_second: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
    budget_bytes: u64,
}

impl IncidentView {
    /// How it is shown.
    pub fn of(incident: Incident) -> IncidentView {
        IncidentView {
            state: incident.state(),
            id: incident.id.to_string(),
            scope: incident.scope.to_string(),
            reason: incident.reason,
            opened_by: incident.opened_by,
            approved_by: incident.approved_by,
            origin: match incident.origin {
                Origin::Request => OriginView::Request,
                Origin::Mode => OriginView::Mode,
                Origin::Alertmanager(_) => OriginView::Alertmanager,
                Origin::Trigger(_) => OriginView::Trigger,
            },
            trigger: match incident.origin {
                Origin::Trigger(name) => Some(name),
                _ => None,
            },
            opened_at: incident.opened_at,
            expires_at: incident.expires_at,
            lookback: incident.lookback,
            in_force_from: incident.in_force_from,
            ended: incident.ended.map(|ended| EndedView {
                at: ended.at,
                why: ended.why,
                by: ended.by,
                note: ended.note,
            }),
            hold: HoldView {
                from: incident.hold.from,
                to: incident.hold.to,
                until: incident.hold.until,
                released: incident.hold.released,
            },
            capture: incident.capture.map(Into::into),
            kept: incident.kept,
            estimate: None,
        }
    }

    /// The same with what it will hold.
    pub fn with(mut self, estimate: Estimate, budget_bytes: u64) -> IncidentView {
        self.estimate = Some(EstimateView {
            text: estimate.to_string(),
            bytes: estimate.bytes,
            bytes_per_second: estimate.bytes_per_second,
            free_bytes: estimate.free_bytes,
            budget_bytes,
        });
        self
    }
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        EntryView {
            at: entry.at,
            what: entry.what,
            by: entry.by,
            note: entry.note,
        }
    }
}
