//! Requests that must be refused, on both ports: the status, its encoding, the count, nothing in
//! the journal, and the gateway goes on.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test")]

mod common;

use common::client::*;
use common::*;
use gateway::Limits;
use http::Request;
use ident::Signal;
use tonic::Code;
use tonic_types::StatusExt;

/// Small limits, so that bombs and giants are quick to make.
fn small() -> Setup {
    Setup::limits(Limits {
        request_bytes: 64 << 10,
        decompressed_bytes: 128 << 10,
        ..Limits::default()
    })
}

/// Sends an HTTP request in both encodings' content types and checks the refusal.
struct HttpRefusal<'a> {
    what: &'a str,
    media: &'a str,
    status: u16,
    code: Code,
    reason: &'a str,
    says: &'a str,
}

impl HttpRefusal<'_> {
    async fn check(&self, rig: &Rig, request: Request<Pieces>) -> Answer {
        let before = rig.refused("http", self.reason);
        let answer = h1(rig.http, request).await;
        let what = self.what;
        assert_eq!(answer.status, self.status, "{what}: {answer:?}");
        assert_eq!(answer.header("content-type"), self.media, "{what}");
        let status = answer.rpc_status();
        assert_eq!(status.code, self.code as i32, "{what}: {status:?}");
        assert!(status.message.contains(self.says), "{what}: {status:?}");
        assert_eq!(status.delay, None, "{what}: never to be tried again");
        assert_eq!(answer.header("retry-after"), "", "{what}");
        assert_eq!(rig.refused("http", self.reason), before + 1.0, "{what}");
        assert!(rig.kept().is_empty(), "{what}");
        answer
    }
}

/// Sends a call and checks the refusal.
async fn grpc_refused(
    rig: &Rig,
    what: &str,
    (code, reason, says): (Code, &str, &str),
    request: Request<Pieces>,
) -> Answer {
    let before = rig.refused("grpc", reason);
    let answer = h2(rig.grpc, request).await;
    assert_eq!(answer.status, 200, "{what}: {answer:?}");
    assert_eq!(answer.header("content-type"), "application/grpc", "{what}");
    let status = answer.grpc_status();
    assert_eq!(status.code(), code, "{what}: {status:?}");
    assert!(status.message().contains(says), "{what}: {status:?}");
    let details = <tonic_types::pb::Status as prost::Message>::decode(status.details()).unwrap();
    assert_eq!(details.code, code as i32, "{what}");
    assert_eq!(details.message, status.message(), "{what}");
    assert!(status.get_details_retry_info().is_none(), "{what}");
    assert_eq!(rig.refused("grpc", reason), before + 1.0, "{what}");
    assert!(rig.kept().is_empty(), "{what}");
    answer
}

/// Guarantees: what is not OTLP protobuf is INVALID_ARGUMENT and 400, with its place.
#[tokio::test]
async fn malformed_protobuf() {
    let rig = Rig::start().await;
    for (what, body, says) in data::malformed() {
        let refusal = HttpRefusal {
            what,
            media: PROTOBUF,
            status: 400,
            code: Code::InvalidArgument,
            reason: "malformed",
            says,
        };
        let pieces = Pieces::whole(body.clone());
        let request = http_request(Signal::Traces, PROTOBUF, None, pieces);
        refusal.check(&rig, request).await;
        let pieces = Pieces::whole(framed(0, &body));
        let request = grpc_request(Signal::Traces, None, pieces);
        let expected = (Code::InvalidArgument, "malformed", says);
        grpc_refused(&rig, what, expected, request).await;
    }
    rig.goes_on().await;
}

/// Guarantees: what is not OTLP/JSON is 400, in JSON, with its place.
#[tokio::test]
async fn malformed_json() {
    let rig = Rig::start().await;
    for (what, body, says) in data::malformed_json() {
        let refusal = HttpRefusal {
            what,
            media: JSON,
            status: 400,
            code: Code::InvalidArgument,
            reason: "malformed",
            says,
        };
        let request = http_request(Signal::Traces, JSON, None, Pieces::whole(body));
        refusal.check(&rig, request).await;
    }
    rig.goes_on().await;
}

