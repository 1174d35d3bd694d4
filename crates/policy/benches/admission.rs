//! What it costs to know whose a request is and whether it may come in, with one tenant and with
//! 10,000: the figures of a pair must be equal within noise.
#![allow(missing_docs, clippy::unwrap_used)]

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ident::{Certificate, Fingerprint};
use ident::{Signal, TenantId};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
};
use policy::identity::token::{Issuer, Verifier, opaque::NewToken};
use policy::identity::{Digest, Directory, Proof, config};
use policy::quota::shape::first_violation;
use policy::quota::{Admission, Now, Quotas};
use prost::Message;

const SIZES: [usize; 2] = [1, 10_000];
const NOW: u64 = 1_800_000_000;

fn directory(tenants: usize) -> Directory {
    let mut yaml = "trust_domain: site.example\ntenants:\n".to_owned();
    for i in 0..tenants {
        let token = NewToken::new(random(i)).digest();
        writeln!(
            yaml,
            "  t{i}:\n    match:\n    - san: spiffe://other.example/t{i}/**\n    - dns: t{i}.example\n    - claim: {{iss: idp, org: t{i}}}\n    - token: {token}"
        )
        .unwrap();
    }
    let config: config::Identity = serde_saphyr::from_str(&yaml).unwrap();
    Directory::new(&config).unwrap()
}

fn random(i: usize) -> [u8; 32] {
    *Digest::of(&i.to_le_bytes()).as_bytes()
}

fn certificate(uri: &str) -> Proof {
    Proof {
        certificate: Some(Arc::new(Certificate {
            uris: vec![uri.to_owned()],
            dns_names: Vec::new(),
            emails: Vec::new(),
            subject: "CN=agent,O=Site".to_owned(),
            common_name: Some("agent".to_owned()),
            serial: "01".to_owned(),
            fingerprint: Fingerprint(*Digest::of(uri.as_bytes()).as_bytes()),
            not_after: 0,
        })),
        ..Proof::default()
    }
}

