//! Random traces that have all that sampling policies ask about: attributes of each kind on spans
//! and resources, status, durations, trace state, few spans or many.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

const START: u64 = 1_764_000_000_000_000_000;

/// Numbers that a seed gives (splitmix64).
struct Random(u64);

impl Random {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len() as u64) as usize]
    }
}

/// So many traces of 1 to 12 spans, the spans of each spread over some of the requests.
pub fn requests(seed: u64, traces: u64, requests: usize) -> Vec<ExportTraceServiceRequest> {
    let random = &mut Random(seed);
    let mut all = vec![ExportTraceServiceRequest::default(); requests];
    let mut number = 0;
    for _ in 0..traces {
        let id = [random.number(), random.number()].map(u64::to_be_bytes);
        let count = if random.one_in(6) {
            6 + random.below(7)
        } else {
            1 + random.below(4)
        };
        for _ in 0..count {
            number += 1;
            let span = span(random, id.concat(), number);
            let at = random.below(requests as u64) as usize;
            all[at].resource_spans.push(ResourceSpans {
                resource: Some(resource(random)),
                scope_spans: vec![ScopeSpans {
                    spans: vec![span],
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            });
        }
    }
    all
}

fn resource(random: &mut Random) -> Resource {
    let mut attributes = vec![text("service.name", random.pick(&["a", "b", "c"]))];
    if random.one_in(20) {
        attributes.push(text("route", "/a"));
    }
    if random.one_in(20) {
        attributes.push(any("code", Value::IntValue(8)));
    }
    Resource {
        attributes,
        ..Resource::default()
    }
}

fn span(random: &mut Random, trace_id: Vec<u8>, number: u64) -> Span {
    let start = START + random.below(4000) * 1_000_000;
    let mut attributes = Vec::new();
    if random.one_in(3) {
        let route = random.pick(&["/a", "/b", "/c/1", "/c/22", "/d", "/ezz"]);
        attributes.push(text("route", route));
    }
    if random.one_in(4) {
        attributes.push(any("code", Value::IntValue(random.below(12) as i64 - 1)));
    }
    if random.one_in(8) {
        attributes.push(any("debug", Value::BoolValue(random.one_in(2))));
    }
    if random.one_in(30) {
        attributes.push(text("error.type", "timeout"));
    }
    let code = match random.below(20) {
        0 => 2,
        1..5 => 1,
        _ => 0,
    };
    Span {
        trace_id,
        span_id: number.to_be_bytes().to_vec(),
        parent_span_id: random.below(4).to_be_bytes().to_vec(),
        trace_state: match random.below(10) {
            0 => "vendor=x,other=y".to_owned(),
            1 => "other=x, vendor=y".to_owned(),
            2 => "other=x".to_owned(),
            _ => String::new(),
        },
        name: random.pick(&["GET /", "POST /", "job"]).to_owned(),
        kind: 1 + random.below(5) as i32,
        start_time_unix_nano: start,
        end_time_unix_nano: start + random.below(3000) * 1_000_000,
        attributes,
        status: (code > 0).then(|| Status {
            code,
            ..Status::default()
        }),
        ..Span::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    any(key, Value::StringValue(value.to_owned()))
}

fn any(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