/// Guarantees: compressed bytes that are corrupt, cut short, followed by more, or not there at all
/// are refused whatever the compression.
#[tokio::test]
async fn corrupt_compression() {
    let rig = Rig::start().await;
    let good = data::request(Signal::Traces, &["corrupt"]);
    for (name, compress) in data::CODERS {
        let whole = compress(&good);
        let mut flipped = whole.clone();
        flipped.iter_mut().skip(2).for_each(|byte| *byte ^= 0x5a);
        let broken = [
            ("flipped", flipped),
            ("cut short", whole[..whole.len() - 1].to_vec()),
            ("followed by more", [&whole[..], &good].concat()),
            ("not compressed", good.clone()),
            ("nothing", Vec::new()),
        ];
        for (what, body) in broken {
            let what = format!("{name}: {what}");
            for media in [PROTOBUF, JSON] {
                let refusal = HttpRefusal {
                    what: &what,
                    media,
                    status: 400,
                    code: Code::InvalidArgument,
                    reason: "malformed",
                    says: "decompressed",
                };
                let pieces = Pieces::whole(body.clone());
                let request = http_request(Signal::Traces, media, Some(name), pieces);
                refusal.check(&rig, request).await;
            }
            let expected = (Code::InvalidArgument, "malformed", "decompressed");
            let pieces = Pieces::whole(framed(1, &body));
            let request = grpc_request(Signal::Traces, Some(name), pieces);
            grpc_refused(&rig, &what, expected, request).await;
        }
    }
    rig.goes_on().await;
}

/// Guarantees: BOUNDED: a bomb is stopped at the limit, whatever the compression.
#[tokio::test]
async fn bombs() {
    let rig = Rig::with(small()).await;
    let bomb = data::large("bomb", 16 << 20);
    for (name, compress) in data::CODERS {
        let body = compress(&bomb);
        assert!(body.len() < 64 << 10, "{name}: {}", body.len());
        for media in [PROTOBUF, JSON] {
            let refusal = HttpRefusal {
                what: name,
                media,
                status: 413,
                code: Code::ResourceExhausted,
                reason: "too_large",
                says: "decompressed request is larger than 131072 bytes",
            };
            let pieces = Pieces::whole(body.clone());
            let request = http_request(Signal::Traces, media, Some(name), pieces);
            refusal.check(&rig, request).await;
        }
        let expected = (Code::ResourceExhausted, "too_large", "131072 bytes");
        let pieces = Pieces::whole(framed(1, &body));
        let request = grpc_request(Signal::Traces, Some(name), pieces);
        grpc_refused(&rig, name, expected, request).await;
    }
    rig.goes_on().await;
}

/// Guarantees: a request that announces too many bytes is refused before it is sent: the answer
/// comes although the rest of the body never does.
#[tokio::test]
async fn oversized_as_announced() {
    let rig = Rig::with(small()).await;
    let hang = |bytes: &[u8]| Pieces::new([bytes.to_vec()], Then::Hang);
    for media in [PROTOBUF, JSON] {
        let refusal = HttpRefusal {
            what: "content-length",
            media,
            status: 413,
            code: Code::ResourceExhausted,
            reason: "too_large",
            says: "larger than 65536 bytes",
        };
        let mut request = http_request(Signal::Traces, media, None, hang(b"\n"));
        request.headers_mut().insert("content-length", 65537.into());
        refusal.check(&rig, request).await;
    }
    let expected = (Code::ResourceExhausted, "too_large", "65536 bytes");
    let prefix = [&[0][..], &65537_u32.to_be_bytes()].concat();
    let whole = grpc_request(Signal::Traces, None, hang(&prefix));
    grpc_refused(&rig, "prefix", expected, whole).await;
    let bytes = prefix.iter().map(|byte| vec![*byte]);
    let split = grpc_request(Signal::Traces, None, Pieces::new(bytes, Then::Hang));
    grpc_refused(&rig, "prefix in pieces", expected, split).await;
    rig.goes_on().await;
}

/// Guarantees: the same of requests that are really sent, with and without a length; the largest
/// one allowed is taken.
#[tokio::test]
async fn oversized_as_sent() {
    let rig = Rig::with(small()).await;
    let body = data::large("giant", 64 << 10);
    let pieces = || Pieces::new(body.chunks(5000).map(<[u8]>::to_vec), Then::End);
    for media in [PROTOBUF, JSON] {
        let refusal = HttpRefusal {
            what: "as sent",
            media,
            status: 413,
            code: Code::ResourceExhausted,
            reason: "too_large",
            says: "larger than 65536 bytes",
        };
        let chunked = http_request(Signal::Traces, media, None, pieces());
        refusal.check(&rig, chunked).await;
        let mut announced = http_request(Signal::Traces, media, None, pieces());
        announced
            .headers_mut()
            .insert("content-length", body.len().into());
        refusal.check(&rig, announced).await;
    }
    let expected = (Code::ResourceExhausted, "too_large", "65536 bytes");
    let framed_body = framed(0, &body);
    let pieces = Pieces::new(framed_body.chunks(5000).map(<[u8]>::to_vec), Then::End);
    let request = grpc_request(Signal::Traces, None, pieces);
    grpc_refused(&rig, "as sent", expected, request).await;
    rig.goes_on().await;

    let overhead = data::large("largest", 60 << 10).len() - (60 << 10);
    let largest = data::large("largest", (64 << 10) - overhead);
    assert_eq!(largest.len(), 64 << 10);
    let answer = post(rig.http, Signal::Traces, PROTOBUF, largest.clone()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let status = export(rig.grpc, Signal::Traces, largest).await;
    assert_eq!(status.code(), Code::Ok, "{status:?}");
    assert_eq!(rig.kept()[2..], ["largest", "largest"]);
}

/// Guarantees: a sender that sends all of a giant before it reads the answer gets the answer, not
/// a connection that was reset under it.
#[tokio::test]
async fn an_early_refusal_reaches_a_sender_that_sends_on() {
    use tokio::io::AsyncWriteExt;
    let rig = Rig::with(small()).await;
    let giant = 32 << 20;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: g\r\ncontent-type: {JSON}\r\ncontent-length: {giant}\r\n\r\n"
    );
    let mut stream = tokio::net::TcpStream::connect(rig.http).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; giant]).await.unwrap();
    let answer = String::from_utf8(rest(&mut stream).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("larger than 65536 bytes"), "{answer}");
    assert_eq!(rig.refused("http", "too_large"), 1.0);
    rig.goes_on().await;
}

