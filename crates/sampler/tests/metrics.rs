//! Filters of metrics against a naive one over messages of generated types.

#![allow(missing_docs, clippy::unwrap_used, reason = "this is a test")]

use ident::{Signal, TenantId};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
    Sum, Summary, SummaryDataPoint,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use sampler::Scope;
use sampler::metrics::{Chosen, Filter, Metrics, Passing, Period};

/// A small generator: the same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % most
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const NAMES: [&str; 7] = [
    "http.server.duration",
    "http.client.duration",
    "jvm.gc.count",
    "up",
    "queue.count",
    "",
    "http.",
];
const SERVICES: [&str; 3] = ["a", "batch-1", "batch-2"];

fn pair(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, any_value::Value::StringValue(value.to_owned()))
}

fn metric(dice: &mut Dice) -> Metric {
    let points = dice.below(3);
    let attributes = vec![text("route", dice.one(&["/", "/slow"]))];
    let number = NumberDataPoint {
        attributes: attributes.clone(),
        time_unix_nano: 7,
        ..NumberDataPoint::default()
    };
    let data = match dice.below(5) {
        0 => Some(Data::Gauge(Gauge {
            data_points: vec![number; points],
        })),
        1 => Some(Data::Sum(Sum {
            data_points: vec![number; points],
            aggregation_temporality: 2,
            is_monotonic: true,
        })),
        2 => Some(Data::Histogram(Histogram {
            data_points: vec![
                HistogramDataPoint {
                    attributes,
                    count: 3,
                    ..HistogramDataPoint::default()
                };
                points
            ],
            aggregation_temporality: 1,
        })),
        3 => Some(Data::Summary(Summary {
            data_points: vec![
                SummaryDataPoint {
                    attributes,
                    ..SummaryDataPoint::default()
                };
                points
            ],
        })),
        _ => None,
    };
    Metric {
        name: dice.one(&NAMES).to_owned(),
        unit: "s".to_owned(),
        data,
        ..Metric::default()
    }
}

fn request(dice: &mut Dice) -> ExportMetricsServiceRequest {
    let group = |dice: &mut Dice| ResourceMetrics {
        resource: (dice.below(8) > 0).then(|| Resource {
            attributes: vec![
                text("service.name", dice.one(&SERVICES)),
                pair(
                    "process.pid",
                    any_value::Value::IntValue(dice.below(2) as i64),
                ),
            ],
            ..Resource::default()
        }),
        scope_metrics: (0..dice.below(3))
            .map(|_| ScopeMetrics {
                metrics: (0..dice.below(4)).map(|_| metric(dice)).collect(),
                schema_url: "s".to_owned(),
                ..ScopeMetrics::default()
            })
            .collect(),
        ..ResourceMetrics::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: (0..dice.below(4)).map(|_| group(dice)).collect(),
    }
}

fn points(metric: &Metric) -> Vec<&Vec<KeyValue>> {
    match &metric.data {
        Some(Data::Gauge(data)) => data.data_points.iter().map(|p| &p.attributes).collect(),
        Some(Data::Sum(data)) => data.data_points.iter().map(|p| &p.attributes).collect(),
        Some(Data::Histogram(data)) => data.data_points.iter().map(|p| &p.attributes).collect(),
        Some(Data::Summary(data)) => data.data_points.iter().map(|p| &p.attributes).collect(),
        _ => Vec::new(),
    }
}

fn items(request: &ExportMetricsServiceRequest) -> u64 {
    let scopes = request
        .resource_metrics
        .iter()
        .flat_map(|group| &group.scope_metrics);
    scopes
        .flat_map(|scope| &scope.metrics)
        .map(|metric| points(metric).len() as u64)
        .sum()
}

/// Removes metrics, and what has none left thereby.
fn naive(request: &mut ExportMetricsServiceRequest, keep: impl Fn(&[KeyValue], &Metric) -> bool) {
    request.resource_metrics.retain_mut(|group| {
        let resource = group.resource.clone().unwrap_or_default().attributes;
        let before = group.scope_metrics.len();
        group.scope_metrics.retain_mut(|scope| {
            let before = scope.metrics.len();
            scope.metrics.retain(|metric| keep(&resource, metric));
            before == scope.metrics.len() || !scope.metrics.is_empty()
        });
        before == group.scope_metrics.len() || !group.scope_metrics.is_empty()
    });
}

fn service(resource: &[KeyValue]) -> &str {
    let value = resource
        .iter()
        .find(|pair| pair.key == "service.name")
        .and_then(|pair| pair.value.as_ref());
    match value.and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text,
        _ => "",
    }
}

fn filter(yaml: &str, periods: Vec<Period>) -> Filter {
    let rules: Metrics = serde_saphyr::from_str(yaml).unwrap();
    let passing = Passing::default();
    passing.set(periods);
    Filter::new(&rules, passing).unwrap()
}

