//! Who has owned what, and so where a span goes. Pure: no clock, no I/O.
//!
//! A gateway notes each list of members with the place of its journal from which on it holds: an
//! *epoch*. Where a span goes depends on where in the journal it stands, on the epochs, and on
//! where it has been; so the answer is the same however often it is asked (RESTARTABLE).
//!
//! # The rule
//! After a change, for as long as its handover lasts, a span goes to the former owner of its trace
//! first. Who passes a span on notes on it its own name and the list that it went by. A gateway
//!
//! 1. keeps a span whose trace *stays*: it had spans of it when it ceased to be the owner;
//! 2. else sends it to the first former owner that has not passed it on under the present list:
//!    what one said under an older list may not be its last word;
//! 3. else to the owner; if that is itself, it keeps it.
//!
//! `docs/decisions/2026-11-25-scale-out.md` proves what follows from this.

use std::sync::Arc;

use ident::MemberName;
use journal::Position;

use crate::member::{Members, TraceId};
use crate::stay::Stay;

/// The most epochs that are remembered. A list that changes more often is not followed.
pub const MAX_EPOCHS: usize = 32;

/// A list of members and from when on it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its number; the next one's is greater.
    pub number: u64,
    /// Where in the journal it begins.
    pub from: Position,
    /// When it began, in nanoseconds since 1970.
    pub since_unix_nano: u64,
    /// How long after that spans go to former owners first.
    pub handover_nanos: u64,
    /// Who takes part.
    pub members: Members,
    /// The traces that this gateway keeps although they have another owner from now on; `None`
    /// while that is not known. The first epoch has none.
    pub stay: Option<Arc<Stay>>,
}

/// The epochs that still matter to a gateway, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Whose history it is.
    pub me: MemberName,
    /// Whether the others have not been asked yet what was before the first epoch.
    pub joining: bool,
    /// At least one.
    pub epochs: Vec<Epoch>,
}

/// What holds at a place of the journal.
#[derive(Clone, Debug)]
pub enum At<'h> {
    /// Before there was a cluster: everything is this gateway's own.
    Alone,
    /// It is not known yet.
    Unknown,
    /// This.
    Known(Route<'h>),
}

/// Where spans go at a place of the journal.
#[derive(Clone, Debug)]
pub struct Route<'h> {
    me: &'h MemberName,
    members: &'h Members,
    /// How often the present list has held: with each time, former owners are asked anew.
    times: usize,
    /// Of epochs whose handover lasts, the oldest first.
    formers: Vec<&'h Members>,
    stays: Vec<&'h Stay>,
}

/// Where a span goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'h> {
    /// It is this gateway's own.
    Own,
    /// To another.
    To(&'h MemberName),
}

impl Epoch {
    /// Former owners are asked first until then.
    pub fn handover_ends_unix_nano(&self) -> u64 {
        self.since_unix_nano.saturating_add(self.handover_nanos)
    }

    /// Who may still be sent spans of traces that stay, sent within the handover and late.
    pub fn stay_ends_unix_nano(&self) -> u64 {
        self.handover_ends_unix_nano()
            .saturating_add(self.handover_nanos)
    }
}

impl History {
    /// The newest epoch.
    pub fn current(&self) -> Option<&Epoch> {
        self.epochs.last()
    }

