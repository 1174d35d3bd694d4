//! BOUNDED: at each limit the sender is told to wait, and is served once there is room again.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

mod common;

use std::time::Duration;

use common::client::*;
use common::*;
use gateway::Limits;
use ident::Signal;
use tokio::io::AsyncWriteExt;
use tonic::Code;
use tonic_types::StatusExt;

/// Waits for bytes of a request that is held back to arrive.
async fn in_flight(rig: &Rig, bytes: usize) {
    until("the bytes are in flight", || {
        rig.metric("stella_gateway_in_flight_bytes") == bytes as f64
    })
    .await;
}

fn assert_told_to_wait(answer: &Answer, media: &str) {
    assert_eq!(answer.status, 429, "{answer:?}");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(answer.header("content-type"), media);
    let status = answer.rpc_status();
    assert_eq!(status.code, Code::ResourceExhausted as i32, "{status:?}");
    assert_eq!(status.delay, Some(1.0), "{status:?}");
}

fn assert_call_told_to_wait(status: &tonic::Status) {
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let info = status.get_details_retry_info().unwrap();
    assert_eq!(info.retry_delay, Some(Duration::from_secs(1)));
}

/// Guarantees: connections over the limit are closed at once and counted; there is room again when
/// one has ended.
#[tokio::test]
async fn connections() {
    let rig = Rig::with(Setup::limits(Limits {
        connections: 2,
        ..Limits::default()
    }))
    .await;
    for (addr, transport) in [(rig.http, "http"), (rig.grpc, "grpc")] {
        let held = [frames::connect(addr).await, frames::connect(addr).await];
        assert!(raw(addr, b"POST /v1/traces HTTP/1.1\r\n").await.is_empty());
        assert!(raw(addr, frames::PREFACE).await.is_empty());
        assert_eq!(rig.connections("connections_refused_total", transport), 2.0);
        assert_eq!(rig.connections("connections", transport), 2.0);
        drop(held);
        until("there is room", || {
            rig.connections("connections", transport) == 0.0
        })
        .await;
    }
    assert!(rig.kept().is_empty());
    rig.goes_on().await;
}

/// Guarantees: streams over the limit wait at the sender; each is served in its turn.
#[tokio::test]
async fn streams_wait_their_turn() {
    let rig = Rig::with(Setup::limits(Limits {
        streams: 1,
        ..Limits::default()
    }))
    .await;
    let connection = connect_h2(rig.grpc).await;
    let body = framed(0, &data::request(Signal::Traces, &["first"]));
    let (pieces, open) = Pieces::gated(&body, 9);
    let clone = connection.clone();
    let first =
        tokio::spawn(
            async move { send_h2(&clone, grpc_request(Signal::Traces, None, pieces)).await },
        );
    in_flight(&rig, 9).await;
    let body = framed(0, &data::request(Signal::Traces, &["second"]));
    let request = grpc_request(Signal::Traces, None, Pieces::whole(body));
    let second = tokio::spawn(async move { send_h2(&connection, request).await });
    open();
    for call in [first, second] {
        let status = call.await.unwrap().grpc_status();
        assert_eq!(status.code(), Code::Ok, "{status:?}");
    }
    assert_eq!(rig.kept(), ["first", "second"]);
    rig.goes_on().await;
}

/// Guarantees: a peer that opens more streams than it was allowed to has them refused with
/// REFUSED_STREAM, which says that they may be tried again.
#[tokio::test]
async fn streams_of_a_peer_that_does_not_care() {
    let rig = Rig::with(Setup::limits(Limits {
        streams: 1,
        ..Limits::default()
    }))
    .await;
    let mut stream = frames::connect(rig.grpc).await;
    let headers = frames::call_headers(Signal::Traces.grpc_path());
    for id in [1, 3] {
        let call = frames::frame(frames::HEADERS, frames::END_HEADERS, id, &headers);
        stream.write_all(&call).await.unwrap();
    }
    let reset = frames::find(&mut stream, frames::RST_STREAM).await;
    assert_eq!(reset.stream, 3);
    assert_eq!(reset.payload, frames::REFUSED_STREAM.to_be_bytes());
    drop(stream);
    rig.goes_on().await;
}

