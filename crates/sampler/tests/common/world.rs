//! Random logs and configurations, and a shipper that may stop at any instant.

use std::collections::BTreeMap;

use journal::Block;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use sampler::config::Sampling;
use sampler::{Checkpoint, Override, Sampler, Scope, Step};

use super::{Random, SECOND, START, attribute, block, config, int, request, text};

/// All times are multiples of this, so that the model's floating-point numbers are exact.
pub const TICK: u64 = SECOND / 8;

const POLICIES: &[&str] = &[
    "{name: errors, type: error}",
    "{name: bad, type: status_code, status_code: {status_codes: [ERROR, OK]}}",
    "{name: slow, type: latency, latency: {threshold_ms: 3000}}",
    "{name: middling, type: latency, latency: {threshold_ms: 500, upper_threshold_ms: 1500}}",
    "{name: root, type: root_duration, root_duration: {threshold_ms: 700}}",
    "{name: codes, type: numeric_attribute, numeric_attribute: {key: code, min_value: 7, max_value: 8}}",
    "{name: not-codes, type: numeric_attribute, numeric_attribute: {key: code, min_value: 2, invert_match: true}}",
    "{name: route, type: string_attribute, string_attribute: {key: route, values: [/a, /b]}}",
    "{name: routes, type: string_attribute, string_attribute: {key: route, values: [^/c, zz], enabled_regex_matching: true, cache_max_size: 10}}",
    "{name: flag, type: boolean_attribute, boolean_attribute: {key: debug, value: true}}",
    "{name: quarter, type: probabilistic, probabilistic: {sampling_percentage: 25}}",
    "{name: eighth, type: probabilistic, probabilistic: {sampling_percentage: 12.5}}",
    "{name: spans, type: rate_limiting, rate_limiting: {spans_per_second: 3}}",
    "{name: burst, type: rate_limiting, rate_limiting: {spans_per_second: 2, burst_capacity: 20}}",
    "{name: bytes, type: bytes_limiting, bytes_limiting: {bytes_per_second: 400}}",
    "{name: small, type: span_count, span_count: {min_spans: 2, max_spans: 3}}",
    "{name: large, type: span_count, span_count: {min_spans: 6}}",
    "{name: state, type: trace_state, trace_state: {key: vendor, values: [x, y]}}",
    "{name: seldom, type: rare, rare: {minimum: 2, max_operations: 12}}",
    "{name: both, type: and, and: {and_sub_policy: [{name: p, type: probabilistic, probabilistic: {sampling_percentage: 50}}, {name: r, type: rate_limiting, rate_limiting: {spans_per_second: 4}}]}}",
    "{name: rare-errors, type: and, and: {and_sub_policy: [{name: rare, type: rare}, {name: e, type: error}]}}",
    "{name: otherwise, type: not, not: {not_sub_policy: {name: s, type: string_attribute, string_attribute: {key: route, values: [/d]}}}}",
    "{name: health, type: drop, drop: {drop_sub_policy: [{name: h, type: string_attribute, string_attribute: {key: route, values: [/d]}}, {name: n, type: not, not: {not_sub_policy: {name: e, type: error}}}]}}",
    "{name: mix, type: composite, composite: {max_total_spans_per_second: 40, policy_order: [two, one], composite_sub_policy: [{name: one, type: always_sample}, {name: two, type: error}], rate_allocation: [{policy: one, percent: 25}, {policy: two, percent: 50}]}}",
];

/// A configuration of some of the policies, with tables that are large or far too small.
pub fn random_config(random: &mut Random) -> Sampling {
    let wait = 1 + random.below(4);
    let remember = wait + random.below(6);
    let quiet = if random.one_in(2) { "~" } else { "250ms" };
    let (max, known) = match random.below(3) {
        0 => (5, 5 + random.below(30)),
        1 => (5 + random.below(60), 100),
        _ => (10_000, 10_000),
    };
    let untracked = random.pick(&["keep", "drop"]);
    let first = random.one_in(3);
    let mut policies: Vec<&str> = Vec::new();
    for _ in 0..1 + random.below(6) {
        let policy = random.pick(POLICIES);
        if !policies.contains(policy) {
            policies.push(policy);
        }
    }
    config(&format!(
        "wait: {wait}s\nremember: {remember}s\nquiet: {quiet}\nmax_traces: {max}\nremember_traces: {known}\nuntracked: {untracked}\nsample_on_first_match: {first}\npolicies:\n  - {}\n",
        policies.join("\n  - ")
    ))
}