/// Guarantees: a request that alone is more than the bytes that may be in flight is not told to
/// wait: it would never be taken.
#[tokio::test]
async fn larger_than_all_that_may_be_in_flight() {
    let rig = Rig::with(Setup::limits(Limits {
        connection_in_flight_bytes: 20_000,
        ..Limits::default()
    }))
    .await;
    let body = data::large("giant", 20_000);
    let refusal = HttpRefusal {
        what: "in flight",
        media: PROTOBUF,
        status: 413,
        code: Code::ResourceExhausted,
        reason: "too_large",
        says: "larger than 20000 bytes",
    };
    let pieces = Pieces::whole(body.clone());
    let request = http_request(Signal::Traces, PROTOBUF, None, pieces);
    refusal.check(&rig, request).await;
    let expected = (Code::ResourceExhausted, "too_large", "20000 bytes");
    let pieces = Pieces::whole(framed(0, &body));
    let request = grpc_request(Signal::Traces, None, pieces);
    grpc_refused(&rig, "in flight", expected, request).await;
    rig.goes_on().await;
}

/// Guarantees: an encoding that is not known is refused with those that are.
#[tokio::test]
async fn unknown_encodings() {
    let rig = Rig::start().await;
    let body = data::request(Signal::Traces, &["br"]);
    for encoding in ["br", "snappy", "gzip, gzip"] {
        for media in [PROTOBUF, JSON] {
            let refusal = HttpRefusal {
                what: encoding,
                media,
                status: 415,
                code: Code::Unimplemented,
                reason: "encoding",
                says: "gzip, zstd, deflate",
            };
            let pieces = Pieces::whole(body.clone());
            let request = http_request(Signal::Traces, media, Some(encoding), pieces);
            let answer = refusal.check(&rig, request).await;
            let known = answer.header("accept-encoding");
            assert_eq!(known, "identity, gzip, zstd, deflate");
        }
        let expected = (Code::Unimplemented, "encoding", "gzip, zstd, deflate");
        let pieces = Pieces::whole(framed(1, &body));
        let request = grpc_request(Signal::Traces, Some(encoding), pieces);
        let answer = grpc_refused(&rig, encoding, expected, request).await;
        let known = answer.header("grpc-accept-encoding");
        assert_eq!(known, "identity,gzip,zstd,deflate");
    }
    rig.goes_on().await;
}

/// Guarantees: content types that are not OTLP's are 415; where there is no encoding to answer in,
/// it is JSON.
#[tokio::test]
async fn wrong_content_types() {
    let rig = Rig::start().await;
    let body = data::request(Signal::Traces, &["wrong type"]);
    for media in ["text/plain", "application/x-protobuf-2", ""] {
        let refusal = HttpRefusal {
            what: media,
            media: JSON,
            status: 415,
            code: Code::Internal,
            reason: "media_type",
            says: "application/json",
        };
        let pieces = Pieces::whole(body.clone());
        refusal
            .check(&rig, http_request(Signal::Traces, media, None, pieces))
            .await;
    }
    let kinds = [
        PROTOBUF,
        JSON,
        "application/grpc-web",
        "application/grpc+json",
    ];
    for (count, kind) in (1..).zip(kinds) {
        let mut request = grpc_request(Signal::Traces, None, Pieces::whole(framed(0, &body)));
        let value = http::HeaderValue::from_static(kind);
        request.headers_mut().insert("content-type", value);
        // Who does not speak gRPC is answered in HTTP (grpc/grpc, PROTOCOL-HTTP2.md).
        let answer = h2(rig.grpc, request).await;
        assert_eq!(answer.status, 415, "{kind}: {answer:?}");
        assert!(answer.header("content-type").starts_with("text/plain"));
        assert!(answer.body.windows(5).any(|w| w == b"hint:"), "{answer:?}");
        assert_eq!(rig.refused("grpc", "media_type"), f64::from(count));
    }
    assert!(rig.kept().is_empty());
    rig.goes_on().await;
}

