//! What an incident will hold, told before it does.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use policy::units::{Bytes, Time};

use crate::incident::{Incident, Refusal};
use crate::seam::Room;

/// What the journal will hold for an incident and those that are open beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// What is held before that for incidents that wait for their capture.
    pub waiting: Duration,
    /// Of the past, as far as the journal has it.
    pub lookback: Duration,
    /// From now to the end.
    pub ttl: Duration,
    /// Bytes at the end, at the present rate.
    pub bytes: u64,
    /// How many of them are still to come.
    pub coming_bytes: u64,
    /// The present rate.
    pub bytes_per_second: u64,
    /// What the file system has free.
    pub free_bytes: Option<u64>,
}

impl Estimate {
    /// What is held if `new` is open beside `others` that hold something, open or over. Holds
    /// overlap, so that no time counts twice.
    pub fn of<'i>(
        new: &'i Incident,
        others: impl Iterator<Item = &'i Incident>,
        now: Timestamp,
        room: &Room,
    ) -> Estimate {
        let mut lookback = since(new.hold.from, now);
        let mut ttl = since(now, new.expires_at);
        let mut over: Vec<(Timestamp, Timestamp)> = Vec::new();
        for other in others.filter(|other| other.id != new.id) {
            if let Some(to) = other.hold.to {
                over.push((other.hold.from, to));
                continue;
            }
            lookback = lookback.max(since(other.hold.from, now));
            ttl = ttl.max(since(now, other.expires_at));
        }
        let lookback = lookback.min(room.held);
        let waiting = before(over, lookback, now, room);
        let bytes = |time: Duration| (room.bytes_per_second * time.as_secs_f64()).max(0.0) as u64;
        Estimate {
            waiting,
            lookback,
            ttl,
            bytes: bytes(waiting.saturating_add(lookback).saturating_add(ttl)),
            coming_bytes: bytes(ttl),
            bytes_per_second: room.bytes_per_second.max(0.0) as u64,
            free_bytes: room.free_bytes,
        }
    }

    /// Refuses what does not fit.
    ///
    /// # Errors
    /// With the numbers.
    pub fn check(&self, budget: Bytes) -> Result<(), Refusal> {
        let over = |what, limit| Refusal::OverBudget {
            estimate: self.to_string(),
            what,
            limit,
        };
        if self.bytes > budget.0 {
            return Err(over("the disk budget for holds", budget));
        }
        match self.free_bytes {
            Some(free) if self.coming_bytes > free => {
                Err(over("what the disk has free", Bytes(free)))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lookback, ttl) = (whole(self.lookback), whole(self.ttl));
        let bytes = Bytes(self.bytes);
        let waiting = whole(self.waiting);
        if !waiting.0.is_zero() {
            write!(f, "{waiting} for captures + ")?;
        }
        write!(f, "{lookback} + {ttl}, about {bytes} at the present rate")?;
        match self.free_bytes {
            Some(free) => write!(f, "; {} free", Bytes(free)),
            None => Ok(()),
        }
    }
}

/// How much of these times lies before the lookback, each moment once, as far as the journal has it.
fn before(
    mut spans: Vec<(Timestamp, Timestamp)>,
    lookback: Duration,
    now: Timestamp,
    room: &Room,
) -> Duration {
    spans.sort_unstable();
    let (mut counted, mut total) = (since(Timestamp::UNIX_EPOCH, now), Duration::ZERO);
    // In lengths of time before now: from the oldest on, down to the lookback.
    counted = counted.min(room.held);
    for (from, to) in spans {
        let from = since(from, now).min(counted);
        let to = since(to, now).max(lookback);
        total += from.saturating_sub(to);
        counted = counted.min(to);
    }
    total
}

/// Without fractions of a second.
fn whole(time: Duration) -> Time {
    Time(Duration::from_secs(time.as_secs_f64().round() as u64))
}

fn since(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incident::IncidentId;
    use crate::incident::tests::{after, incident, now};

    /// Guarantees: the text and the refusals hold the numbers of rate, times, budget and disk.
    #[test]
    fn it_is_told_in_numbers() {
        let room = Room {
            bytes_per_second: 1048576.0,
            held: Duration::from_secs(3600),
            free_bytes: Some(120 << 30),
        };
        let one = incident("service=a", 2 * 3600, 900);
        let estimate = Estimate::of(&one, std::iter::empty(), now(), &room);
        assert_eq!(estimate.bytes, (2 * 3600 + 900) << 20);
        let shown = estimate.to_string();
        assert_eq!(
            shown,
            "15m + 2h, about 7.9 GiB at the present rate; 120.0 GiB free"
        );
        assert!(estimate.check(Bytes(8 << 30)).is_ok());
        let refused = estimate.check(Bytes(7 << 30)).unwrap_err().to_string();
        assert!(
            refused.contains("7.9 GiB") && refused.contains("7.0 GiB"),
            "{refused}"
        );
        // What is there already needs no more room; the past that is gone is not counted.
        let full = Room {
            free_bytes: Some(7000 << 20),
            held: Duration::ZERO,
            ..room
        };
        let estimate = Estimate::of(&one, std::iter::empty(), now(), &full);
        assert_eq!(estimate.bytes, 7200 << 20);
        assert!(estimate.check(Bytes(8 << 30)).is_err());
        // Those that are over count with what lies before the lookback, and no moment twice.
        let ended = |opened: i64, ended: i64| {
            let mut over = incident("service=c", 3600, 0);
            over.id = IncidentId::new(after(opened), [9; 3]);
            over.hold.from = after(opened);
            over.hold.to = Some(after(ended));
            over
        };
        let over = [ended(-1800, -1200), ended(-1500, -600), ended(-9999, -5000)];
        let estimate = Estimate::of(&one, over.iter(), now(), &room);
        assert_eq!(estimate.waiting, Duration::from_secs(1800 - 900));
        assert_eq!(estimate.bytes, (2 * 3600 + 1800) << 20);
        assert!(
            estimate
                .to_string()
                .starts_with("15m for captures + 15m + 2h, about")
        );
        // Beside a longer one, a short one adds nothing.
        let mut short = incident("service=b", 60, 0);
        short.id = IncidentId::new(now(), [7; 3]);
        let both = Estimate::of(&short, [&one].into_iter(), now(), &room);
        assert_eq!(both.bytes, (2 * 3600 + 900) << 20);
    }
}
