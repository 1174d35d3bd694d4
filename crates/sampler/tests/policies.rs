//! Each policy against cases of upstream's documentation and tests (opentelemetry-collector-contrib,
//! `processor/tailsamplingprocessor`), and ours against their descriptions.
#![allow(missing_docs, clippy::expect_used, clippy::panic)]

mod common;

use common::{START, attribute, block, config, int, request, text};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use sampler::{Decision, Reason, Sampler};

const MS: u64 = 1_000_000;

fn span() -> Span {
    Span {
        trace_id: (1..=16).collect(),
        span_id: (1..=8).collect(),
        parent_span_id: vec![9; 8],
        ..Span::default()
    }
}

fn with(attributes: Vec<KeyValue>) -> Span {
    Span {
        attributes,
        ..span()
    }
}

fn status(code: i32) -> Span {
    Span {
        status: Some(Status {
            code,
            ..Status::default()
        }),
        ..span()
    }
}

/// From `start` for `length`, in milliseconds.
fn timed(start: u64, length: u64) -> Span {
    Span {
        start_time_unix_nano: START + start * MS,
        end_time_unix_nano: START + (start + length) * MS,
        ..span()
    }
}

fn state(trace_state: &str) -> Span {
    Span {
        trace_state: trace_state.to_owned(),
        ..span()
    }
}

fn yaml(policies: &str) -> String {
    format!("wait: 1s\nremember: 10s\npolicies:\n{policies}")
}

/// Decides one trace after another, each a list of spans with a resource, 100 ms apart.
fn decide_all(policies: &str, traces: Vec<(Vec<KeyValue>, Vec<Span>)>) -> Vec<Decision> {
    let mut sampler = Sampler::new(&config(&yaml(policies))).expect("good");
    let mut ids = Vec::new();
    for (n, (resource, mut spans)) in traces.into_iter().enumerate() {
        // The last seven bytes, which are random, stay.
        spans.iter_mut().for_each(|span| span.trace_id[0] = n as u8);
        ids.push(spans[0].trace_id.clone());
        let time = START + n as u64 * 100 * MS;
        let payload = request(vec![(resource, spans)]);
        sampler.observe(&block(n as u64, time, "acme", payload));
    }
    sampler.finish();
    let tenant = "acme".parse().expect("a name");
    let ids = ids.into_iter().map(|id| id.try_into().expect("16 bytes"));
    ids.map(|id| match sampler.state(&tenant, &id) {
        sampler::State::Decided(decision) => decision,
        other => panic!("{other:?}"),
    })
    .collect()
}

fn sampled(policy: &str, resource: Vec<KeyValue>, spans: Vec<Span>) -> bool {
    decide_all(&format!("  - {policy}\n"), vec![(resource, spans)])[0].kept
}

fn cases(policy: &str, cases: Vec<(&str, Vec<KeyValue>, Vec<Span>, bool)>) {
    for (what, resource, spans, expected) in cases {
        assert_eq!(
            sampled(policy, resource, spans),
            expected,
            "{policy}: {what}"
        );
    }
}

#[test]
fn latency_is_from_the_earliest_start_to_the_latest_end() {
    cases(
        "{name: p, type: latency, latency: {threshold_ms: 5000}}",
        vec![
            ("shorter", vec![], vec![timed(0, 4500)], false),
            ("equal", vec![], vec![timed(0, 5000)], true),
            (
                "together longer",
                vec![],
                vec![timed(0, 3000), timed(2500, 3000)],
                true,
            ),
            (
                "the earlier comes later",
                vec![],
                vec![timed(2500, 3000), timed(0, 10)],
                true,
            ),
            ("no times", vec![], vec![span()], false),
        ],
    );
    cases(
        "{name: p, type: latency, latency: {threshold_ms: 5000, upper_threshold_ms: 10000}}",
        vec![
            ("at the lower bound", vec![], vec![timed(0, 5000)], false),
            ("above it", vec![], vec![timed(0, 5001)], true),
            ("at the upper bound", vec![], vec![timed(0, 10_000)], true),
            ("above it", vec![], vec![timed(0, 10_001)], false),
        ],
    );
}

