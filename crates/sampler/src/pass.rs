//! One pass over a block's spans on their wire bytes (NO-TREE).
//!
//! Of each span those fields are read that a policy asks about; everything else is stepped over by
//! its length. Nothing is allocated.

use ident::Signal;
use otlp::view::KeyValue;
use otlp::wire::{Fields, Raw, bodies};

use crate::overrides::Active;
use crate::plan::{EXPLICIT, OVERRIDE_SHIFT, Plan, ROOT};
use crate::probability;
use crate::rare::Rarities;

/// What one span says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen<'a> {
    /// 16 bytes, or what stands there instead.
    pub trace_id: &'a [u8],
    pub bits: u64,
    /// 0 for none.
    pub start: u64,
    pub end: u64,
    /// Of its message.
    pub bytes: usize,
}

/// What spans are looked at with.
pub(crate) struct Pass<'s> {
    pub plan: &'s Plan,
    pub overrides: Active<'s>,
    pub rare: &'s mut Rarities,
    pub tenant: &'s str,
}

/// What the spans of a resource have in common.
struct Group<'a> {
    resource: &'a [u8],
    bits: u64,
    service: &'a [u8],
}

impl Pass<'_> {
    /// Tells of each span of a request. Ends early where the bytes are malformed.
    pub(crate) fn run<'a>(&mut self, request: &'a [u8], mut tell: impl FnMut(&Seen<'a>)) {
        for group in bodies(request, 1) {
            let group_facts = self.group(group);
            for scope in bodies(group, 2) {
                for span in bodies(scope, 2) {
                    let seen = self.span(span, &group_facts);
                    tell(&seen);
                }
            }
        }
    }

    fn group<'a>(&mut self, group: &'a [u8]) -> Group<'a> {
        let mut facts = Group {
            resource: &[],
            bits: 0,
            service: &[],
        };
        let wants_service = !self.plan.rare.is_empty();
        if self.plan.keys.is_empty() && !wants_service && self.overrides.is_empty() {
            return facts;
        }
        // The fields of a resource that comes more than once merge.
        for resource in bodies(group, 1) {
            facts.resource = group;
            for pair in bodies(resource, 1) {
                let attribute = KeyValue::new(pair);
                facts.bits |= self.plan.keys.bits(pair);
                if wants_service
                    && facts.service.is_empty()
                    && attribute.key_bytes() == b"service.name"
                    && let otlp::view::Value::String(name) = attribute.value()
                {
                    facts.service = name.as_bytes();
                }
            }
        }
        if wants_service {
            let service = self.rare.service(self.tenant, facts.service);
            facts.bits |= self.rare.see(self.plan, service);
        }
        facts
    }

    #[inline]
    fn span<'a>(&mut self, span: &'a [u8], group: &Group<'a>) -> Seen<'a> {
        let plan = self.plan;
        let mut seen = Seen {
            bits: group.bits,
            bytes: span.len(),
            ..Seen::default()
        };
        let (mut parent, mut name, mut trace_state) = (&[][..], &[][..], &[][..]);
        let (mut kind, mut status) = (0, 0);
        let mut rest = span;
        while !rest.is_empty() {
            // At a glance: the fields of most spans have tags and lengths of one byte.
            let (number, value) = match rest {
                [tag, length, after @ ..]
                    if *tag < 0x80
                        && tag & 7 == 2
                        && *length < 0x80
                        && usize::from(*length) <= after.len() =>
                {
                    let (body, after) = after.split_at(usize::from(*length));
                    rest = after;
                    (u32::from(tag >> 3), Raw::Bytes(body))
                }
                [tag @ (0x39 | 0x41), after @ ..] if after.len() >= 8 => {
                    let (time, after) = after.split_at(8);
                    rest = after;
                    let time = time.first_chunk().map(|time| u64::from_le_bytes(*time));
                    (u32::from(tag >> 3), Raw::Fixed64(time.unwrap_or(0)))
                }
                _ => {
                    let mut fields = Fields::new(rest);
                    let Some(field) = fields.next() else { break };
                    rest = fields.rest();
                    (field.number, field.value)
                }
            };
            match (number, value) {
                (9, Raw::Bytes(pair)) => seen.bits |= plan.keys.bits(pair),
                (1, Raw::Bytes(id)) if seen.trace_id.is_empty() => seen.trace_id = id,
                (3, Raw::Bytes(state)) => trace_state = state,
                (4, Raw::Bytes(id)) => parent = id,
                (5, Raw::Bytes(text)) => name = text,
                (6, Raw::Varint(number)) => kind = number,
                (7, Raw::Fixed64(time)) => seen.start = time,
                (8, Raw::Fixed64(time)) => seen.end = time,
                (15, Raw::Bytes(body)) => status = status_code(body).unwrap_or(status),
                _ => {}
            }
        }
        if let Some(bits) = plan.status.get(status as usize) {
            seen.bits |= bits;
        }
        if !trace_state.is_empty() && plan.reads_trace_state() {
            seen.bits |= trace_state_bits(plan, trace_state);
        }
        let is_root = parent.iter().all(|byte| *byte == 0);
        if is_root {
            seen.bits |= ROOT;
            let duration = seen.end.saturating_sub(seen.start);
            for test in &plan.roots {
                if seen.start != 0 && test.between.holds(duration) {
                    seen.bits |= test.bit;
                }
            }
        }
        // Kinds 2 and 5: SERVER and CONSUMER.
        if !plan.rare.is_empty() && (is_root || kind == 2 || kind == 5) {
            let operation = self.rare.operation(name);
            seen.bits |= self.rare.see(plan, operation);
        }
        if !self.overrides.is_empty() {
            let number = self.overrides.matching(group.resource, span);
            seen.bits |= u64::from(number) << OVERRIDE_SHIFT;
        }
        seen
    }
}

