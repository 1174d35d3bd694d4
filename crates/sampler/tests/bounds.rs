//! BOUNDED: what a sampler takes, whatever comes; and that nothing makes it panic.
#![allow(missing_docs, clippy::expect_used, clippy::panic)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::world::{random_config, random_log};
use common::{Random, SECOND, START, config};
use ident::Signal;
use journal::{Block, Position};
use sampler::{CutError, Reason, Sampler, memory_bytes};

/// Counts what is allocated, and how often.
struct Counting;

// By thread, since tests run side by side. Nothing here is given back by another thread.
thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn held() -> usize {
    HELD.get()
}

fn add(layout: Layout) {
    HELD.set(HELD.get().wrapping_add(layout.size()));
    CALLS.set(CALLS.get() + 1);
}

#[allow(unsafe_code)]
// SAFETY: everything is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout);
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout);
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(layout.size()));
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A block of spans with these trace ids, written by hand.
fn spans(time: u64, ids: impl Iterator<Item = u64>) -> Block {
    let mut scope = Vec::new();
    let mut items = 0;
    for id in ids {
        scope.extend_from_slice(&[0x12, 18, 0x0a, 16]);
        let id = u128::from(id) + 1;
        scope.extend_from_slice(
            &id.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
                .to_le_bytes(),
        );
        items += 1;
    }
    let nest = |tag: u8, body: Vec<u8>| {
        let mut out = vec![tag];
        let mut length = body.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend(body);
        out
    };
    Block {
        position: Position::default(),
        next: Position::default(),
        tenant: common::default_tenant(),
        signal: Signal::Traces,
        items,
        records: 1,
        min_time_unix_nano: 0,
        max_time_unix_nano: 0,
        appended_unix_nano: time,
        payload: nest(0x0a, nest(0x12, scope)).into(),
    }
}

const MILLION: u64 = 1_000_000;
const POLICIES: &str = "wait: 60s\nremember: 60s\nmax_traces: 1000000\nremember_traces: 1000000\npolicies: [{name: e, type: error}, {name: p, type: probabilistic, probabilistic: {sampling_percentage: 10}}]\n";

/// Guarantees: a million open traces take 62 bytes each, and with room for a second generation of
/// decisions less than 100 MB; counted in the allocator and by the sizes of the tables.
#[test]
fn a_million_open_traces_take_what_was_said() {
    let config = config(POLICIES);
    let before = held();
    let mut sampler = Sampler::new(&config).expect("good");
    for round in 0..8 {
        for first in (0..MILLION).step_by(10_000) {
            let time = START + round * SECOND + first;
            sampler.observe(&spans(time, first..first + 10_000));
        }
    }
    let held = held() - before;
    assert_eq!(sampler.open_traces(), MILLION as usize);
    assert_eq!(sampler.counters().by(Reason::Untracked).spans, 0);
    assert!(held < 100_000_000, "{held}");
    let told = memory_bytes(&config);
    // The generation of the epoch before is empty yet, and so takes next to nothing.
    let generation = MILLION as usize * 26;
    let expected = told - generation;
    assert!(
        held.abs_diff(expected) < 800_000,
        "{held} held, {told} told"
    );
    assert!(told < 100_000_000, "{told}");
    let trail = 8 * MILLION as usize;
    let each = (held - trail) as f64 / MILLION as f64;
    assert!(each <= 62.0, "{each}");
}

/// Guarantees: whatever comes, tables do not grow: at the limits traces are decided early or not
/// tracked, and counted.
#[test]
fn at_the_limits_memory_stays_and_is_counted() {
    let config = config(
        "wait: 10s\nremember: 10s\nquiet: 1s\nmax_traces: 1000\nremember_traces: 5000\npolicies: [{name: e, type: error}]\n",
    );
    let (mut most, before) = (0, held());
    let mut sampler = Sampler::new(&config).expect("good");
    for n in 0..200u64 {
        sampler.observe(&spans(START + n * SECOND / 4, n * 1000..n * 1000 + 900));
        most = most.max(held().saturating_sub(before));
        assert!(sampler.open_traces() <= 1000);
        assert!(sampler.remembered_traces().0 <= 5000);
    }
    let told = memory_bytes(&config);
    assert!(most < told + 200_000, "{most} held, {told} told");
    let counters = sampler.counters();
    let untracked = counters.by(Reason::Untracked).spans;
    assert!(counters.early > 1000 && untracked > 1000, "{counters:?}");
    let decided = counters.by(Reason::NoPolicy).traces;
    let known = decided + counters.forgotten + sampler.open_traces() as u64;
    assert!(
        known >= counters.spans - untracked,
        "none is lost uncounted"
    );
}

