//! Closing without taking back the answer.
//!
//! A request that is refused early (too large, say) is answered while its sender still sends. If
//! the socket were closed then, the bytes that nobody read would make the kernel reset the
//! connection, and the reset would overtake the answer. So the gateway says that it has finished
//! (FIN), reads on and throws away what comes, for a short time (BOUNDED), and only then closes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// The longest that a closed connection is read on.
const LONGEST: Duration = Duration::from_secs(2);
/// How much is thrown away at once.
const PIECE_BYTES: usize = 16 << 10;

/// A stream whose shutdown lingers until the peer has closed too, or the time is up.
pub(crate) struct Linger<S> {
    stream: S,
    time: Duration,
    /// When to stop reading, once this side is closed.
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Linger<S> {
    /// Lingers for at most `time`, and never longer than two seconds.
    pub(crate) fn new(stream: S, time: Duration) -> Self {
        Linger {
            stream,
            time: time.min(LONGEST),
            until: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Linger<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Linger<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.until.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let time = this.time;
        let until = this
            .until
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        let mut piece = [0; PIECE_BYTES];
        loop {
            if until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut piece);
            let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
