//! The watch against a naive model over messages of generated types: other code reads and counts.

#![allow(missing_docs, clippy::unwrap_used, reason = "this is a test")]

use ident::{Signal, TenantId};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use trigger::{Counters, Firing, Seen, Trigger, Watch};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_764_000_000 * SECOND;
/// Of a window of 12 s.
const SLOT: u64 = SECOND;

fn triggers(yaml: &str) -> Vec<Trigger> {
    serde_saphyr::from_str(yaml).unwrap()
}

const ALL: &str = "
- { name: errors, window: 12s, error_rate: { share: 0.3, min_spans: 12 } }
- { name: slow, window: 12s, latency: { quantile: 0.8, threshold: 1s, min_spans: 9 } }
- { name: slow-spans, window: 12s, latency: { quantile: 0.5, threshold: 1500ms, min_spans: 20, of: span } }
- { name: oom, window: 12s, log_pattern: { pattern: '(?i)out of +memory', count: 4 } }
";

fn text(text: &str) -> AnyValue {
    AnyValue {
        value: Some(any_value::Value::StringValue(text.to_owned())),
    }
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(value),
        ..KeyValue::default()
    }
}

fn resource(service: Option<&str>) -> Option<Resource> {
    let mut attributes = vec![pair("host.name", text("a"))];
    attributes.extend(service.map(|service| pair("service.name", text(service))));
    Some(Resource {
        attributes,
        ..Resource::default()
    })
}

/// A block's content, as a test thinks of it.
#[derive(Clone)]
struct Block {
    at: u64,
    tenant: TenantId,
    content: Content,
}

#[derive(Clone)]
enum Content {
    Spans(ExportTraceServiceRequest),
    Logs(ExportLogsServiceRequest),
}

impl Block {
    fn show(&self, watch: &mut Watch) -> Vec<Firing> {
        let (signal, payload) = match &self.content {
            Content::Spans(request) => (Signal::Traces, request.encode_to_vec()),
            Content::Logs(request) => (Signal::Logs, request.encode_to_vec()),
        };
        otlp::check(signal, &payload).unwrap();
        let mut fired = Vec::new();
        let seen = Seen {
            tenant: &self.tenant,
            signal,
            appended_unix_nano: self.at,
            payload: &payload,
        };
        watch.observe(&seen, |firing| fired.push(firing));
        fired
    }
}

fn random_span(rng: &mut StdRng, bad: bool) -> Span {
    let failed = rng.random_ratio(if bad { 5 } else { 1 }, 10);
    let start = START + rng.random_range(0..1000);
    let mut span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "GET".to_owned(),
        start_time_unix_nano: start,
        end_time_unix_nano: start
            + rng.random_range(0..if bad { 3 } else { 2 }) * SECOND
            + rng.random_range(0..SECOND),
        attributes: vec![pair("k", text("v"))],
        ..Span::default()
    };
    if rng.random_bool(0.5) {
        span.parent_span_id = vec![3; 8];
    }
    match (failed, rng.random_bool(0.5)) {
        (true, true) => {
            span.status = Some(Status {
                code: 2,
                ..Status::default()
            });
        }
        (true, false) => span.attributes.push(pair("error.type", text("timeout"))),
        (false, true) => {
            span.status = Some(Status {
                code: 1,
                message: "ERROR".to_owned(),
            })
        }
        (false, false) => span.attributes.push(pair("error.type", text(""))),
    }
    span
}

fn random_record(rng: &mut StdRng) -> LogRecord {
    let list = |value: AnyValue| AnyValue {
        value: Some(any_value::Value::ArrayValue(ArrayValue {
            values: vec![text("x"), value],
        })),
    };
    let body = match rng.random_range(0..4) {
        0 => Some(text("killed: Out of  Memory")),
        1 => Some(list(list(text("out of memory")))),
        2 => Some(text("out of paper")),
        _ => None,
    };
    LogRecord {
        body,
        attributes: vec![pair("message", text("out of memory"))],
        ..LogRecord::default()
    }
}

