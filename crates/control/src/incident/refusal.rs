//! Why a transition was refused: what, and what would be right.

use policy::units::{Bytes, Time};

use super::{CaptureState, IncidentId, ParseScopeError};

/// A request that is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// As many are open as may be.
    #[error(
        "{open} incidents are open, and no more may be\nhint: close one first, or raise `incidents.max_open`"
    )]
    TooMany {
        /// How many are open.
        open: usize,
    },
    /// It would last too long.
    #[error(
        "a time to live of {asked} is not allowed\nhint: it goes from 1s to {most} (`incidents.max_ttl`)"
    )]
    Ttl {
        /// What was asked for.
        asked: Time,
        /// What is allowed.
        most: Time,
    },
    /// It would go too far back.
    #[error(
        "a lookback of {asked} is not allowed\nhint: it goes up to {most} (`incidents.max_lookback`)"
    )]
    Lookback {
        /// What was asked for.
        asked: Time,
        /// What is allowed.
        most: Time,
    },
    /// A text is missing, too long, or has control characters.
    #[error(
        "`{field}` is not a good text\nhint: write {least} to {most} bytes without control characters"
    )]
    Text {
        /// Which.
        field: &'static str,
        /// At the least, in bytes.
        least: usize,
        /// At the most, in bytes.
        most: usize,
    },
    /// The scope is wrong.
    #[error("{0}")]
    Scope(#[from] ParseScopeError),
    /// The idempotency key is wrong.
    #[error(
        "the idempotency key is not a good one\nhint: 1 to 128 printable ASCII characters without spaces"
    )]
    BadKey,
    /// The key was used with another request.
    #[error(
        "the idempotency key belongs to {id}, which was asked for differently\nhint: use a new key for a new incident"
    )]
    KeyReused {
        /// Whose it is.
        id: IncidentId,
    },
    /// There is none of this name.
    #[error(
        "there is no incident of this id\nhint: `stella telemetry incident list` shows those that are known"
    )]
    Unknown,
    /// It is over.
    #[error("{id} is closed\nhint: open another")]
    Closed {
        /// Which.
        id: IncidentId,
    },
    /// It is not over.
    #[error("{id} is open, so what it holds is still needed\nhint: close it first")]
    StillOpen {
        /// Which.
        id: IncidentId,
    },
    /// There is nothing to be captured any more.
    #[error(
        "no capture of {id} is awaited{}\nhint: the journal no longer holds what belongs to it; `stella telemetry journal dump` shows what is left",
        match state { Some(state) => format!(": it is {}", state.as_str()), None => String::new() }
    )]
    NoCapture {
        /// Which.
        id: IncidentId,
        /// What became of it, if there was one.
        state: Option<CaptureState>,
    },
    /// Not the digest of a manifest.
    #[error(
        "`manifest` is no digest\nhint: it is `sha256:` and 64 hexadecimal digits in lower case"
    )]
    Manifest,
    /// It was not asked for in person, and may not be opened now.
    #[error("{}", .0.as_str())]
    HeldBack(HeldBack),
    /// Extending would make it end earlier.
    #[error(
        "{id} would end earlier than it does\nhint: give a longer time, which counts from now, or close it"
    )]
    Shorter {
        /// Which.
        id: IncidentId,
    },
    /// Nothing more has room in its timeline.
    #[error("the timeline of {id} is full\nhint: let it end and open another")]
    TimelineFull {
        /// Which.
        id: IncidentId,
    },
    /// It would hold more of the disk than may be.
    #[error(
        "it would hold {estimate}, more than {what} ({limit})\nhint: shorten its time or lookback, take the captures that are awaited, or raise `incidents.disk_budget`"
    )]
    OverBudget {
        /// The estimate, for a person.
        estimate: String,
        /// Which limit.
        what: &'static str,
        /// The limit.
        limit: Bytes,
    },
}

/// Why what nobody asked for in person opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeldBack {
    /// An open incident is about all of it.
    Covered,
    /// One of the same ended a short while ago.
    CoolingDown,
    /// As many were opened within a day as may be.
    Capped,
    /// As many are open as may be.
    TooManyOpen,
}

impl HeldBack {
    /// Its word, in metrics and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            HeldBack::Covered => "covered",
            HeldBack::CoolingDown => "cooling_down",
            HeldBack::Capped => "capped",
            HeldBack::TooManyOpen => "too_many_open",
        }
    }
}

impl Refusal {
    /// A word by which programs tell it from others.
    pub const fn code(&self) -> &'static str {
        match self {
            Refusal::TooMany { .. } => "too-many-open",
            Refusal::Ttl { .. } => "bad-ttl",
            Refusal::Lookback { .. } => "bad-lookback",
            Refusal::Text { .. } => "bad-text",
            Refusal::Scope(_) => "bad-scope",
            Refusal::BadKey => "bad-idempotency-key",
            Refusal::KeyReused { .. } => "idempotency-key-reused",
            Refusal::Unknown => "not-found",
            Refusal::Closed { .. } => "closed",
            Refusal::StillOpen { .. } => "still-open",
            Refusal::NoCapture { .. } => "no-capture",
            Refusal::Manifest => "bad-manifest",
            Refusal::HeldBack(why) => why.as_str(),
            Refusal::Shorter { .. } => "shorter",
            Refusal::TimelineFull { .. } => "timeline-full",
            Refusal::OverBudget { .. } => "over-budget",
        }
    }
}
