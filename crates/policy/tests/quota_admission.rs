//! Quotas of tenants: what is refused, for how long, and what is remembered.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use ident::{Signal, TenantId};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric::Data,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, span};
use policy::quota::shape::{ItemLimits, ShapeLimit, first_violation};
use policy::quota::{Admission, Exceeded, Limit, Now, QuotaError, Quotas};
use prost::Message;

const SECOND: u64 = 1_000_000_000;

fn admission(yaml: &str) -> Admission {
    Admission::new(
        &serde_saphyr::from_str::<Quotas>(yaml).unwrap(),
        1 << 20,
        [1, 2],
    )
    .unwrap()
}

fn id(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn at(seconds: u64) -> Now {
    Now {
        nanos: seconds * SECOND,
        unix_seconds: 1_800_000_000 + seconds,
    }
}

fn refused(limit: Limit, retry_after: Option<Duration>) -> Result<(), Exceeded> {
    Err(Exceeded { limit, retry_after })
}

/// Guarantees: each limit refuses with its own name and with the exact wait, takes nothing of what
/// it refuses, and leaves other signals and other tenants alone.
#[test]
fn limits_refuse_with_the_exact_wait() {
    let quotas = admission(
        "
default:
  request_bytes: 1000
  logs: {bytes_per_second: 100, burst_bytes: 1000, items_per_second: 10, burst_items: 50}
tenants:
  big: {request_bytes: 5000, logs: {bytes_per_second: 1000}}
",
    );
    let (acme, big) = (id("acme"), id("big"));
    let send = |who, cost, now| quotas.request(who, Signal::Logs, cost, now);
    assert_eq!(
        send(&acme, (1001, 1), at(0)),
        refused(Limit::RequestBytes, None)
    );
    assert_eq!(send(&acme, (900, 10), at(0)), Ok(()));
    let wait = Some(Duration::from_secs(1));
    assert_eq!(
        send(&acme, (200, 1), at(0)),
        refused(Limit::BytesPerSecond, wait)
    );
    // Nothing was taken of the items.
    assert_eq!(send(&acme, (100, 40), at(0)), Ok(()));
    assert_eq!(
        send(&acme, (1, 2), at(0)),
        refused(Limit::ItemsPerSecond, Some(Duration::from_millis(200)))
    );
    assert_eq!(
        send(&acme, (1, 51), at(0)),
        refused(Limit::ItemsPerSecond, None)
    );
    assert_eq!(send(&acme, (100, 1), at(1)), Ok(()));
    assert_eq!(
        quotas.request(&acme, Signal::Traces, (1000, 1_000_000), at(0)),
        Ok(())
    );
    // A burst of ten seconds belongs to the tenant's own rate; items are as in the default.
    assert_eq!(send(&big, (5000, 1), at(0)), Ok(()));
    assert_eq!(send(&big, (5000, 1), at(0)), Ok(()));
    assert!(matches!(
        send(&big, (1, 1), at(0)),
        Err(Exceeded {
            limit: Limit::BytesPerSecond,
            ..
        })
    ));
    assert_eq!(send(&big, (1, 50), at(5)), Ok(()));
    let wait = Some(Duration::from_millis(100));
    assert_eq!(
        send(&big, (1, 1), at(5)),
        refused(Limit::ItemsPerSecond, wait)
    );
    let text = send(&acme, (1000, 1), at(1)).unwrap_err().to_string();
    assert!(text.contains("hint: try again in 10.000 s"), "{text}");
}

/// Guarantees: bytes a day end at midnight, UTC, and neither a clock set back nor a restart gives
/// more.
#[test]
fn a_day_ends_at_midnight() {
    let quotas = admission("default: {journal_bytes_per_day: 1000}");
    let acme = id("acme");
    let day = |seconds: u64| Now {
        nanos: 0,
        unix_seconds: 20_000 * 86_400 + seconds,
    };
    let send = |bytes, now| quotas.request(&acme, Signal::Logs, (bytes, 1), now);
    quotas.restore_day(&acme, 300, day(10)).unwrap();
    assert_eq!(send(600, day(20)), Ok(()));
    let wait = Some(Duration::from_secs(86_400 - 30));
    assert_eq!(send(101, day(30)), refused(Limit::JournalBytesPerDay, wait));
    assert_eq!(
        send(1001, day(30)),
        refused(Limit::JournalBytesPerDay, None)
    );
    assert_eq!(send(100, day(30)), Ok(()));
    assert_eq!(send(1000, day(86_400)), Ok(()));
    assert!(send(1, day(86_399)).is_err());
    assert_eq!(send(1000, day(2 * 86_400)), Ok(()));
}

/// Guarantees (BOUNDED): no more tenants are kept than configured; one is forgotten only when a new
/// one would be the same, so being forgotten is worth nothing.
#[test]
fn forgetting_gives_nobody_a_fresh_burst() {
    let quotas = admission(
        "{max_tenants: 100, default: {logs: {bytes_per_second: 10, burst_bytes: 100}, series: 5}}",
    );
    let send = |name: &str, bytes, now| quotas.request(&id(name), Signal::Logs, (bytes, 1), now);
    for i in 0..100 {
        assert_eq!(send(&format!("t{i}"), 100, at(0)), Ok(()));
    }
    assert_eq!(quotas.tenants(), 100);
    let full = refused(Limit::Tenants, Some(Duration::from_secs(1)));
    assert_eq!(send("late", 1, at(9)), full);
    assert_eq!(quotas.forget_idle(at(9)), 0);
    for i in 0..100 {
        assert_eq!(
            send(&format!("t{i}"), 100, at(9)).unwrap_err().limit,
            Limit::BytesPerSecond
        );
    }
    // A lease in use keeps its tenant.
    let mut lease = quotas.lease(&id("t7"), at(10)).unwrap();
    lease.grow(10, at(10).nanos).unwrap();
    assert_eq!(quotas.forget_idle(at(10)), 99);
    assert_eq!(quotas.tenants(), 1);
    drop(lease);
    assert_eq!(quotas.forget_idle(at(10)), 1);
    // A new tenant makes room for itself.
    for i in 0..100 {
        assert_eq!(send(&format!("u{i}"), 100, at(20)), Ok(()));
    }
    assert_eq!(send("late", 1, at(29)), full);
    assert_eq!(send("late", 1, at(30)), Ok(()));
    assert!(quotas.tenants() <= 100);
}

/// Guarantees: what is held in memory of one tenant is bounded, and comes back.
#[test]
fn bytes_in_flight_are_leased() {
    let quotas =
        admission("{default: {in_flight_bytes: 1000}, tenants: {big: {in_flight_bytes: 2MiB}}}");
    let mut lease = quotas.lease(&id("acme"), at(0)).unwrap();
    lease.grow(600, 0).unwrap();
    let mut second = quotas.lease(&id("acme"), at(0)).unwrap();
    assert_eq!(second.grow(401, 0).unwrap_err().limit, Limit::InFlightBytes);
    second.grow(400, 0).unwrap();
    assert_eq!((lease.bytes(), second.bytes()), (600, 400));
    drop(lease);
    second.grow(600, 0).unwrap();
    let mut big = quotas.lease(&id("big"), at(0)).unwrap();
    assert_eq!(big.grow(1 << 20, 0).unwrap_err().limit, Limit::FairShare);
}

#[test]
fn quotas_that_make_no_sense_are_refused() {
    let error = |yaml: &str| {
        let quotas = serde_saphyr::from_str::<Quotas>(yaml).unwrap();
        Admission::new(&quotas, 1, [0, 0]).unwrap_err()
    };
    assert!(matches!(
        error("default: {request_bytes: 0}"),
        QuotaError::Zero { .. }
    ));
    assert!(matches!(
        error("tenants: {a: {logs: {items_per_second: 0}}}"),
        QuotaError::Zero { .. }
    ));
    assert!(matches!(
        error("default: {logs: {burst_items: 5}}"),
        QuotaError::BurstAlone { .. }
    ));
    assert!(matches!(error("max_tenants: 0"), QuotaError::ZeroOfAll(_)));
    assert!(matches!(error("series_idle: 0s"), QuotaError::ZeroOfAll(_)));
    for bad in [
        "defaults: {}",
        "default: {bytes: 1}",
        "tenants: {'a/b': {}}",
        "default: {weight: -1}",
    ] {
        assert!(serde_saphyr::from_str::<Quotas>(bad).is_err(), "{bad}");
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

fn many(n: usize) -> Vec<KeyValue> {
    (0..n).map(|i| text(&format!("k{i}"), "v")).collect()
}

fn point(attributes: Vec<KeyValue>) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        ..NumberDataPoint::default()
    }
}

fn metrics(service: &str, metrics: Vec<(&str, Data)>) -> Vec<u8> {
    let metrics = metrics.into_iter().map(|(name, data)| Metric {
        name: name.to_owned(),
        data: Some(data),
        ..Metric::default()
    });
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource {
                attributes: vec![text("service.name", service)],
                ..Resource::default()
            }),
            scope_metrics: vec![ScopeMetrics {
                metrics: metrics.collect(),
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
    .encode_to_vec()
}

fn gauge(points: Vec<Vec<KeyValue>>) -> Data {
    Data::Gauge(Gauge {
        data_points: points.into_iter().map(point).collect(),
    })
}

/// Guarantees (BOUNDED, LOSS-COUNTED): over the limit new series are refused and counted, known
/// ones pass, and the refused points are the ones that `retain` is asked about by the same index.
#[test]
fn series_over_the_limit_are_refused() {
    let quotas = admission("{default: {series: 3}, series_idle: 100s}");
    let acme = id("acme");
    let look = |request: &[u8], now| quotas.series(&acme, request, now).unwrap().unwrap();
    let (a, b) = (text("a", "1"), text("b", "2"));
    let first = metrics(
        "shop",
        vec![(
            "m",
            gauge(vec![vec![a.clone(), b.clone()], vec![a.clone()]]),
        )],
    );
    let verdict = look(&first, at(0));
    assert_eq!((verdict.known, verdict.new, verdict.refused), (0, 2, 0));
    // The order of attributes does not matter; name, resource, kind and values do.
    let swapped = metrics("shop", vec![("m", gauge(vec![vec![b.clone(), a.clone()]]))]);
    assert_eq!(look(&swapped, at(1)).known, 1);
    let sum = Data::Sum(Sum {
        data_points: vec![point(vec![a.clone()])],
        ..Sum::default()
    });
    let histogram = Data::Histogram(Histogram {
        data_points: vec![HistogramDataPoint {
            attributes: vec![a.clone()],
            ..HistogramDataPoint::default()
        }],
        ..Histogram::default()
    });
    let request = metrics(
        "shop",
        vec![
            ("m", sum),
            (
                "m",
                gauge(vec![vec![a.clone()], vec![b.clone()], vec![text("a", "2")]]),
            ),
            ("m", histogram),
            ("n", gauge(vec![vec![a.clone()]])),
            ("m", gauge(vec![vec![a.clone(), b.clone()]])),
        ],
    );
    let verdict = look(&request, at(2));
    assert_eq!((verdict.known, verdict.new, verdict.refused), (2, 1, 4));
    let refused: Vec<u64> = (0..7).filter(|i| verdict.is_refused(*i)).collect();
    assert_eq!(refused, [2, 3, 4, 5]);

    let mut out = Vec::new();
    let mut index = 0;
    let edited = otlp::edit::retain(Signal::Metrics, &request, &mut out, |_| {
        index += 1;
        !verdict.is_refused(index - 1)
    });
    assert_eq!(edited, Ok(otlp::edit::Edited::Changed));
    let verdict = look(&out, at(3));
    assert_eq!((verdict.known, verdict.new, verdict.refused), (3, 0, 0));

    assert_eq!(
        look(
            &metrics("other", vec![("m", gauge(vec![vec![a.clone()]]))]),
            at(4)
        )
        .refused,
        1
    );
    // Two epochs later there is room again.
    assert_eq!(
        look(
            &metrics("other", vec![("m", gauge(vec![vec![a]]))]),
            at(400)
        )
        .new,
        1
    );
    assert_eq!(admission("{}").series(&acme, &first, at(0)), Ok(None));
}

/// Guarantees: attributes are counted and measured wherever OTLP has them, the nested ones of a
/// value belong to the value, and what is within the limits passes.
#[test]
fn the_shape_of_items_is_limited() {
    let limits = |attributes, value_bytes| ItemLimits {
        attributes,
        value_bytes,
    };
    let span = |span: Span, resource: Vec<KeyValue>, scope: Vec<KeyValue>| {
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: resource,
                    ..Resource::default()
                }),
                scope_spans: vec![ScopeSpans {
                    scope: Some(InstrumentationScope {
                        attributes: scope,
                        ..InstrumentationScope::default()
                    }),
                    spans: vec![Span::default(), span],
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        }
        .encode_to_vec()
    };
    let event = Span {
        events: vec![span::Event {
            attributes: many(4),
            ..span::Event::default()
        }],
        ..Span::default()
    };
    let link = Span {
        links: vec![span::Link {
            attributes: many(4),
            ..span::Link::default()
        }],
        ..Span::default()
    };
    let own = Span {
        attributes: many(4),
        ..Span::default()
    };
    for (request, message) in [
        (span(own, vec![], vec![]), "trace.v1.Span"),
        (span(event, vec![], vec![]), "trace.v1.Span.Event"),
        (span(link, vec![], vec![]), "trace.v1.Span.Link"),
        (
            span(Span::default(), many(4), vec![]),
            "resource.v1.Resource",
        ),
        (
            span(Span::default(), vec![], many(4)),
            "common.v1.InstrumentationScope",
        ),
    ] {
        assert_eq!(
            first_violation(Signal::Traces, &request, limits(Some(4), Some(1))),
            None
        );
        let found = first_violation(Signal::Traces, &request, limits(Some(3), None)).unwrap();
        assert_eq!(found.message, format!("opentelemetry.proto.{message}"));
        assert_eq!(
            (found.limit, found.found, found.allowed),
            (ShapeLimit::Attributes, 4, 3)
        );
    }
    // Two resources in one group merge: four attributes are four, however they are written.
    let half = |n| ResourceSpans {
        resource: Some(Resource {
            attributes: many(n),
            ..Resource::default()
        }),
        ..ResourceSpans::default()
    };
    let merged = [half(2).encode_to_vec(), half(2).encode_to_vec()].concat();
    let mut request = vec![0x0a, u8::try_from(merged.len()).unwrap()];
    request.extend(merged);
    assert!(first_violation(Signal::Traces, &request, limits(Some(3), None)).is_some());
    assert!(first_violation(Signal::Traces, &request, limits(Some(4), None)).is_none());

    let exemplar = Data::Gauge(Gauge {
        data_points: vec![NumberDataPoint {
            exemplars: vec![Exemplar {
                filtered_attributes: vec![text("k", "12345")],
                ..Exemplar::default()
            }],
            ..NumberDataPoint::default()
        }],
    });
    let request = metrics("shop", vec![("m", exemplar)]);
    let found = first_violation(Signal::Metrics, &request, limits(None, Some(4))).unwrap();
    assert_eq!(
        (found.message, found.found),
        ("opentelemetry.proto.metrics.v1.Exemplar", 5)
    );
    assert_eq!(
        first_violation(Signal::Metrics, &request, limits(None, Some(5))),
        None
    );
}

/// Guarantees: a list or map is measured as a whole, a long key is no long value, and a log
/// record's body is no attribute.
#[test]
fn values_are_measured_as_a_whole() {
    let record = |attributes, body: &str| {
        ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                scope_logs: vec![ScopeLogs {
                    log_records: vec![LogRecord {
                        attributes,
                        body: text("", body).value,
                        ..LogRecord::default()
                    }],
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            }],
        }
        .encode_to_vec()
    };
    let limits = ItemLimits {
        attributes: Some(1),
        value_bytes: Some(100),
    };
    let list = |n| KeyValue {
        key: "list".to_owned(),
        value: Some(AnyValue {
            value: Some(Value::ArrayValue(ArrayValue {
                values: (0..n).filter_map(|_| text("", "12345678").value).collect(),
            })),
        }),
        ..KeyValue::default()
    };
    let check = |request: &[u8]| first_violation(Signal::Logs, request, limits).map(|v| v.limit);
    assert_eq!(check(&record(vec![list(8)], "")), None);
    assert_eq!(
        check(&record(vec![list(9)], "")),
        Some(ShapeLimit::ValueBytes)
    );
    assert_eq!(
        check(&record(vec![text(&"k".repeat(500), &"v".repeat(100))], "")),
        None
    );
    assert_eq!(
        check(&record(vec![text("k", &"v".repeat(101))], "")),
        Some(ShapeLimit::ValueBytes)
    );
    assert_eq!(check(&record(vec![], &"b".repeat(1000))), None);
    // Bytes that are not OTLP end the pass and nothing else.
    for len in 0..64 {
        let _ = check(&record(vec![list(9)], "x")[..len]);
    }
}
