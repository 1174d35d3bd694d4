//! An OTLP receiver as a world of the conformance suite.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use prost::Message;
use url::Url;

use super::receiver::{Receiver, Reply, refused};
use crate::conformance::{Answer, Answering, Ask, Fault, Taken, World};
use crate::destination::Destination;
use crate::otlp::{Compression, Config, Otlp, Protocol};
use egress::Connector;

/// A receiver, and how to reach it.
pub(super) struct OtlpWorld {
    pub receiver: Receiver,
    pub config: Config,
}

impl OtlpWorld {
    pub(super) async fn new(protocol: Protocol, compression: Compression) -> Self {
        let receiver = Receiver::start(protocol).await;
        let config = config(&receiver);
        OtlpWorld {
            receiver,
            config: Config {
                compression,
                ..config
            },
        }
    }

    fn reply(&self, fault: Fault) -> Reply {
        match (fault, self.receiver.protocol()) {
            (Fault::Refuse, Protocol::Grpc) => Reply::Grpc(14, "not now".to_owned(), None),
            (Fault::Refuse, Protocol::Http) => Reply::Http(503, Vec::new(), Vec::new()),
            (Fault::Hang, _) => Reply::Hang,
            (Fault::Half, _) => Reply::TakeAndBreak,
            (Fault::AnswerLost, _) => Reply::Close,
            (Fault::Misconfigured, Protocol::Grpc) => {
                Reply::Grpc(16, "who are you?".to_owned(), None)
            }
            (Fault::Misconfigured, Protocol::Http) => Reply::Http(401, Vec::new(), Vec::new()),
        }
    }

    fn said(&self, answer: Answer) -> Reply {
        let protocol = self.receiver.protocol();
        match (answer, protocol) {
            (Answer::Later(ask, delay), _) => later(ask, delay),
            (Answer::Partial(count), _) => Reply::Take(partial_success(count, "too old")),
            (Answer::Refused, _) => refused(protocol, "this one is bad"),
            (Answer::LongRefusal(bytes), Protocol::Http) => {
                refused(protocol, &"no! ".repeat(bytes / 4))
            }
            // Trailers of that size are no answer any more.
            (Answer::LongRefusal(bytes), Protocol::Grpc) => {
                refused(protocol, &"no! ".repeat((bytes / 4).min(2000)))
            }
            (Answer::Unclear, Protocol::Grpc) => Reply::Grpc(13, "oops".to_owned(), None),
            (Answer::Unclear, Protocol::Http) => Reply::Http(500, Vec::new(), b"oops".to_vec()),
            (Answer::Long(bytes), _) => Reply::Take(partial_success(0, &"!".repeat(bytes))),
            (Answer::NotFound, Protocol::Grpc) => Reply::Grpc(12, String::new(), None),
            (Answer::NotFound, Protocol::Http) => Reply::Http(404, Vec::new(), Vec::new()),
        }
    }
}

/// How to reach a receiver.
pub(super) fn config(receiver: &Receiver) -> Config {
    let endpoint = Url::parse(&format!("http://{}", receiver.address)).unwrap();
    Config {
        protocol: receiver.protocol(),
        ..Config::new(endpoint)
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ExportResponse {
    #[prost(message, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

pub(super) fn partial_success(rejected: u64, message: &str) -> Vec<u8> {
    ExportResponse {
        partial_success: Some(PartialSuccess {
            rejected: i64::try_from(rejected).unwrap_or(i64::MAX),
            error_message: message.to_owned(),
        }),
    }
    .encode_to_vec()
}

/// `google.rpc.Status` with one detail.
#[derive(Clone, PartialEq, prost::Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// The value of `grpc-status-details-bin`, with or without padding.
pub(super) fn retry_info(code: u16, delay: Duration, padded: bool) -> String {
    let retry_info = RetryInfo {
        retry_delay: Some(Delay {
            seconds: delay.as_secs() as i64,
            nanos: delay.subsec_nanos() as i32,
        }),
    };
    let status = Status {
        code: i32::from(code),
        message: "slow down".to_owned(),
        details: vec![
            Any {
                type_url: "type.googleapis.com/google.rpc.DebugInfo".to_owned(),
                value: vec![0x12, 0],
            },
            Any {
                type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
                value: retry_info.encode_to_vec(),
            },
        ],
    };
    let engine = if padded { STANDARD } else { STANDARD_NO_PAD };
    engine.encode(status.encode_to_vec())
}

pub(super) fn later(ask: Ask, delay: Duration) -> Reply {
    let with = |status, value| Reply::Http(status, vec![("retry-after", value)], Vec::new());
    match ask {
        Ask::RetryInfo(code) => Reply::Grpc(
            code,
            "slow down".to_owned(),
            Some(retry_info(code, delay, false)),
        ),
        Ask::Seconds(status) => with(status, delay.as_secs().to_string()),
        Ask::Date(status) => with(status, httpdate::fmt_http_date(SystemTime::now() + delay)),
    }
}

impl World for OtlpWorld {
    fn destination(&self) -> Box<dyn Destination> {
        Box::new(Otlp::new(&self.config, Connector::open()).unwrap())
    }

    fn next(&self, faults: &[Fault]) {
        self.receiver
            .next(faults.iter().map(|fault| self.reply(*fault)));
    }

    fn always(&self, fault: Option<Fault>) {
        self.receiver.always(fault.map(|fault| self.reply(fault)));
    }

    fn taken(&self) -> Vec<Taken> {
        let received = self.receiver.received().into_iter();
        received
            .filter(|received| received.taken)
            .map(|received| Taken {
                signal: received.signal,
                items: received.items.unwrap(),
            })
            .collect()
    }
}

impl Answering for OtlpWorld {
    fn ways_to_ask(&self) -> Vec<Ask> {
        match self.receiver.protocol() {
            Protocol::Grpc => vec![Ask::RetryInfo(8), Ask::RetryInfo(14)],
            Protocol::Http => vec![
                Ask::Seconds(429),
                Ask::Date(429),
                Ask::Seconds(503),
                Ask::Date(503),
            ],
        }
    }

    fn answer(&self, answer: Answer) {
        self.receiver.next([self.said(answer)]);
    }

    fn poison(&self, id: &str, answer: Answer) {
        self.receiver.poison(id, self.said(answer));
    }

    fn hold(&self) {
        self.receiver.hold();
    }

    fn release(&self) {
        self.receiver.release();
    }

    fn waiting(&self) -> usize {
        self.receiver.waiting()
    }
}