/// A log of a few hundred blocks: short traces, traces that go on for ever, spans that come late or
/// before their parents, trace ids that two tenants share, pauses.
pub fn random_log(random: &mut Random) -> Vec<Block> {
    let mut spans: BTreeMap<(u64, u64), Vec<(String, Span)>> = BTreeMap::new();
    let length = 300 + random.below(400);
    // Where the clock jumps, and by how much.
    let jumps: Vec<(u64, u64)> = (0..random.below(3))
        .map(|_| (random.below(length), 1 + random.below(500)))
        .collect();
    let time = |tick: u64| {
        let jumped = jumps.iter().filter(|(at, _)| *at <= tick);
        START + (tick + jumped.map(|(_, by)| by).sum::<u64>()) * TICK
    };
    let mut span_number = 0;
    for _ in 0..60 + random.below(200) {
        let tenant = random.below(3);
        let mut trace_id = random.number().to_be_bytes().to_vec();
        trace_id.extend_from_slice(&random.number().to_be_bytes());
        if random.one_in(10) {
            trace_id = vec![random.below(3) as u8 + 1; 16];
        }
        if random.one_in(40) {
            trace_id = Vec::new();
        }
        let explicit = random.one_in(6).then(|| random.number() >> 8);
        let begin = random.below(length);
        let count = match random.below(10) {
            0 => 10 + random.below(30),
            _ => 1 + random.below(5),
        };
        // How far apart its spans are, at the most.
        let gap = *random.pick(&[1, 4, 16, 40]);
        let mut tick = begin;
        for n in 0..count {
            span_number += 1;
            let service = format!("service-{}", random.below(3));
            let span = random_span(random, &trace_id, span_number, n == count / 2, explicit);
            spans
                .entry((time(tick), tenant))
                .or_default()
                .push((service, span));
            tick += random.below(gap + 1);
        }
    }
    let blocks = spans.into_iter().enumerate();
    blocks
        .map(|(number, ((time, tenant), spans))| {
            let mut groups: Vec<(Vec<KeyValue>, Vec<Span>)> = Vec::new();
            for (service, span) in spans {
                let resource = vec![text("service.name", &service), int("code", 1)];
                match groups.last_mut() {
                    Some((last, spans)) if *last == resource => spans.push(span),
                    _ => groups.push((resource, vec![span])),
                }
            }
            let name = ["acme", "other", "third"][tenant as usize];
            block(number as u64, time, name, request(groups))
        })
        .collect()
}

fn random_span(
    random: &mut Random,
    trace_id: &[u8],
    number: u64,
    root: bool,
    explicit: Option<u64>,
) -> Span {
    let start = START + random.below(4000) * 1_000_000;
    let mut attributes = Vec::new();
    if random.one_in(3) {
        attributes.push(text(
            "route",
            random.pick::<&str>(&["/a", "/b", "/c/1", "/d", "/ezz", ""]),
        ));
    }
    if random.one_in(4) {
        attributes.push(int("code", random.below(10) as i64));
    }
    if random.one_in(8) {
        attributes.push(attribute("debug", Value::BoolValue(random.one_in(2))));
    }
    if random.one_in(30) {
        attributes.push(text("error.type", random.pick::<&str>(&["timeout", ""])));
    }
    if random.one_in(20) {
        attributes.push(text("incident", "yes"));
    }
    let mut state = Vec::new();
    if random.one_in(10) {
        state.push(format!("vendor={}", random.pick(&["x", "z"])));
    }
    match explicit {
        Some(rv) if random.one_in(2) => state.push(format!("ot=rv:{rv:014x}")),
        _ if random.one_in(20) => state.push(format!("ot=th:{}", random.pick(&["0", "8", "e"]))),
        _ => {}
    }
    Span {
        trace_id: trace_id.to_vec(),
        span_id: number.to_be_bytes().to_vec(),
        parent_span_id: if root { Vec::new() } else { vec![9; 8] },
        trace_state: state.join(" , "),
        name: format!("operation-{}", random.below(4)),
        kind: random.below(6) as i32,
        start_time_unix_nano: if random.one_in(30) { 0 } else { start },
        end_time_unix_nano: start + random.below(2000) * 1_000_000,
        attributes,
        status: random.one_in(8).then(|| Status {
            code: 1 + random.below(2) as i32,
            ..Status::default()
        }),
        ..Span::default()
    }
}