fn random_block(rng: &mut StdRng, at: u64) -> Block {
    let services = [Some("a"), Some("b"), None];
    let tenant = ["default", "acme"][rng.random_range(0..2)].parse().unwrap();
    let mut service = || services[rng.random_range(0..3)];
    let (one, two) = (service(), service());
    // Times of trouble and others.
    let bad = (at / (40 * SECOND)).is_multiple_of(2);
    let content = match rng.random_bool(0.3) {
        true => {
            let logs = |service, rng: &mut StdRng| ResourceLogs {
                resource: resource(service),
                scope_logs: vec![ScopeLogs {
                    log_records: (0..rng.random_range(0..3))
                        .map(|_| random_record(rng))
                        .collect(),
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            };
            let resource_logs = vec![logs(one, rng), logs(two, rng)];
            Content::Logs(ExportLogsServiceRequest { resource_logs })
        }
        false => {
            let spans = |service, rng: &mut StdRng| ResourceSpans {
                resource: resource(service),
                scope_spans: (0..2)
                    .map(|_| ScopeSpans {
                        spans: (0..rng.random_range(0..5))
                            .map(|_| random_span(rng, bad))
                            .collect(),
                        ..ScopeSpans::default()
                    })
                    .collect(),
                ..ResourceSpans::default()
            };
            let resource_spans = vec![spans(one, rng), spans(two, rng)];
            Content::Spans(ExportTraceServiceRequest { resource_spans })
        }
    };
    Block {
        at,
        tenant,
        content,
    }
}

fn random_blocks(seed: u64, count: usize) -> Vec<Block> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut at = START + rng.random_range(0..SECOND);
    let mut next = || {
        at += match rng.random_range(0..20) {
            0 => rng.random_range(0..30 * SECOND),
            _ => rng.random_range(0..SECOND),
        };
        random_block(&mut rng, at)
    };
    (0..count).map(|_| next()).collect()
}

/// One thing that counts for one trigger: when, whose, whether it is a hit.
type Counted = (u64, TenantId, String, bool);

/// The model: keeps everything, and looks at all of it each time.
#[derive(Default)]
struct Naive {
    counted: [Vec<Counted>; 4],
    fired: Vec<(usize, TenantId, String, u64)>,
    without_service: u64,
}

fn service_of(resource: &Option<Resource>) -> Option<String> {
    let found = resource
        .as_ref()?
        .attributes
        .iter()
        .find(|pair| pair.key == "service.name")?;
    match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(name) => Some(name.clone()),
        _ => None,
    }
}

fn has_it(value: &AnyValue) -> bool {
    match &value.value {
        Some(any_value::Value::StringValue(text)) => {
            let words: Vec<String> = text
                .split(' ')
                .filter(|w| !w.is_empty())
                .map(str::to_lowercase)
                .collect();
            words
                .windows(3)
                .any(|three| three == ["out", "of", "memory"])
        }
        Some(any_value::Value::ArrayValue(list)) => list.values.iter().any(has_it),
        _ => false,
    }
}

impl Naive {
    fn observe(&mut self, block: &Block) -> Vec<(usize, TenantId, String)> {
        let mut fired = Vec::new();
        match &block.content {
            Content::Spans(request) => {
                for group in &request.resource_spans {
                    let spans: Vec<&Span> =
                        group.scope_spans.iter().flat_map(|s| &s.spans).collect();
                    let failed = |span: &Span| {
                        span.status.as_ref().is_some_and(|status| status.code == 2)
                            || span.attributes.iter().any(|pair| {
                                pair.key == "error.type" && pair.value != Some(text(""))
                            })
                    };
                    let took = |span: &Span| span.end_time_unix_nano - span.start_time_unix_nano;
                    let roots = spans.iter().filter(|span| span.parent_span_id.is_empty());
                    let each: [Vec<bool>; 3] = [
                        spans.iter().map(|span| failed(span)).collect(),
                        roots.map(|span| took(span) > SECOND).collect(),
                        spans
                            .iter()
                            .map(|span| took(span) > SECOND * 3 / 2)
                            .collect(),
                    ];
                    for (at, hits) in each.into_iter().enumerate() {
                        self.count(at, block, service_of(&group.resource), hits, &mut fired);
                    }
                }
            }
            Content::Logs(request) => {
                for group in &request.resource_logs {
                    let records = group.scope_logs.iter().flat_map(|s| &s.log_records);
                    let hits = records.filter(|record| record.body.as_ref().is_some_and(has_it));
                    let hits = hits.map(|_| true).collect();
                    self.count(3, block, service_of(&group.resource), hits, &mut fired);
                }
            }
        }
        fired
    }

