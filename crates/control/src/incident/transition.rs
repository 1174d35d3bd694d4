//! How an incident begins, changes and ends. No clock, no disk, no chance: all are given.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use policy::units::Time;

use super::{
    Capture, CaptureState, Ended, Entry, Hold, Incident, IncidentId, Key, Origin, Refusal, Scope,
    What, Why,
};

/// What is kept free of a timeline, so that an incident can always end: in force, its end, its
/// capture, its release.
const RESERVED_ENTRIES: usize = 4;

/// What an incident may be at the most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open ones.
    pub open: usize,
    /// From opening, or from an extension, to the end.
    pub ttl: Duration,
    /// How far back.
    pub lookback: Duration,
    /// Entries of a timeline.
    pub timeline: usize,
    /// Bytes of each text.
    pub text_bytes: usize,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Open {
    /// What it is about.
    pub scope: Scope,
    /// Why.
    pub reason: String,
    /// Who asks.
    pub by: String,
    /// Who approved.
    pub approved_by: Option<String>,
    /// What asks.
    pub origin: Origin,
    /// How long.
    pub ttl: Duration,
    /// How far back.
    pub lookback: Duration,
    /// What keeps a repeated request from opening another.
    pub key: Option<Key>,
}

/// Opens one, where so many are open.
pub fn open(
    asked: Open,
    id: IncidentId,
    now: Timestamp,
    open: usize,
    limits: &Limits,
) -> Result<Incident, Refusal> {
    check_ttl(asked.ttl, limits)?;
    if asked.lookback > limits.lookback {
        return Err(Refusal::Lookback {
            asked: Time(asked.lookback),
            most: Time(limits.lookback),
        });
    }
    check_text("reason", &asked.reason, 1, limits)?;
    check_text("by", &asked.by, 1, limits)?;
    if let Some(text) = &asked.approved_by {
        check_text("approved_by", text, 1, limits)?;
    }
    if open >= limits.open {
        return Err(Refusal::TooMany { open });
    }
    Ok(Incident {
        id,
        scope: asked.scope,
        timeline: vec![entry(
            now,
            What::Opened,
            Some(&asked.by),
            Some(&asked.reason),
        )],
        reason: asked.reason,
        opened_by: asked.by,
        approved_by: asked.approved_by,
        origin: asked.origin,
        key: asked.key,
        opened_at: now,
        expires_at: later(now, asked.ttl),
        lookback: Time(asked.lookback),
        in_force_from: None,
        ended: None,
        hold: Hold {
            from: earlier(now, asked.lookback),
            to: None,
            until: None,
            released: false,
        },
        kept: None,
        capture: None,
        told: 0,
    })
}

/// Notes since when sampling keeps everything in scope. `false` if that was known.
pub fn in_force(incident: &mut Incident, from: Timestamp, now: Timestamp) -> bool {
    if incident.in_force_from.is_some() {
        return false;
    }
    incident.in_force_from = Some(from);
    incident
        .timeline
        .push(entry(now, What::InForce, None, None));
    true
}

/// Moves its end to `ttl` from now.
pub fn extend(
    incident: &mut Incident,
    ttl: Duration,
    by: &str,
    note: Option<&str>,
    now: Timestamp,
    limits: &Limits,
) -> Result<(), Refusal> {
    let id = || incident.id.clone();
    if !incident.is_open() {
        return Err(Refusal::Closed { id: id() });
    }
    check_ttl(ttl, limits)?;
    check_text("by", by, 1, limits)?;
    check_text("note", note.unwrap_or_default(), 0, limits)?;
    let expires_at = later(now, ttl);
    if expires_at < incident.expires_at {
        return Err(Refusal::Shorter { id: id() });
    }
    if incident.timeline.len() + RESERVED_ENTRIES >= limits.timeline {
        return Err(Refusal::TimelineFull { id: id() });
    }
    incident.expires_at = expires_at;
    incident
        .timeline
        .push(entry(now, What::Extended, Some(by), note));
    Ok(())
}

/// Ends it, and leaves what it holds for its capture for so long. `false` if it was over already.
pub fn close(
    incident: &mut Incident,
    by: &str,
    note: Option<&str>,
    now: Timestamp,
    hold_after: Duration,
    limits: &Limits,
) -> Result<bool, Refusal> {
    check_text("by", by, 1, limits)?;
    check_text("note", note.unwrap_or_default(), 0, limits)?;
    if !incident.is_open() {
        return Ok(false);
    }
    end(incident, Why::Closed, now, Some(by), note, hold_after);
    Ok(true)
}

