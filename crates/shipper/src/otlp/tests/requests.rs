//! What is sent: paths, headers, compression, connections; and what is never shown.

use std::sync::Arc;

use bytes::Bytes;
use ident::Signal;
use url::Url;

use super::receiver::{Receiver, Reply};
use super::world::config;
use super::{batch, batch_of};
use crate::Secret;
use crate::batch::Batch;
use crate::config::ConfigError;
use crate::conformance::items;
use crate::destination::{Class, Destination};
use crate::otlp::{Compression, Config, Otlp, Protocol, Sender};
use egress::{Connector, Seal};

const BOTH: [Protocol; 2] = [Protocol::Grpc, Protocol::Http];

/// Guarantees: what is compressed is undone by other people's decoders, and framed and labelled as
/// the transport asks for.
#[tokio::test]
async fn compression_can_be_undone() {
    // Small ones are compressed on the spot, large ones elsewhere.
    for count in [1, 400] {
        let payload = items::request(Signal::Traces, "acme", 0..count, 100);
        let expected = items::items(Signal::Traces, &payload).unwrap();
        for protocol in BOTH {
            for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
                let receiver = Receiver::start(protocol).await;
                let config = Config {
                    compression,
                    ..config(&receiver)
                };
                let otlp = Otlp::new(&config, Connector::open()).unwrap();
                otlp.send(&batch_of(payload.clone(), count)).await.unwrap();
                let received = receiver.received().remove(0);
                assert_eq!(received.items.as_ref(), Ok(&expected));
                let name = match protocol {
                    Protocol::Grpc => "grpc-encoding",
                    Protocol::Http => "content-encoding",
                };
                let label = received.headers.get(name).map(|v| v.to_str().unwrap());
                assert_eq!(label, compression.encoding());
                match compression {
                    Compression::None => assert!(received.wire_bytes >= payload.len()),
                    _ if count > 1 => assert!(received.wire_bytes < payload.len() / 2),
                    _ => {}
                }
            }
        }
    }
}

/// Guarantees: a batch of several blocks is one request with all of them.
#[tokio::test]
async fn blocks_become_one_request() {
    for protocol in BOTH {
        let receiver = Receiver::start(protocol).await;
        let otlp = Otlp::new(&config(&receiver), Connector::open()).unwrap();
        let mut batch = batch(1);
        let mut payload = batch.chunks[0].bytes.to_vec();
        for number in 1..4 {
            let mut chunk = batch.chunks[0].clone();
            let more = items::request(Signal::Traces, "globex", number..number + 3, 5);
            payload.extend_from_slice(&more);
            chunk.bytes = Bytes::from(more);
            batch.chunks.push(chunk);
        }
        otlp.send(&batch).await.unwrap();
        let received = receiver.received();
        assert_eq!(received.len(), 1);
        let expected = items::items(Signal::Traces, &payload).unwrap();
        assert_eq!(received[0].items.as_ref(), Ok(&expected));
    }
}

/// Guarantees: each signal goes to its own path, whatever the endpoint's own path is.
#[tokio::test]
async fn paths() {
    for (base, expected) in [
        ("", "/v1/"),
        ("/", "/v1/"),
        ("/otlp", "/otlp/v1/"),
        ("/otlp/", "/otlp/v1/"),
        ("/a/b%20c", "/a/b%20c/v1/"),
    ] {
        let receiver = Receiver::start(Protocol::Http).await;
        let endpoint = Url::parse(&format!("http://{}{base}", receiver.address)).unwrap();
        let config = Config {
            endpoint,
            ..config(&receiver)
        };
        let otlp = Otlp::new(&config, Connector::open()).unwrap();
        for signal in Signal::ALL {
            otlp.send(&of_signal(signal)).await.unwrap();
            let received = receiver.received().pop().unwrap();
            assert_eq!(received.path, format!("{expected}{signal}"));
            let host = received.headers.get("host").unwrap();
            assert_eq!(host.to_str().unwrap(), receiver.address.to_string());
        }
    }
}

