//! The views, against prost: what they show makes up the same request again.
#![allow(clippy::expect_used, clippy::panic, reason = "this is a test")]

mod common;

use common::dynamic::{with_unknown_fields, written_otherwise};
use common::{Logs, Metrics, Random, Request, Traces, examples};
use opentelemetry_proto::tonic::common::v1 as c;
use opentelemetry_proto::tonic::logs::v1 as l;
use opentelemetry_proto::tonic::metrics::v1 as m;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as t;
use otlp::view::{
    Attributes, Buckets, Exemplar, Metric, MetricKind, Number, Point, ResourceGroup, ScopeGroup,
    Value, resources,
};
use otlp::{Signal, check, schema};
use proptest::prelude::*;

fn value(view: Value<'_>) -> c::AnyValue {
    use c::any_value::Value as V;
    c::AnyValue {
        value: match view {
            Value::Empty => None,
            Value::String(text) => Some(V::StringValue(text.to_owned())),
            Value::Bool(truth) => Some(V::BoolValue(truth)),
            Value::Int(number) => Some(V::IntValue(number)),
            Value::Double(number) => Some(V::DoubleValue(number)),
            Value::Array(values) => Some(V::ArrayValue(c::ArrayValue {
                values: values.map(value).collect(),
            })),
            Value::Map(pairs) => Some(V::KvlistValue(c::KeyValueList {
                values: attributes(pairs),
            })),
            Value::Bytes(bytes) => Some(V::BytesValue(bytes.to_vec())),
            Value::StringIndex(index) => Some(V::StringValueStrindex(index)),
        },
    }
}

fn attributes(view: Attributes<'_>) -> Vec<c::KeyValue> {
    view.map(|pair| c::KeyValue {
        key: pair.key().to_owned(),
        value: Some(value(pair.value())),
        key_strindex: 0,
    })
    .collect()
}

fn resource(view: &ResourceGroup<'_>) -> Option<Resource> {
    Some(Resource {
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
        entity_refs: view
            .entity_refs()
            .map(|entity| c::EntityRef {
                schema_url: entity.schema_url().to_owned(),
                r#type: entity.entity_type().to_owned(),
                id_keys: entity.id_keys().map(str::to_owned).collect(),
                description_keys: entity.description_keys().map(str::to_owned).collect(),
            })
            .collect(),
    })
}

fn scope(view: &ScopeGroup<'_>) -> Option<c::InstrumentationScope> {
    Some(c::InstrumentationScope {
        name: view.name().to_owned(),
        version: view.version().to_owned(),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
    })
}

fn span(view: otlp::view::Span<'_>) -> t::Span {
    t::Span {
        trace_id: view.trace_id().to_vec(),
        span_id: view.span_id().to_vec(),
        trace_state: view.trace_state().to_owned(),
        parent_span_id: view.parent_span_id().to_vec(),
        flags: view.flags(),
        name: view.name().to_owned(),
        kind: view.kind(),
        start_time_unix_nano: view.start_time_unix_nano(),
        end_time_unix_nano: view.end_time_unix_nano(),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
        events: view
            .events()
            .map(|event| t::span::Event {
                time_unix_nano: event.time_unix_nano(),
                name: event.name().to_owned(),
                attributes: attributes(event.attributes()),
                dropped_attributes_count: event.dropped_attributes_count(),
            })
            .collect(),
        dropped_events_count: view.dropped_events_count(),
        links: view
            .links()
            .map(|link| t::span::Link {
                trace_id: link.trace_id().to_vec(),
                span_id: link.span_id().to_vec(),
                trace_state: link.trace_state().to_owned(),
                attributes: attributes(link.attributes()),
                dropped_attributes_count: link.dropped_attributes_count(),
                flags: link.flags(),
            })
            .collect(),
        dropped_links_count: view.dropped_links_count(),
        status: Some(t::Status {
            message: view.status_message().to_owned(),
            code: view.status_code(),
        }),
    }
}

fn log_record(view: otlp::view::LogRecord<'_>) -> l::LogRecord {
    l::LogRecord {
        time_unix_nano: view.time_unix_nano(),
        observed_time_unix_nano: view.observed_time_unix_nano(),
        severity_number: view.severity_number(),
        severity_text: view.severity_text().to_owned(),
        body: Some(value(view.body())),
        attributes: attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes_count(),
        flags: view.flags(),
        trace_id: view.trace_id().to_vec(),
        span_id: view.span_id().to_vec(),
        event_name: view.event_name().to_owned(),
    }
}

