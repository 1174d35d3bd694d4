//! What holds for every incident that nobody asked for in person: a cool-down, and caps. All of it
//! is read off the stored incidents, so a restart forgets nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::incident::{HeldBack, Incident, IncidentId, Refusal};

/// For so long incidents that nobody asked for are remembered, whatever `keep_closed` says: the
/// longest cool-down, and the time that caps are about. BOUNDED: by these caps.
pub(crate) const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// How often something may open incidents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// After the end of one, before another of the same.
    pub cool_down: Duration,
    /// How many in 24 hours.
    pub per_day: usize,
    /// How many at a time.
    pub open: usize,
}

/// The open incident that is this one already, or why none may be opened now. `is_kin` says which
/// incidents count for the caps, `is_same` which of them are the same one; `at` is when there was
/// reason to open one.
pub(crate) fn instead(
    incidents: &BTreeMap<IncidentId, Incident>,
    bounds: Bounds,
    at: Timestamp,
    is_kin: impl Fn(&Incident) -> bool,
    is_same: impl Fn(&Incident) -> bool,
) -> Result<Option<IncidentId>, Refusal> {
    let kin = || incidents.values().filter(|known| is_kin(known));
    if let Some(last) = kin().rfind(|known| is_same(known)) {
        if last.is_open() {
            return Ok(Some(last.id.clone()));
        }
        let cool = SignedDuration::try_from(bounds.cool_down).unwrap_or(SignedDuration::MAX);
        let ended = last.ended.as_ref().map(|ended| ended.at);
        if ended.is_some_and(|ended| at.duration_since(ended) < cool) {
            return Err(Refusal::HeldBack(HeldBack::CoolingDown));
        }
    }
    let today = |known: &&Incident| at.duration_since(known.opened_at) < REMEMBERED;
    if kin().filter(today).count() >= bounds.per_day {
        return Err(Refusal::HeldBack(HeldBack::Capped));
    }
    if kin().filter(|known| known.is_open()).count() >= bounds.open {
        return Err(Refusal::HeldBack(HeldBack::TooManyOpen));
    }
    Ok(None)
}

/// Puts values in the place of `{name}`.
///
/// # Errors
/// The name for which there is none, or nothing where a `{` has no `}`.
pub(crate) fn fill(
    template: &str,
    value: impl Fn(&str) -> Option<String>,
) -> Result<String, Option<&str>> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or(None)?;
        filled.push_str(before);
        filled.push_str(&value(name).ok_or(Some(name))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// On one line, and not longer than so many bytes.
pub(crate) fn line(text: &str, most: usize) -> String {
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let end = (0..=most.min(line.len()))
        .rev()
        .find(|at| line.is_char_boundary(*at));
    line.truncate(end.unwrap_or(0));
    line
}
