//! Compressing and decompressing payloads with contexts and buffers that are used again.
//!
//! Compression is the dearest step of the data path. A zstd context is about a megabyte and its
//! tables need not be cleared between frames, so contexts are kept: as many as were ever in use at
//! once, at most [`MAX_IDLE`].

use std::io;
use std::sync::Mutex;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{self, CParameter};

use crate::options::Compression;
use crate::shared::lock;

/// The most contexts of a kind that wait for work.
const MAX_IDLE: usize = 16;
/// The most bytes of buffers that wait for work.
const MAX_IDLE_BYTES: usize = 8 << 20;
/// Shorter payloads are not worth a frame.
const MIN_BYTES: usize = 64;

pub(crate) struct Codecs {
    compression: Compression,
    compressors: Mutex<Vec<Worker>>,
    decompressors: Mutex<Vec<Decompressor<'static>>>,
    buffers: Mutex<Buffers>,
}

#[derive(Default)]
struct Buffers {
    idle: Vec<Vec<u8>>,
    bytes: usize,
}

impl Codecs {
    pub(crate) fn new(compression: Compression) -> Self {
        Codecs {
            compression,
            compressors: Mutex::default(),
            decompressors: Mutex::default(),
            buffers: Mutex::default(),
        }
    }

    /// The zstd frame of `raw`; `None` if it is better stored as it is.
    pub(crate) fn compress(&self, raw: &[u8]) -> Option<Vec<u8>> {
        if raw.len() < MIN_BYTES {
            return None;
        }
        let idle = lock(&self.compressors).pop();
        let mut worker = match idle {
            Some(worker) => worker,
            None => Worker::new(self.compression)?,
        };
        let mut out = self.buffer(zstd_safe::compress_bound(raw.len()));
        let done = worker.compress(raw, &mut out);
        keep(&self.compressors, worker);
        if done && out.len() < raw.len() - raw.len() / 16 {
            return Some(out);
        }
        self.give_back(out);
        None
    }

    /// The payload of exactly `raw_bytes` bytes in a zstd frame.
    pub(crate) fn decompress(&self, stored: &[u8], raw_bytes: usize) -> io::Result<Vec<u8>> {
        let idle = lock(&self.decompressors).pop();
        let mut decompressor = match idle {
            Some(decompressor) => decompressor,
            None => Decompressor::new()?,
        };
        let mut out = Vec::with_capacity(raw_bytes);
        let done = decompressor.decompress_to_buffer(stored, &mut out);
        keep(&self.decompressors, decompressor);
        done?;
        if out.len() != raw_bytes {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(out)
    }

    fn buffer(&self, capacity: usize) -> Vec<u8> {
        let mut buffers = lock(&self.buffers);
        match buffers.idle.pop() {
            Some(mut buffer) => {
                buffers.bytes -= buffer.capacity();
                drop(buffers);
                buffer.clear();
                buffer.reserve(capacity);
                buffer
            }
            None => Vec::with_capacity(capacity),
        }
    }

    /// Takes back what [`compress`](Self::compress) gave.
    pub(crate) fn give_back(&self, buffer: Vec<u8>) {
        let mut buffers = lock(&self.buffers);
        if buffers.bytes + buffer.capacity() <= MAX_IDLE_BYTES {
            buffers.bytes += buffer.capacity();
            buffers.idle.push(buffer);
        }
    }
}

/// What makes frames.
enum Worker {
    Fast(press::Compressor),
    Zstd(Compressor<'static>),
}

impl Worker {
    fn new(compression: Compression) -> Option<Self> {
        match compression {
            Compression::None => None,
            Compression::Fast => Some(Worker::Fast(press::Compressor::new())),
            Compression::Zstd(level) => compressor(level).ok().map(Worker::Zstd),
        }
    }

    fn compress(&mut self, raw: &[u8], out: &mut Vec<u8>) -> bool {
        match self {
            Worker::Fast(press) => press.compress(raw, out),
            Worker::Zstd(zstd) => zstd.compress_to_buffer(raw, out).is_ok(),
        }
    }
}

/// The largest window, as a power of two. Below 2^19 zstd's fast match finder works without
/// branches, which takes a quarter less time on telemetry and costs no ratio (see
/// `docs/decisions/2026-11-24-journal-compression.md`).
const WINDOW_LOG: u32 = 18;

/// One frame a payload, with its length and without a checksum: the block has a CRC32C.
fn compressor(level: i32) -> io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(level)?;
    compressor.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
    compressor.set_parameter(CParameter::ContentSizeFlag(true))?;
    compressor.set_parameter(CParameter::ChecksumFlag(false))?;
    Ok(compressor)
}

fn keep<T>(idle: &Mutex<Vec<T>>, context: T) {
    let mut idle = lock(idle);
    if idle.len() < MAX_IDLE {
        idle.push(context);
    }
}
