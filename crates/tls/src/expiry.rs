//! What expires, and when a person is reminded of it.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 24 * 3600;

/// What expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Our own certificate, or the first of its chain to expire.
    Certificate,
    /// The first of the CAs to expire.
    Ca,
    /// The first of the revocation lists that is due to be replaced.
    Crl,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Kind::Certificate => "certificate",
            Kind::Ca => "ca",
            Kind::Crl => "crl",
        }
    }
}

/// A time at which something expires, in seconds after 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expiry {
    pub kind: Kind,
    pub at: i64,
}

/// How near the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// More than 30 days off.
    Far,
    /// Within 30 days.
    Month,
    /// Within 7 days.
    Week,
    /// Past.
    Over,
}

impl Stage {
    pub(crate) fn of(at: i64, now: i64) -> Self {
        let left = at.saturating_sub(now);
        match left {
            _ if left <= 0 => Stage::Over,
            _ if left <= 7 * DAY => Stage::Week,
            _ if left <= 30 * DAY => Stage::Month,
            _ => Stage::Far,
        }
    }
}

/// Remembers what was said, so that it is said at each stage and then once a day.
#[derive(Debug, Default)]
pub(crate) struct Reminder {
    said: Option<(Stage, i64)>,
}

impl Reminder {
    /// What to say now, if anything.
    pub(crate) fn due(&mut self, at: i64, now: i64) -> Option<Stage> {
        let stage = Stage::of(at, now);
        if stage == Stage::Far {
            self.said = None;
            return None;
        }
        let again = self
            .said
            .is_none_or(|(before, when)| before != stage || now.saturating_sub(when) >= DAY);
        again.then(|| {
            self.said = Some((stage, now));
            stage
        })
    }
}

/// Seconds after 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_begin_at_30_and_7_days() {
        let at = 100 * DAY;
        for (now, stage) in [
            (0, Stage::Far),
            (70 * DAY - 1, Stage::Far),
            (70 * DAY, Stage::Month),
            (93 * DAY - 1, Stage::Month),
            (93 * DAY, Stage::Week),
            (at - 1, Stage::Week),
            (at, Stage::Over),
            (i64::MAX, Stage::Over),
        ] {
            assert_eq!(Stage::of(at, now), stage, "at {now}");
        }
    }

    #[test]
    fn a_person_is_reminded_at_each_stage_and_daily() {
        let (at, mut reminder) = (100 * DAY, Reminder::default());
        assert_eq!(reminder.due(at, 0), None);
        assert_eq!(reminder.due(at, 80 * DAY), Some(Stage::Month));
        assert_eq!(reminder.due(at, 80 * DAY + 5), None);
        assert_eq!(reminder.due(at, 81 * DAY), Some(Stage::Month));
        assert_eq!(reminder.due(at, 93 * DAY), Some(Stage::Week));
        assert_eq!(reminder.due(at, 93 * DAY + 1), None);
        // Renewed, and near its end once more.
        assert_eq!(reminder.due(200 * DAY, 94 * DAY), None);
        assert_eq!(reminder.due(200 * DAY, 171 * DAY), Some(Stage::Month));
    }
}
