//! HTTP/2 by hand (RFC 9113), for peers that do what no client library does.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const REFUSED_STREAM: u32 = 7;

#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let stream = stream.to_be_bytes();
    [&length[1..], &[kind, flags], &stream, payload].concat()
}

/// A call's HEADERS in HPACK without Huffman: the static table's names, literal values.
pub fn call_headers(path: &str) -> Vec<u8> {
    let literal = |index: &[u8], value: &str| {
        let length = u8::try_from(value.len()).unwrap();
        assert!(length < 0x7f, "one byte of length");
        [index, &[length], value.as_bytes()].concat()
    };
    [
        vec![0x83, 0x86],                           // :method POST, :scheme http
        literal(&[0x04], path),                     // :path
        literal(&[0x01], "gateway"),                // :authority
        literal(&[0x0f, 0x10], "application/grpc"), // content-type
    ]
    .concat()
}

/// Connects, sends the preface and empty settings, and waits for the gateway's own settings.
pub async fn connect(addr: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    find(&mut stream, SETTINGS).await;
    stream
}

/// Reads frames until one of a kind comes.
pub async fn find(stream: &mut TcpStream, kind: u8) -> Frame {
    loop {
        let frame = next(stream).await.expect("the connection ended");
        if frame.kind == kind {
            return frame;
        }
    }
}

/// The next frame, or `None` at the end of the connection. Answers pings, without which a gateway
/// that says goodbye does not know that it was heard.
pub async fn next(stream: &mut TcpStream) -> Option<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let [a, b, c, kind, flags, s, t, u, v] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    if kind == PING && flags & ACK == 0 {
        let pong = frame(PING, ACK, 0, &payload);
        stream.write_all(&pong).await.ok()?;
    }
    Some(Frame {
        kind,
        stream: u32::from_be_bytes([s & 0x7f, t, u, v]),
        payload,
    })
}
