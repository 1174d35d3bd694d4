//! Peers that do not behave: garbage, silence, half requests, hanging up, sitting idle.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

mod common;

use std::time::Duration;

use common::client::*;
use common::*;
use gateway::Limits;
use ident::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;

const SOON: Duration = Duration::from_millis(200);

fn hasty() -> Setup {
    Setup::limits(Limits {
        read_timeout: SOON,
        ..Limits::default()
    })
}

/// The beginning of a request whose body never comes whole.
fn half_a_body(media: &str) -> String {
    format!(
        "POST /v1/traces HTTP/1.1\r\nhost: g\r\ncontent-type: {media}\r\ncontent-length: 1000\r\n\r\n{{\"resource"
    )
}

/// Guarantees: garbage on either port ends that connection alone, and is counted.
#[tokio::test]
async fn garbage() {
    let rig = Rig::with(hasty()).await;
    let mut noise = vec![0x80; 100_000];
    noise
        .iter_mut()
        .enumerate()
        .for_each(|(n, b)| *b ^= (n * 7 + n / 250) as u8);
    let garbage: [&[u8]; 8] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        &[0; 64],
        &noise,
        b"hello, is it me you are looking for?\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\ncontent-length: many\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nand now for something else",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ];
    for (addr, transport) in [(rig.grpc, "grpc"), (rig.http, "http")] {
        for (count, bytes) in (1..).zip(garbage) {
            raw(addr, bytes).await;
            until("the error is counted", || {
                rig.connections("connection_errors_total", transport) == f64::from(count)
            })
            .await;
        }
        until("the connections are closed", || {
            rig.connections("connections", transport) == 0.0
        })
        .await;
    }
    assert!(rig.kept().is_empty());
    rig.goes_on().await;
}

/// Guarantees: who connects and says nothing, or half of a head, is hung up on and counted.
#[tokio::test]
async fn half_open_connections() {
    let rig = Rig::with(hasty()).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = [&preface[..], &frames::frame(frames::SETTINGS, 0, 0, &[])].concat();
    let headers = frames::call_headers(Signal::Traces.grpc_path());
    // Without END_HEADERS: a CONTINUATION would have to follow.
    let half_headers = [
        &settings[..],
        &frames::frame(frames::HEADERS, 0, 1, &headers),
    ]
    .concat();
    let halves: [&[u8]; 6] = [
        b"",
        b"PRI * HT",
        b"POST /v1/traces HT",
        b"POST /v1/traces HTTP/1.1\r\nhost: g\r\ncontent-le",
        &settings,
        &half_headers,
    ];
    for (addr, transport) in [(rig.grpc, "grpc"), (rig.http, "http")] {
        for (count, bytes) in (1..).zip(halves) {
            raw(addr, bytes).await;
            until("the error is counted", || {
                rig.connections("connection_errors_total", transport) == f64::from(count)
            })
            .await;
        }
    }
    assert!(rig.kept().is_empty());
    rig.goes_on().await;
}

/// Guarantees: who stops within a body is told DEADLINE_EXCEEDED in its own encoding (504, which
/// OTLP clients may retry), and counted as slow.
#[tokio::test]
async fn half_a_body_is_slow() {
    let rig = Rig::with(hasty()).await;
    for (count, media) in (1..).zip([PROTOBUF, JSON]) {
        let pieces = Pieces::new([b"\n".to_vec()], Then::Hang);
        let answer = h1(rig.http, http_request(Signal::Traces, media, None, pieces)).await;
        assert_eq!(answer.status, 504, "{answer:?}");
        assert_eq!(answer.header("content-type"), media);
        assert_eq!(answer.rpc_status().code, Code::DeadlineExceeded as i32);
        assert_eq!(rig.refused("http", "slow"), f64::from(count));
    }
    let body = framed(0, &data::request(Signal::Traces, &["half"]));
    for half in [0, 3, 5, body.len() - 1] {
        let pieces = Pieces::new([body[..half].to_vec()], Then::Hang);
        let answer = h2(rig.grpc, grpc_request(Signal::Traces, None, pieces)).await;
        let status = answer.grpc_status();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    }
    assert_eq!(rig.refused("grpc", "slow"), 4.0);
    assert!(rig.kept().is_empty());
    rig.goes_on().await;
}

/// Guarantees: a sender that never pauses for long but never ends either is stopped too.
#[tokio::test]
async fn a_trickle_ends() {
    let rig = Rig::with(hasty()).await;
    let (mut read, mut write) = TcpStream::connect(rig.http).await.unwrap().into_split();
    write.write_all(half_a_body(JSON).as_bytes()).await.unwrap();
    let trickle = tokio::spawn(async move {
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(SOON / 10).await;
        }
    });
    let mut answer = String::new();
    let _ = read.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    trickle.await.unwrap();
    assert_eq!(rig.refused("http", "slow"), 1.0);
    rig.goes_on().await;
}