#[test]
fn status_codes_and_errors() {
    cases(
        "{name: p, type: status_code, status_code: {status_codes: [ERROR, UNSET]}}",
        vec![
            ("ok", vec![], vec![status(1)], false),
            ("error", vec![], vec![status(2)], true),
            ("unset", vec![], vec![status(1), status(0)], true),
            ("none at all", vec![], vec![span()], true),
            ("one unknown", vec![], vec![status(3)], false),
        ],
    );
    cases(
        "{name: p, type: error}",
        vec![
            ("ok", vec![], vec![status(1)], false),
            ("status", vec![], vec![status(1), status(2)], true),
            (
                "attribute",
                vec![],
                vec![with(vec![text("error.type", "500")])],
                true,
            ),
            (
                "empty attribute",
                vec![],
                vec![with(vec![text("error.type", "")])],
                false,
            ),
        ],
    );
}

#[test]
fn numbers_within_bounds_on_spans_and_resources() {
    let (least, most) = (i64::from(i32::MIN), i64::from(i32::MAX));
    let on_span = |key: &str, value| (vec![], vec![with(vec![int(key, value)])]);
    let on_resource = |value| (vec![int("example", value)], vec![span()]);
    let table = |inverted: bool| {
        vec![
            ("another key", on_span("non_matching", least), false),
            ("span at least", on_span("example", least), true),
            ("resource at least", on_resource(least), true),
            ("span at most", on_span("example", most), true),
            ("resource at most", on_resource(most), true),
            ("span below", on_span("example", least - 1), false),
            ("resource below", on_resource(least - 1), false),
            ("span above", on_span("example", most + 1), false),
            ("resource above", on_resource(most + 1), false),
        ]
        .into_iter()
        .map(|(what, (resource, spans), is)| (what, resource, spans, is != inverted))
        .collect::<Vec<_>>()
    };
    for inverted in [false, true] {
        let policy = format!(
            "{{name: p, type: numeric_attribute, numeric_attribute: {{key: example, min_value: {least}, max_value: {most}, invert_match: {inverted}}}}}"
        );
        cases(&policy, table(inverted));
    }
    for (bounds, value, expected) in [
        ("min_value: 100", 200, true),
        ("min_value: 100", 50, false),
        ("max_value: 100", 50, true),
        ("max_value: 100", 200, false),
        ("min_value: 100, max_value: 200", 150, true),
        ("min_value: 100, max_value: 200", 50, false),
        ("min_value: 100, invert_match: true", 200, false),
        ("max_value: 100, invert_match: true", 50, false),
    ] {
        let policy = format!(
            "{{name: p, type: numeric_attribute, numeric_attribute: {{key: example, {bounds}}}}}"
        );
        let spans = vec![with(vec![int("example", value)])];
        assert_eq!(
            sampled(&policy, vec![], spans),
            expected,
            "{bounds}, {value}"
        );
    }
    let policy =
        "{name: p, type: numeric_attribute, numeric_attribute: {key: example, min_value: 1}}";
    let double = attribute("example", Value::DoubleValue(5.0));
    assert!(!sampled(policy, vec![], vec![with(vec![double])]));
}

#[test]
fn texts_and_patterns_on_spans_and_resources() {
    let on_span = |value: &str| (vec![], vec![with(vec![text("example", value)])]);
    let on_resource = |value: &str| (vec![text("example", value)], vec![span()]);
    let check = "grpc.health.v1.HealthCheck";
    for (fields, traces) in [
        (
            "values: [value]",
            vec![
                ((vec![text("other", "value")], vec![span()]), false),
                (on_resource("other"), false),
                (on_resource("value"), true),
                ((vec![], vec![with(vec![text("other", "value")])]), false),
                (on_span("other"), false),
                (on_span("value"), true),
                (on_span("values"), false),
            ],
        ),
        (
            "values: [first_value, value, last_value]",
            vec![(on_span("value"), true), (on_resource("other"), false)],
        ),
        (
            "values: ['v[0-9]+.HealthCheck$'], enabled_regex_matching: true, cache_max_size: 10",
            vec![(on_span(check), true), (on_resource(check), true)],
        ),
        (
            "values: ['v[a-z]+.HealthCheck$'], enabled_regex_matching: true",
            vec![(on_span(check), false)],
        ),
        (
            "values: ['^http', 'v[0-9]+.HealthCheck$', 'metrics$'], enabled_regex_matching: true",
            vec![(on_span(check), true), (on_span("xhttp"), false)],
        ),
        (
            "values: [value], enabled_regex_matching: true",
            vec![
                (on_resource("value"), true),
                (on_resource("a value!"), true),
            ],
        ),
        (
            "values: [], enabled_regex_matching: true",
            vec![(on_span(check), false)],
        ),
        (
            "values: ['', '.*'], enabled_regex_matching: true",
            vec![(on_span(""), false)],
        ),
        ("values: ['']", vec![(on_span(""), false)]),
    ] {
        for inverted in [false, true] {
            let policy = format!(
                "{{name: p, type: string_attribute, string_attribute: {{key: example, {fields}, invert_match: {inverted}}}}}"
            );
            for ((resource, spans), expected) in traces.clone() {
                let got = sampled(&policy, resource, spans);
                assert_eq!(got, expected != inverted, "{policy}");
            }
        }
    }
    let policy =
        "{name: p, type: string_attribute, string_attribute: {key: example, values: ['5']}}";
    assert!(!sampled(
        policy,
        vec![],
        vec![with(vec![int("example", 5)])]
    ));
}

