//! Overrides that reach into the past, explanations, simulations, and what is refused.
#![allow(missing_docs, clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;
use std::convert::Infallible;

use common::model::Model;
use common::world::{random_log, ship};
use common::{Random, SECOND, START, block, config, request, text};
use journal::Block;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use sampler::config::{ConfigError, Sampling};
use sampler::{
    Cause, CutError, Decision, Override, Reason, Recut, Sampler, Scope, Step, explain, simulate,
};

const PLAIN: &str = "wait: 2s\nremember: 4s\npolicies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}, {name: quarter, type: probabilistic, probabilistic: {sampling_percentage: 25}}]\n";

fn incident(blocks: &[Block]) -> Override {
    Override {
        number: 3,
        scope: Scope {
            attributes: vec![("route".to_owned(), "/d".to_owned())],
            ..Scope::default()
        },
        from_unix_nano: blocks[0].appended_unix_nano,
        to_unix_nano: u64::MAX,
    }
}

/// The spans that a sampler leaves of a log, from its first block on.
fn cut_all(sampler: &mut Sampler, blocks: &[Block]) -> BTreeSet<Vec<u8>> {
    let (mut observed, mut cut) = (0, 0);
    let (mut kept, mut out) = (BTreeSet::new(), Vec::new());
    let time = |at: usize| blocks.get(at).map(|block| block.appended_unix_nano);
    while cut < blocks.len() {
        match sampler.pace().next(time(observed), time(cut), u64::MAX) {
            Step::Observe => {
                sampler.observe(&blocks[observed]);
                observed += 1;
            }
            Step::Cut => {
                let block = &blocks[cut];
                let left = sampler.cut(block, &mut out).expect("in order");
                let bytes = if left.whole { &block.payload[..] } else { &out };
                let spans = common::decode(bytes).into_iter();
                kept.extend(spans.map(|(_, span)| span.span_id));
                cut += 1;
            }
            Step::Wait { .. } => unreachable!("the log has ended"),
        }
    }
    kept
}

/// Guarantees: what a re-cut gives out and what was shipped are together what would have been
/// shipped had the incident been declared from the beginning; nothing comes twice.
#[test]
fn a_recut_gives_what_was_not_shipped() {
    for seed in 0..20 {
        let blocks = random_log(&mut Random(seed));
        let config = config(PLAIN);
        let incident = incident(&blocks);
        let shipped: BTreeSet<_> = ship(&config, &blocks, &[], || false)
            .kept
            .into_iter()
            .flatten()
            .collect();
        let again = |what| {
            let mut sampler = Sampler::recut(&config, what, 3).expect("good");
            sampler.keep_all(incident.clone()).expect("free");
            cut_all(&mut sampler, &blocks)
        };
        let (missing, all) = (again(Recut::Missing), again(Recut::All));
        let mut model = Model::new(&config);
        model.overrides = vec![incident];
        let mut wanted = BTreeSet::new();
        let mut cut = 0;
        for block in &blocks {
            while blocks[cut].appended_unix_nano + 2 * SECOND <= block.appended_unix_nano {
                wanted.extend(model.cut(&blocks[cut]));
                cut += 1;
            }
            model.observe(block);
        }
        blocks[cut..]
            .iter()
            .for_each(|block| wanted.extend(model.cut(block)));
        assert!(
            !missing.is_empty() && missing.is_disjoint(&shipped),
            "seed {seed}"
        );
        // Spans without a trace id are kept by every run, and no incident's.
        let both: BTreeSet<_> = missing.union(&shipped).cloned().collect();
        assert_eq!(both, wanted, "seed {seed}");
        assert!(
            missing.is_subset(&all) && all.is_subset(&wanted),
            "seed {seed}"
        );
        assert!(all.len() > missing.len(), "seed {seed}");
    }
}

#[test]
fn an_override_counts_from_what_is_not_yet_observed() {
    let blocks = random_log(&mut Random(1));
    let mut sampler = Sampler::new(&config(PLAIN)).expect("good");
    let mut new = incident(&blocks);
    let force = sampler.keep_all(new.clone()).expect("free");
    assert_eq!(force.from_unix_nano, blocks[0].appended_unix_nano);
    assert_eq!(force.recut_from_unix_nano, None);
    assert!(
        sampler.keep_all(new.clone()).is_err(),
        "its number is taken"
    );
    sampler.observe(&blocks[0]);
    new.number = 4;
    let force = sampler.keep_all(new.clone()).expect("free");
    assert_eq!(force.from_unix_nano, blocks[0].appended_unix_nano + 1);
    assert_eq!(
        force.recut_from_unix_nano,
        Some(blocks[0].appended_unix_nano)
    );
    for number in [0, 16] {
        new.number = number;
        assert!(sampler.keep_all(new.clone()).is_err());
    }
    new.number = 5;
    new.scope.attributes = vec![Default::default(); 9];
    assert!(sampler.keep_all(new).is_err());
    assert_eq!(
        sampler.end_override(4),
        Some(blocks[0].appended_unix_nano + 1)
    );
    assert_eq!(sampler.end_override(9), None);
}

