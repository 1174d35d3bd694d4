//! What is written for a batch: each of its blocks as one line or one length-delimited message.
//!
//! Only what recovery takes for sound is written: a block that is no well-formed request, or holds
//! nothing at all, would end the file there at the next start.

use std::io::{self, Write};

use super::config::{Compression, Config, Format};
use crate::batch::Batch;

const ZSTD_LEVEL: i32 = 1;

/// Why a batch cannot be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum EncodeError {
    /// The bytes are not OTLP, and so have no JSON form.
    #[error("not a well-formed request: {0}")]
    Malformed(#[from] ::otlp::CheckError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Appends to `out`, using `scratch` where it compresses; both keep their allocation.
pub(super) fn encode(
    batch: &Batch,
    config: &Config,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    if config.compression == Compression::None {
        return plain(batch, config.format, out);
    }
    scratch.clear();
    plain(batch, config.format, scratch)?;
    if scratch.is_empty() {
        return Ok(());
    }
    let mut frame = ::zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?;
    // So that a frame whose pages never reached the disk is told from a sound one.
    frame.include_checksum(true)?;
    frame.set_pledged_src_size(Some(scratch.len() as u64))?;
    frame.write_all(scratch)?;
    frame.finish()?;
    Ok(())
}

fn plain(batch: &Batch, format: Format, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let chunks = batch.chunks.iter();
    for chunk in chunks.filter(|chunk| !chunk.bytes.is_empty()) {
        match format {
            Format::Json => {
                ::otlp::json::encode(batch.signal, &chunk.bytes, out)?;
                out.push(b'\n');
            }
            Format::Proto => {
                ::otlp::check(batch.signal, &chunk.bytes)?;
                let length = u32::try_from(chunk.bytes.len())
                    .map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(&chunk.bytes);
            }
        }
    }
    Ok(())
}