/// Guarantees: who hangs up within a body leaves nothing behind: no bytes in flight, no
/// connection, nothing in the journal; and it is counted.
#[tokio::test]
async fn hanging_up_within_a_body() {
    let rig = Rig::start().await;
    let in_flight = || rig.metric("stella_gateway_in_flight_bytes");
    let mut stream = TcpStream::connect(rig.http).await.unwrap();
    stream
        .write_all(half_a_body(PROTOBUF).as_bytes())
        .await
        .unwrap();
    until("bytes are in flight", || in_flight() > 0.0).await;
    drop(stream);
    until("it is counted", || rig.refused("http", "cancelled") == 1.0).await;

    // A stream that is reset, then a connection that is cut.
    let body = framed(0, &data::request(Signal::Traces, &["half"]));
    let half = |then| {
        let pieces = Pieces::new([body[..9].to_vec()], then);
        grpc_request(Signal::Traces, None, pieces)
    };
    let mut connection = connect_h2(rig.grpc).await;
    connection
        .send_request(half(Then::Break))
        .await
        .unwrap_err();
    until("it is counted", || rig.refused("grpc", "cancelled") == 1.0).await;
    let hanging = tokio::spawn(connection.send_request(half(Then::Hang)));
    until("bytes are in flight", || in_flight() > 0.0).await;
    hanging.abort();
    drop(connection);
    until("it is counted", || rig.refused("grpc", "cancelled") == 2.0).await;

    until("nothing is in flight", || in_flight() == 0.0).await;
    for transport in ["http", "grpc"] {
        until("the connections are gone", || {
            rig.connections("connections", transport) == 0.0
        })
        .await;
    }
    assert!(rig.kept().is_empty());
    rig.goes_on().await;
}

/// Guarantees: a connection that is idle is kept for the idle timeout, not for the read timeout.
#[tokio::test]
async fn an_idle_connection_outlives_the_read_timeout() {
    let rig = Rig::with(hasty()).await;
    let mut http = connect_h1(rig.http).await;
    let grpc = connect_h2(rig.grpc).await;
    for round in ["one", "two", "three"] {
        let body = data::request(Signal::Logs, &[round]);
        let request = http_request(Signal::Logs, PROTOBUF, None, Pieces::whole(body.clone()));
        assert_eq!(send_h1(&mut http, request).await.status, 200);
        let request = grpc_request(Signal::Logs, None, Pieces::whole(framed(0, &body)));
        let status = send_h2(&grpc, request).await.grpc_status();
        assert_eq!(status.code(), Code::Ok, "{status:?}");
        // Silent connections, opened now, are the clock: when they are cut off, the read timeout
        // has passed for the others too.
        assert!(raw(rig.http, b"").await.is_empty());
        assert!(raw(rig.grpc, b"").await.is_empty());
    }
    assert_eq!(rig.kept(), ["one", "one", "two", "two", "three", "three"]);
    assert_eq!(rig.connections("connection_errors_total", "http"), 3.0);
    assert_eq!(rig.connections("connection_errors_total", "grpc"), 3.0);
}

/// Guarantees: after the idle timeout a connection is ended in order: GOAWAY in HTTP/2, a plain
/// end in HTTP/1, and no error is counted.
#[tokio::test]
async fn idle_connections_end_in_order() {
    let rig = Rig::with(Setup::limits(Limits {
        idle_timeout: SOON,
        ..Limits::default()
    }))
    .await;
    let mut stream = TcpStream::connect(rig.http).await.unwrap();
    let head = "POST /v1/logs HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(stream);

    let mut stream = frames::connect(rig.grpc).await;
    let headers = frames::call_headers("/no/method");
    let end = frames::END_HEADERS | frames::END_STREAM;
    let call = frames::frame(frames::HEADERS, end, 1, &headers);
    stream.write_all(&call).await.unwrap();
    frames::find(&mut stream, frames::HEADERS).await;
    let goaway = frames::find(&mut stream, frames::GOAWAY).await;
    assert_eq!(goaway.payload[4..8], [0; 4], "NO_ERROR");
    while frames::next(&mut stream).await.is_some() {}
    drop(stream);
    for transport in ["http", "grpc"] {
        until("the connections are gone", || {
            rig.connections("connections", transport) == 0.0
        })
        .await;
        assert_eq!(rig.connections("connection_errors_total", transport), 0.0);
    }
    rig.goes_on().await;
}
