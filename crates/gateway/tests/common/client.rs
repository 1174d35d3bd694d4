//! Clients: hyper over HTTP/1 and HTTP/2, with bodies that can break off or wait.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use ident::Signal;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

pub const PROTOBUF: &str = "application/x-protobuf";
pub const JSON: &str = "application/json";

/// A body in pieces, and what comes after them.
pub struct Pieces {
    pieces: VecDeque<Bytes>,
    then: Then,
}

pub enum Then {
    End,
    /// The sender breaks off.
    Break,
    /// Nothing more, and no end either.
    Hang,
    /// Once it is let go: the rest, and the end.
    Gate(oneshot::Receiver<Bytes>),
}

impl Pieces {
    pub fn new(pieces: impl IntoIterator<Item = Vec<u8>>, then: Then) -> Self {
        let pieces = pieces.into_iter().map(Bytes::from).collect();
        Pieces { pieces, then }
    }

    pub fn whole(body: Vec<u8>) -> Self {
        Pieces::new([body], Then::End)
    }

    /// The first part of a body; the rest comes when the sender is told to.
    pub fn gated(body: &[u8], at: usize) -> (Self, impl FnOnce() + use<>) {
        let (open, gate) = oneshot::channel();
        let rest = Bytes::copy_from_slice(&body[at..]);
        let pieces = Pieces::new([body[..at].to_vec()], Then::Gate(gate));
        (pieces, move || open.send(rest).unwrap())
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(piece) = self.pieces.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        match &mut self.then {
            Then::End => Poll::Ready(None),
            Then::Break => Poll::Ready(Some(Err(io::ErrorKind::BrokenPipe.into()))),
            Then::Hang => Poll::Pending,
            Then::Gate(gate) => match Pin::new(gate).poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(rest) => {
                    self.then = Then::End;
                    Poll::Ready(rest.ok().map(|rest| Ok(Frame::data(rest))))
                }
            },
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: HeaderMap,
}

impl Answer {
    async fn read(response: http::Response<hyper::body::Incoming>) -> Answer {
        let (head, body) = response.into_parts();
        let collected = body.collect().await.unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            trailers: collected.trailers().cloned().unwrap_or_default(),
            body: collected.to_bytes(),
        }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The call's status as tonic reads it.
    pub fn grpc_status(&self) -> tonic::Status {
        tonic::Status::from_header_map(&self.trailers)
            .or_else(|| tonic::Status::from_header_map(&self.headers))
            .unwrap_or_else(|| panic!("no grpc-status: {self:?}"))
    }

    /// The `google.rpc.Status` of an HTTP error in the encoding that its content type names.
    pub fn rpc_status(&self) -> RpcStatus {
        match self.header("content-type") {
            PROTOBUF => {
                let status = tonic_types::pb::Status::decode(&self.body[..]).unwrap();
                let delay = status.details.iter().find_map(|any| {
                    assert_eq!(any.type_url, RETRY_INFO);
                    let info = tonic_types::pb::RetryInfo::decode(&any.value[..]).unwrap();
                    info.retry_delay
                        .map(|d| d.seconds as f64 + f64::from(d.nanos) / 1e9)
                });
                RpcStatus {
                    code: status.code,
                    message: status.message,
                    delay,
                }
            }
            JSON => {
                let status: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
                let delay = status.get("details").map(|details| {
                    assert_eq!(details[0]["@type"], RETRY_INFO);
                    let delay = details[0]["retryDelay"].as_str().unwrap();
                    delay.strip_suffix('s').unwrap().parse().unwrap()
                });
                RpcStatus {
                    code: i32::try_from(status["code"].as_i64().unwrap()).unwrap(),
                    message: status["message"].as_str().unwrap().to_owned(),
                    delay,
                }
            }
            other => panic!("an error in `{other}`: {self:?}"),
        }
    }
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// A `google.rpc.Status`, with the seconds of its `RetryInfo`.
#[derive(Debug)]
pub struct RpcStatus {
    pub code: i32,
    pub message: String,
    pub delay: Option<f64>,
}

pub async fn connect_h1(addr: SocketAddr) -> http1::SendRequest<Pieces> {
    let stream = TokioIo::new(TcpStream::connect(addr).await.unwrap());
    let (sender, connection) = http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

pub async fn connect_h2(addr: SocketAddr) -> http2::SendRequest<Pieces> {
    let stream = TokioIo::new(TcpStream::connect(addr).await.unwrap());
    let (sender, connection) = http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

pub async fn send_h1(sender: &mut http1::SendRequest<Pieces>, request: Request<Pieces>) -> Answer {
    sender.ready().await.unwrap();
    Answer::read(sender.send_request(request).await.unwrap()).await
}

pub async fn send_h2(sender: &http2::SendRequest<Pieces>, request: Request<Pieces>) -> Answer {
    let mut sender = sender.clone();
    sender.ready().await.unwrap();
    Answer::read(sender.send_request(request).await.unwrap()).await
}

/// One request on a connection of its own.
pub async fn h1(addr: SocketAddr, request: Request<Pieces>) -> Answer {
    send_h1(&mut connect_h1(addr).await, request).await
}

pub async fn h2(addr: SocketAddr, request: Request<Pieces>) -> Answer {
    send_h2(&connect_h2(addr).await, request).await
}

/// A POST to the signal's path.
pub fn http_request(
    signal: Signal,
    media: &str,
    encoding: Option<&str>,
    body: Pieces,
) -> Request<Pieces> {
    let mut request = Request::post(signal.http_path())
        .header("host", "gateway")
        .header("content-type", media);
    if let Some(encoding) = encoding {
        request = request.header("content-encoding", encoding);
    }
    request.body(body).unwrap()
}

pub async fn post(addr: SocketAddr, signal: Signal, media: &str, body: Vec<u8>) -> Answer {
    h1(addr, http_request(signal, media, None, Pieces::whole(body))).await
}

/// A call of the signal's method with a body that is framed already.
pub fn grpc_request(signal: Signal, encoding: Option<&str>, body: Pieces) -> Request<Pieces> {
    let mut request = Request::post(format!("http://gateway{}", signal.grpc_path()))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(encoding) = encoding {
        request = request.header("grpc-encoding", encoding);
    }
    request.body(body).unwrap()
}

/// A message with gRPC's five bytes before it.
pub fn framed(flags: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flags], &length[..], message].concat()
}

/// One call on a connection of its own; the message goes uncompressed.
pub async fn export(addr: SocketAddr, signal: Signal, message: Vec<u8>) -> tonic::Status {
    let body = Pieces::whole(framed(0, &message));
    h2(addr, grpc_request(signal, None, body))
        .await
        .grpc_status()
}

/// Writes bytes to a new connection and reads until the gateway closes it, one way or another.
pub async fn raw(addr: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    // The gateway may hang up before everything is written.
    let _ = stream.write_all(bytes).await;
    rest(&mut stream).await
}

/// What comes until the end of the connection; a reset is an end too.
pub async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read).await;
    read
}