/// Guarantees: paths that are not OTLP's are 404 and UNIMPLEMENTED, in the request's encoding.
#[tokio::test]
async fn unknown_paths() {
    let rig = Rig::start().await;
    let body = data::request(Signal::Traces, &["lost"]);
    for path in ["/", "/v1/trace", "/v1/traces/", "/v1development/profiles"] {
        for media in [PROTOBUF, JSON] {
            let refusal = HttpRefusal {
                what: path,
                media,
                status: 404,
                code: Code::Unimplemented,
                reason: "unknown_path",
                says: "/v1/logs",
            };
            let pieces = Pieces::whole(body.clone());
            let mut request = http_request(Signal::Traces, media, None, pieces);
            *request.uri_mut() = path.parse().unwrap();
            refusal.check(&rig, request).await;
        }
        let mut request = grpc_request(Signal::Traces, None, Pieces::whole(framed(0, &body)));
        *request.uri_mut() = format!("http://gateway{path}").parse().unwrap();
        let expected = (Code::Unimplemented, "unknown_path", "no such method");
        grpc_refused(&rig, path, expected, request).await;
    }
    rig.goes_on().await;
}

/// Guarantees: methods other than POST are 405 with `allow`, UNIMPLEMENTED in gRPC.
#[tokio::test]
async fn wrong_methods() {
    let rig = Rig::start().await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        for media in [PROTOBUF, JSON] {
            let refusal = HttpRefusal {
                what: method,
                media,
                status: 405,
                code: Code::Unimplemented,
                reason: "method",
                says: "POST",
            };
            let pieces = Pieces::whole(Vec::new());
            let mut request = http_request(Signal::Traces, media, None, pieces);
            *request.method_mut() = method.parse().unwrap();
            let answer = refusal.check(&rig, request).await;
            assert_eq!(answer.header("allow"), "POST");
        }
        let mut request = grpc_request(Signal::Traces, None, Pieces::whole(Vec::new()));
        *request.method_mut() = method.parse().unwrap();
        let expected = (Code::Unimplemented, "method", "POST");
        grpc_refused(&rig, method, expected, request).await;
    }
    rig.goes_on().await;
}

/// Guarantees: faults of gRPC's framing are INTERNAL, each named.
#[tokio::test]
async fn grpc_framing() {
    let rig = Rig::start().await;
    let message = data::request(Signal::Traces, &["framing"]);
    let good = framed(0, &message);
    let cases = [
        ("no message", None, Vec::new(), "no message"),
        ("half a prefix", None, good[..3].to_vec(), "no message"),
        ("short", None, good[..good.len() - 1].to_vec(), "cut short"),
        ("two messages", None, good.repeat(2), "followed by more"),
        ("flags", None, framed(2, &message), "flags"),
        (
            "unnamed",
            None,
            framed(1, &data::gzip(&message)),
            "grpc-encoding",
        ),
        (
            "identity",
            Some("identity"),
            framed(1, &message),
            "grpc-encoding",
        ),
    ];
    for (what, encoding, body, says) in cases {
        let request = grpc_request(Signal::Traces, encoding, Pieces::whole(body));
        let expected = (Code::Internal, "framing", says);
        grpc_refused(&rig, what, expected, request).await;
    }
    rig.goes_on().await;
}

/// Guarantees: who takes one port for the other is told so.
#[tokio::test]
async fn the_wrong_port() {
    let rig = Rig::start().await;
    let body = data::request(Signal::Traces, &["wrong port"]);
    let answer = post(rig.grpc, Signal::Traces, PROTOBUF, body.clone()).await;
    assert_eq!(answer.status, 505, "{answer:?}");
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.contains("OTLP/HTTP has a port of its own"), "{text}");
    assert_eq!(rig.refused("grpc", "framing"), 1.0);

    let request = grpc_request(Signal::Traces, None, Pieces::whole(framed(0, &body)));
    let status = h2(rig.http, request).await.grpc_status();
    assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
    assert!(
        status.message().contains("OTLP/gRPC has a port"),
        "{status:?}"
    );
    assert_eq!(rig.refused("http", "unknown_path"), 1.0);
    assert!(rig.kept().is_empty());
    rig.goes_on().await;
}
