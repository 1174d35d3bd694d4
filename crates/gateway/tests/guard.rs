//! The guard's decisions, as senders are told of them.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::client::*;
use common::*;
use gateway::{Admitted, Guard, Head, Kind, Pass, Refusal, Request};
use ident::{Signal, TenantId};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tonic::Code;

/// Keeps the first item of each request.
struct FirstOnly;

impl Guard for FirstOnly {
    fn enter(&self, _: &Head<'_>) -> Result<Box<dyn Pass>, Refusal> {
        Ok(Box::new(FirstOnly))
    }
}

impl Pass for FirstOnly {
    fn admit(&mut self, request: Request<'_>) -> Result<Admitted, Refusal> {
        let names = data::names(request.signal, &request.payload);
        let payload = data::request(request.signal, &[&names[0]]);
        let summary = otlp::check(request.signal, &payload).unwrap();
        Ok(Admitted {
            tenant: "acme".parse().unwrap(),
            payload: payload.into(),
            summary,
            rejected_items: request.summary.items - 1,
            message: (names.len() > 1).then(|| "only the first is kept".to_owned()),
        })
    }
}

/// The count and the message of a partial success, read by prost.
fn partial(signal: Signal, message: &[u8]) -> Option<(i64, String)> {
    match signal {
        Signal::Traces => {
            let answer = ExportTraceServiceResponse::decode(message).unwrap();
            answer
                .partial_success
                .map(|p| (p.rejected_spans, p.error_message))
        }
        Signal::Metrics => {
            let answer = ExportMetricsServiceResponse::decode(message).unwrap();
            answer
                .partial_success
                .map(|p| (p.rejected_data_points, p.error_message))
        }
        Signal::Logs => {
            let answer = ExportLogsServiceResponse::decode(message).unwrap();
            answer
                .partial_success
                .map(|p| (p.rejected_log_records, p.error_message))
        }
    }
}

/// The same in JSON: the field of each signal, and int64 as a string (ProtoJSON).
fn partial_json(signal: Signal, body: &[u8]) -> Option<(i64, String)> {
    let answer: serde_json::Value = serde_json::from_slice(body).unwrap();
    let partial = answer.get("partialSuccess")?.as_object().unwrap();
    let field = match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Logs => "rejectedLogRecords",
    };
    assert_eq!(partial.len(), 2, "{partial:?}");
    let rejected = partial[field].as_str().unwrap().parse().unwrap();
    Some((
        rejected,
        partial["errorMessage"].as_str().unwrap().to_owned(),
    ))
}

/// Guarantees: LOSS-COUNTED, TENANT-BY-IDENTITY, REDACT-FIRST: what the guard leaves out is told
/// as a partial success in every encoding and counted; what it lets in, under the tenant that it
/// says, is all that is kept.
#[tokio::test]
async fn partial_success() {
    let rig = Rig::with(Setup::guard(FirstOnly)).await;
    let expected = Some((2, "only the first is kept".to_owned()));
    for signal in Signal::ALL {
        let names = ["kept", "dropped", "dropped too"];
        let body = data::request(signal, &names);
        let answer = post(rig.http, signal, PROTOBUF, body.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, PROTOBUF)
        );
        assert_eq!(partial(signal, &answer.body), expected);

        let answer = post(rig.http, signal, JSON, data::request_json(signal, &names)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, JSON)
        );
        assert_eq!(partial_json(signal, &answer.body), expected);

        let request = grpc_request(signal, None, Pieces::whole(framed(0, &body)));
        let answer = h2(rig.grpc, request).await;
        assert_eq!(answer.grpc_status().code(), Code::Ok, "{answer:?}");
        assert_eq!(answer.body[..5], framed(0, &answer.body[5..])[..5]);
        assert_eq!(partial(signal, &answer.body[5..]), expected);

        for (transport, requests) in [("http", 2.0), ("grpc", 1.0)] {
            assert_eq!(rig.items("accepted", signal, transport), requests);
            assert_eq!(rig.items("refused", signal, transport), 2.0 * requests);
        }
    }
    assert_eq!(rig.kept(), ["kept"; 9]);
    assert!(rig.blocks().iter().all(|b| b.tenant.as_str() == "acme"));
    rig.goes_on().await;
}

