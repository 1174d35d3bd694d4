//! A request's body, collected into one buffer within limits.
//!
//! Each byte is copied once, or not at all where the body came in one large piece. Bytes are leased
//! as they arrive, so that an announced length costs nothing until it is sent.

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use crate::budget::Lease;
use crate::{Kind, Limits, Refusal};

/// How much is set aside for a body of unknown length at first.
const FIRST_BYTES: usize = 16 << 10;
/// A body that came in one piece of at least this size is kept as it came. It may be a part of the
/// connection's read buffer, which it keeps then: at most about as much again, as such a buffer is
/// made for the frame that comes.
const OWN_PIECE_BYTES: usize = 64 << 10;

/// Collects `body`. `announced` tells from the first bytes how long the whole will be, if it can.
pub(crate) async fn collect<B>(
    mut body: B,
    limits: &Limits,
    limit: usize,
    lease: &mut Lease,
    announced: impl Fn(&[u8]) -> Result<Option<usize>, Refusal>,
) -> Result<Bytes, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let begun = Instant::now();
    let whole = begun + limits.read_timeout * Limits::BODY_PAUSES;
    let mut now = begun;
    let mut first: Option<Bytes> = None;
    let mut expected = None;
    let mut buffer = BytesMut::new();
    loop {
        let deadline = whole.min(now + limits.read_timeout);
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => {
                return Err(Refusal::new(
                    Kind::Slow,
                    "the request's body took too long to arrive",
                ));
            }
            Ok(None) => break,
            Ok(Some(Err(_))) => {
                return Err(Refusal::new(
                    Kind::Cancelled,
                    "the request's body broke off",
                ));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        now = Instant::now();
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if data.is_empty() {
            continue;
        }
        let so_far = first.as_ref().map_or(0, Bytes::len) + buffer.len();
        if so_far + data.len() > limit {
            return Err(Refusal::too_large("request", limit));
        }
        lease.grow(data.len())?;
        if so_far == 0 {
            // Refused as soon as it is known: the rest may never come.
            expected = announced(&data)?;
            first = Some(data);
            continue;
        }
        if let Some(head) = first.take() {
            buffer.reserve(
                expected
                    .unwrap_or(FIRST_BYTES)
                    .min(limit)
                    .max(head.len() + data.len()),
            );
            buffer.extend_from_slice(&head);
        }
        buffer.extend_from_slice(&data);
        if expected.is_none() {
            expected = announced(&buffer)?;
        }
    }
    match first {
        Some(only) if only.len() >= OWN_PIECE_BYTES => Ok(only),
        // The piece may be a small part of the connection's read buffer.
        Some(only) => Ok(Bytes::copy_from_slice(&only)),
        None => Ok(buffer.freeze()),
    }
}

/// `bytes` without its first `count`.
pub(crate) fn after(mut bytes: Bytes, count: usize) -> Bytes {
    bytes.advance(count.min(bytes.len()));
    bytes
}