fn exemplars<'a>(views: impl Iterator<Item = Exemplar<'a>>) -> Vec<m::Exemplar> {
    views
        .map(|view| m::Exemplar {
            filtered_attributes: attributes(view.filtered_attributes()),
            time_unix_nano: view.time_unix_nano(),
            span_id: view.span_id().to_vec(),
            trace_id: view.trace_id().to_vec(),
            value: view.value().map(|number| match number {
                Number::Int(number) => m::exemplar::Value::AsInt(number),
                Number::Double(number) => m::exemplar::Value::AsDouble(number),
            }),
        })
        .collect()
}

fn number_point(view: Point<'_>) -> m::NumberDataPoint {
    m::NumberDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: view.start_time_unix_nano(),
        time_unix_nano: view.time_unix_nano(),
        exemplars: exemplars(view.exemplars()),
        flags: view.flags(),
        value: view.value().map(|number| match number {
            Number::Int(number) => m::number_data_point::Value::AsInt(number),
            Number::Double(number) => m::number_data_point::Value::AsDouble(number),
        }),
    }
}

fn histogram_point(view: Point<'_>) -> m::HistogramDataPoint {
    m::HistogramDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: view.start_time_unix_nano(),
        time_unix_nano: view.time_unix_nano(),
        count: view.count().expect("a histogram has one"),
        sum: view.sum(),
        bucket_counts: view.bucket_counts().collect(),
        explicit_bounds: view.explicit_bounds().collect(),
        exemplars: exemplars(view.exemplars()),
        flags: view.flags(),
        min: view.min(),
        max: view.max(),
    }
}

fn buckets(view: Buckets<'_>) -> Option<m::exponential_histogram_data_point::Buckets> {
    Some(m::exponential_histogram_data_point::Buckets {
        offset: view.offset(),
        bucket_counts: view.bucket_counts().collect(),
    })
}

fn exponential_point(view: Point<'_>) -> m::ExponentialHistogramDataPoint {
    m::ExponentialHistogramDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: view.start_time_unix_nano(),
        time_unix_nano: view.time_unix_nano(),
        count: view.count().expect("a histogram has one"),
        sum: view.sum(),
        scale: view.scale(),
        zero_count: view.zero_count(),
        positive: buckets(view.positive()),
        negative: buckets(view.negative()),
        flags: view.flags(),
        exemplars: exemplars(view.exemplars()),
        min: view.min(),
        max: view.max(),
        zero_threshold: view.zero_threshold(),
    }
}

fn summary_point(view: Point<'_>) -> m::SummaryDataPoint {
    m::SummaryDataPoint {
        attributes: attributes(view.attributes()),
        start_time_unix_nano: view.start_time_unix_nano(),
        time_unix_nano: view.time_unix_nano(),
        count: view.count().expect("a summary has one"),
        sum: view.sum().expect("a summary has one"),
        quantile_values: view
            .quantiles()
            .map(|quantile| m::summary_data_point::ValueAtQuantile {
                quantile: quantile.quantile,
                value: quantile.value,
            })
            .collect(),
        flags: view.flags(),
    }
}

fn metric(view: Metric<'_>) -> m::Metric {
    use m::metric::Data;
    let aggregation_temporality = view.aggregation_temporality();
    m::Metric {
        name: view.name().to_owned(),
        description: view.description().to_owned(),
        unit: view.unit().to_owned(),
        metadata: attributes(view.metadata()),
        data: view.kind().map(|kind| match kind {
            MetricKind::Gauge => Data::Gauge(m::Gauge {
                data_points: view.points().map(number_point).collect(),
            }),
            MetricKind::Sum => Data::Sum(m::Sum {
                data_points: view.points().map(number_point).collect(),
                aggregation_temporality,
                is_monotonic: view.is_monotonic(),
            }),
            MetricKind::Histogram => Data::Histogram(m::Histogram {
                data_points: view.points().map(histogram_point).collect(),
                aggregation_temporality,
            }),
            MetricKind::ExponentialHistogram => {
                Data::ExponentialHistogram(m::ExponentialHistogram {
                    data_points: view.points().map(exponential_point).collect(),
                    aggregation_temporality,
                })
            }
            MetricKind::Summary => Data::Summary(m::Summary {
                data_points: view.points().map(summary_point).collect(),
            }),
        }),
    }
}