/// An override that is declared when a block is the next to be observed.
pub fn random_overrides(random: &mut Random, blocks: &[Block]) -> Vec<(usize, Override)> {
    let mut declared = Vec::new();
    for number in 1..=random.below(3) as u8 {
        let at = random.below(blocks.len() as u64) as usize;
        let now = blocks[at].appended_unix_nano;
        let from = now.saturating_sub(random.below(40) * TICK) + random.below(40) * TICK;
        let scope = match random.below(3) {
            0 => Scope {
                attributes: vec![("incident".to_owned(), "yes".to_owned())],
                ..Scope::default()
            },
            1 => Scope {
                tenant: Some("acme".to_owned()),
                service: Some("service-1".to_owned()),
                ..Scope::default()
            },
            _ => Scope {
                service: Some("service-2".to_owned()),
                attributes: vec![("route".to_owned(), "/d".to_owned())],
                ..Scope::default()
            },
        };
        declared.push((
            at,
            Override {
                number,
                scope,
                from_unix_nano: from,
                to_unix_nano: from + random.below(100) * TICK,
            },
        ));
    }
    declared.sort_by_key(|(at, _)| *at);
    declared
}

/// What a shipper has on disk.
#[derive(Default)]
struct Disk {
    checkpoint: Option<Vec<u8>>,
    /// The next block to be cut.
    cursor: usize,
    overrides: Vec<Override>,
}

/// What came out: for each block the ids of the spans that were kept.
pub struct Shipped {
    pub kept: Vec<Vec<Vec<u8>>>,
    /// As they were in force.
    pub overrides: Vec<Override>,
    pub restarts: u64,
    /// How many of them had a checkpoint.
    pub resumed: u64,
}

/// Ships a log. `stops` says, before each step, whether the process is killed.
pub fn ship(
    config: &Sampling,
    blocks: &[Block],
    declared: &[(usize, Override)],
    mut stops: impl FnMut() -> bool,
) -> Shipped {
    let mut disk = Disk::default();
    let mut shipped = Shipped {
        kept: Vec::new(),
        overrides: Vec::new(),
        restarts: 0,
        resumed: 0,
    };
    'process: loop {
        let (mut sampler, mut observe) = start(config, &disk);
        let mut out = Vec::new();
        while disk.cursor < blocks.len() {
            if stops() {
                shipped.restarts += 1;
                shipped.resumed += u64::from(disk.checkpoint.is_some());
                continue 'process;
            }
            let new = declared.get(disk.overrides.len());
            if let Some((at, new)) = new
                && *at <= observe
            {
                let force = sampler.keep_all(new.clone()).expect("its number is free");
                disk.overrides.push(Override {
                    from_unix_nano: force.from_unix_nano,
                    ..new.clone()
                });
            }
            let time = |at: usize| blocks.get(at).map(|block| block.appended_unix_nano);
            let rebuilding = observe <= disk.cursor;
            let cut = time(disk.cursor).filter(|_| !rebuilding);
            match sampler.pace().next(time(observe), cut, u64::MAX) {
                Step::Observe => {
                    sampler.observe(&blocks[observe]);
                    observe += 1;
                    if let Some(checkpoint) = sampler.take_checkpoint() {
                        disk.checkpoint = Some(checkpoint.encode());
                    }
                }
                Step::Cut => {
                    let block = &blocks[disk.cursor];
                    let kept = sampler.cut(block, &mut out).expect("in order");
                    let left = match (kept.items, kept.whole) {
                        (0, _) => Vec::new(),
                        (_, true) => super::decode(&block.payload),
                        (_, false) => super::decode(&out),
                    };
                    assert_eq!(kept.items, left.len() as u64);
                    assert_eq!(kept.items + kept.dropped, block.items);
                    let ids = left.into_iter().map(|(_, span)| span.span_id);
                    shipped.kept.push(ids.collect());
                    disk.cursor += 1;
                    if let Some(checkpoint) = sampler.take_checkpoint() {
                        disk.checkpoint = Some(checkpoint.encode());
                    }
                }
                Step::Wait { .. } => unreachable!("the log is not at its end"),
            }
        }
        shipped.overrides = disk.overrides;
        return shipped;
    }
}

fn start(config: &Sampling, disk: &Disk) -> (Sampler, usize) {
    let (mut sampler, from) = match &disk.checkpoint {
        None => (Sampler::new(config).expect("good"), 0),
        Some(bytes) => {
            let checkpoint = Checkpoint::decode(bytes).expect("as it was written");
            let from = checkpoint.read_from().offset as usize;
            (Sampler::resume(config, checkpoint).expect("good"), from)
        }
    };
    for known in &disk.overrides {
        sampler.keep_all(known.clone()).expect("its number is free");
    }
    (sampler, from)
}
