//! Random OTLP requests of prost's generated types, made from random bytes, and the files of
//! opentelemetry-proto's examples.
//!
//! A request is a function of the bytes, so proptest shrinks a failure by shrinking them: where
//! they end, everything is zero and empty.
#![allow(
    dead_code,
    clippy::expect_used,
    clippy::panic,
    reason = "this is for tests, and each uses a part"
)]

pub mod dynamic;

use opentelemetry_proto::tonic::collector::{logs, metrics, trace};
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::logs::v1 as l;
use opentelemetry_proto::tonic::metrics::v1 as m;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as t;
use otlp::Signal;
use prost::Message;

pub type Traces = trace::v1::ExportTraceServiceRequest;
pub type Metrics = metrics::v1::ExportMetricsServiceRequest;
pub type Logs = logs::v1::ExportLogsServiceRequest;

/// A request of any signal.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    Traces(Traces),
    Metrics(Metrics),
    Logs(Logs),
}

impl Request {
    pub fn decode(signal: Signal, bytes: &[u8]) -> Result<Request, prost::DecodeError> {
        Ok(match signal {
            Signal::Traces => Request::Traces(Message::decode(bytes)?),
            Signal::Metrics => Request::Metrics(Message::decode(bytes)?),
            Signal::Logs => Request::Logs(Message::decode(bytes)?),
        })
    }

    pub fn signal(&self) -> Signal {
        match self {
            Request::Traces(_) => Signal::Traces,
            Request::Metrics(_) => Signal::Metrics,
            Request::Logs(_) => Signal::Logs,
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        match self {
            Request::Traces(request) => request.encode_to_vec(),
            Request::Metrics(request) => request.encode_to_vec(),
            Request::Logs(request) => request.encode_to_vec(),
        }
    }

    /// A random request; `bytes` say everything about it.
    pub fn random(signal: Signal, bytes: &[u8]) -> Request {
        let mut random = Random(bytes);
        match signal {
            Signal::Traces => Request::Traces(random.traces()),
            Signal::Metrics => Request::Metrics(random.metrics()),
            Signal::Logs => Request::Logs(random.logs()),
        }
    }

    /// Spans, data points or log records, one by one: what an oracle counts.
    pub fn items(&self) -> u64 {
        self.times().len() as u64
    }

    /// The times of each item, by the rules that `otlp::check` documents.
    pub fn times(&self) -> Vec<Vec<u64>> {
        match self {
            Request::Traces(request) => request
                .resource_spans
                .iter()
                .flat_map(|r| &r.scope_spans)
                .flat_map(|s| &s.spans)
                .map(|s| vec![s.start_time_unix_nano, s.end_time_unix_nano])
                .collect(),
            Request::Logs(request) => request
                .resource_logs
                .iter()
                .flat_map(|r| &r.scope_logs)
                .flat_map(|s| &s.log_records)
                .map(|r| match r.time_unix_nano {
                    0 => vec![r.observed_time_unix_nano],
                    time => vec![time],
                })
                .collect(),
            Request::Metrics(request) => request
                .resource_metrics
                .iter()
                .flat_map(|r| &r.scope_metrics)
                .flat_map(|s| &s.metrics)
                .filter_map(|metric| metric.data.as_ref())
                .flat_map(|data| -> Vec<u64> {
                    use m::metric::Data::*;
                    match data {
                        Gauge(d) => d.data_points.iter().map(|p| p.time_unix_nano).collect(),
                        Sum(d) => d.data_points.iter().map(|p| p.time_unix_nano).collect(),
                        Histogram(d) => d.data_points.iter().map(|p| p.time_unix_nano).collect(),
                        ExponentialHistogram(d) => {
                            d.data_points.iter().map(|p| p.time_unix_nano).collect()
                        }
                        Summary(d) => d.data_points.iter().map(|p| p.time_unix_nano).collect(),
                    }
                })
                .map(|time| vec![time])
                .collect(),
        }
    }
}

/// The example files of opentelemetry-proto, decoded by upstream's own JSON.
pub fn examples() -> Vec<(&'static str, Request)> {
    fn file<T: serde::de::DeserializeOwned>(name: &str) -> T {
        let path = format!("../testkit/data/otlp/{name}");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"))
    }
    vec![
        ("trace.json", Request::Traces(file("trace.json"))),
        ("metrics.json", Request::Metrics(file("metrics.json"))),
        ("logs.json", Request::Logs(file("logs.json"))),
        ("events.json", Request::Logs(file("events.json"))),
    ]
}

/// Appends a length-delimited field.
pub fn put_field(out: &mut Vec<u8>, number: u32, body: &[u8]) {
    prost::encoding::encode_varint(u64::from(number << 3 | 2), out);
    prost::encoding::encode_varint(body.len() as u64, out);
    out.extend_from_slice(body);
}

/// Random things, made from bytes.
pub struct Random<'a>(pub &'a [u8]);