/// The request that the views show.
fn shown(signal: Signal, wire: &[u8]) -> Request {
    match signal {
        Signal::Traces => Request::Traces(Traces {
            resource_spans: resources(signal, wire)
                .map(|r| t::ResourceSpans {
                    resource: resource(&r),
                    scope_spans: r
                        .scopes()
                        .map(|s| t::ScopeSpans {
                            scope: scope(&s),
                            spans: s.spans().map(span).collect(),
                            schema_url: s.schema_url().to_owned(),
                        })
                        .collect(),
                    schema_url: r.schema_url().to_owned(),
                })
                .collect(),
        }),
        Signal::Metrics => Request::Metrics(Metrics {
            resource_metrics: resources(signal, wire)
                .map(|r| m::ResourceMetrics {
                    resource: resource(&r),
                    scope_metrics: r
                        .scopes()
                        .map(|s| m::ScopeMetrics {
                            scope: scope(&s),
                            metrics: s.metrics().map(metric).collect(),
                            schema_url: s.schema_url().to_owned(),
                        })
                        .collect(),
                    schema_url: r.schema_url().to_owned(),
                })
                .collect(),
        }),
        Signal::Logs => Request::Logs(Logs {
            resource_logs: resources(signal, wire)
                .map(|r| l::ResourceLogs {
                    resource: resource(&r),
                    scope_logs: r
                        .scopes()
                        .map(|s| l::ScopeLogs {
                            scope: scope(&s),
                            log_records: s.log_records().map(log_record).collect(),
                            schema_url: s.schema_url().to_owned(),
                        })
                        .collect(),
                    schema_url: r.schema_url().to_owned(),
                })
                .collect(),
        }),
    }
}

