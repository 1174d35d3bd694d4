//! What a sampler knows of traces, and how time and spans change it.

use std::collections::HashMap;

use ident::TenantId;
use journal::{Block, Position};

use super::known::{Found, Place};
use crate::checkpoint::Checkpoint;
use crate::counters::Counters;
use crate::decision::{Decision, Entry, MAX_TENANTS, Reason};
use crate::generation::{Generation, Seed};
use crate::limiter::Limiter;
use crate::pass::Seen;
use crate::plan::{Answers, Case, OVERRIDE_SHIFT, Plan, ROOT};
use crate::rare::Rarities;
use crate::ring::{Open, Quiet, Ring};
use crate::trail::Trail;

/// Spans that are looked at together: enough ways to memory at once, and few enough to be still
/// near when their turn comes.
pub(crate) const BATCH: usize = 32;
/// Notes in the trail for each of `max_traces`.
pub(crate) const NOTES: usize = 2;

/// The most that explanations of a watched trace may be.
const MAX_EXPLANATIONS: usize = 64;

/// What made a trace be decided when it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its wait was over.
    Wait,
    /// Its root had ended some time ago.
    Quiet,
    /// `max_traces` began after it.
    Early,
}

/// How a trace was decided, with the facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// When its first span was appended.
    pub first_seen_unix_nano: u64,
    /// When it was decided, by the log's time.
    pub decided_unix_nano: u64,
    /// Why then.
    pub cause: Cause,
    /// Its spans until then.
    pub spans: u32,
    /// Bytes of its spans until then.
    pub bytes: u32,
    /// From its earliest start to its latest end.
    pub duration_nanos: u64,
    /// Whether a span without a parent was there.
    pub root_seen: bool,
    /// The questions about single spans that some span answered with yes.
    pub matched: Vec<String>,
    /// The policies that were asked, in that order, and whether each sampled it.
    pub answers: Vec<(String, bool)>,
    /// What came of it.
    pub decision: Decision,
    /// The policy or override that made the decision.
    pub by: String,
}

/// What is known of a trace at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing: it has no spans in the log, or they are too long ago.
    Unknown,
    /// It is not decided.
    Open {
        /// When its first span was appended.
        first_seen_unix_nano: u64,
        /// Its spans so far.
        spans: u32,
    },
    /// It is decided.
    Decided(Decision),
}

/// The state of all traces.
#[derive(Debug)]
pub(crate) struct Traces {
    /// Everything before this is decided.
    pub now: u64,
    /// The time of the last block.
    pub observed: Option<u64>,
    /// `now` divided by `remember`.
    pub epoch: u64,
    pub seed: Seed,
    pub current: Generation,
    pub previous: Generation,
    pub ring: Ring,
    pub quiet: Quiet,
    pub trail: Trail,
    pub tenants: HashMap<TenantId, u16>,
    /// By the tenant's number.
    pub limiters: Vec<(TenantId, Box<[Limiter]>)>,
    /// The last trace that had a span, since the next one is often its.
    pub last: Option<(u16, [u8; 16], Place)>,
    /// Places in `current` of what was decided before this epoch.
    pub carried: Vec<u32>,
    /// Where this epoch, the one before and the one before that begin in the log.
    pub starts: [Option<Position>; 3],
    /// The place after the last block.
    pub end: Option<Position>,
    /// The limiters as this epoch began.
    pub snapshot: Vec<(TenantId, Box<[Limiter]>)>,
    /// To be applied when its time comes.
    pub pending: Option<Checkpoint>,
    pub checkpoint: Option<Checkpoint>,
    pub counters: Counters,
    pub watch: Option<(TenantId, [u8; 16])>,
    pub explanations: Vec<Explanation>,
}

impl Traces {
    pub(crate) fn new(plan: &Plan) -> Self {
        let seed = Seed::random();
        Traces {
            now: 0,
            observed: None,
            epoch: 0,
            seed,
            current: Generation::new(seed, plan.remember_traces),
            previous: Generation::new(seed, plan.remember_traces),
            ring: Ring::new(plan.max_traces),
            quiet: Quiet::default(),
            trail: Trail::new(plan.max_traces * NOTES),
            tenants: HashMap::new(),
            limiters: Vec::new(),
            last: None,
            carried: Vec::new(),
            starts: [None; 3],
            end: None,
            snapshot: Vec::new(),
            pending: None,
            checkpoint: None,
            counters: Counters::default(),
            watch: None,
            explanations: Vec::new(),
        }
    }

    /// A block comes: what is due before it is done. The block's time.
    pub(crate) fn begin(&mut self, plan: &Plan, rare: &mut Rarities, block: &Block) -> u64 {
        if block.appended_unix_nano < self.now {
            self.counters.out_of_order += 1;
        }
        let time = block.appended_unix_nano.max(self.now);
        self.reach(plan, rare, time);
        self.observed = Some(time);
        for start in &mut self.starts {
            start.get_or_insert(block.position);
        }
        self.end = Some(block.next);
        if block.signal == ident::Signal::Traces {
            self.trail.begin(block, time, self.epoch, plan.wait);
            self.counters.blocks += 1;
        }
        time
    }