fn one(n: u64, id: u8, code: i32) -> Block {
    let span = Span {
        trace_id: vec![id; 16],
        span_id: vec![n as u8 + 1; 8],
        start_time_unix_nano: START,
        end_time_unix_nano: START + SECOND * (n + 1),
        attributes: vec![text("error.type", "")],
        status: Some(Status {
            code,
            ..Status::default()
        }),
        ..Span::default()
    };
    let payload = request(vec![(vec![], vec![span])]);
    block(n, START + n * SECOND, "acme", payload)
}

fn blocks() -> Vec<Block> {
    vec![one(0, 1, 1), one(1, 0xff, 1), one(1, 1, 2), one(9, 0x7f, 0)]
}

fn all_good(blocks: Vec<Block>) -> impl Iterator<Item = Result<Block, Infallible>> {
    blocks.into_iter().map(Ok)
}

#[test]
fn an_explanation_says_what_when_and_why() {
    let tenant = "acme".parse().expect("a name");
    let told = explain(&config(PLAIN), &tenant, [1; 16], all_good(blocks())).expect("good");
    assert_eq!(told.len(), 1);
    let told = &told[0];
    assert_eq!(told.first_seen_unix_nano, START);
    assert_eq!(told.decided_unix_nano, START + 2 * SECOND);
    assert_eq!((told.cause, told.spans), (Cause::Wait, 2));
    assert_eq!(told.duration_nanos, 2 * SECOND);
    assert!(told.root_seen);
    assert_eq!(told.matched, ["errors: status_code"]);
    let answers = [("errors".to_owned(), true), ("quarter".to_owned(), false)];
    assert_eq!(told.answers, answers);
    assert_eq!((told.decision.kept, told.by.as_str()), (true, "errors"));
    let other = "other".parse().expect("a name");
    let told = explain(&config(PLAIN), &other, [1; 16], all_good(blocks())).expect("good");
    assert_eq!(told, [], "another tenant's");
}

#[test]
fn a_simulation_tells_traces_spans_and_bytes_by_policy() {
    let result = simulate(&config(PLAIN), all_good(blocks())).expect("good");
    let count = |at: usize| {
        let outcome = &result.policies[at];
        (
            outcome.policy.as_str(),
            outcome.keeps,
            outcome.count.traces,
            outcome.count.spans,
        )
    };
    assert_eq!(count(0), ("errors", true, 1, 2));
    assert_eq!(count(1), ("quarter", true, 1, 1));
    assert_eq!(
        (result.not_sampled.traces, result.not_sampled.spans),
        (1, 1)
    );
    assert_eq!((result.kept().traces, result.kept().spans), (2, 3));
    let bytes: u64 = blocks()
        .iter()
        .flat_map(|block| common::decode(&block.payload))
        .map(|(_, span)| prost::Message::encoded_len(&span) as u64)
        .sum();
    assert_eq!(result.kept().bytes + result.not_sampled.bytes, bytes);
    assert_eq!(result.span_of_log, Some((START, START + 9 * SECOND)));
}

#[test]
fn quiet_decides_once_the_root_has_ended() {
    let config = config(&format!("{PLAIN}quiet: 500ms\n"));
    let tenant = "acme".parse().expect("a name");
    let told = explain(&config, &tenant, [1; 16], all_good(blocks())).expect("good");
    assert_eq!(told[0].cause, Cause::Quiet);
    assert_eq!(told[0].decided_unix_nano, START + SECOND / 2);
    assert_eq!(told[0].spans, 1, "the error came too late to have a say");
    assert!(!told[0].decision.kept);
}

#[test]
fn the_wrong_order_is_refused() {
    let mut sampler = Sampler::new(&config(PLAIN)).expect("good");
    let blocks = blocks();
    blocks.iter().for_each(|block| sampler.observe(block));
    let refused = sampler.cut(&blocks[0], &mut Vec::new());
    assert!(
        matches!(refused, Err(CutError::TooLate { .. })),
        "{refused:?}"
    );
    let mut sampler = Sampler::new(&config(PLAIN)).expect("good");
    let mut checkpoint = None;
    for block in blocks.iter().chain(&[one(20, 4, 0), one(26, 5, 0)]) {
        sampler.observe(block);
        checkpoint = sampler.take_checkpoint().or(checkpoint);
    }
    let checkpoint = checkpoint.expect("several epochs have ended");
    let mut sampler = Sampler::resume(&config(PLAIN), checkpoint).expect("good");
    let refused = sampler.cut(&blocks[0], &mut Vec::new());
    assert!(
        matches!(refused, Err(CutError::NotRebuilt { .. })),
        "{refused:?}"
    );
}