/// A request without what the views leave out: a missing message shows as an empty one, and the
/// string table of profiles has no meaning here.
fn as_shown(mut request: Request) -> Request {
    fn values(list: &mut [c::KeyValue]) {
        for pair in list {
            pair.key_strindex = 0;
            value_of(pair.value.get_or_insert_default());
        }
    }
    fn value_of(value: &mut c::AnyValue) {
        use c::any_value::Value as V;
        match &mut value.value {
            Some(V::ArrayValue(array)) => array.values.iter_mut().for_each(value_of),
            Some(V::KvlistValue(list)) => values(&mut list.values),
            _ => {}
        }
    }
    fn resource(resource: &mut Option<Resource>) {
        values(&mut resource.get_or_insert_default().attributes);
    }
    fn scope(scope: &mut Option<c::InstrumentationScope>) {
        values(&mut scope.get_or_insert_default().attributes);
    }
    fn exemplars(list: &mut [m::Exemplar]) {
        list.iter_mut()
            .for_each(|exemplar| values(&mut exemplar.filtered_attributes));
    }
    match &mut request {
        Request::Traces(request) => {
            for r in &mut request.resource_spans {
                resource(&mut r.resource);
                for s in &mut r.scope_spans {
                    scope(&mut s.scope);
                    for span in &mut s.spans {
                        values(&mut span.attributes);
                        span.events
                            .iter_mut()
                            .for_each(|event| values(&mut event.attributes));
                        span.links
                            .iter_mut()
                            .for_each(|link| values(&mut link.attributes));
                        span.status.get_or_insert_default();
                    }
                }
            }
        }
        Request::Logs(request) => {
            for r in &mut request.resource_logs {
                resource(&mut r.resource);
                for s in &mut r.scope_logs {
                    scope(&mut s.scope);
                    for record in &mut s.log_records {
                        values(&mut record.attributes);
                        value_of(record.body.get_or_insert_default());
                    }
                }
            }
        }
        Request::Metrics(request) => {
            for r in &mut request.resource_metrics {
                resource(&mut r.resource);
                for s in &mut r.scope_metrics {
                    scope(&mut s.scope);
                    for metric in &mut s.metrics {
                        values(&mut metric.metadata);
                        use m::metric::Data;
                        match &mut metric.data {
                            None => {}
                            Some(Data::Gauge(m::Gauge { data_points }))
                            | Some(Data::Sum(m::Sum { data_points, .. })) => {
                                for point in data_points {
                                    values(&mut point.attributes);
                                    exemplars(&mut point.exemplars);
                                }
                            }
                            Some(Data::Histogram(data)) => {
                                for point in &mut data.data_points {
                                    values(&mut point.attributes);
                                    exemplars(&mut point.exemplars);
                                }
                            }
                            Some(Data::ExponentialHistogram(data)) => {
                                for point in &mut data.data_points {
                                    values(&mut point.attributes);
                                    exemplars(&mut point.exemplars);
                                    point.positive.get_or_insert_default();
                                    point.negative.get_or_insert_default();
                                }
                            }
                            Some(Data::Summary(data)) => {
                                for point in &mut data.data_points {
                                    values(&mut point.attributes);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    request
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    /// Guarantees: the views show every field of every message as prost decodes it, however the
    /// request is written: with unknown fields, with messages that have to be merged, with numbers
    /// that are not packed.
    #[test]
    fn show_what_prost_decodes(
        bytes in prop::collection::vec(any::<u8>(), 0..3000),
        noise in prop::collection::vec(any::<u8>(), 0..400),
        manner in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        for signal in Signal::ALL {
            let request = Request::random(signal, &bytes);
            let message = schema::request(signal);
            let wire = written_otherwise(message, &request.encode(), &mut Random(&manner));
            let wire = with_unknown_fields(message, &wire, &mut Random(&noise));
            prop_assert_eq!(check(signal, &wire).map(|found| found.items), Ok(request.items()));
            let decoded = Request::decode(signal, &wire).expect("decodes");
            prop_assert!(shown(signal, &wire) == as_shown(decoded), "{} shows otherwise", signal);
        }
    }

    /// Guarantees: views of bytes that were not checked end, without panic.
    #[test]
    fn survive_unchecked_bytes(
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
            shown(signal, &wire);
        }
    }
}

/// Guarantees: the views show the example files of opentelemetry-proto as prost decodes them.
#[test]
fn show_the_examples() {
    for (name, request) in examples() {
        let wire = request.encode();
        assert!(
            shown(request.signal(), &wire) == as_shown(request),
            "{name}"
        );
    }
}

/// Guarantees: attributes are found by key, and a resource by its service's name.
#[test]
fn find_by_key() {
    let (_, request) = &examples()[0];
    let wire = request.encode();
    let resource = resources(Signal::Traces, &wire).next().expect("has one");
    assert_eq!(resource.service_name(), Some("my.service"));
    assert!(resource.attributes().get("service").is_none());
    let scope = resource.scopes().next().expect("has one");
    assert!(matches!(
        scope.attributes().get("my.scope.attribute"),
        Some(Value::String("some scope attribute"))
    ));
    assert_eq!(
        (scope.metrics().count(), scope.log_records().count()),
        (0, 0)
    );
}

/// Guarantees: the last member of a value's oneof counts, and a list begins anew after another
/// member, as with prost.
#[test]
fn the_last_member_counts() {
    let mut wire = Vec::new();
    let put = common::put_field;
    let list = |text: &[u8]| {
        let (mut element, mut list, mut any) = (Vec::new(), Vec::new(), Vec::new());
        put(&mut element, 1, text);
        put(&mut list, 1, &element);
        put(&mut any, 5, &list);
        any
    };
    let mut text = Vec::new();
    put(&mut text, 1, b"text");
    for parts in [
        vec![list(b"a"), list(b"b")],
        vec![list(b"a"), text.clone(), list(b"b"), list(b"c")],
        vec![list(b"a"), text.clone()],
        vec![[list(b"a"), text.clone(), list(b"b")].concat(), list(b"c")],
    ] {
        wire.clear();
        for part in &parts {
            put(&mut wire, 2, part);
        }
        let theirs: c::KeyValue = prost::Message::decode(wire.as_slice()).expect("decodes");
        let ours = value(otlp::view::KeyValue::new(&wire).value());
        assert_eq!(Some(ours), theirs.value);
    }
}