    /// The number of a tenant; `None` if there are too many.
    pub(crate) fn tenant(&mut self, plan: &Plan, tenant: &TenantId) -> Option<u16> {
        if let Some(number) = self.tenants.get(tenant) {
            return Some(*number);
        }
        let number = self.limiters.len();
        if number >= MAX_TENANTS {
            return None;
        }
        let limiters = plan.limiters.iter().map(|template| Limiter::new(*template));
        self.limiters.push((tenant.clone(), limiters.collect()));
        self.tenants.insert(tenant.clone(), number as u16);
        Some(number as u16)
    }

    /// Does in order what is due up to and with `time`: epochs begin, traces are decided.
    pub(crate) fn reach(&mut self, plan: &Plan, rare: &mut Rarities, time: u64) {
        if self.now == 0 {
            self.epoch = time / plan.remember;
            self.now = time;
            self.arrive();
        }
        loop {
            let waited = self.ring.oldest().map(|at| at.saturating_add(plan.wait));
            let rested = self.quiet.oldest().map(|at| {
                let quiet = plan.quiet.unwrap_or(plan.wait);
                at.saturating_add(quiet)
            });
            let next = match (waited, rested) {
                (Some(waited), Some(rested)) => Some(waited.min(rested)),
                (one, other) => one.or(other),
            };
            let boundary = (self.epoch + 1).saturating_mul(plan.remember);
            if boundary <= time && next.is_none_or(|next| boundary <= next) {
                self.now = boundary;
                self.turn(plan, rare, time);
                continue;
            }
            let Some(at) = next.filter(|next| *next <= time) else {
                break;
            };
            self.now = at;
            if waited == Some(at) {
                if let Some(slot) = self.ring.pop() {
                    self.decide(plan, slot, at.saturating_sub(plan.wait), Cause::Wait);
                }
            } else if let Some(slot) = self.quiet.pop(&self.ring) {
                let born = self.born(slot);
                self.decide(plan, slot, born, Cause::Quiet);
            }
        }
        self.now = time;
    }