#[test]
fn truth_values() {
    let is = |value| vec![with(vec![attribute("k", Value::BoolValue(value))])];
    for (fields, yes, no, none) in [
        ("value: true", true, false, false),
        ("value: false", false, true, false),
        ("value: true, invert_match: true", false, true, true),
    ] {
        let policy = format!(
            "{{name: p, type: boolean_attribute, boolean_attribute: {{key: k, {fields}}}}}"
        );
        cases(
            &policy,
            vec![
                ("true", vec![], is(true), yes),
                ("false", vec![], is(false), no),
                ("none", vec![], vec![span()], none),
            ],
        );
    }
}

#[test]
fn span_counts_are_inclusive() {
    let spans = |n| vec![span(); n];
    cases(
        "{name: p, type: span_count, span_count: {min_spans: 2, max_spans: 4}}",
        vec![
            ("fewer", vec![], spans(1), false),
            ("at least", vec![], spans(2), true),
            ("at most", vec![], spans(4), true),
            ("more", vec![], spans(5), false),
        ],
    );
    cases(
        "{name: p, type: span_count, span_count: {min_spans: 2}}",
        vec![
            ("many", vec![], spans(50), true),
            ("few", vec![], spans(1), false),
        ],
    );
}

#[test]
fn trace_states_by_member() {
    cases(
        "{name: p, type: trace_state, trace_state: {key: key3, values: [value1, value2]}}",
        vec![
            ("none", vec![], vec![span()], false),
            (
                "another key",
                vec![],
                vec![state("non_matching=value1")],
                false,
            ),
            ("another value", vec![], vec![state("key3=value")], false),
            ("it", vec![], vec![state("key3=value1")], true),
            (
                "among others",
                vec![],
                vec![state("a=b, key3=value2 ,c=d")],
                true,
            ),
            (
                "in another span",
                vec![],
                vec![span(), state("key3=value1")],
                true,
            ),
            ("a longer key", vec![], vec![state("xkey3=value1")], false),
        ],
    );
}

#[test]
fn root_duration_is_that_of_the_span_without_a_parent() {
    let root = |length| Span {
        parent_span_id: Vec::new(),
        ..timed(0, length)
    };
    cases(
        "{name: p, type: root_duration, root_duration: {threshold_ms: 700}}",
        vec![
            ("no root", vec![], vec![timed(0, 9000)], false),
            ("short", vec![], vec![root(699), timed(0, 9000)], false),
            ("long", vec![], vec![timed(0, 1), root(700)], true),
        ],
    );
}

