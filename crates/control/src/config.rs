//! What a profile says of incidents, the admin port and remote sampling.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use policy::units::{Bytes, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::incident::Limits;

/// The most entries of an incident's timeline.
const TIMELINE_ENTRIES: usize = 256;
/// The most bytes of a reason, a note or a name.
const TEXT_BYTES: usize = 1024;

/// Incidents: what they are where a request does not say, and what they may be at the most.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many may be open at a time, 1 to 12.
    pub max_open: usize,
    /// How long one lasts where nothing is said.
    pub ttl: Time,
    /// How long one may last, from opening or from an extension on.
    pub max_ttl: Time,
    /// How far back one goes where nothing is said.
    pub lookback: Time,
    /// How far back one may go.
    pub max_lookback: Time,
    /// The most that the journal may take on the disk beyond `journal.max_bytes`, for what open
    /// incidents hold.
    pub disk_budget: Bytes,
    /// How long after its end the journal still holds what belongs to an incident, for its capture
    /// (`incident capture`). With `0s` none is awaited, and the hold ends with the incident.
    pub capture_deadline: Time,
    /// How many closed incidents are remembered; older ones are forgotten.
    pub keep_closed: usize,
    /// Open incidents from Alertmanager's webhooks. Off unless there is this section.
    pub alertmanager: Option<Alertmanager>,
    /// What opens incidents by itself, from what the journal takes in. None unless named here.
    pub triggers: Vec<trigger::Trigger>,
}

impl Default for Config {
    fn default() -> Self {
        let minutes = |minutes: u64| Time(Duration::from_secs(minutes * 60));
        Config {
            max_open: 4,
            ttl: minutes(2 * 60),
            max_ttl: minutes(24 * 60),
            lookback: minutes(15),
            max_lookback: minutes(60),
            disk_budget: Bytes(20 << 30),
            capture_deadline: minutes(24 * 60),
            keep_closed: 200,
            alertmanager: None,
            triggers: Vec::new(),
        }
    }
}

/// How a group of firing alerts opens an incident. In `scope` and `reason`, `{name}` stands for
/// what all of the group's alerts have in common as the label or annotation of that name.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Alertmanager {
    /// The incident's scope, such as `service={service}`.
    pub scope: String,
    /// The incident's reason.
    pub reason: String,
    /// How long it lasts; `incidents.ttl` if nothing is said.
    pub ttl: Option<Time>,
    /// How far back it goes; `incidents.lookback` if nothing is said.
    pub lookback: Option<Time>,
    /// How long after the end of an incident the same group opens no other.
    pub cool_down: Time,
    /// How many incidents alerts may open in 24 hours.
    pub max_per_day: usize,
    /// Close the incident when the group is resolved. If not, it ends as its time is over.
    pub close_on_resolved: bool,
}

impl Default for Alertmanager {
    fn default() -> Self {
        Alertmanager {
            scope: "service={service}".to_owned(),
            reason: "alert {alertname}".to_owned(),
            ttl: None,
            lookback: None,
            cool_down: Time(Duration::from_secs(30 * 60)),
            max_per_day: 12,
            close_on_resolved: false,
        }
    }
}

/// Who may use the admin port.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// A file with a name and a token's digest (`sha256:…`, as `stella telemetry token new` prints
    /// it) on each line. With it, every request needs one of these tokens, on loopback too.
    pub token_file: Option<PathBuf>,
}

/// What SDKs are told that ask how much to sample at the head (Jaeger's remote sampling).
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RemoteSampling {
    /// The share of traces, 0 to 1, of services that are not named.
    pub default: f64,
    /// The share of traces, 0 to 1, by service.
    pub services: BTreeMap<String, f64>,
}

impl Default for RemoteSampling {
    fn default() -> Self {
        RemoteSampling {
            default: 1.0,
            services: BTreeMap::new(),
        }
    }
}

/// The key of the profile that is wrong, what is wrong, and what would be right.
pub type Wrong = (&'static str, String, &'static str);

impl Config {
    /// What an incident may be at the most.
    pub fn limits(&self) -> Limits {
        Limits {
            open: self.max_open,
            ttl: self.max_ttl.0,
            lookback: self.max_lookback.0,
            timeline: TIMELINE_ENTRIES,
            text_bytes: TEXT_BYTES,
        }
    }