/// The trace id of a span: the first that is not empty. At a glance where it stands first, as every
/// SDK writes it.
#[inline]
pub(crate) fn trace_id(span: &[u8]) -> &[u8] {
    if let [0x0a, 16, id @ ..] = span
        && let Some(id) = id.get(..16)
    {
        return id;
    }
    bodies(span, 1)
        .find(|id| !id.is_empty())
        .unwrap_or_default()
}

/// The trace id of a log record; empty if it has none.
pub(crate) fn record_trace_id(record: &[u8]) -> &[u8] {
    bodies(record, 9).last().unwrap_or_default()
}

/// The trace of a span or a log record, as the sampler reads it: of several ids in one message a
/// span has the first, and a record the last. `None` if it is of no trace.
#[inline]
pub fn trace_of(signal: Signal, item: &[u8]) -> Option<[u8; 16]> {
    let id = match signal {
        Signal::Traces => trace_id(item),
        Signal::Logs => record_trace_id(item),
        Signal::Metrics => return None,
    };
    let id = id.try_into().ok()?;
    (id != [0; 16]).then_some(id)
}

/// The code in a `Status`, if it has one.
fn status_code(status: &[u8]) -> Option<u64> {
    let codes = Fields::new(status).filter_map(|field| match (field.number, field.value) {
        (3, Raw::Varint(code)) => Some(code),
        _ => None,
    });
    codes.last()
}

fn trace_state_bits(plan: &Plan, trace_state: &[u8]) -> u64 {
    let mut bits = 0;
    for test in &plan.states {
        let value = probability::member(trace_state, &test.key);
        if value.is_some_and(|value| test.values.iter().any(|wanted| **wanted == *value)) {
            bits |= test.bit;
        }
    }
    if plan.thresholds.is_empty() {
        return bits;
    }
    let state = probability::otel_state(trace_state);
    if state.rv.is_some() {
        bits |= EXPLICIT;
    }
    for test in &plan.thresholds {
        // A greater threshold was applied before: this stage adds nothing to it.
        let applied = state.th.is_some_and(|th| th > test.threshold);
        if applied || state.rv.is_some_and(|rv| rv >= test.threshold) {
            bits |= test.bit;
        }
    }
    bits
}