#[test]
fn an_undecided_answer_is_told_as_such() {
    let mut sampler = Sampler::new(&config(PLAIN)).expect("good");
    let tenant = "acme".parse().expect("a name");
    assert_eq!(sampler.state(&tenant, &[1; 16]), sampler::State::Unknown);
    sampler.observe(&one(0, 1, 2));
    let open = sampler::State::Open {
        first_seen_unix_nano: START,
        spans: 1,
    };
    assert_eq!(sampler.state(&tenant, &[1; 16]), open);
    sampler.finish();
    let decided = Decision {
        kept: true,
        reason: Reason::Policy(0),
    };
    assert_eq!(
        sampler.state(&tenant, &[1; 16]),
        sampler::State::Decided(decided)
    );
    assert_eq!(sampler.reason_name(decided), "errors");
}

/// Guarantees: upstream's documented example can be taken over, but for its OTTL policy.
#[test]
fn upstreams_example_compiles() {
    let yaml = include_str!("data/upstream-example.yaml");
    let config: Sampling = serde_saphyr::from_str(yaml).expect("upstream's fields");
    let sampler = Sampler::new(&config).expect("good");
    assert_eq!(sampler.policies().count(), 15);
    let mut written = serde_json::to_value(&config).expect("JSON");
    written["policies"][0]["surprise"] = 1.into();
    assert!(
        serde_json::from_value::<Sampling>(written).is_err(),
        "unknown fields"
    );
}

#[test]
fn what_cannot_work_is_refused_with_a_hint() {
    let refused = |yaml: &str| -> ConfigError {
        Sampler::new(&config(yaml))
            .err()
            .unwrap_or_else(|| panic!("taken: {yaml}"))
    };
    let policy = |policy: &str| refused(&format!("policies: [{policy}]")).to_string();
    for (yaml, what) in [
        ("{name: p, type: latency}", "`p` lacks the block"),
        (
            "{name: p, type: error, latency: {threshold_ms: 1}}",
            "not of its type",
        ),
        (
            "{name: p, type: latency, latency: {threshold_ms: 5, upper_threshold_ms: 5}}",
            "not above",
        ),
        ("{name: '', type: error}", "without a name"),
        (
            "{name: p, type: error}, {name: p, type: error}",
            "comes twice",
        ),
        (
            "{name: p, type: status_code, status_code: {status_codes: []}}",
            "names no status",
        ),
        (
            "{name: p, type: numeric_attribute, numeric_attribute: {key: k}}",
            "no bound",
        ),
        (
            "{name: p, type: string_attribute, string_attribute: {key: '', values: [a]}}",
            "key of 0 bytes",
        ),
        (
            "{name: p, type: string_attribute, string_attribute: {key: k, values: ['('], enabled_regex_matching: true}}",
            "cannot be read",
        ),
        (
            "{name: p, type: string_attribute, string_attribute: {key: k, values: ['\\w{1000}{10}'], enabled_regex_matching: true}}",
            "too big",
        ),
        (
            "{name: p, type: probabilistic, probabilistic: {sampling_percentage: -1}}",
            "percentage",
        ),
        (
            "{name: p, type: rate_limiting, rate_limiting: {spans_per_second: 0}}",
            "rate of 0",
        ),
        (
            "{name: p, type: and, and: {and_sub_policy: []}}",
            "no policies in it",
        ),
        (
            "{name: p, type: not, not: {not_sub_policy: {name: d, type: drop, drop: {drop_sub_policy: [{name: e, type: error}]}}}}",
            "`p/d` is of type `drop`",
        ),
        (
            "{name: p, type: composite, composite: {max_total_spans_per_second: 1, policy_order: [x], composite_sub_policy: [{name: e, type: error}]}}",
            "orders `x`",
        ),
        (
            "{name: p, type: composite, composite: {max_total_spans_per_second: 1, composite_sub_policy: [{name: e, type: error}], rate_allocation: [{policy: e, percent: 101}]}}",
            "allocates wrongly",
        ),
    ] {
        let told = policy(yaml);
        assert!(told.contains(what) && told.contains("\nhint: "), "{told}");
    }
    let deep = (0..5).fold("{name: e, type: error}".to_owned(), |inner, n| {
        format!("{{name: n{n}, type: not, not: {{not_sub_policy: {inner}}}}}")
    });
    assert!(policy(&deep).contains("too deep"));
    let many: Vec<String> = (0..59)
        .map(|n| format!("{{name: p{n}, type: error}}"))
        .collect();
    assert!(policy(&many.join(", ")).contains("59 questions"));
    for (yaml, key) in [
        ("wait: 0s", "wait"),
        ("wait: 3m", "remember"),
        ("quiet: 31s", "quiet"),
        ("max_traces: 0", "max_traces"),
        ("max_traces: 600000", "remember_traces"),
    ] {
        let told = refused(yaml).to_string();
        assert!(told.contains(&format!("`sampling.{key}`")), "{told}");
    }
}