/// The threshold of one half, of spans whose trace state has a say and of those whose has none.
#[test]
fn probability_is_consistent_with_the_trace_state() {
    let policy = "{name: p, type: probabilistic, probabilistic: {sampling_percentage: 50}}";
    let id = |tail: [u8; 7], trace_state: &str| {
        let mut span = state(trace_state);
        span.trace_id[9..].copy_from_slice(&tail);
        vec![span]
    };
    let (low, high) = (
        [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        [0x80, 0, 0, 0, 0, 0, 0],
    );
    cases(
        policy,
        vec![
            ("below", vec![], id([0; 7], ""), false),
            ("just below", vec![], id(low, ""), false),
            ("at the threshold", vec![], id(high, ""), true),
            ("above", vec![], id([0xff; 7], ""), true),
            (
                "explicit, at it",
                vec![],
                id(low, "ot=rv:80000000000000"),
                true,
            ),
            (
                "explicit, below",
                vec![],
                id(high, "ot=rv:7fffffffffffff"),
                false,
            ),
            (
                "malformed: the id counts",
                vec![],
                id(high, "ot=rv:7ffffffffffff"),
                true,
            ),
            (
                "a lower threshold was applied",
                vec![],
                id(low, "ot=th:4"),
                false,
            ),
            (
                "the same threshold was applied",
                vec![],
                id(low, "ot=th:8"),
                false,
            ),
            (
                "a greater threshold was applied",
                vec![],
                id(low, "ot=th:c"),
                true,
            ),
            ("both", vec![], id(low, "ot=th:c;rv:ffffffffffffff"), true),
        ],
    );
    for (percentage, expected) in [(0.0, false), (100.0, true), (150.0, true)] {
        let policy = format!(
            "{{name: p, type: probabilistic, probabilistic: {{sampling_percentage: {percentage:?}}}}}"
        );
        assert_eq!(sampled(&policy, vec![], id([0; 7], "")), expected);
    }
}

/// A consistent sampler with a greater probability keeps what one with a smaller does.
#[test]
fn greater_probabilities_keep_more_and_about_their_share() {
    for salt in ["", ", hash_salt: pepper"] {
        let kept = |percentage: f64| -> Vec<bool> {
            let mut random = common::Random(5);
            let policy = format!(
                "  - {{name: p, type: probabilistic, probabilistic: {{sampling_percentage: {percentage:?}{salt}}}}}\n"
            );
            let mut sampler = Sampler::new(&config(&yaml(&policy))).expect("good");
            let spans: Vec<Span> = (0..10_000)
                .map(|_| Span {
                    trace_id: [random.number().to_be_bytes(), random.number().to_be_bytes()]
                        .concat(),
                    ..span()
                })
                .collect();
            let one = block(0, START, "acme", request(vec![(vec![], spans.clone())]));
            sampler.observe(&one);
            sampler.finish();
            let tenant = "acme".parse().expect("a name");
            let ids = spans
                .into_iter()
                .map(|span| span.trace_id.try_into().expect("16"));
            ids.map(|id| sampler.state(&tenant, &id))
                .map(|state| matches!(state, sampler::State::Decided(d) if d.kept))
                .collect()
        };
        let mut before = vec![false; 10_000];
        for percentage in [1.0, 10.0, 33.0, 90.0] {
            let now = kept(percentage);
            let share = now.iter().filter(|kept| **kept).count() as f64 / 100.0;
            assert!(
                (share - percentage).abs() < 2.0,
                "{percentage}: {share}{salt}"
            );
            assert!(before.iter().zip(&now).all(|(before, now)| now | !before));
            before = now;
        }
    }
}

fn verdicts(policies: &str, traces: Vec<Vec<Span>>) -> Vec<bool> {
    let traces = traces.into_iter().map(|spans| (vec![], spans)).collect();
    let decided = decide_all(policies, traces).into_iter();
    decided.map(|decision| decision.kept).collect()
}

/// Traces come 100 ms apart, so ten of them take a second of the log.
#[test]
fn rates_are_of_the_logs_time() {
    let one = |n| vec![vec![span()]; n];
    let policy = "  - {name: p, type: rate_limiting, rate_limiting: {spans_per_second: 3}}\n";
    let kept = verdicts(policy, one(30));
    assert!(
        kept[..6].iter().all(|kept| *kept),
        "the burst is twice the rate"
    );
    // The bucket gets 0.3 every 100 ms: in 2.9 s, 6 + 8.7.
    assert_eq!(kept.iter().filter(|kept| **kept).count(), 14);
    let large = vec![vec![span(); 7], vec![span(); 6]];
    assert_eq!(
        verdicts(policy, large),
        [false, true],
        "larger than the burst"
    );
    let policy = "  - {name: p, type: rate_limiting, rate_limiting: {spans_per_second: 3, burst_capacity: 7}}\n";
    assert_eq!(verdicts(policy, vec![vec![span(); 7]]), [true]);
    let policy = "  - {name: p, type: bytes_limiting, bytes_limiting: {bytes_per_second: 1, burst_capacity: 100}}\n";
    let bytes = prost::Message::encoded_len(&span());
    let fits = 100 / bytes;
    assert_eq!(
        verdicts(policy, one(5))
            .iter()
            .filter(|kept| **kept)
            .count(),
        fits
    );
}

#[test]
fn tenants_have_rates_of_their_own() {
    let policies = "  - {name: p, type: rate_limiting, rate_limiting: {spans_per_second: 1, burst_capacity: 1}}\n";
    let mut sampler = Sampler::new(&config(&yaml(policies))).expect("good");
    for (n, tenant) in ["a", "a", "b"].into_iter().enumerate() {
        let mut span = span();
        span.trace_id[0] = n as u8;
        sampler.observe(&block(
            n as u64,
            START,
            tenant,
            request(vec![(vec![], vec![span])]),
        ));
    }
    sampler.finish();
    assert_eq!(sampler.counters().by(Reason::Policy(0)).traces, 2);
    assert_eq!(sampler.counters().by(Reason::NoPolicy).traces, 1);
}

#[test]
fn and_not_and_drop_combine() {
    let and = "{name: p, type: and, and: {and_sub_policy: [{name: n, type: numeric_attribute, numeric_attribute: {key: k, min_value: 5}}, {name: s, type: status_code, status_code: {status_codes: [ERROR]}}]}}";
    let both = |code| vec![with(vec![int("k", 7)]), status(code)];
    cases(
        and,
        vec![
            ("both, in two spans", vec![], both(2), true),
            ("one", vec![], both(1), false),
            ("the other", vec![], vec![status(2)], false),
        ],
    );
    let not = "{name: p, type: not, not: {not_sub_policy: {name: s, type: status_code, status_code: {status_codes: [ERROR]}}}}";
    assert!(sampled(not, vec![], vec![status(1)]));
    assert!(!sampled(not, vec![], vec![status(2)]));
    let policies = "  - {name: all, type: always_sample}\n  - {name: health, type: drop, drop: {drop_sub_policy: [{name: h, type: string_attribute, string_attribute: {key: url.path, values: ['\\/health', '\\/metrics'], enabled_regex_matching: true}}]}}\n";
    let get = |path: &str| (vec![], vec![with(vec![text("url.path", path)])]);
    let decided = decide_all(policies, vec![get("/health"), get("/orders")]);
    let of = |kept, at| Decision {
        kept,
        reason: Reason::Policy(at),
    };
    assert_eq!(decided, [of(false, 1), of(true, 0)], "drop comes first");
}

/// Upstream's TestCompositeEvaluator_OverflowAlwaysSampled and …Throttling.
#[test]
fn composite_gives_each_policy_its_share() {
    let composite = |max: u32, one: u32, two: u32| {
        format!(
            "  - {{name: p, type: composite, composite: {{max_total_spans_per_second: {max}, policy_order: [one, two], composite_sub_policy: [{{name: one, type: numeric_attribute, numeric_attribute: {{key: tag, min_value: 0, max_value: 100}}}}, {{name: two, type: always_sample}}], rate_allocation: [{{policy: one, percent: {one}}}, {{policy: two, percent: {two}}}]}}}}\n"
        )
    };
    let tag = |value| vec![with(vec![int("tag", value)])];
    let kept = verdicts(&composite(3, 34, 34), vec![tag(10), tag(11), tag(1001)]);
    assert_eq!(kept, [true, false, true]);
    let kept = verdicts(&composite(10, 50, 50), vec![vec![span()]; 20]);
    let second = [
        true, true, true, true, true, false, false, false, false, false,
    ];
    assert_eq!(kept, [second, second].concat());
    // What no share is given to gets what is left: 10 - 5.
    let rest = composite(10, 50, 0);
    assert_eq!(verdicts(&rest, vec![vec![span()]; 10]), second);
}

#[test]
fn the_first_policy_that_samples_is_named() {
    let policies = "  - {name: errors, type: error}\n  - {name: limit, type: rate_limiting, rate_limiting: {spans_per_second: 1, burst_capacity: 2}}\n";
    let traces = || {
        vec![
            (vec![], vec![status(2)]),
            (vec![], vec![status(2)]),
            (vec![], vec![span()]),
        ]
    };
    let named = |policies: &str| -> Vec<Reason> {
        let decided = decide_all(policies, traces()).into_iter();
        decided.map(|decision| decision.reason).collect()
    };
    let (errors, limit) = (Reason::Policy(0), Reason::Policy(1));
    // Every policy is asked, so the limiter has paid for the errors too.
    assert_eq!(named(policies), [errors, errors, Reason::NoPolicy]);
    let first = format!("{policies}sample_on_first_match: true\n");
    assert_eq!(named(&first), [errors, errors, limit]);
}

#[test]
fn what_is_seldom_seen_is_kept_so_many_times() {
    let policy = "  - {name: p, type: rare, rare: {minimum: 2}}\n";
    let of = |service: &str, name: &str, kind| {
        let span = Span {
            name: name.to_owned(),
            kind,
            ..span()
        };
        (vec![text("service.name", service)], vec![span])
    };
    let decided = decide_all(
        policy,
        vec![
            of("a", "get", 2),
            of("a", "get", 2),
            of("a", "get", 2),
            of("a", "put", 2),
            of("a", "inner", 1),
            of("b", "get", 1),
        ],
    );
    let kept: Vec<bool> = decided.iter().map(|decision| decision.kept).collect();
    assert_eq!(kept, [true, true, false, true, false, true]);
}