    /// Some spans come, in this order; at most [`BATCH`].
    pub(crate) fn see(&mut self, plan: &Plan, tenant: Option<u16>, seen: &[Seen<'_>]) {
        let (mut hashes, mut different) = ([0; BATCH], [0; BATCH]);
        let (mut count, mut last, mut hash) = (0, &[][..], 0);
        for (at, one) in seen.iter().enumerate().take(BATCH) {
            // A span mostly comes with others of its trace.
            if let Ok(id) = <&[u8; 16]>::try_from(one.trace_id)
                && one.trace_id != last
            {
                hash = self.seed.hash(id);
                different[count] = hash;
                (count, last) = (count + 1, one.trace_id);
            }
            hashes[at] = hash;
        }
        if count > 1 {
            self.approach(&different[..count]);
        }
        for (hash, one) in hashes.into_iter().zip(seen) {
            self.see_one(plan, tenant, one, hash);
        }
    }

    /// `hash` is that of its trace id.
    fn see_one(&mut self, plan: &Plan, tenant: Option<u16>, seen: &Seen<'_>, hash: u64) {
        self.counters.spans += 1;
        let (Some(tenant), Ok(id)) = (tenant, <&[u8; 16]>::try_from(seen.trace_id)) else {
            self.trail.push(None);
            return self.untracked(seen);
        };
        let place = match self.touch(tenant, id, hash) {
            Found::NoRoom => {
                self.trail.push(None);
                return self.untracked(seen);
            }
            Found::New(place) => {
                self.open(plan, tenant, place);
                place
            }
            Found::Known(place) => place,
        };
        self.trail.push((!place.before).then_some(place.place));
        self.add(plan, place, seen);
    }

    fn untracked(&mut self, seen: &Seen<'_>) {
        let count = self.counters.untracked();
        count.add(0, 1, seen.bytes as u64);
    }

    fn open(&mut self, plan: &Plan, tenant: u16, place: Place) {
        if self.ring.is_full() {
            let born = self.ring.oldest().unwrap_or(self.now);
            if let Some(slot) = self.ring.pop()
                && self.decide(plan, slot, born, Cause::Early)
            {
                self.counters.early += 1;
            }
        }
        let open = Open::new(tenant, self.epoch, place.place);
        let slot = self.ring.push(open, self.now);
        self.set_entry(place, Entry::Open(slot));
    }

    fn add(&mut self, plan: &Plan, place: Place, seen: &Seen<'_>) {
        match self.entry(place) {
            Entry::Open(slot) => {
                let open = self.ring.at_mut(slot);
                let before = open.bits();
                let mut seen = *seen;
                if before >> OVERRIDE_SHIFT != 0 {
                    // The first override that matched is the one that is named.
                    seen.bits &= (1 << OVERRIDE_SHIFT) - 1;
                }
                open.add(&seen);
                if plan.quiet.is_some() && seen.bits & ROOT != 0 && before & ROOT == 0 {
                    self.quiet.push(&self.ring, slot, self.now);
                }
            }
            // Not where a span has just been led to.
            Entry::Moved(_) => {}
            Entry::Decided {
                tenant,
                mut decision,
                epoch,
            } => {
                self.counters.late_spans += 1;
                let number = (seen.bits >> OVERRIDE_SHIFT) as u8;
                if number != 0 && (!decision.kept || plan.overrides_first) {
                    // From now on the trace is kept after all.
                    decision = Decision {
                        kept: true,
                        reason: Reason::Override(number),
                    };
                    let entry = Entry::Decided {
                        tenant,
                        decision,
                        epoch,
                    };
                    self.set_entry(place, entry);
                }
                let count = self.counters.of(decision);
                count.add(0, 1, seen.bytes as u64);
            }
        }
    }

    /// Decides the trace in a slot; whether it was still to be decided.
    fn decide(&mut self, plan: &Plan, slot: u32, born: u64, cause: Cause) -> bool {
        let open = *self.ring.at(slot);
        if open.is_closed() {
            return false;
        }
        self.ring.at_mut(slot).close();
        let Some((before, place)) = open.place(self.epoch) else {
            // Nothing leads to it any more.
            self.counters.forgotten += 1;
            return false;
        };
        let place = Place { before, place };
        let table = if before {
            &self.previous
        } else {
            &self.current
        };
        let case = Case {
            trace_id: table.id(place.place),
            bits: open.bits(),
            spans: open.spans,
            bytes: open.bytes,
            duration_nanos: open.extent(),
            at: self.now,
        };
        let (name, limiters) = &mut self.limiters[usize::from(open.tenant)];
        let watched = self
            .watch
            .as_ref()
            .is_some_and(|(tenant, id)| *id == case.trace_id && tenant == name);
        let mut answers = Answers::new();
        let decision = plan.decide(&case, limiters, watched.then_some(&mut answers));
        if watched && self.explanations.len() < MAX_EXPLANATIONS {
            let told = explanation(plan, &case, born, cause, &answers, decision);
            self.explanations.push(told);
        }
        let count = self.counters.of(decision);
        count.add(1, u64::from(open.spans), u64::from(open.bytes));
        let entry = Entry::Decided {
            tenant: open.tenant,
            decision,
            epoch: self.epoch as u8 & 3,
        };
        self.set_entry(place, entry);
        true
    }

    fn born(&self, slot: u32) -> u64 {
        // Only explanations ask, and looking it up takes a search.
        match self.watch {
            Some(_) => self.ring.born(slot).unwrap_or(self.now),
            None => self.now,
        }
    }

    pub(crate) fn state(&self, plan: &Plan, tenant: &TenantId, id: &[u8; 16]) -> State {
        let tenant = self.tenants.get(tenant);
        match tenant.and_then(|tenant| self.look_up(*tenant, id)) {
            None | Some(Entry::Moved(_)) => State::Unknown,
            Some(Entry::Decided { decision, .. }) => State::Decided(decision),
            Some(Entry::Open(slot)) => State::Open {
                first_seen_unix_nano: self
                    .ring
                    .born(slot)
                    .unwrap_or(self.now.saturating_sub(plan.wait)),
                spans: self.ring.at(slot).spans,
            },
        }
    }
}

fn explanation(
    plan: &Plan,
    case: &Case,
    born: u64,
    cause: Cause,
    answers: &Answers,
    decision: Decision,
) -> Explanation {
    let matched = plan.leaves.iter().enumerate();
    let matched = matched.filter(|(at, _)| case.bits >> at & 1 == 1);
    let name = |at: u16| plan.policies[usize::from(at)].name.clone();
    Explanation {
        first_seen_unix_nano: born,
        decided_unix_nano: case.at,
        cause,
        spans: case.spans,
        bytes: case.bytes,
        duration_nanos: case.duration_nanos,
        root_seen: case.bits & ROOT != 0,
        matched: matched.map(|(_, what)| what.clone()).collect(),
        answers: answers.iter().map(|(at, yes)| (name(*at), *yes)).collect(),
        decision,
        by: reason_name(plan, decision).to_owned(),
    }
}

/// What decided, by name.
pub(crate) fn reason_name(plan: &Plan, decision: Decision) -> &str {
    match decision.reason {
        Reason::NoPolicy => "no policy",
        Reason::Untracked => "untracked",
        Reason::Override(_) => "override",
        Reason::Policy(at) => match plan.policies.get(usize::from(at)) {
            Some(policy) => &policy.name,
            None => "no policy",
        },
    }
}
