//! What is left of a body after its request has been refused.
//!
//! An HTTP/2 server that has answered may reset a stream whose body still comes (RFC 9113, section
//! 8.1), and must not be taken for broken then; but there are clients that throw the answer away
//! with the stream. So what comes is read on and thrown away, for a short time and up to one
//! window (BOUNDED), while the answer is on its way. HTTP/1 has [`Linger`](crate::linger) for it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::Version;
use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::runtime::Handle;

/// The longest that a body is read on.
const LONGEST: Duration = Duration::from_secs(2);
/// The most that is thrown away.
const MOST_BYTES: usize = 1 << 20;

/// A request's body whose rest is read on when it is dropped early.
pub(crate) struct Rest {
    body: Option<Incoming>,
    reads_on: bool,
}

impl Rest {
    pub(crate) fn new(body: Incoming, version: Version) -> Self {
        Rest {
            body: Some(body),
            reads_on: version == Version::HTTP_2,
        }
    }
}

impl Body for Rest {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        let left = self.body.take().filter(|body| !body.is_end_stream());
        if let (true, Some(body), Ok(runtime)) = (self.reads_on, left, Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(LONGEST, throw_away(body)));
        }
    }
}

async fn throw_away(mut body: Incoming) {
    let mut thrown = 0;
    while let Some(Ok(frame)) = body.frame().await {
        thrown += frame.data_ref().map_or(0, Buf::remaining);
        if thrown >= MOST_BYTES {
            return;
        }
    }
}
