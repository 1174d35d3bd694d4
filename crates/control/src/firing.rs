//! A trigger that fires: opens an incident from the trigger's template, or says why not.
//!
//! Names of services come from whoever sends telemetry. They are filled into a scope escaped, so
//! that none can widen it; `max_open` and `max_per_day` bound what a sender can bring about.

use ident::TenantId;
use jiff::{SignedDuration, Timestamp};
use trigger::{Firing, Trigger};

use crate::automatic::{self, Bounds};
use crate::incident::{
    HeldBack, IncidentId, Open, Origin, ParseScopeError, Refusal, Scope, escaped,
};
use crate::register::{Failure, Register};

/// What became of a firing.
#[derive(Debug)]
pub enum Outcome {
    /// An incident was opened.
    Opened(IncidentId),
    /// It is open already.
    AlreadyOpen,
    /// It may not be opened now.
    HeldBack(HeldBack),
    /// It is older than what an incident would look back to, as after a long standstill.
    Stale,
    /// It could not be opened.
    Failed(Failure),
}

impl Outcome {
    /// All words of [`as_str`](Self::as_str).
    pub const WORDS: [&'static str; 9] = [
        "opened",
        "already_open",
        "covered",
        "cooling_down",
        "capped",
        "too_many_open",
        "stale",
        "refused",
        "failed",
    ];

    /// Its word, in metrics and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Outcome::Opened(_) => "opened",
            Outcome::AlreadyOpen => "already_open",
            Outcome::HeldBack(why) => why.as_str(),
            Outcome::Stale => "stale",
            Outcome::Failed(Failure::Refused(_)) => "refused",
            Outcome::Failed(_) => "failed",
        }
    }
}

impl Register {
    /// Opens an incident for a trigger that fired, within its cool-down and caps. It may block on
    /// the disk.
    pub fn fire(&self, trigger: &Trigger, firing: &Firing, now: Timestamp) -> Outcome {
        let outcome = self.outcome(trigger, firing, now);
        self.count_firing(&trigger.name, outcome.as_str());
        outcome
    }

    fn outcome(&self, trigger: &Trigger, firing: &Firing, now: Timestamp) -> Outcome {
        let at = Timestamp::from_nanosecond(i128::from(firing.at_unix_nano)).unwrap_or(now);
        let lookback = trigger.lookback.unwrap_or(self.config().lookback);
        let reach = SignedDuration::try_from(lookback.max(trigger.window).0);
        if now.duration_since(at) > reach.unwrap_or(SignedDuration::MAX) {
            return Outcome::Stale;
        }
        match self.open_for(trigger, firing, at, now) {
            Ok(outcome) => outcome,
            Err(Failure::Refused(Refusal::HeldBack(why))) => Outcome::HeldBack(why),
            Err(failure) => Outcome::Failed(failure),
        }
    }

    fn open_for(
        &self,
        trigger: &Trigger,
        firing: &Firing,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<Outcome, Failure> {
        let config = self.config();
        let scope = scope_of(trigger, &firing.service, &firing.tenant).map_err(Refusal::Scope)?;
        let origin = Origin::Trigger(trigger.name.clone());
        let open = Open {
            scope: scope.clone(),
            reason: reason_of(trigger, firing, config.limits().text_bytes),
            by: format!("trigger:{}", trigger.name),
            approved_by: None,
            origin: origin.clone(),
            ttl: trigger.ttl.unwrap_or(config.ttl).0,
            lookback: trigger.lookback.unwrap_or(config.lookback).0,
            key: None,
        };
        let bounds = Bounds {
            cool_down: trigger.cool_down.0,
            per_day: trigger.max_per_day,
            open: trigger.max_open,
        };
        let opened = self.open(open, now, |incidents| {
            let is_kin = |known: &crate::incident::Incident| known.origin == origin;
            let found =
                automatic::instead(incidents, bounds, at, is_kin, |known| known.scope == scope)?;
            let mut open = incidents.values().filter(|known| known.is_open());
            if found.is_none() && open.any(|known| known.scope.covers(&scope)) {
                return Err(Refusal::HeldBack(HeldBack::Covered));
            }
            Ok(found)
        })?;
        Ok(match opened.fresh {
            true => Outcome::Opened(opened.incident.id),
            false => Outcome::AlreadyOpen,
        })
    }
}

/// The scope of a trigger's incident.
pub(crate) fn scope_of(
    trigger: &Trigger,
    service: &str,
    tenant: &TenantId,
) -> Result<Scope, ParseScopeError> {
    let filled = automatic::fill(&trigger.scope, |name| match name {
        "service" => Some(escaped(service)),
        "tenant" => Some(escaped(tenant.as_str())),
        _ => None,
    });
    // The profile's check lets no other template pass.
    filled.map_err(|_| ParseScopeError::Empty)?.parse()
}

fn reason_of(trigger: &Trigger, firing: &Firing, most: usize) -> String {
    let filled = automatic::fill(&trigger.reason, |name| {
        Some(match name {
            "service" => firing.service.clone(),
            "tenant" => firing.tenant.to_string(),
            "trigger" => trigger.name.clone(),
            "measured" => firing.measured.clone(),
            "window" => trigger.window.to_string(),
            _ => return None,
        })
    });
    automatic::line(&filled.unwrap_or_else(|_| trigger.name.clone()), most)
}

#[cfg(test)]
#[path = "firing_tests.rs"]
mod tests;