impl Random<'_> {
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    /// Below `n`.
    pub fn below(&mut self, n: u8) -> u8 {
        self.byte() % n
    }

    fn bool(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// Numbers of all sizes, the ends of the range among them.
    pub fn u64(&mut self) -> u64 {
        match self.below(6) {
            0 => 0,
            1 => u64::from(self.byte()),
            2 => u64::from(self.byte()) << self.below(57),
            3 => u64::MAX - u64::from(self.byte()),
            4 => 1_700_000_000_000_000_000 + u64::from(self.byte()),
            _ => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }

    fn u32(&mut self) -> u32 {
        self.u64() as u32
    }

    fn i32(&mut self) -> i32 {
        self.u64() as i32
    }

    /// Never NaN, which equals nothing; NaN has tests of its own.
    fn f64(&mut self) -> f64 {
        match self.below(4) {
            0 => 0.0,
            1 => f64::INFINITY,
            2 => -f64::from(self.byte()) / 3.0,
            _ => {
                let value = f64::from_bits(self.u64());
                if value.is_nan() { -0.5 } else { value }
            }
        }
    }

    fn list<T>(&mut self, most: u8, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }

    fn option<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Option<T> {
        self.bool().then(|| make(self))
    }

    pub fn string(&mut self) -> String {
        const WORDS: [&str; 10] = [
            "",
            "http.request.method",
            "GET",
            "é",
            "日本語のテキスト",
            "🦀",
            "a\"b\\c\n\u{0}\u{7f}\u{2028}",
            "/api/v1/orders/4711",
            "password=hunter2",
            "sixty-four bytes of text and then some, so that the long way is taken, ü",
        ];
        match self.below(13) {
            10 => "x".repeat(usize::from(self.byte())),
            11 => "größer ".repeat(usize::from(self.below(60))),
            12 => char::from(self.byte()).to_string(),
            n => WORDS[usize::from(n)].to_owned(),
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        self.list(40, |r| r.byte())
    }

    fn id(&mut self, len: usize) -> Vec<u8> {
        match self.below(4) {
            0 => Vec::new(),
            // Few different ones, so that traces have several spans.
            1 => vec![self.below(3); len],
            _ => (0..len).map(|_| self.byte()).collect(),
        }
    }

    pub fn value(&mut self, depth: u8) -> AnyValue {
        use any_value::Value::*;
        let kinds = if depth == 0 { 8 } else { 12 };
        AnyValue {
            value: match self.below(kinds) {
                0 => None,
                1 | 2 => Some(StringValue(self.string())),
                3 => Some(BoolValue(self.bool())),
                4 => Some(IntValue(self.u64() as i64)),
                5 => Some(DoubleValue(self.f64())),
                6 => Some(BytesValue(self.bytes())),
                7 => Some(StringValueStrindex(self.i32())),
                8 | 9 => Some(ArrayValue(self::ArrayValue {
                    values: self.list(4, |r| r.value(depth - 1)),
                })),
                _ => Some(KvlistValue(KeyValueList {
                    values: self.list(4, |r| r.attribute(depth - 1)),
                })),
            },
        }
    }

    fn attribute(&mut self, depth: u8) -> KeyValue {
        KeyValue {
            key: self.string(),
            value: self.option(|r| r.value(depth)),
            key_strindex: if self.below(8) == 7 { self.i32() } else { 0 },
        }
    }

    pub fn attributes(&mut self) -> Vec<KeyValue> {
        self.list(5, |r| r.attribute(3))
    }

    fn resource(&mut self) -> Resource {
        Resource {
            attributes: self.attributes(),
            dropped_attributes_count: self.u32(),
            entity_refs: self.list(2, |r| EntityRef {
                schema_url: r.string(),
                r#type: r.string(),
                id_keys: r.list(2, Self::string),
                description_keys: r.list(2, Self::string),
            }),
        }
    }

    fn scope(&mut self) -> InstrumentationScope {
        InstrumentationScope {
            name: self.string(),
            version: self.string(),
            attributes: self.attributes(),
            dropped_attributes_count: self.u32(),
        }
    }

    pub fn traces(&mut self) -> Traces {
        Traces {
            resource_spans: self.list(3, |r| t::ResourceSpans {
                resource: r.option(Self::resource),
                scope_spans: r.list(3, |r| t::ScopeSpans {
                    scope: r.option(Self::scope),
                    spans: r.list(6, Self::span),
                    schema_url: r.string(),
                }),
                schema_url: r.string(),
            }),
        }
    }

    fn span(&mut self) -> t::Span {
        t::Span {
            trace_id: self.id(16),
            span_id: self.id(8),
            trace_state: self.string(),
            parent_span_id: self.id(8),
            flags: self.u32(),
            name: self.string(),
            kind: self.i32(),
            start_time_unix_nano: self.u64(),
            end_time_unix_nano: self.u64(),
            attributes: self.attributes(),
            dropped_attributes_count: self.u32(),
            events: self.list(2, |r| t::span::Event {
                time_unix_nano: r.u64(),
                name: r.string(),
                attributes: r.attributes(),
                dropped_attributes_count: r.u32(),
            }),
            dropped_events_count: self.u32(),
            links: self.list(2, |r| t::span::Link {
                trace_id: r.id(16),
                span_id: r.id(8),
                trace_state: r.string(),
                attributes: r.attributes(),
                dropped_attributes_count: r.u32(),
                flags: r.u32(),
            }),
            dropped_links_count: self.u32(),
            status: self.option(|r| t::Status {
                message: r.string(),
                code: r.i32(),
            }),
        }
    }

    pub fn logs(&mut self) -> Logs {
        Logs {
            resource_logs: self.list(3, |r| l::ResourceLogs {
                resource: r.option(Self::resource),
                scope_logs: r.list(3, |r| l::ScopeLogs {
                    scope: r.option(Self::scope),
                    log_records: r.list(6, Self::log_record),
                    schema_url: r.string(),
                }),
                schema_url: r.string(),
            }),
        }
    }

    fn log_record(&mut self) -> l::LogRecord {
        l::LogRecord {
            time_unix_nano: self.u64(),
            observed_time_unix_nano: self.u64(),
            severity_number: self.i32(),
            severity_text: self.string(),
            body: self.option(|r| r.value(4)),
            attributes: self.attributes(),
            dropped_attributes_count: self.u32(),
            flags: self.u32(),
            trace_id: self.id(16),
            span_id: self.id(8),
            event_name: self.string(),
        }
    }

    pub fn metrics(&mut self) -> Metrics {
        Metrics {
            resource_metrics: self.list(3, |r| m::ResourceMetrics {
                resource: r.option(Self::resource),
                scope_metrics: r.list(3, |r| m::ScopeMetrics {
                    scope: r.option(Self::scope),
                    metrics: r.list(4, Self::metric),
                    schema_url: r.string(),
                }),
                schema_url: r.string(),
            }),
        }
    }

    fn metric(&mut self) -> m::Metric {
        use m::metric::Data;
        m::Metric {
            name: self.string(),
            description: self.string(),
            unit: self.string(),
            metadata: self.attributes(),
            data: match self.below(6) {
                0 => None,
                1 => Some(Data::Gauge(m::Gauge {
                    data_points: self.list(4, Self::number),
                })),
                2 => Some(Data::Sum(m::Sum {
                    data_points: self.list(4, Self::number),
                    aggregation_temporality: self.i32(),
                    is_monotonic: self.bool(),
                })),
                3 => Some(Data::Histogram(m::Histogram {
                    data_points: self.list(4, Self::histogram),
                    aggregation_temporality: self.i32(),
                })),
                4 => Some(Data::ExponentialHistogram(m::ExponentialHistogram {
                    data_points: self.list(4, Self::exponential_histogram),
                    aggregation_temporality: self.i32(),
                })),
                _ => Some(Data::Summary(m::Summary {
                    data_points: self.list(4, Self::summary),
                })),
            },
        }
    }

    fn number(&mut self) -> m::NumberDataPoint {
        use m::number_data_point::Value;
        m::NumberDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.u64(),
            time_unix_nano: self.u64(),
            exemplars: self.list(2, Self::exemplar),
            flags: self.u32(),
            value: match self.below(3) {
                0 => None,
                1 => Some(Value::AsDouble(self.f64())),
                _ => Some(Value::AsInt(self.u64() as i64)),
            },
        }
    }

    fn histogram(&mut self) -> m::HistogramDataPoint {
        m::HistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.u64(),
            time_unix_nano: self.u64(),
            count: self.u64(),
            sum: self.option(Self::f64),
            bucket_counts: self.list(9, Self::u64),
            explicit_bounds: self.list(9, Self::f64),
            exemplars: self.list(2, Self::exemplar),
            flags: self.u32(),
            min: self.option(Self::f64),
            max: self.option(Self::f64),
        }
    }

    fn exponential_histogram(&mut self) -> m::ExponentialHistogramDataPoint {
        m::ExponentialHistogramDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.u64(),
            time_unix_nano: self.u64(),
            count: self.u64(),
            sum: self.option(Self::f64),
            scale: self.i32(),
            zero_count: self.u64(),
            positive: self.option(Self::buckets),
            negative: self.option(Self::buckets),
            flags: self.u32(),
            exemplars: self.list(2, Self::exemplar),
            min: self.option(Self::f64),
            max: self.option(Self::f64),
            zero_threshold: self.f64(),
        }
    }

    fn buckets(&mut self) -> m::exponential_histogram_data_point::Buckets {
        m::exponential_histogram_data_point::Buckets {
            offset: self.i32(),
            bucket_counts: self.list(9, Self::u64),
        }
    }

    fn summary(&mut self) -> m::SummaryDataPoint {
        m::SummaryDataPoint {
            attributes: self.attributes(),
            start_time_unix_nano: self.u64(),
            time_unix_nano: self.u64(),
            count: self.u64(),
            sum: self.f64(),
            quantile_values: self.list(3, |r| m::summary_data_point::ValueAtQuantile {
                quantile: r.f64(),
                value: r.f64(),
            }),
            flags: self.u32(),
        }
    }

    fn exemplar(&mut self) -> m::Exemplar {
        use m::exemplar::Value;
        m::Exemplar {
            filtered_attributes: self.attributes(),
            time_unix_nano: self.u64(),
            span_id: self.id(8),
            trace_id: self.id(16),
            value: match self.below(3) {
                0 => None,
                1 => Some(Value::AsDouble(self.f64())),
                _ => Some(Value::AsInt(self.u64() as i64)),
            },
        }
    }
}