/// Guarantees: the URL of one signal is used as it is, its query too ("OTLP Exporter
/// Configuration", per-signal endpoints).
#[tokio::test]
async fn the_url_of_one_signal_is_used_as_it_is() {
    let receiver = Receiver::start(Protocol::Http).await;
    let own = format!("http://{}/custom/traces?key=hunter22", receiver.address);
    let config = Config {
        signal_endpoints: vec![(Signal::Traces, Url::parse(&own).unwrap())],
        ..config(&receiver)
    };
    let otlp = Otlp::new(&config, Connector::open()).unwrap();
    otlp.send(&of_signal(Signal::Traces)).await.unwrap();
    otlp.send(&of_signal(Signal::Logs)).await.unwrap();
    let received = receiver.received();
    assert_eq!(received[0].path, "/custom/traces");
    assert_eq!(received[0].query.as_deref(), Some("key=hunter22"));
    assert_eq!(received[1].path, "/v1/logs");
    assert_eq!(received[1].query, None);
    assert!(!format!("{config:?}").contains("hunter22"));
}

/// Guarantees: headers arrive as configured, beside those that the protocol asks for.
#[tokio::test]
async fn headers() {
    for protocol in BOTH {
        let receiver = Receiver::start(protocol).await;
        let config = Config {
            headers: vec![
                ("Authorization".to_owned(), Secret::new("Bearer hunter22")),
                ("x-scope-orgid".to_owned(), Secret::new("acme")),
            ],
            ..config(&receiver)
        };
        let otlp = Otlp::new(&config, Connector::open()).unwrap();
        otlp.send(&batch(1)).await.unwrap();
        let headers = receiver.received().remove(0).headers;
        let get = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
        assert_eq!(get("authorization"), Some("Bearer hunter22"));
        assert_eq!(get("x-scope-orgid"), Some("acme"));
        assert!(get("user-agent").unwrap().starts_with("stella/"));
        match protocol {
            Protocol::Grpc => {
                assert_eq!(get("content-type"), Some("application/grpc"));
                assert_eq!(get("te"), Some("trailers"));
                assert_eq!(get("grpc-timeout"), Some("10000m"));
            }
            Protocol::Http => {
                assert_eq!(get("content-type"), Some("application/x-protobuf"));
                assert!(get("content-length").is_some());
            }
        }
    }
}

/// Guarantees: a secret is in no text that a person or a log gets, even if the receiver repeats it,
/// in full or cut short, in a refusal or in a success.
#[tokio::test]
async fn secrets_are_never_shown() {
    const TOKEN: &str = "hunter22-hunter22";
    for protocol in BOTH {
        let receiver = Receiver::start(protocol).await;
        let config = Config {
            headers: vec![(
                "authorization".to_owned(),
                Secret::new(format!("Bearer {TOKEN}")),
            )],
            ..config(&receiver)
        };
        assert!(!format!("{config:?}").contains("hunter"), "{config:?}");
        assert!(!config.describe().contains("hunter"));
        let otlp = Otlp::new(&config, Connector::open()).unwrap();
        for before in (0..520).step_by(7).chain(490..515) {
            let said = format!("{}{TOKEN} is no token", ".".repeat(before));
            let reply = match protocol {
                Protocol::Grpc => Reply::Grpc(16, said, None),
                Protocol::Http => Reply::Http(
                    401,
                    vec![("content-type", "text/plain".to_owned())],
                    said.into_bytes(),
                ),
            };
            receiver.next([reply]);
            let failure = otlp.send(&batch(1)).await.unwrap_err();
            for text in [failure.summary(), format!("{failure:?}")] {
                assert!(!text.contains(".hunter"), "{before}: {text}");
                assert!(!text.contains("hunter22"), "{before}: {text}");
            }
        }
        let said = super::world::partial_success(1, &format!("seen {TOKEN}"));
        receiver.next([Reply::Take(said)]);
        let sender = Sender::new(&config, Connector::open()).unwrap();
        let receipt = sender
            .send(Signal::Traces, batch(1).chunks[0].bytes.clone())
            .await
            .unwrap();
        assert_eq!(receipt.message, "seen [secret]");
    }
}

