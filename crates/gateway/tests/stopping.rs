//! Binding and draining: what is refused at the start, and what is finished at the end.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::client::*;
use common::*;
use gateway::{BindError, Config, Gateway, Limits, ListenerConfig, OpenGuard};
use ident::{Signal, TenantId};
use journal::{Journal, Options};
use meter::Meter;
use tokio::net::TcpStream;
use tonic::Code;

/// Waits until neither port takes connections any more.
async fn closed(rig: &Rig) {
    for addr in [rig.http, rig.grpc] {
        while TcpStream::connect(addr).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Guarantees: ACK-DURABLE: at the end nobody new is let in, and what was under way is finished,
/// acknowledged and in the journal, on both ports; HTTP/1 is told `connection: close`.
#[tokio::test]
async fn requests_under_way_are_finished() {
    let rig = Rig::start().await;
    let body = data::request(Signal::Traces, &["http"]);
    let (pieces, open_http) = Pieces::gated(&body, 5);
    let request = http_request(Signal::Traces, PROTOBUF, None, pieces);
    let http = tokio::spawn(h1(rig.http, request));
    let body = framed(0, &data::request(Signal::Traces, &["grpc"]));
    let (pieces, open_grpc) = Pieces::gated(&body, 9);
    let request = grpc_request(Signal::Traces, None, pieces);
    let grpc = tokio::spawn(h2(rig.grpc, request));
    until("both are under way", || {
        rig.metric("stella_gateway_in_flight_bytes") == 14.0
    })
    .await;

    rig.stop.cancel();
    closed(&rig).await;
    assert!(rig.kept().is_empty());
    open_http();
    let answer = http.await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("connection"), "close");
    open_grpc();
    let status = grpc.await.unwrap().grpc_status();
    assert_eq!(status.code(), Code::Ok, "{status:?}");
    assert_eq!(rig.kept(), ["http", "grpc"]);
    let Rig { serving, .. } = rig;
    serving.await.unwrap();
}

/// Guarantees: at the end an HTTP/2 peer gets GOAWAY without an error, and idle connections end
/// without being counted as errors.
#[tokio::test]
async fn idle_connections_are_told() {
    let rig = Rig::start().await;
    let mut idle = connect_h1(rig.http).await;
    let body = data::request(Signal::Logs, &["before"]);
    let request = http_request(Signal::Logs, PROTOBUF, None, Pieces::whole(body));
    assert_eq!(send_h1(&mut idle, request).await.status, 200);
    let mut two = frames::connect(rig.grpc).await;
    let silent = TcpStream::connect(rig.http).await.unwrap();
    until("all are connected", || {
        rig.connections("connections", "http") == 2.0
    })
    .await;

    rig.stop.cancel();
    let goaway = frames::find(&mut two, frames::GOAWAY).await;
    assert_eq!(goaway.payload[4..8], [0; 4], "NO_ERROR");
    while frames::next(&mut two).await.is_some() {}
    drop(two);
    until("the idle connection is closed", || idle.is_closed()).await;
    drop(silent);
    until("all are gone", || {
        ["http", "grpc"]
            .iter()
            .all(|t| rig.connections("connections", t) == 0.0)
    })
    .await;
    for transport in ["http", "grpc"] {
        assert_eq!(rig.connections("connection_errors_total", transport), 0.0);
    }
    let Rig { serving, .. } = rig;
    serving.await.unwrap();
}

/// Guarantees: what hangs is ended by the drain timeout, unacknowledged and not kept.
#[tokio::test]
async fn the_drain_timeout_ends_what_hangs() {
    let rig = Rig::with(Setup::limits(Limits {
        drain_timeout: Duration::from_millis(200),
        read_timeout: Duration::from_secs(3600),
        ..Limits::default()
    }))
    .await;
    let body = data::request(Signal::Traces, &["hangs"]);
    let pieces = Pieces::new([body[..5].to_vec()], Then::Hang);
    let mut one = connect_h1(rig.http).await;
    let http = one.send_request(http_request(Signal::Traces, PROTOBUF, None, pieces));
    let http = tokio::spawn(http);
    let pieces = Pieces::new([framed(0, &body)[..9].to_vec()], Then::Hang);
    let mut two = connect_h2(rig.grpc).await;
    let grpc = two.send_request(grpc_request(Signal::Traces, None, pieces));
    let grpc = tokio::spawn(grpc);
    let silent = TcpStream::connect(rig.grpc).await.unwrap();
    until("both are under way", || {
        rig.metric("stella_gateway_in_flight_bytes") == 14.0
    })
    .await;

    rig.stop.cancel();
    http.await.unwrap().unwrap_err();
    grpc.await.unwrap().unwrap_err();
    drop(silent);
    until("nothing is in flight", || {
        rig.metric("stella_gateway_in_flight_bytes") == 0.0
    })
    .await;
    assert!(rig.kept().is_empty());
    let Rig { serving, .. } = rig;
    serving.await.unwrap();
}

async fn bind(grpc: ListenerConfig, http: ListenerConfig) -> Result<Gateway, BindError> {
    let dir = tempfile::tempdir().unwrap();
    let meter = Meter::new();
    let (journal, _) = Journal::open(dir.path(), Options::default(), &meter).unwrap();
    let config = Config {
        grpc,
        http,
        limits: Limits::default(),
    };
    let guard = Arc::new(OpenGuard::new(TenantId::default_tenant()));
    Gateway::bind(config, guard, journal, &meter).await
}

fn message(result: Result<Gateway, BindError>) -> String {
    match result {
        Ok(_) => panic!("it was bound"),
        Err(error) => error.to_string(),
    }
}

/// Guarantees: a port in use is named, with a hint, whichever of the two it is.
#[tokio::test]
async fn ports_in_use() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let there = || ListenerConfig {
        addr,
        insecure: false,
        tls: None,
    };
    for (transport, result) in [
        ("grpc", bind(there(), loopback()).await),
        ("http", bind(loopback(), there()).await),
    ] {
        let text = message(result);
        let what = format!("cannot listen for {transport} on {addr}: ");
        assert!(text.starts_with(&what), "{text}");
        assert!(text.contains("\nhint: another process listens"), "{text}");
    }
    drop(taken);
    bind(there(), loopback()).await.unwrap();
}

/// Guarantees: plaintext off loopback is refused unless it was asked for, IPv4 and IPv6 alike.
#[tokio::test]
async fn plaintext_off_loopback() {
    for addr in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let addr: SocketAddr = addr.parse().unwrap();
        let everywhere = |insecure| ListenerConfig {
            addr,
            insecure,
            tls: None,
        };
        for (transport, result) in [
            ("grpc", bind(everywhere(false), loopback()).await),
            ("http", bind(loopback(), everywhere(false)).await),
        ] {
            let text = message(result);
            let what = format!("{transport} on {addr} would be plaintext off loopback\nhint: ");
            assert!(text.starts_with(&what), "{text}");
        }
    }
    let everywhere = |insecure| ListenerConfig {
        addr: "0.0.0.0:0".parse().unwrap(),
        insecure,
        tls: None,
    };
    let gateway = bind(everywhere(true), everywhere(true)).await.unwrap();
    assert_ne!(gateway.grpc_addr().port(), 0);
    assert_ne!(gateway.http_addr().port(), 0);
}
