//! The body of a request: the blocks of a batch, one after the other.
//!
//! NO-TREE: concatenating export requests gives an export request, so an uncompressed body is the
//! list of blocks as the journal gave them; no byte is copied here.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use http_body::{Frame, SizeHint};

use super::config::{Compression, Protocol};
use crate::batch::Batch;

/// gRPC's prefix: one byte that tells whether the message is compressed, and its length.
pub(super) const PREFIX_BYTES: usize = 5;
/// Gzip at its quickest; zstd at the level that the journal uses.
const GZIP_LEVEL: u32 = 1;
const ZSTD_LEVEL: i32 = 1;

/// A body that is a list of buffers. Cloning it copies no data.
#[derive(Clone, Debug, Default)]
pub(super) struct Body {
    chunks: VecDeque<Bytes>,
    left: u64,
}

impl Body {
    fn push(&mut self, chunk: Bytes) {
        self.left += chunk.len() as u64;
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = self.chunks.pop_front();
        if let Some(chunk) = &chunk {
            self.left -= chunk.len() as u64;
        }
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Makes the body. Takes long only where it compresses.
pub(super) fn encode(
    batch: &Batch,
    protocol: Protocol,
    compression: Compression,
) -> io::Result<Body> {
    let compressed = match compression {
        Compression::None => None,
        Compression::Gzip => Some(gzip(batch)?),
        Compression::Zstd => Some(zstd(batch)?),
    };
    let mut body = Body::default();
    if protocol == Protocol::Grpc {
        let length = compressed.as_ref().map_or(batch.bytes(), Bytes::len);
        let length = u32::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut prefix = BytesMut::with_capacity(PREFIX_BYTES);
        prefix.put_u8(u8::from(compressed.is_some()));
        prefix.put_u32(length);
        body.push(prefix.freeze());
    }
    match compressed {
        Some(bytes) => body.push(bytes),
        None => batch
            .chunks
            .iter()
            .for_each(|chunk| body.push(chunk.bytes.clone())),
    }
    Ok(body)
}

fn gzip(batch: &Batch) -> io::Result<Bytes> {
    let out = Vec::with_capacity(batch.bytes() / 4);
    let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(GZIP_LEVEL));
    for chunk in &batch.chunks {
        encoder.write_all(&chunk.bytes)?;
    }
    Ok(Bytes::from(encoder.finish()?))
}

fn zstd(batch: &Batch) -> io::Result<Bytes> {
    let out = Vec::with_capacity(batch.bytes() / 4);
    let mut encoder = ::zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?;
    encoder.set_pledged_src_size(Some(batch.bytes() as u64))?;
    for chunk in &batch.chunks {
        encoder.write_all(&chunk.bytes)?;
    }
    Ok(Bytes::from(encoder.finish()?))
}
