//! STARTTLS (RFC 3207), up to where TLS begins: greeting, EHLO, STARTTLS.

use core::net::SocketAddr;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use egress::one_line;
use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::target::{Class, Failure};

/// The longest reply that is read (BOUNDED).
const MAX_REPLY_BYTES: usize = 16 << 10;
/// What lettre waits for first. After STARTTLS a server does not greet again.
const GREETING: &[u8] = b"220 ready\r\n";

/// Speaks until the server is ready for TLS.
pub(super) async fn prepare<S>(stream: &mut S) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    expect(stream, "220").await?;
    say(stream, "EHLO [127.0.0.1]\r\n").await?;
    let offers = expect(stream, "250").await?;
    let offered = offers.lines().any(|line| {
        let word = line.get(4..).unwrap_or_default().trim();
        word.eq_ignore_ascii_case("STARTTLS")
    });
    if !offered {
        return Err(Failure::new(
            Class::Misconfigured,
            "the server does not offer STARTTLS, so nothing was sent (hint: is this its port for it? `security: implicit` is TLS from the start)",
        ));
    }
    say(stream, "STARTTLS\r\n").await?;
    expect(stream, "220").await?;
    Ok(())
}

async fn say<S: AsyncWrite + Unpin>(stream: &mut S, text: &str) -> Result<(), Failure> {
    stream.write_all(text.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)
}

/// Reads one reply, to its last line and not a byte further: what came in the clear after it must
/// not be taken for what was said inside TLS.
async fn expect<S: AsyncRead + Unpin>(stream: &mut S, code: &str) -> Result<String, Failure> {
    let mut reply = Vec::new();
    let mut line_start = 0;
    loop {
        let byte = stream.read_u8().await.map_err(broken)?;
        reply.push(byte);
        if reply.len() > MAX_REPLY_BYTES {
            return Err(Failure::new(
                Class::Transient,
                "the server's reply is too long",
            ));
        }
        if byte != b'\n' {
            continue;
        }
        let line = reply.get(line_start..).unwrap_or_default();
        if line.get(3) != Some(&b'-') {
            break;
        }
        line_start = reply.len();
    }
    let text = String::from_utf8_lossy(&reply).into_owned();
    let last = text.get(line_start..).unwrap_or_default();
    if last.starts_with(code) {
        return Ok(text);
    }
    let class = match last.starts_with('4') {
        true => Class::Transient,
        false => Class::Misconfigured,
    };
    Err(Failure::new(
        class,
        format!("the server said: {}", one_line(last.trim())),
    ))
}

fn broken(error: io::Error) -> Failure {
    Failure::new(Class::Transient, format!("the connection failed: {error}"))
}

/// A stream as lettre takes it: before what the server says stands a greeting, where it has greeted
/// already.
#[derive(Debug)]
pub(super) struct Greeted<S> {
    stream: S,
    greeting: &'static [u8],
}

impl<S> Greeted<S> {
    /// Where the server has yet to greet.
    pub(super) fn fresh(stream: S) -> Self {
        Greeted {
            stream,
            greeting: b"",
        }
    }

    /// Where it has greeted.
    pub(super) fn again(stream: S) -> Self {
        Greeted {
            stream,
            greeting: GREETING,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Greeted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.greeting.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let (now, later) = self
            .greeting
            .split_at(buf.remaining().min(self.greeting.len()));
        buf.put_slice(now);
        self.greeting = later;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Greeted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S> AsyncTokioStream for Greeted<S>
where
    S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug,
{
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        // Only shown in lettre's own errors.
        Err(io::ErrorKind::Unsupported.into())
    }
}
