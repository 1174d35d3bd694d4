#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::sync::Arc;

use ident::{MemberName, TenantId};
use journal::Position;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::history::{At, Epoch, History};
use crate::marks::{is_marked, regions};
use crate::member::{Member, Members};

fn members(names: &[&str]) -> Members {
    let member = |name: &&str| Member {
        name: name.parse().unwrap(),
        endpoint: "http://127.0.0.1:1".parse().unwrap(),
    };
    Members::new(names.iter().map(member).collect()).unwrap()
}

fn history() -> History {
    let epoch = |number, members, stay| Epoch {
        number,
        from: Position::default(),
        since_unix_nano: 0,
        handover_nanos: 1000,
        members,
        stay,
    };
    History {
        me: "b".parse().unwrap(),
        joining: false,
        epochs: vec![
            epoch(0, members(&["a", "b", "c"]), None),
            epoch(1, members(&["a", "b", "c", "d"]), Some(Arc::default())),
        ],
    }
}

fn route_at(history: &History, time: u64) -> Route<'_> {
    let place = Position {
        segment: 1,
        offset: 1,
    };
    let At::Known(route) = history.at(place, time) else {
        unreachable!("it is known")
    };
    route
}

fn block(signal: Signal, payload: Vec<u8>, items: u64) -> Block {
    Block {
        position: Position {
            segment: 1,
            offset: 1,
        },
        next: Position::default(),
        tenant: TenantId::default_tenant(),
        signal,
        items,
        records: 1,
        min_time_unix_nano: 0,
        max_time_unix_nano: 0,
        appended_unix_nano: 10,
        payload: payload.into(),
    }
}

/// A request of some spans, each of one of 40 traces, of none, or with an id that is too short.
fn request(rng: &mut StdRng, next: &mut u64) -> Vec<u8> {
    let span = |rng: &mut StdRng, next: &mut u64| {
        *next += 1;
        let trace = rng.random_range(0..42u8);
        Span {
            trace_id: match trace {
                40 => Vec::new(),
                41 => vec![0; 16],
                _ => vec![trace; 16],
            },
            span_id: next.to_be_bytes().to_vec(),
            ..Span::default()
        }
    };
    let resource_spans = (0..rng.random_range(1..4)).map(|_| ResourceSpans {
        scope_spans: (0..rng.random_range(0..3))
            .map(|_| ScopeSpans {
                spans: (0..rng.random_range(0..5))
                    .map(|_| span(rng, next))
                    .collect(),
                ..ScopeSpans::default()
            })
            .collect(),
        ..ResourceSpans::default()
    });
    ExportTraceServiceRequest {
        resource_spans: resource_spans.collect(),
    }
    .encode_to_vec()
}

/// Spans by their id, with their trace's.
fn spans(request: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let request = ExportTraceServiceRequest::decode(request).unwrap();
    let scopes = request
        .resource_spans
        .into_iter()
        .flat_map(|r| r.scope_spans);
    let spans = scopes.flat_map(|scope| scope.spans);
    spans.map(|span| (span.span_id, span.trace_id)).collect()
}

/// Guarantees: LOSS-COUNTED; each item of a block goes exactly one way, the one that the rule says,
/// also where a block holds regions that others have had; the selection and the bytes agree.
#[test]
fn every_item_goes_one_way() {
    let mut rng = StdRng::seed_from_u64(5);
    let history = history();
    let route = route_at(&history, 10);
    for _ in 0..300 {
        let (mut next, mut payload) = (0, Vec::new());
        // By span: the notes on it. Those under another list do not count.
        let list = members(&["a", "b", "c", "d"]).digest().to_owned();
        let notes = [
            String::new(),
            format!("a@{list}"),
            format!("c@{list},d@{list}"),
            "a@0000000000000000".to_owned(),
        ];
        let mut had = BTreeMap::new();
        for _ in 0..rng.random_range(1..5) {
            let part = request(&mut rng, &mut next);
            let at = rng.random_range(0..notes.len());
            had.extend(spans(&part).into_keys().map(|id| (id, at)));
            match at {
                0 => payload.extend_from_slice(&part),
                _ => crate::marks::put(&mut payload, &notes[at], &part),
            }
        }
        let all = spans(&payload);
        let block = block(Signal::Traces, payload, all.len() as u64);
        let want = |id: &Vec<u8>, trace: &Vec<u8>| {
            let names = [&[][..], &["a"], &["c", "d"], &[]][had[id]];
            match TraceId::try_from(trace.as_slice()) {
                Ok(trace) if trace != [0; 16] => route.next(&trace, names),
                _ => Next::Own,
            }
        };
        let own_here = match own(&route, &block).unwrap() {
            Own::All => spans(&block.payload),
            Own::Part { items, payload } => {
                assert!(!is_marked(&payload));
                assert_eq!(u64::from(items.items()), block.items);
                let found = spans(&payload);
                assert_eq!(items.kept() as usize, found.len());
                found
            }
        };
        let mut seen = own_here.len();
        for (id, trace) in &own_here {
            assert_eq!(want(id, trace), Next::Own);
        }
        let mut out = Vec::new();
        for name in ["a", "c", "d"] {
            let name: MemberName = name.parse().unwrap();
            let count = others(&route, &block, Next::To(&name), &mut out).unwrap();
            let found = spans(&out);
            assert_eq!(count, found.len() as u64);
            seen += found.len();
            for (id, trace) in &found {
                assert_eq!(want(id, trace), Next::To(&name));
            }
            for region in regions(&out) {
                for id in spans(region.bytes).into_keys() {
                    let want = match had[&id] {
                        1 | 2 => format!("{},b@{list}", notes[had[&id]]),
                        _ => format!("b@{list}"),
                    };
                    assert_eq!(region.notes, want);
                }
            }
        }
        assert_eq!(seen, all.len());
    }
}

#[test]
fn records_go_where_their_trace_is() {
    let record = |trace: Option<u8>| LogRecord {
        trace_id: trace.map(|n| vec![n; 16]).unwrap_or_default(),
        ..LogRecord::default()
    };
    let log_records: Vec<LogRecord> = (0..40).map(Some).chain([None]).map(record).collect();
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records,
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }],
    };
    let history = history();
    let route = route_at(&history, 5000);
    let block = block(Signal::Logs, request.encode_to_vec(), 41);
    let Own::Part { items, .. } = own(&route, &block).unwrap() else {
        unreachable!("there are others")
    };
    for n in 0..40u8 {
        let is_own = route.next(&[n; 16], &[]) == Next::Own;
        assert_eq!(items.stays(u32::from(n)), is_own);
    }
    assert!(items.stays(40), "one of no trace stays where it came in");
}
