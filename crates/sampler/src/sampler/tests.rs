use super::*;
use crate::selection::Selection;

/// A block of spans that have nothing but these trace ids.
fn block(time: u64, ids: impl Iterator<Item = u64>) -> Block {
    let mut scope = Vec::new();
    for id in ids {
        scope.extend_from_slice(&[0x12, 18, 0x0a, 16]);
        scope.extend_from_slice(&(u128::from(id) + 1).to_le_bytes());
    }
    let nest = |tag: u8, body: Vec<u8>| {
        // A length of four bytes, whatever it is.
        let length = [0, 7, 14, 21].map(|shift| (body.len() >> shift) as u8 & 0x7f);
        let [a, b, c, d] = length;
        [vec![tag, a | 0x80, b | 0x80, c | 0x80, d], body].concat()
    };
    Block {
        position: journal::Position::default(),
        next: journal::Position::default(),
        tenant: TenantId::default_tenant(),
        signal: Signal::Traces,
        items: 0,
        records: 1,
        min_time_unix_nano: 0,
        max_time_unix_nano: 0,
        appended_unix_nano: time,
        payload: nest(0x0a, nest(0x12, scope)).into(),
    }
}

/// Guarantees: a trace of a million spans takes no more steps than a million traces of one.
#[test]
fn a_giant_trace_takes_no_more_steps_than_small_ones() {
    const SPANS: u64 = 1_000_000;
    let steps = |id: fn(u64) -> u64| {
        let config = Sampling {
            max_traces: SPANS as usize,
            remember_traces: SPANS as usize,
            ..Sampling::default()
        };
        let mut sampler = Sampler::new(&config).expect("good");
        for first in (0..SPANS).step_by(10_000) {
            let ids = (first..first + 10_000).map(id);
            sampler.observe(&block(1_764_000_000_000_000_000 + first, ids));
        }
        sampler.finish();
        assert_eq!(sampler.counters().spans, SPANS);
        let Traces {
            current, previous, ..
        } = &sampler.traces;
        current.probes.get() + previous.probes.get()
    };
    let (giant, alternating, small) = (steps(|_| 0), steps(|n| n % 2), steps(|n| n));
    assert!(
        giant <= alternating && alternating <= small,
        "{giant} {alternating} {small}"
    );
    assert!(small < SPANS * 8, "{small}");
}

/// Guarantees: a block is cut from what was noted of it, without its payload, in the epoch in which
/// it was observed and in the next, traces that have moved on included; and as by looking them up.
#[test]
fn a_noted_block_is_cut_without_its_payload() {
    let config: Sampling = serde_saphyr::from_str(
        "{wait: 10s, remember: 10s, max_traces: 1000, remember_traces: 1000, policies: [{name: half, type: probabilistic, probabilistic: {hash_salt: x, sampling_percentage: 50}}]}",
    )
    .expect("good");
    let second = 1_000_000_000;
    let start = 1_764_000_000 * second;
    let blocks: Vec<Block> = (0..60u64)
        .map(|at| Block {
            position: journal::Position {
                segment: 1,
                offset: at,
            },
            items: 40,
            // Half of its traces have spans in the blocks around too.
            ..block(start + at * second, (0..40).map(|n| at * 20 + n / 2 * 2))
        })
        .collect();
    let mut noting = Sampler::new(&config).expect("good");
    let mut walking = Sampler::new(&config).expect("good");
    walking.traces.trail = crate::trail::Trail::new(0);
    for (at, one) in blocks.iter().enumerate() {
        if let Some(due) = at.checked_sub(10).map(|due| &blocks[due]) {
            let (mut noted, mut walked) = (Selection::default(), Selection::default());
            let bare = Block {
                payload: Default::default(),
                ..due.clone()
            };
            noting.select(&bare, &mut noted).expect("is noted");
            walking.select(due, &mut walked).expect("in order");
            assert_eq!(noted, walked);
            assert!(noted.kept() > 5 && noted.kept() < 35, "{}", noted.kept());
            let refused = walking.select(&bare, &mut walked);
            assert!(matches!(refused, Err(CutError::NeedsPayload)));
        }
        noting.observe(one);
        walking.observe(one);
    }
}
