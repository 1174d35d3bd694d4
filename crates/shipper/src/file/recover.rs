//! Where a file that a crash left behind is sound up to.
//!
//! Every write is synced before the next one begins, so only what the last write wrote can be torn:
//! cut short, or with pages of zeros where bytes never reached the disk.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use ident::Signal;

use super::config::{Compression, Config, Format};

/// Longer messages are not written; a greater length is damage.
const MAX_MESSAGE_BYTES: u64 = 1 << 30;

/// The length of the file's sound beginning.
pub(super) fn sound_length(file: &File, config: &Config, signal: Signal) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(256 << 10, file);
    reader.seek(SeekFrom::Start(0))?;
    match (config.compression, config.format) {
        (Compression::None, Format::Json) => lines(&mut reader),
        (Compression::None, Format::Proto) => messages(&mut reader, length, signal),
        (Compression::Zstd, _) => frames(&mut reader, length),
    }
}

/// Up to the last line break before the end, or before a zero byte, which JSON never holds.
fn lines(reader: &mut impl BufRead) -> io::Result<u64> {
    let (mut read, mut sound) = (0u64, 0u64);
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(sound);
        }
        let zero = memchr::memchr(0, buffer);
        let clean = buffer.get(..zero.unwrap_or(buffer.len())).unwrap_or(buffer);
        if let Some(end) = memchr::memrchr(b'\n', clean) {
            sound = read + end as u64 + 1;
        }
        if zero.is_some() {
            return Ok(sound);
        }
        let taken = buffer.len();
        read += taken as u64;
        reader.consume(taken);
    }
}

/// Up to the first message that does not fit into the file, or is none.
fn messages(reader: &mut impl Read, length: u64, signal: Signal) -> io::Result<u64> {
    let mut sound = 0;
    let mut message = Vec::new();
    loop {
        let left = length.saturating_sub(sound);
        let mut prefix = [0; 4];
        if left < 4 {
            return Ok(sound);
        }
        reader.read_exact(&mut prefix)?;
        let size = u64::from(u32::from_be_bytes(prefix));
        if size > left - 4 || size > MAX_MESSAGE_BYTES {
            return Ok(sound);
        }
        message.clear();
        reader.take(size).read_to_end(&mut message)?;
        // A page of zeros reads as empty messages, which are never written.
        if size == 0 || ::otlp::check(signal, &message).is_err() {
            return Ok(sound);
        }
        sound += 4 + size;
    }
}

/// Up to the end of the last frame that is whole and whose checksum is right.
fn frames(reader: &mut (impl BufRead + Seek), length: u64) -> io::Result<u64> {
    let mut sound = 0;
    while sound < length {
        reader.seek(SeekFrom::Start(sound))?;
        let mut frame = ::zstd::stream::read::Decoder::with_buffer(&mut *reader)?.single_frame();
        match io::copy(&mut frame, &mut io::sink()) {
            Ok(_) => {}
            // zstd's own errors are of this kind too, and so is an end within a frame.
            Err(error) if is_damage(&error) => return Ok(sound),
            Err(error) => return Err(error),
        }
        let end = reader.stream_position()?;
        if end <= sound {
            return Ok(sound);
        }
        sound = end;
    }
    Ok(sound)
}

fn is_damage(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
}