/// A verifier, and a token that it takes.
fn token(tenant: &str) -> (Verifier, String) {
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let x = b64(key.public_key().as_ref());
    let jwks = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}]}}"#);
    let config = "{issuer: idp, audiences: [stella], jwks: keys.json}";
    let issuer = Issuer::new(&serde_saphyr::from_str(config).unwrap(), &jwks).unwrap();
    let claims = format!(
        r#"{{"iss":"idp","aud":"stella","sub":"agent","exp":{},"org":"{tenant}"}}"#,
        NOW + 600
    );
    let signed = format!("{}.{}", b64(br#"{"alg":"EdDSA"}"#), b64(claims.as_bytes()));
    let signature = b64(key.sign(signed.as_bytes()).as_ref());
    let verifier = Verifier::new(&config::Tokens::default(), vec![issuer]).unwrap();
    (verifier, format!("{signed}.{signature}"))
}

fn identity(c: &mut Criterion) {
    let mut group = c.benchmark_group("resolve");
    for size in SIZES {
        let directory = directory(size);
        let tenant = format!("t{}", size / 2);
        let by_pattern = certificate(&format!("spiffe://other.example/{tenant}/ns/a/sa/b"));
        let by_domain = certificate(&format!("spiffe://site.example/tenant/{tenant}/sa/b"));
        for (name, proof) in [
            ("certificate/pattern", by_pattern),
            ("certificate/trust domain", by_domain),
        ] {
            assert_eq!(
                directory.resolve(&proof, None).unwrap().tenant.as_str(),
                tenant
            );
            group.bench_function(BenchmarkId::new(name, size), |b| {
                b.iter(|| directory.resolve(black_box(&proof), None));
            });
        }
        let (verifier, token) = token(&tenant);
        group.bench_function(BenchmarkId::new("cached token", size), |b| {
            b.iter(|| {
                let proof = Proof {
                    token: Some(verifier.verify(black_box(&token), NOW).unwrap()),
                    ..Proof::default()
                };
                directory.resolve(&proof, None).unwrap()
            });
        });
        let text = NewToken::new(random(size / 2));
        group.bench_function(BenchmarkId::new("opaque token", size), |b| {
            b.iter(|| {
                let proof = Proof {
                    opaque: policy::identity::token::opaque::digest(black_box(text.reveal())),
                    ..Proof::default()
                };
                directory.resolve(&proof, None).unwrap()
            });
        });
    }
    let (_, token_text) = token("t0");
    group.bench_function("token not cached (Ed25519)", |b| {
        b.iter_batched(
            || token("t0").0,
            |verifier| verifier.verify(black_box(&token_text), NOW),
            criterion::BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn quota(c: &mut Criterion) {
    let yaml = "default: {request_bytes: 16MiB, in_flight_bytes: 16MiB, journal_bytes_per_day: 1000TiB, traces: {bytes_per_second: 1TiB, items_per_second: 1000000000000}}";
    let quotas: Quotas = serde_saphyr::from_str(yaml).unwrap();
    let mut group = c.benchmark_group("admit");
    for size in SIZES {
        let admission = Admission::new(&quotas, 32 << 20, [1, 2]).unwrap();
        let tenants: Vec<TenantId> = (0..size)
            .map(|i| format!("t{i}").parse().unwrap())
            .collect();
        let mut now = Now {
            nanos: 1,
            unix_seconds: NOW,
        };
        for tenant in &tenants {
            admission
                .request(tenant, Signal::Traces, (1, 1), now)
                .unwrap();
        }
        let tenant = &tenants[size / 2];
        group.bench_function(BenchmarkId::new("request", size), |b| {
            b.iter(|| {
                now.nanos += 1000;
                admission.request(black_box(tenant), Signal::Traces, (4096, 10), now)
            });
        });
        group.bench_function(BenchmarkId::new("request refused", size), |b| {
            b.iter(|| admission.request(black_box(tenant), Signal::Traces, (17 << 20, 10), now));
        });
        group.bench_function(BenchmarkId::new("lease, grow, drop", size), |b| {
            b.iter(|| {
                let mut lease = admission.lease(black_box(tenant), now).unwrap();
                lease.grow(4096, now.nanos)
            });
        });
    }
    group.finish();
}

/// 500 points of 8 attributes each, and the two passes over them.
fn passes(c: &mut Criterion) {
    let attribute = |key: String, value: String| KeyValue {
        key,
        value: Some(AnyValue {
            value: Some(Value::StringValue(value)),
        }),
        ..KeyValue::default()
    };
    let point = |i: usize| NumberDataPoint {
        attributes: (0..8)
            .map(|k| attribute(format!("http.attribute.{k}"), format!("value-{}", i + k)))
            .collect(),
        ..NumberDataPoint::default()
    };
    let request = ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![Metric {
                    name: "http.server.request.duration".to_owned(),
                    data: Some(Data::Gauge(Gauge {
                        data_points: (0..500).map(point).collect(),
                    })),
                    ..Metric::default()
                }],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
    .encode_to_vec();
    let quotas = "default: {series: 100000, attributes_per_item: 64, attribute_value_bytes: 4KiB}";
    let quotas: Quotas = serde_saphyr::from_str(quotas).unwrap();
    let admission = Admission::new(&quotas, 32 << 20, [1, 2]).unwrap();
    let tenant = TenantId::default_tenant();
    let now = Now {
        nanos: 1,
        unix_seconds: NOW,
    };
    let mut group = c.benchmark_group("passes over 500 points");
    group.throughput(Throughput::Bytes(request.len() as u64));
    group.bench_function("check, to compare", |b| {
        b.iter(|| otlp::check(Signal::Metrics, black_box(&request)));
    });
    let limits = admission.item_limits(&tenant);
    assert_eq!(first_violation(Signal::Metrics, &request, limits), None);
    group.bench_function("shape", |b| {
        b.iter(|| first_violation(Signal::Metrics, black_box(&request), limits));
    });
    group.bench_function("series, known", |b| {
        b.iter(|| admission.series(&tenant, black_box(&request), now));
    });
    group.finish();
}

criterion_group!(benches, identity, quota, passes);
criterion_main!(benches);
