//! The runs: reference, gateway, Collector, all under the same load; then the gateway's latency,
//! its memory while the destination is down, and its start.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use testkit::collector::Collector;
use testkit::openssl::{Authority, Wanted};
use testkit::stella::Stella;

use crate::half::{self, Half};
use crate::measure;
use crate::neighbours::{self, Neighbours};
use crate::sampled::{self, Open};
use crate::traffic::{SPANS, request};
use crate::under_load::{Full, Loaded, Process, REQUESTS, Server, WARM_UP, load, rows};
use crate::wire::{self, Compared};

/// How often each process is measured.
const ROUNDS: usize = 5;

const WITH_WINDOWS: &str = "the same with the gateway's flow-control windows";
const COLLECTOR: &str = "upstream Collector: OTLP in, batch, OTLP out, no queue on disk";
const REFERENCE: &str = "reference: bare hyper HTTP/2 server as it comes, reads and answers";

/// Everything that was measured.
pub struct Figures {
    /// The first row is the reference.
    pub full: Vec<Full>,
    pub wire: Vec<Compared>,
    pub request_bytes: f64,
    pub half: Half,
    pub memory_full_mb: f64,
    pub outage_seconds: u64,
    pub memory_outage_mb: f64,
    pub start_ms: f64,
    pub binary_mb: f64,
    pub neighbours: Neighbours,
    pub open: Vec<Open>,
}

/// Runs everything; `collector` is built but found by the test support itself.
pub fn all(stella: &str, _collector: &str, outage_seconds: u64) -> Figures {
    let sink = Server::start(&[]);
    let mut under_load = vec![
        Loaded::new(REFERENCE, Process::Server(Server::start(&["defaults"]))),
        Loaded::new(WITH_WINDOWS, Process::Server(Server::start(&[]))),
        Loaded::new(
            PLAIN,
            Process::Stella(Box::new(start(stella, &sink.addr, OPEN))),
        ),
    ];
    let guarded = guarded();
    for guarded in &guarded {
        let gateway = start(stella, &sink.addr, &guarded.profile);
        under_load.push(Loaded {
            files: guarded.files.clone(),
            ..Loaded::new(guarded.name, Process::Stella(Box::new(gateway)))
        });
    }
    for (name, traces) in sampled::LOADS {
        let gateway = start(stella, &sink.addr, &sampled::profile());
        under_load.push(Loaded {
            traces: Some(traces),
            ..Loaded::new(name, Process::Stella(Box::new(gateway)))
        });
    }
    let collector = Collector::bare(&sink.addr);
    under_load.push(Loaded::new(
        COLLECTOR,
        Process::Collector(Box::new(collector)),
    ));
    // One after the other and all again, so that a machine that is slow for a while is so for all.
    for round in 1..=ROUNDS {
        for one in &mut under_load {
            eprintln!("measuring, round {round} of {ROUNDS}: {}", one.name);
            one.measure();
        }
    }
    let full = rows(&under_load);
    let plain = under_load.swap_remove(2);
    drop(under_load);
    let Process::Stella(mut gateway) = plain.process else {
        unreachable!("the third is the gateway");
    };
    let memory_full_mb = measure::memory_mb(pid(&gateway)).1;
    let throughput = full[2].spans_per_second / SPANS as f64;
    shipped(&gateway);

    eprintln!("measuring: half load");
    let addr = gateway.at().grpc.to_string();
    let half = half::measure(
        gateway.folder(),
        throughput / 2.0,
        |requests, per_second| load(&addr, requests, per_second, None),
    );

    eprintln!("measuring: {outage_seconds} s with the destination down");
    drop(sink);
    let until = Instant::now() + Duration::from_secs(outage_seconds);
    let rate = (throughput / 4.0).min(100.0);
    while Instant::now() < until {
        load(&addr, (rate * 10.0) as u64, rate, None);
    }
    let (_, memory_outage_mb) = measure::memory_mb(pid(&gateway));
    gateway.kill();
    drop(gateway);

    eprintln!("measuring: one tenant beside another that floods");
    let neighbours = neighbours::measure(stella);
    eprintln!("measuring: a million open traces");
    let open = sampled::million(stella);
    eprintln!("measuring: the wire engine");
    let wire = wire::all(&request());

    Figures {
        full,
        wire,
        request_bytes: plain.request_bytes,
        half,
        memory_full_mb,
        outage_seconds,
        memory_outage_mb,
        start_ms: start_ms(stella),
        binary_mb: Path::new(stella).metadata().expect("the binary").len() as f64 / 1e6,
        neighbours,
        open,
    }
}