    fn count(
        &mut self,
        trigger: usize,
        block: &Block,
        service: Option<String>,
        hits: Vec<bool>,
        fired: &mut Vec<(usize, TenantId, String)>,
    ) {
        let Some(service) = service else {
            self.without_service += hits.len() as u64;
            return;
        };
        if hits.is_empty() {
            return;
        }
        let new = hits
            .into_iter()
            .map(|hit| (block.at, block.tenant.clone(), service.clone(), hit));
        self.counted[trigger].extend(new);
        let slot = block.at / SLOT;
        let same = self.counted[trigger]
            .iter()
            .filter(|(at, tenant, name, _)| {
                *tenant == block.tenant && *name == service && at / SLOT + 12 > slot
            });
        let same: Vec<&Counted> = same.collect();
        let all = same.len() as f64;
        let hits = same.iter().filter(|(.., hit)| *hit).count() as f64;
        let fires = match trigger {
            0 => all >= 12.0 && hits / all >= 0.3,
            // Fewer than 80 % of them are quick; thresholds of whole numbers, so that no rounding
            // has a say.
            1 => all >= 9.0 && all - hits < (all * 8.0 / 10.0).ceil(),
            2 => all >= 20.0 && all - hits < (all / 2.0).ceil(),
            _ => hits >= 4.0,
        };
        let firing = (trigger, block.tenant.clone(), service, slot);
        if fires && !self.fired.contains(&firing) {
            fired.push((firing.0, firing.1.clone(), firing.2.clone()));
            self.fired.push(firing);
        }
    }
}

fn names(fired: Vec<Firing>) -> Vec<(usize, TenantId, String)> {
    fired
        .into_iter()
        .map(|f| (f.trigger, f.tenant, f.service))
        .collect()
}

/// Guarantees: what fires, and when, is what a naive model says that reads generated types and
/// keeps everything.
#[test]
fn it_fires_when_the_model_does() {
    let mut total = [0; 4];
    for seed in 0..40 {
        let mut watch = Watch::new(&triggers(ALL)).unwrap();
        let mut naive = Naive::default();
        for block in random_blocks(seed, 200) {
            let expected = naive.observe(&block);
            let mut fired = names(block.show(&mut watch));
            // Within a block the order is by resource, as the model's.
            fired.sort();
            let mut sorted = expected.clone();
            sorted.sort();
            assert_eq!(fired, sorted, "seed {seed}");
            expected
                .iter()
                .for_each(|(trigger, ..)| total[*trigger] += 1);
        }
        let unwatched: u64 = watch
            .take_counters()
            .map(|(_, counters)| counters.no_service)
            .sum();
        assert_eq!(unwatched, naive.without_service);
    }
    assert!(total.iter().all(|fired| *fired > 20), "{total:?}");
}

/// Guarantees (RESTARTABLE): a watch that saw nothing but a window's blocks goes on as one that saw
/// all.
#[test]
fn it_goes_on_after_a_restart() {
    for seed in 100..120 {
        let blocks = random_blocks(seed, 200);
        let mut watch = Watch::new(&triggers(ALL)).unwrap();
        let all: Vec<_> = blocks
            .iter()
            .map(|block| names(block.show(&mut watch)))
            .collect();
        for stop in (20..blocks.len()).step_by(37) {
            let newest = blocks[stop - 1].at;
            let from = newest - u64::try_from(watch.window().as_nanos()).unwrap();
            let mut again = Watch::new(&triggers(ALL)).unwrap();
            let back = blocks[..stop].iter().filter(|block| block.at >= from);
            back.for_each(|block| drop(block.show(&mut again)));
            for (block, before) in blocks[stop..].iter().zip(&all[stop..]) {
                // What had fired in the slot of the restart may have fired before what is read back.
                assert_eq!(
                    names(block.show(&mut again)),
                    *before,
                    "seed {seed}, {stop}"
                );
            }
        }
    }
}

