//! Senders of single requests that show everything of the answer: OTLP/HTTP by hand, OTLP/gRPC by
//! tonic. Bodies are bytes, so that what is sent need not be OTLP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Buf, BufMut};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tonic_types::StatusExt;

/// OTLP/HTTP with protobuf.
pub const PROTOBUF: &str = "application/x-protobuf";
/// OTLP/HTTP with JSON.
pub const JSON: &str = "application/json";

/// Headers of HTTP, or gRPC's metadata.
pub type Headers<'a> = &'a [(&'a str, &'a str)];

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP's status or gRPC's code.
    pub code: u32,
    /// gRPC's message, or HTTP's body as text.
    pub message: String,
    /// `Retry-After`, or gRPC's RetryInfo.
    pub retry_after: Option<Duration>,
    /// The body, or gRPC's message.
    pub body: Vec<u8>,
}

/// Posts to `/v1/<signal>`.
pub fn post(
    addr: SocketAddr,
    signal: &str,
    media: &str,
    headers: Headers<'_>,
    body: &[u8],
) -> Answer {
    let mut begun = begin(addr, signal, media, headers, body.len());
    // A server that refuses may answer before it has read all.
    let _ = begun.write_all(body);
    answer(begun)
}

/// Sends the head of a request alone. The body is for the caller to write.
pub fn begin(
    addr: SocketAddr,
    signal: &str,
    media: &str,
    headers: Headers<'_>,
    length: usize,
) -> TcpStream {
    let mut stream = TcpStream::connect(addr).expect("the port is open");
    let mut head = format!(
        "POST /v1/{signal} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\
         content-type: {media}\r\ncontent-length: {length}\r\n"
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream
        .write_all(head.as_bytes())
        .expect("the head is written");
    stream
}

/// The answer to a request that was [begun](begin).
pub fn answer(mut stream: TcpStream) -> Answer {
    let mut all = Vec::new();
    // A reset after the answer is the end too.
    let _ = stream.read_to_end(&mut all);
    let end = all.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&all)));
    let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
    let body = all[end + 4..].to_vec();
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let wait = head
        .lines()
        .find_map(|line| line.strip_prefix("retry-after: "));
    Answer {
        code: code.expect("a status"),
        message: String::from_utf8_lossy(&body).into_owned(),
        retry_after: wait.map(|wait| Duration::from_secs(wait.parse().expect("seconds"))),
        body,
    }
}

/// A connection that calls `Export` methods.
#[derive(Clone)]
pub struct Caller {
    channel: Channel,
}

impl Caller {
    /// Connects when it is first used.
    pub fn new(addr: SocketAddr) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{addr}")).expect("an address");
        Caller {
            channel: endpoint.connect_lazy(),
        }
    }

    /// Calls the method of `signal` (`traces`, `metrics`, `logs`) with a serialized request.
    pub async fn call(&self, signal: &str, headers: Headers<'_>, body: Vec<u8>) -> Answer {
        let (package, service) = match signal {
            "traces" => ("trace", "Trace"),
            "metrics" => ("metrics", "Metrics"),
            _ => ("logs", "Logs"),
        };
        let path = format!("/opentelemetry.proto.collector.{package}.v1.{service}Service/Export");
        let mut request = Request::new(body);
        for (name, value) in headers {
            let name = AsciiMetadataKey::from_bytes(name.as_bytes()).expect("a name");
            let value = AsciiMetadataValue::try_from(*value).expect("a value");
            request.metadata_mut().append(name, value);
        }
        let mut client = Grpc::new(self.channel.clone());
        let ready = client.ready().await;
        ready.expect("the server listens");
        let path = path.parse().expect("a path");
        match client.unary(request, path, Raw).await {
            Ok(response) => Answer {
                code: 0,
                message: String::new(),
                retry_after: None,
                body: response.into_inner(),
            },
            Err(status) => Answer {
                code: status.code() as u32,
                message: status.message().to_owned(),
                retry_after: status
                    .get_details_retry_info()
                    .and_then(|info| info.retry_delay),
                body: Vec::new(),
            },
        }
    }
}

/// One call on a connection of its own, for callers without a runtime.
pub fn call(addr: SocketAddr, signal: &str, headers: Headers<'_>, body: Vec<u8>) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async { Caller::new(addr).call(signal, headers, body).await })
}

/// Messages as they are.
#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut message = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut message);
        Ok(Some(message))
    }
}
