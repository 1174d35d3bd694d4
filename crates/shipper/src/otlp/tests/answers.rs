//! What each answer means, from the wire to the verdict.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use ident::Signal;
use url::Url;

use super::receiver::{Receiver, Reply};
use super::world::{config, partial_success, retry_info};
use super::{batch, batch_of};
use crate::conformance::items;
use crate::destination::{Accepted, Class, Destination, Failure};
use crate::otlp::{Config, Otlp, Protocol};
use egress::Connector;

/// What a reply comes to.
async fn verdict(receiver: &Receiver, reply: Reply) -> Result<Accepted, Failure> {
    receiver.next([reply]);
    let otlp = Otlp::new(&config(receiver), Connector::open()).unwrap();
    otlp.send(&batch(1)).await
}

async fn refusal(receiver: &Receiver, reply: Reply) -> Failure {
    verdict(receiver, reply).await.unwrap_err()
}

/// Guarantees: the codes that the OTLP specification calls retryable ("Failures") are tried again,
/// and no other code is taken for a passing trouble of the destination.
#[tokio::test]
async fn every_grpc_code() {
    let receiver = Receiver::start(Protocol::Grpc).await;
    let retryable = [1, 4, 10, 11, 14, 15];
    let misconfigured = [7, 12, 16];
    for code in 1..=17 {
        let failure = refusal(&receiver, Reply::Grpc(code, "said so".to_owned(), None)).await;
        let expected = match code {
            _ if retryable.contains(&code) => Class::Transient,
            _ if misconfigured.contains(&code) => Class::Misconfigured,
            3 => Class::Refused,
            // Without RetryInfo the specification has the data dropped. The journal still has it.
            8 => Class::Throttled,
            _ => Class::Unclear,
        };
        assert_eq!(failure.class, expected, "{code}: {failure:?}");
        assert!(failure.message.starts_with("said so"), "{failure:?}");
        assert_eq!(failure.retry_after, None);
    }
    // tonic's own names are the oracle for ours.
    for (code, name) in [
        (3, "INVALID_ARGUMENT"),
        (8, "RESOURCE_EXHAUSTED"),
        (13, "INTERNAL"),
        (14, "UNAVAILABLE"),
        (16, "UNAUTHENTICATED"),
        (99, "UNKNOWN"),
    ] {
        let failure = refusal(&receiver, Reply::Grpc(code, String::new(), None)).await;
        assert_eq!(failure.code, name);
    }
}

/// Guarantees: RetryInfo is understood whatever the code, padded or not, in seconds and fractions.
#[tokio::test]
async fn every_retry_info() {
    let receiver = Receiver::start(Protocol::Grpc).await;
    for (code, class) in [(8, Class::Throttled), (14, Class::Transient)] {
        for delay in [0, 1, 1_500, 90_000].map(Duration::from_millis) {
            for padded in [false, true] {
                let info = Some(retry_info(code, delay, padded));
                let failure = refusal(&receiver, Reply::Grpc(code, String::new(), info)).await;
                assert_eq!(failure.retry_after, Some(delay));
                assert_eq!(failure.class, class);
            }
        }
    }
    for nonsense in ["", "!", "AAAA", "CAgaAA"] {
        let info = Some(nonsense.to_owned());
        let failure = refusal(&receiver, Reply::Grpc(8, String::new(), info)).await;
        assert_eq!(failure.retry_after, None, "{nonsense}");
    }
}

/// Guarantees: a message that is too large for the receiver is cut up, not sent again for ever,
/// though gRPC servers say `RESOURCE_EXHAUSTED` for it.
#[tokio::test]
async fn too_large_is_about_the_data() {
    let receiver = Receiver::start(Protocol::Grpc).await;
    for said in [
        "grpc: received message larger than max (5242880 vs. 4194304)",
        "gRPC message exceeds maximum size 4194304: 5242880",
        "Error, decoded message length too large: found 5242880 bytes, the limit is: 4194304 bytes",
    ] {
        let failure = refusal(&receiver, Reply::Grpc(8, said.to_owned(), None)).await;
        assert_eq!(failure.class, Class::Refused, "{said}");
        // With RetryInfo it is about load after all.
        let info = Some(retry_info(8, Duration::from_secs(1), false));
        let failure = refusal(&receiver, Reply::Grpc(8, said.to_owned(), info)).await;
        assert_eq!(failure.class, Class::Throttled, "{said}");
    }
}