/// Where a guard refuses.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Head,
    FirstByte,
    Whole,
}

/// Refuses everything, or nothing.
#[derive(Clone)]
struct Strict {
    at: At,
    kind: Kind,
    refuses: Arc<AtomicBool>,
}

impl Strict {
    fn refuse(&self, at: At) -> Result<(), Refusal> {
        if self.at == at && self.refuses.load(Ordering::SeqCst) {
            return Err(Refusal::new(self.kind, "not you: 100 % sure\u{e9}"));
        }
        Ok(())
    }
}

impl Guard for Strict {
    fn enter(&self, _: &Head<'_>) -> Result<Box<dyn Pass>, Refusal> {
        self.refuse(At::Head)?;
        Ok(Box::new(self.clone()))
    }
}

impl Pass for Strict {
    fn hold(&mut self, _: usize) -> Result<(), Refusal> {
        self.refuse(At::FirstByte)
    }

    fn admit(&mut self, request: Request<'_>) -> Result<Admitted, Refusal> {
        self.refuse(At::Whole)?;
        gateway::OpenGuard::new(TenantId::default_tenant()).admit(request)
    }
}

/// Guarantees: a guard that refuses a sender is heard, wherever it refuses: 16 and 401, 7 and 403,
/// with its message; and the items are counted where they are known.
#[tokio::test]
async fn refused_senders() {
    let cases = [
        (
            Kind::Unauthenticated,
            Code::Unauthenticated,
            401,
            "unauthenticated",
        ),
        (
            Kind::PermissionDenied,
            Code::PermissionDenied,
            403,
            "permission_denied",
        ),
    ];
    let places = [(At::Head, 0.0), (At::FirstByte, 0.0), (At::Whole, 3.0)];
    let cases = cases
        .into_iter()
        .flat_map(|case| places.map(|place| (case, place)));
    for ((kind, code, http, reason), (at, items)) in cases {
        let refuses = Arc::new(AtomicBool::new(true));
        let rig = Rig::with(Setup::guard(Strict {
            at,
            kind,
            refuses: Arc::clone(&refuses),
        }))
        .await;
        let names = ["a", "b", "c"];
        let bodies = [
            (PROTOBUF, data::request(Signal::Logs, &names)),
            (JSON, data::request_json(Signal::Logs, &names)),
        ];
        for (media, body) in bodies {
            let answer = post(rig.http, Signal::Logs, media, body).await;
            assert_eq!(answer.status, http, "{answer:?}");
            assert_eq!(answer.header("content-type"), media);
            let challenge = if http == 401 { "Bearer" } else { "" };
            assert_eq!(answer.header("www-authenticate"), challenge);
            let status = answer.rpc_status();
            assert_eq!(status.code, code as i32);
            assert_eq!(status.message, "not you: 100 % sure\u{e9}");
            assert_eq!(status.delay, None);
        }
        let status = export(rig.grpc, Signal::Logs, data::request(Signal::Logs, &names)).await;
        assert_eq!(status.code(), code);
        assert_eq!(status.message(), "not you: 100 % sure\u{e9}");
        assert_eq!(rig.refused("http", reason), 2.0);
        assert_eq!(rig.refused("grpc", reason), 1.0);
        assert_eq!(rig.items("refused", Signal::Logs, "http"), 2.0 * items);
        assert_eq!(rig.items("refused", Signal::Logs, "grpc"), items);
        assert!(rig.kept().is_empty());
        refuses.store(false, Ordering::SeqCst);
        rig.goes_on().await;
    }
}