    /// What the types alone cannot say.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), Wrong> {
        const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
        if !(1..=12).contains(&self.max_open) {
            let message = format!("{} open incidents", self.max_open);
            return Err((
                "max_open",
                message,
                "`incidents.max_open` goes from 1 to 12",
            ));
        }
        if !(20..=5000).contains(&self.keep_closed) {
            let message = format!("{} closed incidents", self.keep_closed);
            let hint = "`incidents.keep_closed` goes from 20 to 5000";
            return Err(("keep_closed", message, hint));
        }
        if self.max_ttl.0 > WEEK || self.max_ttl.0.is_zero() {
            let message = format!("an incident of {}", self.max_ttl);
            return Err(("max_ttl", message, "`incidents.max_ttl` goes up to 168h"));
        }
        if self.ttl > self.max_ttl || self.ttl.0 < Duration::from_secs(1) {
            let message = format!("an incident of {}", self.ttl);
            let hint = "`incidents.ttl` goes from 1s to `incidents.max_ttl`";
            return Err(("ttl", message, hint));
        }
        if self.max_lookback.0 > WEEK {
            let message = format!("a lookback of {}", self.max_lookback);
            let hint = "`incidents.max_lookback` goes up to 168h";
            return Err(("max_lookback", message, hint));
        }
        if self.lookback > self.max_lookback {
            let message = format!("a lookback of {}", self.lookback);
            let hint = "`incidents.lookback` goes up to `incidents.max_lookback`";
            return Err(("lookback", message, hint));
        }
        if self.capture_deadline.0 > WEEK {
            let message = format!("a capture within {}", self.capture_deadline);
            let hint = "`incidents.capture_deadline` goes up to 168h";
            return Err(("capture_deadline", message, hint));
        }
        self.check_triggers()?;
        match &self.alertmanager {
            // The cap is counted over those that are remembered.
            Some(trigger) if !(1..=self.keep_closed).contains(&trigger.max_per_day) => {
                let hint =
                    "`incidents.alertmanager.max_per_day` goes from 1 to `incidents.keep_closed`";
                let message = format!("{} incidents a day", trigger.max_per_day);
                Err(("max_per_day", message, hint))
            }
            Some(trigger)
                if trigger.scope.trim().is_empty() || trigger.reason.trim().is_empty() =>
            {
                let hint = "give `incidents.alertmanager` a `scope` and a `reason`";
                Err(("alertmanager", "an incident about nothing".to_owned(), hint))
            }
            _ => Ok(()),
        }
    }
}

impl Config {
    fn check_triggers(&self) -> Result<(), Wrong> {
        trigger::check(&self.triggers)?;
        for trigger in &self.triggers {
            let name = &trigger.name;
            if trigger
                .ttl
                .is_some_and(|ttl| ttl > self.max_ttl || ttl.0 < Duration::from_secs(1))
            {
                let message = format!("the trigger `{name}` opens incidents of another length");
                return Err(("ttl", message, "`ttl` goes from 1s to `incidents.max_ttl`"));
            }
            if trigger
                .lookback
                .is_some_and(|lookback| lookback > self.max_lookback)
            {
                let message = format!("the trigger `{name}` looks back too far");
                let hint = "`lookback` goes up to `incidents.max_lookback`";
                return Err(("lookback", message, hint));
            }
            // A template that is no scope with any name in it would fail each time it fires.
            if let Err(error) =
                crate::firing::scope_of(trigger, "x", &ident::TenantId::default_tenant())
            {
                let message = format!("the trigger `{name}`: {error}");
                let message = message.split('\n').next().unwrap_or_default().to_owned();
                let hint = "write `scope` as `service={service},tenant={tenant}`, or `all`";
                return Err(("scope", message, hint));
            }
        }
        Ok(())
    }
}

impl RemoteSampling {
    /// What the types alone cannot say.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), Wrong> {
        let all = self.services.values().chain([&self.default]);
        let wrong = all.copied().find(|rate| !(0.0..=1.0).contains(rate));
        match wrong {
            Some(rate) => Err((
                "remote_sampling",
                format!("a share of {rate}"),
                "shares in `remote_sampling` go from 0 to 1",
            )),
            None if self.services.len() > 10_000 => Err((
                "remote_sampling",
                format!("{} services", self.services.len()),
                "`remote_sampling.services` has room for 10000",
            )),
            None => Ok(()),
        }
    }
}