/// Guarantees: looking at spans allocates nothing for a span, and a trace of a million spans no
/// more than a million traces of one.
#[test]
fn a_giant_trace_costs_no_more_than_small_ones() {
    let cost = |id: fn(u64) -> u64| {
        let mut sampler = Sampler::new(&config(POLICIES)).expect("good");
        let (mut calls, mut grown) = (0, 0);
        for first in (0..MILLION).step_by(10_000) {
            let block = spans(START + first, (first..first + 10_000).map(id));
            let before = (CALLS.get(), held());
            sampler.observe(&block);
            calls += CALLS.get() - before.0;
            grown += held().saturating_sub(before.1);
        }
        assert_eq!(sampler.counters().spans, MILLION);
        (calls, grown)
    };
    let (giant, small) = (cost(|_| 0), cost(|n| n));
    assert!(
        giant.0 <= small.0 && giant.1 <= small.1,
        "{giant:?} {small:?}"
    );
    // Memory is taken for 4096 traces at once.
    assert!(small.0 < 400, "{small:?}");
}

/// Guarantees: garbage makes nothing panic, neither when it is observed nor when it is cut.
#[test]
fn garbage_does_no_harm() {
    for seed in 0..60 {
        let random = &mut Random(seed);
        let config = random_config(random);
        let mut blocks = random_log(random);
        for block in &mut blocks {
            let mut payload = block.payload.to_vec();
            for _ in 0..random.below(4) {
                let at = random.below(payload.len() as u64) as usize;
                payload[at] = random.number() as u8;
            }
            if random.one_in(4) {
                payload.truncate(random.below(payload.len() as u64) as usize);
            }
            block.payload = payload.into();
        }
        let mut sampler = Sampler::new(&config).expect("good");
        let wait = config.wait.0.as_nanos() as u64;
        let (mut cut, mut out) = (0, Vec::new());
        for block in &blocks {
            while blocks[cut].appended_unix_nano + wait <= block.appended_unix_nano {
                match sampler.cut(&blocks[cut], &mut out) {
                    Ok(_) | Err(CutError::Malformed(_) | CutError::NeedsPayload) => cut += 1,
                    Err(error) => panic!("{error}"),
                }
            }
            sampler.observe(block);
        }
        sampler.finish();
    }
}

/// Guarantees: a trace of a million spans delays no other: those around it are decided at the same
/// instants of the log, in the same order and alike, as without it.
#[test]
fn a_giant_trace_delays_no_other() {
    let config = config(
        "wait: 2s\nremember: 4s\nmax_traces: 100000\nremember_traces: 100000\npolicies: [{name: p, type: probabilistic, probabilistic: {hash_salt: a, sampling_percentage: 50}}]\n",
    );
    const GIANT: u64 = u64::MAX / 3;
    let run = |giant: bool| {
        let mut sampler = Sampler::new(&config).expect("good");
        let mut seen = Vec::new();
        for n in 0..1000u64 {
            let time = START + n * SECOND / 100;
            let ids = (n * 10..n * 10 + 10).flat_map(|id| {
                // A thousand times a thousand, in between.
                let spans = if giant { 100 } else { 0 };
                std::iter::once(id).chain(std::iter::repeat_n(GIANT, spans))
            });
            sampler.observe(&spans(time, ids));
            let of = |id: u64| {
                let id =
                    (u128::from(id) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
                sampler.state(&common::default_tenant(), &id.to_le_bytes())
            };
            // Just decided, and just not.
            let around = n.saturating_sub(203) * 10..n.saturating_sub(197) * 10;
            seen.push(around.map(of).collect::<Vec<_>>());
        }
        sampler.finish();
        let policy = sampler.counters().by(Reason::Policy(0));
        let none = sampler.counters().by(Reason::NoPolicy);
        (seen, policy.traces + none.traces, sampler.counters().spans)
    };
    let (alone, beside) = (run(false), run(true));
    assert_eq!(alone.0, beside.0);
    assert_eq!((alone.1, beside.1), (10_000, 10_001));
    assert_eq!(beside.2, alone.2 + MILLION);
}
