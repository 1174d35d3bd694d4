//! A journal in trouble: senders are told to wait, and the gateway goes on when it has passed.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

mod common;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::client::*;
use common::*;
use ident::Signal;
use journal::seam::{Env, Faults, Op, Verdict};
use journal::{Compression, Options, Start};
use tonic::Code;
use tonic_types::StatusExt;

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

/// Sends a request in every way; each must be refused with the codes, and with `seconds` to wait.
async fn told_to_wait(rig: &Rig, (code, http): (Code, u16), seconds: u64) {
    let body = data::request(Signal::Logs, &["refused", "refused"]);
    let json = data::request_json(Signal::Logs, &["refused", "refused"]);
    for (media, body) in [(PROTOBUF, body.clone()), (JSON, json)] {
        let answer = post(rig.http, Signal::Logs, media, body).await;
        assert_eq!(answer.status, http, "{answer:?}");
        assert_eq!(answer.header("content-type"), media);
        assert_eq!(answer.header("retry-after"), seconds.to_string());
        let status = answer.rpc_status();
        assert_eq!(status.code, code as i32, "{status:?}");
        assert_eq!(status.delay, Some(seconds as f64));
        // Where the journal lies is none of the sender's business.
        assert!(!status.message.contains('/'), "{status:?}");
    }
    let status = export(rig.grpc, Signal::Logs, body).await;
    assert_eq!(status.code(), code, "{status:?}");
    let info = status.get_details_retry_info().unwrap();
    assert_eq!(info.retry_delay, Some(Duration::from_secs(seconds)));
}

/// Guarantees: a journal at its byte limit pushes back (429, RESOURCE_EXHAUSTED, with a delay),
/// loses nothing that it has, and takes again once a consumer has caught up.
#[tokio::test]
async fn a_full_journal() {
    let rig = Rig::with(Setup {
        options: Options {
            max_bytes: 256 << 10,
            compression: Compression::None,
            ..Options::default()
        },
        ..Setup::default()
    })
    .await;
    let mut consumer = rig.journal.consumer("behind", Start::Oldest).unwrap();
    let body = data::large("filler", 16 << 10);
    let mut taken = 0;
    loop {
        let answer = post(rig.http, Signal::Traces, PROTOBUF, body.clone()).await;
        if answer.status != 200 {
            break;
        }
        taken += 1;
        assert!(taken < 100, "the limit was never reached");
    }
    assert_eq!(rig.kept(), vec!["filler"; taken]);
    let already = rig.refused("http", "busy");
    told_to_wait(&rig, (Code::ResourceExhausted, 429), 2).await;
    assert_eq!(rig.refused("http", "busy"), already + 2.0);
    assert_eq!(rig.refused("grpc", "busy"), 1.0);
    assert_eq!(rig.items("refused", Signal::Logs, "http"), 4.0);
    assert_eq!(rig.items("refused", Signal::Logs, "grpc"), 2.0);
    assert_eq!(rig.kept(), vec!["filler"; taken]);

    while let Some(block) = consumer.try_next().unwrap() {
        consumer.commit(block.next);
    }
    let mut answer = post(rig.http, Signal::Traces, PROTOBUF, body.clone()).await;
    for _ in 0..1000 {
        if answer.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer = post(rig.http, Signal::Traces, PROTOBUF, body.clone()).await;
    }
    assert_eq!(answer.status, 200, "{answer:?}");
    rig.goes_on().await;
}

/// Guarantees: a record that the journal can never take is too large, not a reason to wait.
#[tokio::test]
async fn larger_than_the_journal_takes() {
    let rig = Rig::with(Setup {
        options: Options {
            max_record_bytes: 10_000,
            ..Options::default()
        },
        ..Setup::default()
    })
    .await;
    let body = data::large("giant", 10_000);
    let answer = post(rig.http, Signal::Traces, JSON, b"{}".to_vec()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = post(rig.http, Signal::Traces, PROTOBUF, body.clone()).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert_eq!(answer.rpc_status().delay, None);
    let status = export(rig.grpc, Signal::Traces, body).await;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.get_details_retry_info().is_none());
    assert_eq!(rig.items("refused", Signal::Traces, "http"), 1.0);
    assert_eq!(rig.items("refused", Signal::Traces, "grpc"), 1.0);
    assert!(rig.kept().is_empty());
    rig.goes_on().await;
}

/// A disk that refuses an operation on segments while it is broken.
struct Disk {
    broken: AtomicBool,
    op: Op,
    errno: i32,
}

impl Faults for Disk {
    fn before(&self, op: Op, path: &Path, _: u64) -> Verdict {
        let segment = path.extension().is_some_and(|ext| ext == "seg");
        if segment && op == self.op && self.broken.load(Ordering::SeqCst) {
            return Verdict::Fail(io::Error::from_raw_os_error(self.errno));
        }
        Verdict::Go
    }
}

/// Guarantees: ACK-DURABLE: while the disk refuses (full, failing to write, to sync, to make a
/// file) nothing is acknowledged: 503, UNAVAILABLE, with a delay; then the gateway goes on.
#[tokio::test]
async fn a_disk_that_refuses() {
    for (op, errno) in [
        (Op::Write, ENOSPC),
        (Op::Write, EIO),
        (Op::Sync, EIO),
        (Op::Create, ENOSPC),
    ] {
        let disk = Arc::new(Disk {
            broken: AtomicBool::new(true),
            op,
            errno,
        });
        let rig = Rig::with(Setup {
            env: Env {
                faults: Some(Arc::clone(&disk) as Arc<dyn Faults>),
                ..Env::default()
            },
            ..Setup::default()
        })
        .await;
        told_to_wait(&rig, (Code::Unavailable, 503), 1).await;
        assert_eq!(rig.refused("http", "unavailable"), 2.0, "{op:?} {errno}");
        assert_eq!(rig.refused("grpc", "unavailable"), 1.0, "{op:?} {errno}");
        assert_eq!(rig.items("refused", Signal::Logs, "http"), 4.0);
        assert_eq!(rig.items("accepted", Signal::Logs, "http"), 0.0);
        assert!(rig.kept().is_empty(), "{op:?} {errno}");
        disk.broken.store(false, Ordering::SeqCst);
        rig.goes_on().await;
    }
}

/// Guarantees: a journal that was closed under the gateway gives 503 and UNAVAILABLE, not an
/// acknowledgement.
#[tokio::test]
async fn a_closed_journal() {
    let rig = Rig::start().await;
    rig.goes_on().await;
    rig.journal.close().await.unwrap();
    told_to_wait(&rig, (Code::Unavailable, 503), 1).await;
    assert_eq!(rig.kept(), ["goes-on-http", "goes-on-grpc"]);
}