/// Guarantees: the statuses that the OTLP specification calls retryable ("Failures") are tried
/// again, and no other but 408 is taken for a passing trouble of the destination.
#[tokio::test]
async fn every_http_status() {
    let receiver = Receiver::start(Protocol::Http).await;
    let classes: HashMap<u16, Class> = [
        (429, Class::Throttled),
        (502, Class::Transient),
        (503, Class::Transient),
        (504, Class::Transient),
        (408, Class::Transient),
        (400, Class::Refused),
        (413, Class::Refused),
        (422, Class::Refused),
    ]
    .into();
    let misconfigured = [
        300, 301, 302, 307, 308, 401, 403, 404, 405, 406, 407, 415, 501,
    ];
    for status in (300..=308).chain(400..=431).chain(500..=511) {
        let failure = refusal(&receiver, Reply::Http(status, Vec::new(), Vec::new())).await;
        let expected = match classes.get(&status) {
            Some(class) => *class,
            None if misconfigured.contains(&status) || status < 400 => Class::Misconfigured,
            None => Class::Unclear,
        };
        assert_eq!(failure.class, expected, "{status}");
        assert_eq!(failure.code, format!("HTTP {status}"));
    }
    for status in [200, 202, 204] {
        let taken = verdict(&receiver, Reply::TakeHttp(status, Vec::new(), Vec::new())).await;
        assert_eq!(taken, Ok(Accepted::default()), "{status}");
    }
}

/// Guarantees: `Retry-After` is understood in seconds and as a date, where it says to try again.
#[tokio::test]
async fn every_retry_after() {
    let receiver = Receiver::start(Protocol::Http).await;
    let with = |status, value: &str| {
        let headers = vec![("retry-after", value.to_owned())];
        Reply::Http(status, headers, Vec::new())
    };
    for status in [429, 502, 503, 504] {
        let failure = refusal(&receiver, with(status, "120")).await;
        assert_eq!(failure.retry_after, Some(Duration::from_secs(120)));
    }
    let failure = refusal(&receiver, with(400, "120")).await;
    assert_eq!(failure.retry_after, None);

    let in_an_hour = SystemTime::now() + Duration::from_secs(3600);
    let failure = refusal(&receiver, with(503, &httpdate::fmt_http_date(in_an_hour))).await;
    let delay = failure.retry_after.unwrap();
    assert!(delay <= Duration::from_secs(3600) && delay > Duration::from_secs(3000));
    // The three forms of a date (RFC 9110, 5.6.7), all in the past.
    for date in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ] {
        let failure = refusal(&receiver, with(503, date)).await;
        assert_eq!(failure.retry_after, Some(Duration::ZERO), "{date}");
    }
    for nonsense in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
        let failure = refusal(&receiver, with(503, nonsense)).await;
        assert_eq!(failure.retry_after, None, "{nonsense}");
    }
}

/// Guarantees: LOSS-COUNTED; a partial success is understood over both transports and in JSON.
#[tokio::test]
async fn every_partial_success() {
    let expected = Accepted {
        rejected: 3,
        message: "too old".to_owned(),
    };
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let receiver = Receiver::start(protocol).await;
        let reply = Reply::Take(partial_success(3, "too old"));
        assert_eq!(verdict(&receiver, reply).await.unwrap(), expected);
    }
    let receiver = Receiver::start(Protocol::Http).await;
    for json in [
        r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#,
        r#"{"partialSuccess":{"rejectedSpans":3,"errorMessage":"too old"}}"#,
    ] {
        let headers = vec![("content-type", "application/json".to_owned())];
        let reply = Reply::TakeHttp(200, headers, json.as_bytes().to_vec());
        assert_eq!(verdict(&receiver, reply).await.unwrap(), expected);
    }
}

/// Guarantees: what stands in an HTTP answer, be it a `google.rpc.Status` or a page, is told.
#[tokio::test]
async fn messages_of_http_answers() {
    let receiver = Receiver::start(Protocol::Http).await;
    let reply = |kind: &str, body: &[u8]| {
        let headers = vec![("content-type", kind.to_owned())];
        Reply::Http(400, headers, body.to_vec())
    };
    for (kind, body) in [
        (
            "application/json",
            &br#"{"code":3,"message":"no tenant"}"#[..],
        ),
        ("application/x-protobuf", b"\x08\x03\x12\x09no tenant"),
        ("text/plain", b"no tenant"),
    ] {
        let failure = refusal(&receiver, reply(kind, body)).await;
        assert_eq!(failure.message, "no tenant", "{kind}");
    }
}