/// Guarantees: when too many bytes are in flight in total, others are told to wait, in the
/// encoding of each; the request that holds them is served.
#[tokio::test]
async fn bytes_in_flight_in_total() {
    let rig = Rig::with(Setup::limits(Limits {
        in_flight_bytes: 100_000,
        ..Limits::default()
    }))
    .await;
    let body = data::large("held", 70_000);
    let (pieces, open) = Pieces::gated(&body, 60_000);
    let held = tokio::spawn(h1(
        rig.http,
        http_request(Signal::Traces, PROTOBUF, None, pieces),
    ));
    in_flight(&rig, 60_000).await;

    let other = data::large("other", 50_000);
    for media in [PROTOBUF, JSON] {
        let answer = post(rig.http, Signal::Traces, media, other.clone()).await;
        assert_told_to_wait(&answer, media);
    }
    let status = export(rig.grpc, Signal::Traces, other.clone()).await;
    assert_call_told_to_wait(&status);
    // What is small enough is served meanwhile; what only grows too large by decompression waits.
    let small = data::request(Signal::Traces, &["small"]);
    assert_eq!(
        post(rig.http, Signal::Traces, PROTOBUF, small).await.status,
        200
    );
    let pieces = Pieces::whole(data::gzip(&other));
    let request = http_request(Signal::Traces, PROTOBUF, Some("gzip"), pieces);
    assert_told_to_wait(&h1(rig.http, request).await, PROTOBUF);
    assert_eq!(rig.refused("http", "busy"), 3.0);
    assert_eq!(rig.refused("grpc", "busy"), 1.0);

    open();
    assert_eq!(held.await.unwrap().status, 200);
    let answer = post(rig.http, Signal::Traces, PROTOBUF, other.clone()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(rig.kept(), ["small", "held", "other"]);
    rig.goes_on().await;
}

/// Guarantees: one connection cannot take all: over its own share it is told to wait while other
/// connections are served.
#[tokio::test]
async fn bytes_in_flight_on_one_connection() {
    let rig = Rig::with(Setup::limits(Limits {
        connection_in_flight_bytes: 100_000,
        ..Limits::default()
    }))
    .await;
    let greedy = connect_h2(rig.grpc).await;
    let body = framed(0, &data::large("held", 70_000));
    let (pieces, open) = Pieces::gated(&body, 60_000);
    let clone = greedy.clone();
    let held =
        tokio::spawn(
            async move { send_h2(&clone, grpc_request(Signal::Traces, None, pieces)).await },
        );
    in_flight(&rig, 60_000).await;

    let other = data::large("other", 50_000);
    let request = || grpc_request(Signal::Traces, None, Pieces::whole(framed(0, &other)));
    let status = send_h2(&greedy, request()).await.grpc_status();
    assert_call_told_to_wait(&status);
    assert_eq!(rig.refused("grpc", "busy"), 1.0);
    let status = export(rig.grpc, Signal::Traces, other.clone()).await;
    assert_eq!(status.code(), Code::Ok, "{status:?}");

    open();
    let status = held.await.unwrap().grpc_status();
    assert_eq!(status.code(), Code::Ok, "{status:?}");
    let status = send_h2(&greedy, request()).await.grpc_status();
    assert_eq!(status.code(), Code::Ok, "{status:?}");
    assert_eq!(rig.kept(), ["other", "held", "other"]);
    rig.goes_on().await;
}

/// Guarantees: a head that is too large is 431 in HTTP/1 and HTTP/2, and ends nothing else.
#[tokio::test]
async fn heads() {
    let rig = Rig::start().await;
    for over_h2 in [false, true] {
        let body = Pieces::whole(data::request(Signal::Traces, &["large head"]));
        let mut request = http_request(Signal::Traces, PROTOBUF, None, body);
        let value = http::HeaderValue::from_str(&"x".repeat(300_000)).unwrap();
        request.headers_mut().insert("x-large", value);
        if over_h2 {
            *request.uri_mut() = "http://gateway/v1/traces".parse().unwrap();
            // A client may learn of the limit first, and keep the request to itself.
            let mut connection = connect_h2(rig.http).await;
            let refused = connection.send_request(request).await;
            assert!(refused.is_err() || refused.is_ok_and(|r| r.status() == 431));
        } else {
            assert_eq!(h1(rig.http, request).await.status, 431);
        }
    }
    assert!(rig.kept().is_empty());
    rig.goes_on().await;
}
