//! Splitting and joining, against prost doing the same.

#![allow(clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use common::dynamic::{with_unknown_fields, written_otherwise};
use common::{Logs, Metrics, Random, Request, Traces, examples};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};
use otlp::split::{Part, by_bytes, by_items, by_trace_id};
use otlp::{ErrorKind, Signal, check, join};
use proptest::prelude::*;

/// The items of a request, each as a request of its own: the item and what is around it. What
/// holds no item is in the list as it is.
fn atoms(request: &Request) -> Vec<Request> {
    fn each<T>(list: &[T], f: impl FnMut(&T) -> Vec<Request>) -> Vec<Request> {
        list.iter().flat_map(f).collect()
    }
    fn or(atoms: Vec<Request>, whole: Request) -> Vec<Request> {
        if atoms.is_empty() { vec![whole] } else { atoms }
    }
    /// A copy of `$base` in which the list `$field` is this one.
    macro_rules! with {
        ($base:expr, $field:ident, $list:expr) => {{
            let mut copy = $base.clone();
            copy.$field = $list;
            copy
        }};
    }
    match request {
        Request::Traces(request) => each(&request.resource_spans, |r| {
            let around = |r| {
                Request::Traces(Traces {
                    resource_spans: vec![r],
                })
            };
            let atoms = each(&r.scope_spans, |s| {
                let around = |s| around(with!(r, scope_spans, vec![s]));
                or(
                    each(&s.spans, |i| vec![around(with!(s, spans, vec![i.clone()]))]),
                    around(s.clone()),
                )
            });
            or(atoms, around(r.clone()))
        }),
        Request::Logs(request) => each(&request.resource_logs, |r| {
            let around = |r| {
                Request::Logs(Logs {
                    resource_logs: vec![r],
                })
            };
            let atoms = each(&r.scope_logs, |s| {
                let around = |s| around(with!(r, scope_logs, vec![s]));
                or(
                    each(&s.log_records, |i| {
                        vec![around(with!(s, log_records, vec![i.clone()]))]
                    }),
                    around(s.clone()),
                )
            });
            or(atoms, around(r.clone()))
        }),
        Request::Metrics(request) => each(&request.resource_metrics, |r| {
            let around = |r| {
                Request::Metrics(Metrics {
                    resource_metrics: vec![r],
                })
            };
            let atoms = each(&r.scope_metrics, |s| {
                let around = |s| around(with!(r, scope_metrics, vec![s]));
                let atoms = each(&s.metrics, |metric| {
                    let around = |metric: Metric| around(with!(s, metrics, vec![metric]));
                    let data = |data| around(with!(metric, data, Some(data)));
                    macro_rules! points {
                        ($kind:ident, $d:expr) => {
                            each(&$d.data_points, |point| {
                                vec![data(Data::$kind(with!(
                                    $d,
                                    data_points,
                                    vec![point.clone()]
                                )))]
                            })
                        };
                    }
                    let atoms = match &metric.data {
                        None => vec![],
                        Some(Data::Gauge(d)) => points!(Gauge, d),
                        Some(Data::Sum(d)) => points!(Sum, d),
                        Some(Data::Histogram(d)) => points!(Histogram, d),
                        Some(Data::ExponentialHistogram(d)) => points!(ExponentialHistogram, d),
                        Some(Data::Summary(d)) => points!(Summary, d),
                    };
                    or(atoms, around(metric.clone()))
                });
                or(atoms, around(s.clone()))
            });
            or(atoms, around(r.clone()))
        }),
    }
}

fn decode(signal: Signal, part: &Part) -> Request {
    let request = Request::decode(signal, &part.bytes).expect("a part decodes");
    assert_eq!(part.items, request.items());
    assert_eq!(check(signal, &part.bytes).map(|s| s.items), Ok(part.items));
    request
}

fn all_atoms(parts: &[Request]) -> Vec<Request> {
    parts.iter().flat_map(atoms).collect()
}

fn trace_id(atom: &Request) -> [u8; 16] {
    let id = match atom {
        Request::Traces(r) => r
            .resource_spans
            .iter()
            .flat_map(|r| &r.scope_spans)
            .flat_map(|s| &s.spans)
            .next()
            .map(|s| &s.trace_id),
        Request::Logs(r) => r
            .resource_logs
            .iter()
            .flat_map(|r| &r.scope_logs)
            .flat_map(|s| &s.log_records)
            .next()
            .map(|s| &s.trace_id),
        Request::Metrics(_) => None,
    };
    id.and_then(|id| id.as_slice().try_into().ok())
        .unwrap_or_default()
}

