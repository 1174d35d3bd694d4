//! Decompression within a limit: a bomb is stopped where the limit is, not where memory ends.

use std::io::Read;

use bytes::Bytes;

use crate::budget::Lease;
use crate::{Kind, Refusal};

/// How a body may be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    /// HTTP's `deflate`, which is zlib's format (RFC 9110, 8.4.1.2).
    Deflate,
    Zstd,
}

/// What is announced as known.
pub(crate) const KNOWN: &str = "identity, gzip, zstd, deflate";
/// gRPC's form of the same list.
pub(crate) const KNOWN_GRPC: &str = "identity,gzip,zstd,deflate";
/// The largest zstd window that is taken: 8 MiB, which RFC 8878 (3.1.1.1.2) asks all to support.
const ZSTD_WINDOW_LOG: u32 = 23;
/// How much is decompressed at first between two looks at the limits.
const STEP_BYTES: usize = 4 << 10;

impl Encoding {
    /// The encoding of a header's value; no header is [`Identity`](Self::Identity).
    pub(crate) fn parse(value: Option<&http::HeaderValue>) -> Result<Self, Refusal> {
        let Some(value) = value else {
            return Ok(Encoding::Identity);
        };
        match value
            .as_bytes()
            .trim_ascii()
            .to_ascii_lowercase()
            .as_slice()
        {
            b"" | b"identity" => Ok(Encoding::Identity),
            b"gzip" | b"x-gzip" => Ok(Encoding::Gzip),
            b"deflate" => Ok(Encoding::Deflate),
            b"zstd" => Ok(Encoding::Zstd),
            _ => Err(Refusal::new(
                Kind::Encoding,
                format!("the request's encoding is not known here, but {KNOWN} are"),
            )),
        }
    }
}

/// The decompressed bytes, at most `limit`.
pub(crate) fn decompress(
    encoding: Encoding,
    body: Bytes,
    limit: usize,
    lease: &mut Lease,
) -> Result<Bytes, Refusal> {
    let input = body.as_ref();
    if encoding != Encoding::Identity && input.is_empty() {
        // Not even an empty request compresses to nothing.
        return Err(broken());
    }
    match encoding {
        Encoding::Identity if body.len() > limit => Err(Refusal::too_large("request", limit)),
        Encoding::Identity => Ok(body),
        Encoding::Gzip => read(flate2::bufread::MultiGzDecoder::new(input), limit, lease),
        Encoding::Deflate => {
            let mut decoder = flate2::bufread::ZlibDecoder::new(input);
            let output = read(&mut decoder, limit, lease)?;
            // What follows the stream would be acknowledged and lost.
            let rest = decoder.into_inner();
            Some(output).filter(|_| rest.is_empty()).ok_or_else(broken)
        }
        Encoding::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(input);
            let mut decoder = decoder.map_err(|_| broken())?;
            let narrowed = decoder.window_log_max(ZSTD_WINDOW_LOG);
            narrowed.map_err(|_| broken())?;
            read(decoder, limit, lease)
        }
    }
}

fn read(mut decoder: impl Read, limit: usize, lease: &mut Lease) -> Result<Bytes, Refusal> {
    let mut output: Vec<u8> = Vec::new();
    loop {
        // One byte more than the limit tells a full request from one that is too large.
        let step = STEP_BYTES.max(output.len()).min(limit + 1 - output.len());
        lease.grow(step)?;
        let before = output.len();
        let mut part = decoder.by_ref().take(step as u64);
        part.read_to_end(&mut output).map_err(|_| broken())?;
        if output.len() > limit {
            return Err(Refusal::too_large("decompressed request", limit));
        }
        if output.len() - before < step {
            return Ok(Bytes::from(output));
        }
    }
}

fn broken() -> Refusal {
    Refusal::new(
        Kind::Malformed,
        "the compressed request cannot be decompressed",
    )
}