    /// What holds for a block at a place, appended at a time.
    pub fn at(&self, position: Position, appended_unix_nano: u64) -> At<'_> {
        let count = self
            .epochs
            .iter()
            .take_while(|e| e.from <= position)
            .count();
        let epochs = self.epochs.get(..count).unwrap_or_default();
        let Some(last) = epochs.last() else {
            return At::Alone;
        };
        let changes = epochs.iter().skip(1);
        if self.joining || changes.clone().any(|epoch| epoch.stay.is_none()) {
            return At::Unknown;
        }
        // A former list is that of the epoch before a change.
        let formers = epochs.iter().zip(changes.clone());
        let formers = formers
            .filter(|(_, change)| appended_unix_nano < change.handover_ends_unix_nano())
            .map(|(former, _)| &former.members);
        let stays = changes
            .filter(|epoch| appended_unix_nano < epoch.stay_ends_unix_nano())
            .filter_map(|epoch| epoch.stay.as_deref())
            .filter(|stay| stay.count() > 0);
        let same = |epoch: &&Epoch| epoch.members.digest() == last.members.digest();
        At::Known(Route {
            me: &self.me,
            members: &last.members,
            times: epochs.iter().filter(same).count(),
            formers: formers.collect(),
            stays: stays.collect(),
        })
    }

    /// Until when spans go to former owners first, in nanoseconds since 1970; `None` if no change is
    /// that young.
    pub fn handover_until(&self, now_unix_nano: u64) -> Option<u64> {
        let changes = self.epochs.iter().skip(1);
        let until = changes.map(Epoch::handover_ends_unix_nano).max();
        until.filter(|until| now_unix_nano < *until)
    }

    /// How many traces this gateway keeps although others own them.
    pub fn staying(&self, now_unix_nano: u64) -> usize {
        let changes = self.epochs.iter().skip(1);
        changes
            .filter(|change| now_unix_nano < change.stay_ends_unix_nano())
            .filter_map(|change| change.stay.as_ref())
            .map(|stay| stay.count())
            .sum()
    }

    /// The history of a gateway that knows of nothing before; with others in the list, it has to ask.
    pub fn begin(me: MemberName, first: Epoch) -> History {
        History {
            me,
            joining: first.members.count() > 1,
            epochs: vec![first],
        }
    }

    /// The history once a list holds from a place on. `None` if it holds already, or if there is no
    /// room: then there are `MAX_EPOCHS`.
    pub fn changed(
        &self,
        members: Members,
        from: Position,
        now: u64,
        handover: u64,
    ) -> Option<History> {
        let mut next = self.clone();
        let count = next.epochs.len();
        let last = next.epochs.last_mut()?;
        if last.members == members {
            return None;
        }
        if self.joining || last.members.same_names(&members) {
            last.members = members;
            return Some(next);
        }
        let number = last.number + 1;
        next.epochs.push(Epoch {
            number,
            from,
            since_unix_nano: now,
            handover_nanos: handover,
            members,
            stay: None,
        });
        (count < MAX_EPOCHS).then_some(next)
    }

    /// The history of a gateway that has joined, once it has heard from the others which lists held
    /// and how long ago each began; of none if there were none.
    pub fn joined(&self, formers: Vec<(Members, u64)>, now: u64) -> History {
        let mut next = self.clone();
        next.joining = false;
        let Some(own) = next.epochs.pop() else {
            return next;
        };
        // It had no traces then.
        let stay = Some(Arc::default());
        for (members, age) in formers {
            next.epochs.push(Epoch {
                members,
                since_unix_nano: now.saturating_sub(age),
                stay: stay.clone(),
                ..own.clone()
            });
        }
        match next.epochs.last_mut() {
            Some(last) if last.members.same_names(&own.members) => last.members = own.members,
            _ => next.epochs.push(Epoch {
                since_unix_nano: now,
                stay,
                ..own
            }),
        }
        for (number, epoch) in (0..).zip(&mut next.epochs) {
            epoch.number = number;
        }
        next
    }

    /// Lists that a gateway that joins must know, and when each began.
    pub fn lately(&self, now_unix_nano: u64) -> Vec<&Epoch> {
        if self.joining {
            return Vec::new();
        }
        let with_next = self.epochs.iter().zip(self.epochs.iter().skip(1));
        let lately = with_next.filter(|(_, next)| now_unix_nano < next.handover_ends_unix_nano());
        let mut epochs: Vec<&Epoch> = lately.map(|(former, _)| former).collect();
        epochs.extend(self.current());
        epochs
    }

    /// Whether spans that are journaled at a time or later, or were and are not forwarded yet,
    /// may go to a member: it takes part, or did until lately.
    pub fn may_go_to(&self, name: &MemberName, now_unix_nano: u64) -> bool {
        let takes_part = |epoch: &Epoch| epoch.members.get(name).is_some();
        let current = self.current().is_some_and(takes_part);
        let lately = self.epochs.iter().zip(self.epochs.iter().skip(1));
        current
            || lately
                .filter(|(_, change)| now_unix_nano < change.handover_ends_unix_nano())
                .any(|(former, _)| takes_part(former))
    }

    /// Forgets epochs that no block is asked about any more: blocks from `oldest` on are there.
    /// Returns how many went.
    pub fn forget_before(&mut self, oldest: Position, oldest_unix_nano: u64) -> usize {
        let over =
            |next: &Epoch| next.from <= oldest && next.stay_ends_unix_nano() <= oldest_unix_nano;
        let gone = self.epochs.iter().skip(1).take_while(|next| over(next));
        let gone = gone.count();
        self.epochs.drain(..gone);
        gone
    }
}

impl<'h> Route<'h> {
    /// Where a span of a trace goes; `passed` are those that [have passed it on](Self::passed).
    pub fn next(&self, trace: &TraceId, passed: &[&str]) -> Next<'h> {
        if self.stays.iter().any(|stay| stay.contains(trace)) {
            return Next::Own;
        }
        let new = |name: &&MemberName| *name != self.me && !passed.contains(&name.as_str());
        let mut formers = self.formers.iter().filter_map(|f| f.owner(trace));
        if let Some(former) = formers.find(new) {
            return Next::To(former);
        }
        match self.members.owner(trace) {
            Some(owner) if owner != self.me => Next::To(owner),
            _ => Next::Own,
        }
    }

    /// Those of the notes on a span that count here: who has passed it on under the present list,
    /// as often as that has held.
    pub fn passed<'n>(&self, notes: &'n str) -> Vec<&'n str> {
        let mut names: Vec<&str> = self.present(notes).collect();
        if self.times > 1 {
            let all = names.clone();
            names.retain(|name| all.iter().filter(|n| *n == name).count() >= self.times);
        }
        names
    }

    /// The notes on a span once this gateway has passed it on. Those under other lists go.
    pub fn noted(&self, notes: &str) -> String {
        let digest = self.members.digest();
        let all = self.present(notes).chain([self.me.as_str()]);
        let all: Vec<String> = all.map(|name| format!("{name}@{digest}")).collect();
        all.join(",")
    }

    /// The names in notes under the present list.
    fn present<'n>(&self, notes: &'n str) -> impl Iterator<Item = &'n str> {
        let notes = notes.split(',').filter_map(|note| note.split_once('@'));
        let digest = self.members.digest();
        notes
            .filter(move |(_, list)| *list == digest)
            .map(|(name, _)| name)
    }
}
