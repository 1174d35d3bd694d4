use super::*;

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