/// Guarantees: what cannot work is refused before anything is sent, without showing secrets.
#[test]
fn bad_configs_are_refused() {
    let refused = |url: &str, protocol, change: fn(&mut Config)| {
        let mut config = Config {
            protocol,
            ..Config::new(Url::parse(url).unwrap())
        };
        change(&mut config);
        let error = Otlp::new(&config, Connector::open()).err().unwrap();
        let text = format!("{error} {error:?} {config:?}");
        assert!(text.contains("hint:"), "{text}");
        assert!(!text.contains("hunter22"), "{text}");
        error
    };
    let same = |_: &mut Config| {};
    for url in [
        "http://user:hunter22@host:4318",
        "http://host:4318/?key=hunter22",
        "ftp://host",
    ] {
        let error = refused(url, Protocol::Http, same);
        assert!(matches!(error, ConfigError::Endpoint { .. }), "{error}");
    }
    let error = refused("http://host:4317/path", Protocol::Grpc, same);
    assert!(error.to_string().contains("no path"), "{error}");
    for name in ["host", "content-length", "grpc-timeout", "TE", "no name"] {
        let mut config = Config::new(Url::parse("http://host:4317").unwrap());
        config.headers = vec![(name.to_owned(), Secret::new("hunter22"))];
        let error = Otlp::new(&config, Connector::open()).err().unwrap();
        assert!(matches!(error, ConfigError::Header { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter22"));
    }
    let error = refused("http://host:4317", Protocol::Grpc, |config| {
        config.headers = vec![("x-token".to_owned(), Secret::new("hunter22\n"))];
    });
    assert!(matches!(error, ConfigError::Header { .. }), "{error}");
}

/// Guarantees: SEALED-EGRESS; what the seal does not allow is not contacted, is said aloud, and
/// costs no data.
#[tokio::test]
async fn the_seal_holds() {
    struct Nothing;
    impl Seal for Nothing {
        fn permits(&self, _: &str, _: u16) -> bool {
            false
        }
    }
    for protocol in BOTH {
        let receiver = Receiver::start(protocol).await;
        let connector = Connector::sealed(Arc::new(Nothing));
        let otlp = Otlp::new(&config(&receiver), connector).unwrap();
        let failure = otlp.send(&batch(1)).await.unwrap_err();
        assert_eq!(failure.class, Class::Misconfigured);
        assert!(failure.summary().contains("seal"), "{failure:?}");
        assert!(receiver.received().is_empty());
    }
}

/// Guarantees: connections are used again, and one that ended in the meantime costs no failure.
#[tokio::test]
async fn connections_are_used_again() {
    for protocol in BOTH {
        let receiver = Receiver::start(protocol).await;
        let otlp = Otlp::new(&config(&receiver), Connector::open()).unwrap();
        for _ in 0..5 {
            otlp.send(&batch(1)).await.unwrap();
        }
        let from = |at: usize| receiver.received()[at].from;
        assert_eq!(from(4), from(0), "{protocol:?}");
        // Closed as by a receiver that restarts.
        receiver.next([Reply::Close]);
        otlp.send(&batch(1)).await.unwrap();
        assert_eq!(receiver.received().len(), 7);
        assert_ne!(from(6), from(0));
        // One whose answer broke off is not trusted again.
        receiver.next([Reply::TakeAndBreak]);
        otlp.send(&batch(1)).await.unwrap_err();
        otlp.send(&batch(1)).await.unwrap();
        let last = receiver.received().len() - 1;
        assert_ne!(from(last), from(last - 1));
    }
}

fn of_signal(signal: Signal) -> Batch {
    let payload = items::request(signal, "acme", 0..1, 1);
    Batch {
        signal,
        ..batch_of(payload, 1)
    }
}