/// Half load alone, for who works on it.
pub fn half(stella: &str) -> Half {
    let sink = Server::start(&[]);
    let gateway = start(stella, &sink.addr, OPEN);
    let addr = gateway.at().grpc.to_string();
    load(&addr, WARM_UP, 0.0, None);
    let full = load(&addr, REQUESTS, 0.0, None);
    shipped(&gateway);
    let per_second = full.acknowledged as f64 / full.seconds / 2.0;
    half::measure(gateway.folder(), per_second, |requests, per_second| {
        load(&addr, requests, per_second, None)
    })
}

/// A gateway that ships traces to `sink`, with `more` in its profile.
pub fn start(stella: &str, sink: &str, more: &str) -> Stella {
    let ship = format!(
        "ship: [{{ name: sink, signals: [traces], otlp: {{ endpoint: 'http://{sink}' }} }}]\n"
    );
    Stella::start(stella, &format!("{ship}{more}"))
}

pub const PLAIN: &str = "stella: gRPC in, journal with fsync, gRPC out";
/// The guard keeps everything as it comes.
pub const OPEN: &str = "redaction: { enabled: false }\n";
/// As a site drops keys that it knows; three of the twelve attributes are among them.
const KEYS: &str = "\
version: 1
unknown_fields: keep
rules:
  - { name: unwanted, keys: [url.scheme, server.address, enduser.id], action: drop }
";

/// A way to guard, beside the plain one.
struct Guarded {
    name: &'static str,
    profile: String,
    files: Option<[PathBuf; 3]>,
    /// What the profile names.
    _folder: TempDir,
}

fn guarded() -> Vec<Guarded> {
    let folder = || tempfile::tempdir().expect("a folder");
    let keys = folder();
    let policy = keys.path().join("keys.yaml");
    std::fs::write(&policy, KEYS).expect("the policy is written");
    let certificates = folder();
    let authority = Authority::root(certificates.path());
    let server = authority.issue(&Wanted::server("server"));
    let client = authority.issue(&Wanted::client(
        "client",
        "URI:spiffe://site/tenant/acme/load",
    ));
    let ca = authority.ca();
    let tls = format!(
        "tls: {{ cert: '{}', key: '{}', client_ca: '{}' }}\nidentity: {{ trust_domain: site, unlisted_tenants: allow }}\n",
        server.cert.display(),
        server.key.display(),
        ca.display()
    );
    vec![
        Guarded {
            name: "the same, 3 of 12 attributes dropped by key",
            profile: format!("redaction: {{ policy: '{}' }}\n", policy.display()),
            files: None,
            _folder: keys,
        },
        Guarded {
            name: "the same, the default policy: all default detectors, keys masked",
            profile: String::new(),
            files: None,
            _folder: folder(),
        },
        Guarded {
            name: "the same, nothing redacted, over mutual TLS to a tenant by certificate",
            profile: format!("{OPEN}{tls}"),
            files: Some([ca, client.cert, client.key]),
            _folder: certificates,
        },
    ]
}

fn pid(stella: &Stella) -> u32 {
    stella.at().pid
}

fn shipped(stella: &Stella) {
    testkit::wait_for("everything to be shipped", || {
        stella.metric("otelcol_exporter_sent_spans")
            >= stella.metric("otelcol_receiver_accepted_spans")
    });
}

/// The least of five: from the start of the process to the first acknowledged request.
fn start_ms(stella: &str) -> f64 {
    let once = || {
        let begun = Instant::now();
        let gateway = Stella::start(stella, "");
        load(&gateway.at().grpc.to_string(), 1, 0.0, None);
        begun.elapsed().as_secs_f64() * 1e3
    };
    (0..5).map(|_| once()).fold(f64::INFINITY, f64::min)
}