fn splits_like_prost(request: &Request, max_items: u64, max_bytes: usize) {
    let signal = request.signal();
    let wire = request.encode();
    let expected = atoms(request);

    let parts = by_items(signal, &wire, max_items).expect("splits");
    let decoded: Vec<_> = parts.iter().map(|part| decode(signal, part)).collect();
    assert!(
        all_atoms(&decoded) == expected,
        "other items or surroundings"
    );
    assert!(decoded.iter().all(|part| part.items() <= max_items));
    let least = request.items().div_ceil(max_items).max(1);
    assert_eq!(parts.len() as u64, least, "as few parts as there can be");

    let parts = by_bytes(signal, &wire, max_bytes).expect("splits");
    let decoded: Vec<_> = parts.iter().map(|part| decode(signal, part)).collect();
    assert!(
        all_atoms(&decoded) == expected,
        "other items or surroundings"
    );
    for (part, decoded) in parts.iter().zip(&decoded) {
        assert!(part.bytes.len() <= max_bytes || decoded.items() <= 1);
    }

    let parts = by_trace_id(signal, &wire).expect("splits");
    let mut found = Vec::new();
    for (id, part) in &parts {
        for atom in atoms(&decode(signal, part)) {
            assert_eq!(trace_id(&atom), *id);
            found.push(atom);
        }
    }
    let mut ids: Vec<_> = Vec::new();
    for atom in &expected {
        if !ids.contains(&trace_id(atom)) {
            ids.push(trace_id(atom));
        }
    }
    assert_eq!(parts.iter().map(|part| part.0).collect::<Vec<_>>(), ids);
    let by_trace: Vec<_> = ids
        .iter()
        .flat_map(|id| {
            expected
                .iter()
                .filter(|atom| trace_id(atom) == *id)
                .cloned()
        })
        .collect();
    assert!(found == by_trace, "other items or surroundings");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Guarantees: parts hold the same items in the same order, with the same things around them;
    /// none is over the limit unless it holds a single item; there are as few as there can be.
    #[test]
    fn splits_random_requests_like_prost(
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        max_items in 1u64..12,
        max_bytes in 0usize..4000,
    ) {
        for signal in Signal::ALL {
            splits_like_prost(&Request::random(signal, &bytes), max_items, max_bytes);
        }
    }

    /// Guarantees: nothing gets lost or torn apart, however the request is written: with unknown
    /// fields, with messages that have to be merged, with numbers that are not packed.
    #[test]
    fn splits_what_is_written_otherwise(
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        noise in prop::collection::vec(any::<u8>(), 0..400),
        manner in prop::collection::vec(any::<u8>(), 0..400),
        max in 1u64..4000,
    ) {
        for signal in Signal::ALL {
            let request = Request::random(signal, &bytes);
            let message = otlp::schema::request(signal);
            let wire = written_otherwise(message, &request.encode(), &mut Random(&manner));
            let wire = with_unknown_fields(message, &wire, &mut Random(&noise));
            for parts in [by_items(signal, &wire, max % 10 + 1), by_bytes(signal, &wire, max as usize)] {
                let parts = parts.expect("splits");
                let decoded: Vec<_> = parts.iter().map(|part| decode(signal, part)).collect();
                prop_assert!(all_atoms(&decoded) == atoms(&request), "{} tears", signal);
            }
        }
    }

    /// Guarantees: joining is what prost's merging of two requests is.
    #[test]
    fn joins_like_prost(
        one in prop::collection::vec(any::<u8>(), 0..2000),
        two in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        for signal in Signal::ALL {
            let (one, two) = (Request::random(signal, &one), Request::random(signal, &two));
            let joined = join([one.encode().as_slice(), two.encode().as_slice()]);
            let mut merged = one;
            match (&mut merged, two) {
                (Request::Traces(one), Request::Traces(two)) => one.resource_spans.extend(two.resource_spans),
                (Request::Metrics(one), Request::Metrics(two)) => one.resource_metrics.extend(two.resource_metrics),
                (Request::Logs(one), Request::Logs(two)) => one.resource_logs.extend(two.resource_logs),
                _ => unreachable!("of one signal"),
            }
            prop_assert_eq!(Request::decode(signal, &joined).ok(), Some(merged));
        }
    }

    /// Guarantees: on bytes that were not checked, splitting does not panic.
    #[test]
    fn survives_unchecked_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..1000),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        for signal in Signal::ALL {
            let mut wire = Request::random(signal, &bytes).encode();
            for (at, byte) in &changes {
                if !wire.is_empty() {
                    let at = at.index(wire.len());
                    wire[at] = *byte;
                }
            }
            let _ = by_items(signal, &wire, 2);
            let _ = by_bytes(signal, &wire, 300);
            let _ = by_trace_id(signal, &wire);
        }
    }
}

