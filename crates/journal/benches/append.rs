//! What an append costs: processor seconds (user and system, all threads) a megabyte of payload.
//!
//! `cargo bench -p journal --bench append [-- DIR]`; DIR says which disk. Prints two tables: zstd
//! levels on telemetry-like bytes, and whole appends with a group commit.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints a table"
)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ident::{Signal, TenantId};
use journal::{AppendError, Compression, Durability, Filter, Journal, Options, Record, Start};
use meter::Meter;
use rustix::time::{ClockId, clock_gettime};
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

const SPANS: usize = 500;
const REQUESTS: usize = 64;

fn main() {
    let dir = std::env::args().skip(1).find(|a| !a.starts_with('-'));
    let requests: Vec<Bytes> = (0..REQUESTS as u64).map(|n| request(n).into()).collect();
    let bytes = requests[0].len();
    println!(
        "{SPANS} spans a request, {bytes} bytes, {} a span",
        bytes / SPANS
    );
    compression(&requests);
    let dir = dir.map_or_else(std::env::temp_dir, PathBuf::from);
    println!(
        "\n{}: fdatasync of 64 KiB takes {:?} (median)",
        dir.display(),
        sync_time(&dir)
    );
    println!(
        "\nappend                              CPU s/MB  CPU s/M spans   MB/s  appends a commit  p99"
    );
    for (name, compression, durability, senders) in [
        (
            "zstd 1, fsync, 1 sender",
            Compression::Zstd(1),
            Durability::Fsync,
            1,
        ),
        (
            "zstd 1, fsync, 8 senders",
            Compression::Zstd(1),
            Durability::Fsync,
            8,
        ),
        (
            "zstd -1, fsync, 8 senders",
            Compression::Zstd(-1),
            Durability::Fsync,
            8,
        ),
        (
            "zstd -3, fsync, 8 senders",
            Compression::Zstd(-3),
            Durability::Fsync,
            8,
        ),
        (
            "none, fsync, 8 senders",
            Compression::None,
            Durability::Fsync,
            8,
        ),
        (
            "zstd 1, os, 8 senders",
            Compression::Zstd(1),
            Durability::Os,
            8,
        ),
    ] {
        let options = Options {
            compression,
            durability,
            window: Duration::ZERO,
            ..Options::default()
        };
        append(name, &dir, options, senders, &requests);
    }
}

fn compression(requests: &[Bytes]) {
    println!("\ncompression                    CPU s/MB  ratio");
    let total: usize = requests.iter().map(Bytes::len).sum();
    for level in [3, 1, -1, -3, -5] {
        for window in [0, 17, 18] {
            let mut c = Compressor::new(level).unwrap();
            c.set_parameter(CParameter::WindowLog(window)).unwrap();
            let mut out =
                Vec::with_capacity(zstd::zstd_safe::compress_bound(requests[0].len()) * 2);
            let mut stored = 0;
            let seconds = least(total, || {
                stored = 0;
                for request in requests {
                    out.clear();
                    c.compress_to_buffer(request.as_ref(), &mut out).unwrap();
                    stored += out.len();
                }
            });
            let name = match window {
                0 => format!("zstd {level}"),
                log => format!("zstd {level}, window 2^{log}"),
            };
            println!(
                "{name:<30} {seconds:>8.5}  {:>5.2}",
                total as f64 / stored as f64
            );
        }
    }
    let crc = least(total, || {
        requests.iter().for_each(|r| {
            std::hint::black_box(crc32c::crc32c(r));
        })
    });
    println!("{:<30} {crc:>8.5}", "crc32c");
    let sha = least(total, || {
        use sha2::Digest;
        requests.iter().for_each(|r| {
            std::hint::black_box(sha2::Sha256::digest(r));
        });
    });
    println!("{:<30} {sha:>8.5}", "sha256");
}

/// Processor seconds a megabyte: the least of some rounds, as others use the machine too.
fn least(bytes: usize, mut work: impl FnMut()) -> f64 {
    let round = |_| {
        let began = cpu();
        work();
        (cpu() - began) / (bytes as f64 / 1e6)
    };
    (0..10).map(round).fold(f64::INFINITY, f64::min)
}

fn append(name: &str, dir: &std::path::Path, options: Options, senders: usize, requests: &[Bytes]) {
    let dir = tempfile::tempdir_in(dir).unwrap();
    let meter = Meter::new();
    let (journal, _) = Journal::open(dir.path(), options, &meter).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (began, wall) = (cpu(), Instant::now());
    let mut times: Vec<Duration> = runtime.block_on(async {
        let mut reader = journal.reader(Start::Oldest, Filter::default());
        let reading = tokio::spawn(async move { while reader.next().await.is_ok() {} });
        let mut tasks = Vec::new();
        for sender in 0..senders {
            let journal = journal.clone();
            let mine: Vec<Bytes> = requests
                .iter()
                .skip(sender)
                .step_by(senders)
                .cloned()
                .collect();
            tasks.push(tokio::spawn(async move {
                let mut times = Vec::new();
                for _ in 0..10 {
                    for payload in &mine {
                        let began = Instant::now();
                        while let Err(error) = journal.append(record(payload.clone())).await {
                            assert!(matches!(error, AppendError::Full { .. }), "{error}");
                        }
                        times.push(began.elapsed());
                    }
                }
                times
            }));
        }
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await.unwrap());
        }
        journal.close().await.unwrap();
        reading.await.unwrap();
        times
    });
    let (seconds, wall) = (cpu() - began, wall.elapsed().as_secs_f64());
    times.sort();
    let count = times.len();
    let megabytes = (count * requests[0].len()) as f64 / 1e6;
    let commits: f64 = meter
        .encode()
        .lines()
        .find_map(|l| {
            l.strip_prefix("stella_journal_commits_total ")?
                .parse()
                .ok()
        })
        .unwrap();
    println!(
        "{name:<34} {:>9.5} {:>14.3} {:>6.0} {:>17.1}  {:?}",
        seconds / megabytes,
        seconds / ((count * SPANS) as f64 / 1e6),
        megabytes / wall,
        count as f64 / commits,
        times[count * 99 / 100],
    );
}