fn compare(
    yaml: &str,
    tenant: &str,
    periods: &[Period],
    keep: impl Fn(&[KeyValue], &Metric) -> bool,
) {
    let filter = filter(yaml, periods.to_vec());
    let tenant: TenantId = tenant.parse().unwrap();
    let (mut dice, mut out) = (Dice(11), Vec::new());
    let mut seen = [0; 3];
    for _ in 0..2000 {
        let mut request = request(&mut dice);
        let payload = request.encode_to_vec();
        let chosen = filter.choose(&tenant, 100, &payload, &mut out).unwrap();
        let all = request.clone();
        naive(&mut request, &keep);
        let expected = match (request == all, request.resource_metrics.is_empty()) {
            (true, _) => Chosen::Whole,
            (false, true) => Chosen::Nothing,
            (false, false) => Chosen::Part {
                items: items(&request),
            },
        };
        assert_eq!(chosen, expected, "{yaml}: {all:?}");
        if let Chosen::Part { .. } = chosen {
            assert_eq!(ExportMetricsServiceRequest::decode(&*out).unwrap(), request);
            otlp::check(Signal::Metrics, &out).unwrap();
        }
        seen[match chosen {
            Chosen::Whole => 0,
            Chosen::Nothing => 1,
            Chosen::Part { .. } => 2,
        }] += 1;
    }
    assert!(seen.iter().all(|count| *count > 5), "{yaml}: {seen:?}");
}

/// Guarantees: by name, prefix, glob, regular expression, tenant and resource the same metrics stay
/// as in a naive filter over generated types, byte for byte what was sent.
#[test]
fn the_same_metrics_stay_as_in_a_naive_filter() {
    let http = |name: &str| name.starts_with("http.");
    compare(
        "include: [{ names: ['http.*', up] }]",
        "acme",
        &[],
        |_, m| http(&m.name) || m.name == "up",
    );
    compare("exclude: [{ names: ['*.count'] }]", "acme", &[], |_, m| {
        !m.name.ends_with(".count")
    });
    compare(
        "exclude: [{ regex: '^jvm\\.|ration$', names: [up] }]",
        "acme",
        &[],
        |_, m| !(m.name.starts_with("jvm.") || m.name.ends_with("ration") || m.name == "up"),
    );
    compare(
        "{ include: [{ names: ['http.*'] }], exclude: [{ names: [http.client.duration] }] }",
        "acme",
        &[],
        |_, m| http(&m.name) && m.name != "http.client.duration",
    );
    compare(
        "exclude: [{ resource: { service.name: 'batch-*', process.pid: '1' } }]",
        "acme",
        &[],
        |r, _| {
            let one = pair("process.pid", any_value::Value::IntValue(1));
            !(service(r).starts_with("batch-") && r.contains(&one))
        },
    );
    let both =
        "exclude: [{ tenants: [other], names: ['*'] }, { tenants: [acme, x], names: ['http.*'] }]";
    compare(both, "acme", &[], |_, m| !http(&m.name));
}

/// Guarantees: in an incident's scope and time everything passes, by service, by an attribute of
/// the resource or of a point; outside of it the rules hold.
#[test]
fn in_an_incident_everything_passes() {
    let period =
        |service: Option<&str>, tenant: Option<&str>, attributes: &[(&str, &str)], from, to| {
            Period {
                scope: Scope {
                    tenant: tenant.map(str::to_owned),
                    service: service.map(str::to_owned),
                    attributes: attributes
                        .iter()
                        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                        .collect(),
                },
                from_unix_nano: from,
                to_unix_nano: to,
            }
        };
    let rules = "include: [{ names: ['http.*'] }]";
    let http = |m: &Metric| m.name.starts_with("http.");
    compare(
        rules,
        "acme",
        &[period(Some("a"), None, &[], 100, 100)],
        |r, m| service(r) == "a" || http(m),
    );
    let slow = period(Some("a"), Some("acme"), &[("route", "/slow")], 0, u64::MAX);
    compare(rules, "acme", &[slow], |r, m| {
        http(m)
            || service(r) == "a"
                && points(m)
                    .iter()
                    .any(|p| p.contains(&text("route", "/slow")))
    });
    for elsewhere in [
        period(Some("a"), None, &[], 101, 200),
        period(Some("a"), None, &[], 0, 99),
        period(None, Some("other"), &[], 0, 200),
    ] {
        compare(rules, "acme", &[elsewhere], |_, m| http(m));
    }
    let all = filter(rules, vec![period(None, Some("acme"), &[], 0, 200)]);
    let payload = request(&mut Dice(1)).encode_to_vec();
    let chosen = all.choose(&"acme".parse().unwrap(), 100, &payload, &mut Vec::new());
    assert_eq!(chosen.unwrap(), Chosen::Whole);
}

/// Guarantees: rules that cannot work are refused with the word at fault.
#[test]
fn wrong_rules() {
    for (yaml, word) in [
        ("include: [{}]", "metrics:"),
        ("include: [{ names: [''] }]", ""),
        ("exclude: [{ regex: '(' }]", "("),
        ("exclude: [{ tenants: ['a/b'] }]", "a/b"),
    ] {
        let rules: Metrics = serde_saphyr::from_str(yaml).unwrap();
        let error = Filter::new(&rules, Passing::default()).unwrap_err();
        assert_eq!(error.word(), word);
        assert!(error.to_string().contains("\nhint: "), "{error}");
    }
    let long = Metrics {
        include: vec![sampler::metrics::MetricRule {
            names: vec!["x".repeat(300)],
            ..Default::default()
        }],
        exclude: vec![],
    };
    assert!(Filter::new(&long, Passing::default()).is_err());
}
