//! The check against prost, on random requests and on broken ones.

#![allow(clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use common::{Request, examples};
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, any_value::Value};
use otlp::{ErrorKind, MAX_VALUE_DEPTH, Signal, Summary, check};
use proptest::prelude::*;
use prost::Message;

fn summary(request: &Request) -> Summary {
    let times = request.times();
    let known = || times.iter().flatten().copied().filter(|time| *time != 0);
    Summary {
        items: request.items(),
        min_time_unix_nano: known().min().unwrap_or(0),
        max_time_unix_nano: known().max().unwrap_or(0),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Guarantees: whatever prost encodes is accepted, and counted as prost's types count it.
    #[test]
    fn agrees_with_prost_on_random_requests(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        for signal in Signal::ALL {
            let request = Request::random(signal, &bytes);
            prop_assert_eq!(check(signal, &request.encode()), Ok(summary(&request)));
        }
    }

    /// Guarantees: a request with one byte changed, or cut anywhere, is accepted only if prost
    /// decodes it too, and then counted alike; a refusal points into the request.
    #[test]
    fn accepts_nothing_that_prost_refuses(
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        for signal in Signal::ALL {
            let mut wire = Request::random(signal, &bytes).encode();
            if wire.is_empty() {
                continue;
            }
            for (at, byte) in &changes {
                let at = at.index(wire.len());
                wire[at] = *byte;
            }
            if let Some(cut) = cut {
                wire.truncate(cut.index(wire.len()));
            }
            match check(signal, &wire) {
                Ok(found) => {
                    let request = Request::decode(signal, &wire);
                    prop_assert!(request.is_ok(), "prost refuses: {:?}", request);
                    if let Ok(request) = request {
                        prop_assert_eq!(found, summary(&request));
                    }
                }
                Err(error) => prop_assert!(error.offset() < wire.len().max(1), "{}", error),
            }
        }
    }

    /// Guarantees: random bytes never panic, and are accepted only if prost decodes them.
    #[test]
    fn survives_noise(wire in prop::collection::vec(any::<u8>(), 0..60)) {
        for signal in Signal::ALL {
            if check(signal, &wire).is_ok() {
                prop_assert!(Request::decode(signal, &wire).is_ok());
            }
        }
    }
}

/// Guarantees: the example files of opentelemetry-proto are accepted and counted.
#[test]
fn accepts_the_examples() {
    for (name, request) in examples() {
        let found = check(request.signal(), &request.encode());
        assert_eq!(found, Ok(summary(&request)), "{name}");
        assert!(found.is_ok_and(|found| found.items > 0), "{name}");
    }
}

/// A field: number, wire type 2, body.
fn field(number: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_key(
        u32::from(number),
        prost::encoding::WireType::LengthDelimited,
        &mut out,
    );
    prost::encoding::encode_varint(body.len() as u64, &mut out);
    out.extend_from_slice(body);
    out
}

/// A request with one good span, then one whose body is given.
fn span(body: &[u8]) -> Vec<u8> {
    let good = field(2, &field(5, b"good"));
    field(1, &field(2, &[good, field(2, body)].concat()))
}

fn refusal(signal: Signal, wire: &[u8]) -> (String, usize, ErrorKind) {
    let error = check(signal, wire).expect_err("must be refused");
    (error.path().to_owned(), error.offset(), error.kind())
}

/// Guarantees: each fault is told by its kind, its field path and its byte offset.
#[test]
fn tells_what_and_where() {
    let spans = "resource_spans[0].scope_spans[0].spans[1]";
    let header = span(&[]).len();
    let cases: Vec<(Vec<u8>, &str, ErrorKind)> = vec![
        (
            field(1, &[1; 15]),
            ".trace_id",
            ErrorKind::TraceIdLength(15),
        ),
        (field(2, &[1; 16]), ".span_id", ErrorKind::SpanIdLength(16)),
        (
            field(4, &[1; 1]),
            ".parent_span_id",
            ErrorKind::SpanIdLength(1),
        ),
        (field(5, b"\xff"), ".name", ErrorKind::InvalidUtf8),
        (
            field(5, &[b'a', 0xc3].repeat(40)),
            ".name",
            ErrorKind::InvalidUtf8,
        ),
        (vec![5 << 3, 1], ".name", ErrorKind::WrongWireType),
        (
            vec![7 << 3, 1],
            ".start_time_unix_nano",
            ErrorKind::WrongWireType,
        ),
        (vec![5 << 3 | 2, 9], ".name", ErrorKind::Truncated),
        (vec![6 << 3, 0x80], ".kind", ErrorKind::Truncated),
        (vec![6 << 3 | 3], ".kind", ErrorKind::Group),
        (vec![0xf8, 0x07, 0x80], ".(unknown)", ErrorKind::Truncated),
        (vec![0xfb, 0x07], ".(unknown)", ErrorKind::Group),
        (vec![6 << 3 | 7], ".kind", ErrorKind::BadTag),
        (vec![0x06], ".(unknown)", ErrorKind::BadTag),
        (vec![0x80], "", ErrorKind::BadTag),
    ];
    for (body, path, kind) in cases {
        let path = format!("{spans}{path}");
        assert_eq!(
            refusal(Signal::Traces, &span(&body)),
            (path, header, kind),
            "{body:?}"
        );
    }
}

/// Guarantees: faults deep inside attributes, links, events and exemplars are found as well.
#[test]
fn looks_into_every_corner() {
    let bad_value = field(2, &field(1, b"\xff"));
    let pair = [field(1, b"key"), bad_value].concat();
    let spans = "resource_spans[0].scope_spans[0].spans[1]";
    for (body, path) in [
        (field(9, &pair), "attributes[0].value.string_value"),
        (
            [field(9, &[]), field(11, &field(3, &pair))].concat(),
            "events[0].attributes[0].value.string_value",
        ),
        (
            field(13, &field(4, &pair)),
            "links[0].attributes[0].value.string_value",
        ),
        (field(15, &field(2, b"\xff")), "status.message"),
        (
            field(
                9,
                &field(2, &field(6, &[field(1, &[]), field(1, &pair)].concat())),
            ),
            "attributes[0].value.kvlist_value.values[1].value.string_value",
        ),
    ] {
        let (found, _, kind) = refusal(Signal::Traces, &span(&body));
        assert_eq!(
            (found, kind),
            (format!("{spans}.{path}"), ErrorKind::InvalidUtf8)
        );
    }
    let exemplar = field(5, &field(5, &[1; 3]));
    let metric = field(5, &field(1, &exemplar));
    let wire = field(1, &field(2, &field(2, &metric)));
    assert_eq!(
        refusal(Signal::Metrics, &wire).0,
        "resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points[0].exemplars[0].trace_id"
    );
}

/// Guarantees: the text of a refusal names fields and offsets and repeats no content.
#[test]
fn a_refusal_repeats_no_content() {
    let secret = [field(1, b"secret-key"), field(2, &field(1, b"hunter2\xff"))].concat();
    let error = check(Signal::Traces, &span(&field(9, &secret))).expect_err("must be refused");
    assert_eq!(
        error.to_string(),
        "resource_spans[0].scope_spans[0].spans[1].attributes[0].value.string_value: \
         the string is not UTF-8 (byte 30)"
    );
}

fn nested(depth: u32) -> AnyValue {
    let innermost = AnyValue {
        value: Some(Value::StringValue("x".into())),
    };
    (1..depth).fold(innermost, |value, _| AnyValue {
        value: Some(Value::ArrayValue(ArrayValue {
            values: vec![value],
        })),
    })
}

/// Guarantees: values nest up to the limit and no deeper (BOUNDED), in a body and an attribute.
#[test]
fn bounds_the_nesting_of_values() {
    for number in [5, 6] {
        let record = |depth| {
            let value = nested(depth).encode_to_vec();
            let body = if number == 5 { value } else { field(2, &value) };
            field(1, &field(2, &field(2, &field(number, &body))))
        };
        assert!(check(Signal::Logs, &record(MAX_VALUE_DEPTH)).is_ok());
        let kind = refusal(Signal::Logs, &record(MAX_VALUE_DEPTH + 1)).2;
        assert_eq!(kind, ErrorKind::TooDeep);
        // A hostile depth does not run out of stack.
        assert_eq!(refusal(Signal::Logs, &record(10_000)).2, ErrorKind::TooDeep);
    }
}

/// Guarantees: repeated numbers are accepted packed and one by one, and a metric of two kinds is
/// refused.
#[test]
fn knows_the_ways_of_metrics() {
    let metric = |body: &[u8]| field(1, &field(2, &field(2, body)));
    let packed = field(9, &field(1, &field(6, &[0; 16])));
    let single = field(9, &field(1, &[6 << 3 | 1, 0, 0, 0, 0, 0, 0, 0, 0]));
    let buckets = field(
        10,
        &field(
            1,
            &field(8, &[field(2, &[1, 0x80, 1]), vec![2 << 3, 5]].concat()),
        ),
    );
    for body in [&packed, &single, &buckets] {
        assert_eq!(
            check(Signal::Metrics, &metric(body)).map(|s| s.items),
            Ok(1)
        );
        assert!(Request::decode(Signal::Metrics, &metric(body)).is_ok());
    }
    let odd = field(9, &field(1, &field(6, &[0; 15])));
    assert_eq!(
        refusal(Signal::Metrics, &metric(&odd)).2,
        ErrorKind::Truncated
    );
    let cut = field(10, &field(1, &field(8, &field(2, &[0x80]))));
    assert_eq!(
        refusal(Signal::Metrics, &metric(&cut)).2,
        ErrorKind::Truncated
    );
    let two = [packed.clone(), field(5, &[])].concat();
    assert_eq!(
        refusal(Signal::Metrics, &metric(&two)).2,
        ErrorKind::TwoKindsOfData
    );
    let twice = [packed, single].concat();
    assert_eq!(
        check(Signal::Metrics, &metric(&twice)).map(|s| s.items),
        Ok(2)
    );
}

/// Guarantees: a singular field may come more than once, and the last one counts.
#[test]
fn takes_the_last_of_a_singular_field() {
    let time = |number: u8, nanos: u64| [&[number << 3 | 1][..], &nanos.to_le_bytes()].concat();
    let wire = span(
        &[
            time(7, 5),
            time(8, 9),
            time(7, 6),
            field(15, &[]),
            field(15, &[]),
        ]
        .concat(),
    );
    let found = check(Signal::Traces, &wire);
    assert_eq!(
        found,
        Ok(Summary {
            items: 2,
            min_time_unix_nano: 6,
            max_time_unix_nano: 9
        })
    );
}
