//! Requests that must be taken: every signal, encoding and compression, on both ports.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

mod common;

use std::time::Duration;

use common::client::*;
use common::*;
use ident::Signal;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tonic::Code;
use tonic::codec::CompressionEncoding::{Gzip, Zstd};

/// Guarantees: ACK-DURABLE: what tonic's client is told was taken is in the journal as it was
/// sent, for every signal and compression.
#[tokio::test]
async fn grpc_with_tonic() {
    let rig = Rig::start().await;
    let url = format!("http://{}", rig.grpc);
    let channel = tonic::transport::Endpoint::new(url).unwrap();
    let channel = channel.connect().await.unwrap();
    let mut sent = Vec::new();
    for compression in [None, Some(Gzip), Some(Zstd)] {
        let mut traces = TraceServiceClient::new(channel.clone());
        let mut metrics = MetricsServiceClient::new(channel.clone());
        let mut logs = LogsServiceClient::new(channel.clone());
        if let Some(how) = compression {
            traces = traces.send_compressed(how).accept_compressed(how);
            metrics = metrics.send_compressed(how).accept_compressed(how);
            logs = logs.send_compressed(how).accept_compressed(how);
        }
        let answer = traces.export(data::traces(&["a", "b"])).await.unwrap();
        assert_eq!(answer.into_inner().partial_success, None);
        let answer = metrics.export(data::metrics(&["m"])).await.unwrap();
        assert_eq!(answer.into_inner().partial_success, None);
        let answer = logs.export(data::logs(&["l"])).await.unwrap();
        assert_eq!(answer.into_inner().partial_success, None);
        sent.extend(["a", "b", "m", "l"]);
    }
    assert_eq!(rig.kept(), sent);
    assert_eq!(rig.items("accepted", Signal::Traces, "grpc"), 6.0);
    assert_eq!(rig.items("accepted", Signal::Metrics, "grpc"), 3.0);
    assert_eq!(rig.items("accepted", Signal::Logs, "grpc"), 3.0);
    assert_eq!(rig.connections("connections", "grpc"), 1.0);
    rig.goes_on().await;
}

/// Guarantees: the same over HTTP: either encoding, any compression, answered in kind, several
/// requests on one connection.
#[tokio::test]
async fn http_in_every_encoding() {
    let rig = Rig::start().await;
    let mut connection = connect_h1(rig.http).await;
    let mut sent = Vec::new();
    let none: data::Coder = ("identity", <[u8]>::to_vec);
    for signal in Signal::ALL {
        for (coding, compress) in data::CODERS.into_iter().chain([none]) {
            let encoded = [
                (PROTOBUF, data::request(signal, &["x", "y"])),
                (JSON, data::request_json(signal, &["x", "y"])),
            ];
            for (media, body) in encoded {
                let pieces = Pieces::whole(compress(&body));
                let request = http_request(signal, media, Some(coding), pieces);
                let answer = send_h1(&mut connection, request).await;
                assert_eq!(answer.status, 200, "{signal} {coding} {media}: {answer:?}");
                assert_eq!(answer.header("content-type"), media);
                let expected: &[u8] = if media == JSON { b"{}" } else { b"" };
                assert_eq!(answer.body, expected);
                sent.extend(["x", "y"]);
                let blocks = rig.blocks();
                let block = blocks.last().unwrap();
                assert_eq!((block.signal, block.items), (signal, 2));
                assert_eq!(block.payload, data::request(signal, &["x", "y"]));
            }
        }
        assert_eq!(rig.items("accepted", signal, "http"), 16.0);
    }
    assert_eq!(rig.kept(), sent);
    assert_eq!(rig.connections("connections", "http"), 1.0);
    assert_eq!(rig.connections("connection_errors_total", "http"), 0.0);
}