/// Ends it if its time is over. `false` if it is not.
pub fn expire(incident: &mut Incident, now: Timestamp, hold_after: Duration) -> bool {
    let due = incident.is_open() && now >= incident.expires_at;
    if due {
        end(incident, Why::Expired, now, None, None, hold_after);
    }
    due
}

/// Ends its hold on retention: asked for by somebody, or, where nobody asks, because its time is
/// over. `false` if there is nothing to do.
pub fn release(incident: &mut Incident, by: Option<&str>, now: Timestamp) -> Result<bool, Refusal> {
    if incident.hold.released {
        return Ok(false);
    }
    if incident.is_open() {
        return match by {
            Some(_) => Err(Refusal::StillOpen {
                id: incident.id.clone(),
            }),
            None => Ok(false),
        };
    }
    if by.is_none() && incident.hold.until.is_some_and(|until| now < until) {
        return Ok(false);
    }
    if let Some(capture) = &mut incident.capture
        && capture.state == CaptureState::Pending
    {
        capture.state = match by {
            Some(_) => CaptureState::GivenUp,
            None => CaptureState::Missed,
        };
        capture.at = Some(now);
        capture.by = by.map(str::to_owned);
        if by.is_none() {
            let missed = entry(now, What::CaptureMissed, None, None);
            incident.timeline.push(missed);
        }
    }
    incident.hold.released = true;
    incident.timeline.push(entry(now, What::Released, by, None));
    Ok(true)
}

/// Notes that its capture was taken, with the digest of its manifest, and ends its hold. `false`
/// if that was known.
pub fn captured(
    incident: &mut Incident,
    manifest: &str,
    by: &str,
    now: Timestamp,
    limits: &Limits,
) -> Result<bool, Refusal> {
    let id = || incident.id.clone();
    check_text("by", by, 1, limits)?;
    let hex = manifest.strip_prefix("sha256:").unwrap_or_default();
    if hex.len() != 64 || !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(Refusal::Manifest);
    }
    if incident.is_open() {
        return Err(Refusal::StillOpen { id: id() });
    }
    let (state, known) = match &incident.capture {
        Some(capture) => (
            Some(capture.state),
            capture.manifest.as_deref() == Some(manifest),
        ),
        None => (None, false),
    };
    match (&mut incident.capture, state) {
        (Some(_), Some(CaptureState::Taken)) if known => Ok(false),
        (Some(capture), Some(CaptureState::Pending)) => {
            capture.state = CaptureState::Taken;
            capture.at = Some(now);
            capture.by = Some(by.to_owned());
            capture.manifest = Some(manifest.to_owned());
            incident.hold.released = true;
            let entries = [
                entry(now, What::Captured, Some(by), Some(manifest)),
                entry(now, What::Released, None, None),
            ];
            incident.timeline.extend(entries);
            Ok(true)
        }
        (_, state) => Err(Refusal::NoCapture {
            id: incident.id.clone(),
            state,
        }),
    }
}

fn end(
    incident: &mut Incident,
    why: Why,
    now: Timestamp,
    by: Option<&str>,
    note: Option<&str>,
    hold_after: Duration,
) {
    // A clock that was set back must not make an end before the beginning.
    let at = now.max(incident.opened_at);
    incident.ended = Some(Ended {
        at,
        why,
        by: by.map(str::to_owned),
        note: note.map(str::to_owned),
    });
    incident.hold.to = Some(at);
    incident.hold.until = Some(later(at, hold_after));
    incident.capture = (!hold_after.is_zero()).then(|| Capture {
        state: CaptureState::Pending,
        deadline: later(at, hold_after),
        at: None,
        by: None,
        manifest: None,
    });
    let what = match why {
        Why::Closed => What::Closed,
        Why::Expired => What::Expired,
    };
    incident.timeline.push(entry(now, what, by, note));
}

fn entry(at: Timestamp, what: What, by: Option<&str>, note: Option<&str>) -> Entry {
    Entry {
        at,
        what,
        by: by.map(str::to_owned),
        note: note.map(str::to_owned),
    }
}

fn check_ttl(asked: Duration, limits: &Limits) -> Result<(), Refusal> {
    if (Duration::from_secs(1)..=limits.ttl).contains(&asked) {
        return Ok(());
    }
    Err(Refusal::Ttl {
        asked: Time(asked),
        most: Time(limits.ttl),
    })
}

fn check_text(
    field: &'static str,
    text: &str,
    least: usize,
    limits: &Limits,
) -> Result<(), Refusal> {
    let most = limits.text_bytes;
    let good = (least..=most).contains(&text.len()) && !text.chars().any(char::is_control);
    match good {
        true => Ok(()),
        false => Err(Refusal::Text { field, least, most }),
    }
}

pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

pub(crate) fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.checked_sub(by).unwrap_or(Timestamp::UNIX_EPOCH)
}