/// Guarantees: an endpoint of the wrong kind is said to be one, and costs no data.
#[tokio::test]
async fn the_wrong_transport_is_named() {
    let receiver = Receiver::start(Protocol::Http).await;
    let wrong = Config {
        protocol: Protocol::Grpc,
        ..config(&receiver)
    };
    let otlp = Otlp::new(&wrong, Connector::open()).unwrap();
    let failure = otlp.send(&batch(1)).await.unwrap_err();
    assert!(
        matches!(failure.class, Class::Transient | Class::Misconfigured),
        "{failure:?}"
    );
    let receiver = Receiver::start(Protocol::Grpc).await;
    let page = vec![("content-type", "text/html".to_owned())];
    let reply = Reply::Http(200, page, b"<html>".to_vec());
    let failure = refusal(&receiver, reply).await;
    assert_eq!(failure.class, Class::Misconfigured);
    assert!(failure.message.contains("HTTP"), "{failure:?}");
    // gRPC's mapping of what proxies say.
    for (status, class) in [
        (401, Class::Misconfigured),
        (404, Class::Misconfigured),
        (429, Class::Throttled),
        (503, Class::Transient),
        (413, Class::Refused),
    ] {
        let failure = refusal(&receiver, Reply::Http(status, Vec::new(), Vec::new())).await;
        assert_eq!(failure.class, class, "{status}");
    }
}

/// Guarantees: BOUNDED; of an endless answer no more than a megabyte is read, and its status counts
/// where it came first.
#[tokio::test]
async fn endless_answers() {
    let receiver = Receiver::start(Protocol::Http).await;
    let page = vec![b'!'; 3 << 20];
    let taken = verdict(&receiver, Reply::TakeHttp(200, Vec::new(), page.clone())).await;
    assert_eq!(taken, Ok(Accepted::default()));
    let failure = refusal(&receiver, Reply::Http(400, Vec::new(), page.clone())).await;
    assert_eq!(failure.class, Class::Refused);
    assert!(failure.message.len() < 600);

    let receiver = Receiver::start(Protocol::Grpc).await;
    let failure = refusal(&receiver, Reply::Take(page)).await;
    assert_eq!(failure.class, Class::Transient);
    assert!(failure.message.contains("more than"), "{failure:?}");
    // The connection is not used again with the rest of that on it.
    assert!(verdict(&receiver, Reply::take()).await.is_ok());
}

/// Guarantees: an answer that comes before the request was read counts, as proxies answer 413.
#[tokio::test]
async fn early_answers() {
    let receiver = Receiver::start(Protocol::Http).await;
    let payload = items::request(Signal::Traces, "acme", 0..20, 1 << 20);
    for (status, class) in [(413, Class::Refused), (401, Class::Misconfigured)] {
        receiver.next([Reply::Early(status)]);
        let otlp = Otlp::new(&config(&receiver), Connector::open()).unwrap();
        let sent = otlp.send(&batch_of(payload.clone(), 20)).await;
        assert_eq!(sent.unwrap_err().class, class, "{status}");
    }
}

/// Guarantees: an answer that breaks off, or never comes, is tried again; whatever the protocol.
#[tokio::test(start_paused = true)]
async fn no_answer() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let receiver = Receiver::start(protocol).await;
        for (reply, words) in [
            (Reply::Hang, "no answer within 10s"),
            (Reply::TakeAndBreak, ""),
            (Reply::Close, "the connection failed"),
        ] {
            let failure = refusal(&receiver, reply).await;
            assert_eq!(failure.class, Class::Transient, "{failure:?}");
            assert!(failure.message.contains(words), "{failure:?}");
        }
        let nobody = receiver.address;
        drop(receiver);
        let nowhere = Config {
            protocol,
            ..Config::new(Url::parse(&format!("http://{nobody}")).unwrap())
        };
        let otlp = Otlp::new(&nowhere, Connector::open()).unwrap();
        let failure = otlp.send(&batch(1)).await.unwrap_err();
        assert_eq!(failure.class, Class::Transient);
        assert!(failure.message.contains("cannot connect"), "{failure:?}");
    }
}
