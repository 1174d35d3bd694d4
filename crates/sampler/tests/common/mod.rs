//! What the tests share: blocks, spans, a small generator of random numbers.
#![allow(dead_code, clippy::expect_used, clippy::panic)]

pub mod model;
pub mod world;

use ident::{Signal, TenantId};
use journal::{Block, Position};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use sampler::config::Sampling;

pub const SECOND: u64 = 1_000_000_000;
/// Some time that is a multiple of everything that tests divide by.
pub const START: u64 = 1_764_000_000 * SECOND;

pub fn config(yaml: &str) -> Sampling {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

pub fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        key_strindex: 0,
    }
}

pub fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

pub fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

pub fn request(groups: Vec<(Vec<KeyValue>, Vec<Span>)>) -> Vec<u8> {
    let resource_spans = groups.into_iter().map(|(attributes, spans)| ResourceSpans {
        resource: Some(Resource {
            attributes,
            ..Resource::default()
        }),
        scope_spans: vec![ScopeSpans {
            spans,
            ..ScopeSpans::default()
        }],
        ..ResourceSpans::default()
    });
    ExportTraceServiceRequest {
        resource_spans: resource_spans.collect(),
    }
    .encode_to_vec()
}

/// The `number`th block of a log.
pub fn block(number: u64, time: u64, tenant: &str, payload: Vec<u8>) -> Block {
    let items = decode(&payload).len() as u64;
    Block {
        position: Position {
            segment: 1,
            offset: number,
        },
        next: Position {
            segment: 1,
            offset: number + 1,
        },
        tenant: tenant.parse().expect("a tenant's name"),
        signal: Signal::Traces,
        items,
        records: 1,
        min_time_unix_nano: 0,
        max_time_unix_nano: 0,
        appended_unix_nano: time,
        payload: payload.into(),
    }
}

/// Every span of a request, with its resource's attributes.
pub fn decode(payload: &[u8]) -> Vec<(Vec<KeyValue>, Span)> {
    let request = ExportTraceServiceRequest::decode(payload).expect("a request");
    let mut spans = Vec::new();
    for group in request.resource_spans {
        let resource = group.resource.unwrap_or_default().attributes;
        for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push((resource.clone(), span));
        }
    }
    spans
}

pub fn default_tenant() -> TenantId {
    TenantId::default_tenant()
}

/// splitmix64: enough for tests, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Less than `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.number() % n
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}
