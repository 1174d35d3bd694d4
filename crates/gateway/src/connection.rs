//! What one connection's requests share, and what their answers are made of.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use ::http::HeaderMap;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use ident::Signal;
use tokio::time::Instant;

use crate::budget::{Budget, Lease};
use crate::intake::Intake;
use crate::metrics::ListenerMetrics;
use crate::{Head, Limits, Peer, Refusal};

/// What a listener's connections share.
pub(crate) struct Shared {
    pub(crate) intake: Intake,
    pub(crate) limits: Limits,
    pub(crate) budget: Arc<Budget>,
    pub(crate) metrics: ListenerMetrics,
}

/// One connection.
pub(crate) struct Connection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) peer: Peer,
    budget: Arc<Budget>,
    opened: Instant,
    /// Requests under way.
    busy: AtomicU64,
    /// Requests ever; none tells a peer that has not spoken HTTP yet.
    requests: AtomicU64,
    /// When the last request ended, in milliseconds after `opened`.
    quiet_since: AtomicU64,
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, peer: Peer) -> Self {
        let budget = Budget::new(shared.limits.connection_in_flight_bytes, None);
        Connection {
            shared,
            peer,
            budget,
            opened: Instant::now(),
            busy: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            quiet_since: AtomicU64::new(0),
        }
    }

    /// Lets a request in: the guard is asked before its body is read.
    pub(crate) fn enter(&self, signal: Signal, headers: &HeaderMap) -> Result<Lease, Refusal> {
        let head = Head {
            peer: &self.peer,
            signal,
            headers,
        };
        let pass = self.shared.intake.guard.enter(&head)?;
        Ok(Lease::new(&self.shared.budget, &self.budget, pass))
    }

    /// Marks a request as under way until what is returned is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Under {
        self.busy.fetch_add(1, Ordering::AcqRel);
        self.requests.fetch_add(1, Ordering::AcqRel);
        Under(Arc::clone(self))
    }

    /// When this connection has been without a request for too long, if it stays without one.
    pub(crate) fn expires(&self) -> Option<Instant> {
        if self.busy.load(Ordering::Acquire) > 0 {
            return None;
        }
        let limit = if self.is_silent() {
            self.shared.limits.read_timeout
        } else {
            self.shared.limits.idle_timeout
        };
        let quiet = std::time::Duration::from_millis(self.quiet_since.load(Ordering::Acquire));
        Some(self.opened + quiet + limit)
    }

    /// Whether no request has ever come.
    pub(crate) fn is_silent(&self) -> bool {
        self.requests.load(Ordering::Acquire) == 0
    }
}

/// A request under way.
pub(crate) struct Under(Arc<Connection>);

impl Drop for Under {
    fn drop(&mut self) {
        let quiet = u64::try_from(self.0.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.quiet_since.store(quiet, Ordering::Release);
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

/// An answer's body: at most one piece of data, then trailers.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Answer {
    pub(crate) fn new(data: impl Into<Bytes>, trailers: Option<HeaderMap>) -> Self {
        Answer {
            data: Some(data.into()).filter(|data| !data.is_empty()),
            trailers,
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let data = self.data.take().map(Frame::data);
        Poll::Ready(
            data.or_else(|| self.trailers.take().map(Frame::trailers))
                .map(Ok),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, |data| data.len() as u64))
    }
}