/// Guarantees: OTLP/HTTP over HTTP/2 works on the HTTP port; parameters, case and the older name
/// of a content type do not matter.
#[tokio::test]
async fn http_two_and_other_spellings() {
    let rig = Rig::start().await;
    let connection = connect_h2(rig.http).await;
    let kinds = [
        PROTOBUF,
        "application/protobuf",
        "Application/X-Protobuf; messageType=x",
    ];
    for kind in kinds {
        let body = data::request(Signal::Logs, &["two"]);
        let mut request = http_request(Signal::Logs, kind, None, Pieces::whole(body));
        *request.uri_mut() = "http://gateway/v1/logs?ignored".parse().unwrap();
        let answer = send_h2(&connection, request).await;
        assert_eq!(answer.status, 200, "{kind}: {answer:?}");
        assert_eq!(answer.header("content-type"), PROTOBUF);
    }
    assert_eq!(rig.kept(), ["two"; 3]);
    for kind in ["application/grpc+proto", "Application/GRPC; x=y"] {
        let body = framed(0, &data::request(Signal::Logs, &["proto"]));
        let mut request = grpc_request(Signal::Logs, None, Pieces::whole(body));
        let value = http::HeaderValue::from_static(kind);
        request.headers_mut().insert("content-type", value);
        let status = h2(rig.grpc, request).await.grpc_status();
        assert_eq!(status.code(), Code::Ok, "{kind}: {status:?}");
    }
    assert_eq!(rig.kept()[3..], ["proto"; 2]);
}

/// Guarantees: a request without items is a success without effect (OTLP specification, "Empty
/// Telemetry Envelopes").
#[tokio::test]
async fn empty_requests() {
    let rig = Rig::start().await;
    for signal in Signal::ALL {
        for body in [Vec::new(), data::request(signal, &[])] {
            let answer = post(rig.http, signal, PROTOBUF, body.clone()).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let status = export(rig.grpc, signal, body).await;
            assert_eq!(status.code(), Code::Ok, "{status:?}");
        }
        let answer = post(rig.http, signal, JSON, b"{}".to_vec()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body[..]),
            (200, &b"{}"[..])
        );
    }
    assert!(rig.blocks().is_empty());
    rig.goes_on().await;
}

/// Guarantees: many requests at once on one HTTP/2 connection are all taken, in pieces or whole.
#[tokio::test]
async fn many_streams_on_one_connection() {
    let rig = Rig::start().await;
    let connection = connect_h2(rig.grpc).await;
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..50usize {
        let connection = connection.clone();
        let body = framed(
            0,
            &data::request(Signal::Traces, &[&format!("stream-{n:02}")]),
        );
        let pieces = Pieces::new(body.chunks(n + 1).map(<[u8]>::to_vec), Then::End);
        calls.spawn(async move {
            send_h2(&connection, grpc_request(Signal::Traces, None, pieces)).await
        });
    }
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.unwrap().grpc_status().code(), Code::Ok);
    }
    let mut kept = rig.kept();
    kept.sort();
    let expected: Vec<_> = (0..50).map(|n| format!("stream-{n:02}")).collect();
    assert_eq!(kept, expected);
    assert_eq!(rig.connections("connections", "grpc"), 1.0);
}

/// Guarantees: a call's `grpc-timeout` is kept to: DEADLINE_EXCEEDED once it has passed, no
/// difference before.
#[tokio::test]
async fn grpc_timeouts() {
    let rig = Rig::start().await;
    let body = framed(0, &data::request(Signal::Traces, &["in time"]));
    for (timeout, code) in [
        ("30M", Code::Ok),
        ("99999999H", Code::Ok),
        ("soon", Code::Ok),
        ("50m", Code::DeadlineExceeded),
        ("50000u", Code::DeadlineExceeded),
        ("0S", Code::DeadlineExceeded),
    ] {
        let pieces = match code {
            Code::Ok => Pieces::whole(body.clone()),
            _ => Pieces::new([body[..9].to_vec()], Then::Hang),
        };
        let mut request = grpc_request(Signal::Traces, None, pieces);
        let value = http::HeaderValue::from_static(timeout);
        request.headers_mut().insert("grpc-timeout", value);
        let status = h2(rig.grpc, request).await.grpc_status();
        assert_eq!(status.code(), code, "{timeout}: {status:?}");
    }
    assert_eq!(rig.kept(), ["in time"; 3]);
    assert_eq!(rig.refused("grpc", "slow"), 3.0);

    // tonic sends the header itself.
    let channel = tonic::transport::Endpoint::new(format!("http://{}", rig.grpc)).unwrap();
    let mut client = TraceServiceClient::new(channel.connect().await.unwrap());
    let mut request = tonic::Request::new(data::traces(&["tonic"]));
    request.set_timeout(Duration::from_secs(600));
    client.export(request).await.unwrap();
    assert_eq!(rig.kept()[3..], ["tonic"]);
    rig.goes_on().await;
}