fn record(payload: Bytes) -> Record {
    Record {
        tenant: TenantId::default_tenant(),
        signal: Signal::Traces,
        items: SPANS as u64,
        min_time_unix_nano: 1,
        max_time_unix_nano: 2,
        payload,
    }
}

fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn sync_time(dir: &std::path::Path) -> Duration {
    use std::io::Write;
    let mut file = tempfile::tempfile_in(dir).unwrap();
    let mut times: Vec<Duration> = (0..50)
        .map(|_| {
            file.write_all(&vec![7; 64 << 10]).unwrap();
            let began = Instant::now();
            file.sync_data().unwrap();
            began.elapsed()
        })
        .collect();
    times.sort();
    times[25]
}

/// Bytes as an SDK would send them: 500 spans of one resource, 12 attributes each.
fn request(seed: u64) -> Vec<u8> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut scope = Vec::new();
    bytes(
        &mut scope,
        1,
        &message(|m| bytes(m, 1, b"io.opentelemetry.contrib.http")),
    );
    for n in 0..SPANS as u64 {
        bytes(&mut scope, 2, &span(&mut random, seed * 1000 + n));
    }
    let mut resource = Vec::new();
    for (key, value) in [
        ("service.name", "checkout"),
        ("service.version", "1.42.0"),
        ("host.name", "ip-10-0-3-17.eu-central-1.compute.internal"),
        ("telemetry.sdk.language", "java"),
    ] {
        bytes(&mut resource, 1, &attribute(key, value));
    }
    let mut spans = Vec::new();
    bytes(&mut spans, 1, &resource);
    bytes(&mut spans, 2, &scope);
    message(|m| bytes(m, 1, &spans))
}

fn span(random: &mut Random, n: u64) -> Vec<u8> {
    const ROUTES: [&str; 8] = [
        "/cart",
        "/cart/{id}",
        "/checkout",
        "/products",
        "/products/{id}",
        "/users/{id}",
        "/login",
        "/health",
    ];
    const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
    let route = ROUTES[random.below(8)];
    let method = METHODS[random.below(4)];
    let start = 1_700_000_000_000_000_000 + n * 1_300_000 + random.next() % 1_000_000;
    message(|m| {
        let ids: Vec<u8> = (0..4).flat_map(|_| random.next().to_le_bytes()).collect();
        bytes(m, 1, &ids[..16]);
        bytes(m, 2, &ids[16..24]);
        bytes(m, 4, &ids[24..]);
        bytes(m, 5, format!("{method} {route}").as_bytes());
        varint(m, 6 << 3);
        varint(m, 2);
        for (field, time) in [(7, start), (8, start + random.next() % 90_000_000)] {
            varint(m, field << 3 | 1);
            m.extend_from_slice(&time.to_le_bytes());
        }
        let id = random.next() % 100_000;
        for (key, value) in [
            ("http.request.method", method.to_owned()),
            ("http.route", route.to_owned()),
            ("url.path", format!("{route}/{id}")),
            (
                "url.query",
                format!("page={}&session={:016x}", id % 50, random.next()),
            ),
            (
                "http.response.status_code",
                [200, 200, 200, 404, 500][random.below(5)].to_string(),
            ),
            (
                "server.address",
                "checkout.shop.svc.cluster.local".to_owned(),
            ),
            (
                "client.address",
                format!("10.{}.{}.{}", id % 256, id / 256 % 256, id % 97),
            ),
            (
                "user_agent.original",
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36".to_owned(),
            ),
            ("network.protocol.version", "1.1".to_owned()),
            ("enduser.id", format!("user-{:08x}", random.next() as u32)),
            (
                "thread.name",
                format!("http-nio-8080-exec-{}", random.below(64)),
            ),
            (
                "k8s.pod.name",
                format!("checkout-7d9f8b6c5-{:05x}", random.below(20) * 7919),
            ),
        ] {
            bytes(m, 9, &attribute(key, &value));
        }
    })
}

fn attribute(key: &str, value: &str) -> Vec<u8> {
    message(|m| {
        bytes(m, 1, key.as_bytes());
        bytes(m, 2, &message(|v| bytes(v, 1, value.as_bytes())));
    })
}

fn message(fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    fill(&mut out);
    out
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> usize {
        (self.next() % limit) as usize
    }
}