/// Guarantees (BOUNDED, LOSS-COUNTED): services beyond the limit are not watched, and counted.
#[test]
fn a_limit_on_services() {
    let some = "[{ name: errors, max_groups: 1, error_rate: { share: 1, min_spans: 1 } }]";
    let mut watch = Watch::new(&triggers(some)).unwrap();
    let failed = Span {
        status: Some(Status {
            code: 2,
            ..Status::default()
        }),
        ..Span::default()
    };
    let spans = |service| ResourceSpans {
        resource: resource(Some(service)),
        scope_spans: vec![ScopeSpans {
            spans: vec![failed.clone(); 2],
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    };
    let block = Block {
        at: START,
        tenant: TenantId::default_tenant(),
        content: Content::Spans(ExportTraceServiceRequest {
            resource_spans: vec![spans("a"), spans("b")],
        }),
    };
    let fired = block.show(&mut watch);
    assert_eq!(fired.len(), 1);
    assert_eq!(
        (fired[0].service.as_str(), fired[0].measured.as_str()),
        ("a", "100.0 % of 2 spans failed")
    );
    assert_eq!(watch.groups().collect::<Vec<_>>(), [("errors", 1)]);
    let expected = Counters {
        no_room: 2,
        no_service: 0,
    };
    assert_eq!(watch.take_counters().next(), Some(("errors", expected)));
    // No byte of a block makes it panic.
    let Content::Spans(request) = &block.content else {
        return;
    };
    let payload = request.encode_to_vec();
    for at in 0..payload.len() {
        let mut bad = payload.clone();
        bad[at] ^= 0xff;
        let seen = Seen {
            tenant: &block.tenant,
            signal: Signal::Traces,
            appended_unix_nano: START,
            payload: &bad[..at],
        };
        watch.observe(&seen, |_| {});
        watch.observe(
            &Seen {
                payload: &bad,
                ..seen
            },
            |_| {},
        );
    }
}

/// Guarantees: what is wrong in a trigger is told with the key.
#[test]
fn what_is_wrong_is_told() {
    let rate = "error_rate: { share: 0.1 }";
    for (yaml, key) in [
        ("[{ name: a }]", "triggers"),
        (
            "[{ name: a, error_rate: { share: 0.1 }, log_pattern: { pattern: x, count: 1 } }]",
            "triggers",
        ),
        (&format!("[{{ name: A, {rate} }}]"), "triggers"),
        (
            &format!("[{{ name: a, {rate} }}, {{ name: a, {rate} }}]"),
            "triggers",
        ),
        ("[{ name: a, error_rate: { share: 0 } }]", "share"),
        (
            "[{ name: a, latency: { quantile: 1, threshold: 1s } }]",
            "quantile",
        ),
        (
            "[{ name: a, log_pattern: { pattern: '(', count: 1 } }]",
            "pattern",
        ),
        (
            "[{ name: a, log_pattern: { pattern: 'x*', count: 1 } }]",
            "pattern",
        ),
        (
            "[{ name: a, log_pattern: { pattern: x, count: 0 } }]",
            "count",
        ),
        (&format!("[{{ name: a, {rate}, window: 2h }}]"), "window"),
        (
            &format!("[{{ name: a, {rate}, window: 5m, cool_down: 4m }}]"),
            "cool_down",
        ),
        (
            &format!("[{{ name: a, {rate}, max_per_day: 0 }}]"),
            "max_per_day",
        ),
        (
            &format!("[{{ name: a, {rate}, scope: '{{measured}}' }}]"),
            "scope",
        ),
        (
            &format!("[{{ name: a, {rate}, reason: '{{measured' }}]"),
            "reason",
        ),
    ] {
        let (found, message, hint) = trigger::check(&triggers(yaml)).unwrap_err();
        assert_eq!(found, key, "{yaml}: {message} ({hint})");
        assert!(Watch::new(&triggers(yaml)).is_err());
    }
}