/// Guarantees: the example files of opentelemetry-proto split like prost.
#[test]
fn splits_the_examples_like_prost() {
    for (_, request) in examples() {
        for max_bytes in [0, 200, 500, 1000, 100_000] {
            splits_like_prost(&request, 1, max_bytes);
        }
    }
}

/// Guarantees: what fits is given back unchanged.
#[test]
fn what_fits_stays_as_it_is() {
    for (_, request) in examples() {
        let wire = request.encode();
        let whole = vec![Part {
            bytes: wire.clone(),
            items: request.items(),
        }];
        assert_eq!(by_items(request.signal(), &wire, 1000), Ok(whole.clone()));
        assert_eq!(by_bytes(request.signal(), &wire, wire.len()), Ok(whole));
    }
}

/// A field: number below 16, wire type 2, body.
fn field(number: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(body.len() as u64, &mut out);
    out.extend_from_slice(body);
    out
}

/// Guarantees: unknown fields at every level stay where they are, byte for byte, and are repeated
/// with what is around the items.
#[test]
fn keeps_unknown_fields() {
    let unknown = |n: u8| [0xf8, 0x07, n]; // field 127
    let span = |n: u8| field(2, &[&field(5, b"name")[..], &unknown(n)].concat());
    let around = |spans: &[u8]| {
        let scope = field(2, &[&unknown(3)[..], spans, &unknown(4)].concat());
        [
            &unknown(1)[..],
            &field(1, &[&field(3, b"url")[..], &scope, &unknown(2)].concat()),
        ]
        .concat()
    };
    let wire = around(&[span(7), span(8)].concat());
    let parts = by_items(Signal::Traces, &wire, 1).expect("splits");
    assert_eq!(
        parts.iter().map(|p| p.bytes.clone()).collect::<Vec<_>>(),
        [around(&span(7)), around(&span(8))]
    );
}

/// Guarantees: parts are filled to the limit, so that there are no more than needed.
#[test]
fn fills_parts_to_the_limit() {
    let span = field(2, &field(5, &[b'x'; 90]));
    let wire = |spans| field(1, &field(2, &span.repeat(spans)));
    assert_eq!((span.len(), wire(10).len()), (94, 946));
    for (max_bytes, items) in [
        (946, vec![10, 10, 5]),
        (945, vec![9, 9, 7]),
        (1, vec![1; 25]),
    ] {
        let parts = by_bytes(Signal::Traces, &wire(25), max_bytes).expect("splits");
        assert_eq!(
            parts.iter().map(|part| part.items).collect::<Vec<_>>(),
            items
        );
    }
}

/// Guarantees: a metric whose data comes in two fields, which protobuf merges, is not torn apart:
/// each point keeps the temporality that the other field holds.
#[test]
fn keeps_divided_data_whole() {
    let point = field(1, &[]);
    let data = [
        field(7, &[point.clone(), point.clone()].concat()),
        field(7, &[2 << 3, 2]),
    ]
    .concat();
    let wire = field(
        1,
        &field(2, &[field(2, &data), field(2, &field(5, &point))].concat()),
    );
    let parts = by_items(Signal::Metrics, &wire, 1).expect("splits");
    assert_eq!(
        parts.iter().map(|part| part.items).collect::<Vec<_>>(),
        [2, 1]
    );
}

/// Guarantees: a request whose parts would be huge together is refused (BOUNDED).
#[test]
fn refuses_to_grow_without_bound() {
    let resource = field(1, &field(1, &field(1, &[b'x'; 1 << 20])));
    let spans = field(2, &field(2, &[]).repeat(1000));
    let wire = field(1, &[resource, spans].concat());
    let refusal = by_items(Signal::Traces, &wire, 1).expect_err("must be refused");
    assert_eq!(refusal.kind(), ErrorKind::SplitTooLarge);
    assert_eq!(
        by_items(Signal::Traces, &wire, 500).map(|parts| parts.len()),
        Ok(2)
    );
}