/// Keeps some of the attributes that messages bear themselves.
pub fn change_attributes(request: &mut Request, keep: fn(&mut KeyValue) -> bool) {
    fn exemplars(exemplars: &mut [m::Exemplar], keep: fn(&mut KeyValue) -> bool) {
        for exemplar in exemplars {
            exemplar.filtered_attributes.retain_mut(keep);
        }
    }
    fn resource(resource: Option<&mut Resource>, keep: fn(&mut KeyValue) -> bool) {
        if let Some(resource) = resource {
            resource.attributes.retain_mut(keep);
        }
    }
    fn scope(scope: Option<&mut InstrumentationScope>, keep: fn(&mut KeyValue) -> bool) {
        if let Some(scope) = scope {
            scope.attributes.retain_mut(keep);
        }
    }
    match request {
        Request::Traces(request) => {
            for group in &mut request.resource_spans {
                resource(group.resource.as_mut(), keep);
                for group in &mut group.scope_spans {
                    scope(group.scope.as_mut(), keep);
                    for span in &mut group.spans {
                        span.attributes.retain_mut(keep);
                        span.events
                            .iter_mut()
                            .for_each(|e| e.attributes.retain_mut(keep));
                        span.links
                            .iter_mut()
                            .for_each(|l| l.attributes.retain_mut(keep));
                    }
                }
            }
        }
        Request::Logs(request) => {
            for group in &mut request.resource_logs {
                resource(group.resource.as_mut(), keep);
                for group in &mut group.scope_logs {
                    scope(group.scope.as_mut(), keep);
                    group
                        .log_records
                        .iter_mut()
                        .for_each(|r| r.attributes.retain_mut(keep));
                }
            }
        }
        Request::Metrics(request) => {
            for group in &mut request.resource_metrics {
                resource(group.resource.as_mut(), keep);
                for group in &mut group.scope_metrics {
                    scope(group.scope.as_mut(), keep);
                    for metric in &mut group.metrics {
                        metric.metadata.retain_mut(keep);
                        macro_rules! points {
                            ($data:ident) => {
                                for point in &mut $data.data_points {
                                    point.attributes.retain_mut(keep);
                                    exemplars(&mut point.exemplars, keep);
                                }
                            };
                        }
                        use m::metric::Data;
                        match &mut metric.data {
                            Some(Data::Gauge(data)) => points!(data),
                            Some(Data::Sum(data)) => points!(data),
                            Some(Data::Histogram(data)) => points!(data),
                            Some(Data::ExponentialHistogram(data)) => points!(data),
                            Some(Data::Summary(data)) => {
                                data.data_points
                                    .iter_mut()
                                    .for_each(|p| p.attributes.retain_mut(keep));
                            }
                            None => {}
                        }
                    }
                }
            }
        }
    }
}
