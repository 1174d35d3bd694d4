//! Where a file that a crash left behind is sound up to.
//!
//! Every write is synced before the next one begins, so only what the last write wrote can be torn:
//! cut short, or with pages of zeros where bytes never reached the disk. Zeros within a string of an
//! uncompressed protobuf message cannot be told from its text; the message is shipped again anyway.
//!
//! Damage that has sound data after it is something else: see [`sound_after`].

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

/// Whether anything sound follows the damage at `from`. Then the damage is not a torn write, and
/// what follows was acknowledged.
pub(super) fn sound_after(
    file: &File,
    config: &Config,
    signal: Signal,
    from: u64,
) -> io::Result<bool> {
    let length = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(256 << 10, file);
    reader.seek(SeekFrom::Start(from))?;
    match (config.compression, config.format) {
        (Compression::None, Format::Json) => line_after(&mut reader),
        (Compression::None, Format::Proto) => message_after(&mut reader, length - from, signal),
        (Compression::Zstd, _) => frame_after(&mut reader, from + 1),
    }
}

/// A whole line without zero bytes that looks like an object, after the line that is damaged.
fn line_after(reader: &mut impl BufRead) -> io::Result<bool> {
    // Of the line so far: its first and last bytes, and whether it can be one.
    let (mut first, mut last, mut clean) = (None, 0, false);
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(false);
        }
        for byte in buffer {
            match byte {
                b'\n' if clean && first == Some(b'{') && last == b'}' => return Ok(true),
                b'\n' => (first, last, clean) = (None, 0, true),
                0 => clean = false,
                byte => {
                    first = first.or(Some(*byte));
                    last = *byte;
                }
            }
        }
        let taken = buffer.len();
        reader.consume(taken);
    }
}

/// A sound message after one whose length is right and whose content is not. Where the length is
/// damaged, there is no telling.
fn message_after(reader: &mut impl Read, mut left: u64, signal: Signal) -> io::Result<bool> {
    let mut message = Vec::new();
    let mut after_damage = false;
    while left >= 4 {
        let mut prefix = [0; 4];
        reader.read_exact(&mut prefix)?;
        left -= 4;
        let size = u64::from(u32::from_be_bytes(prefix));
        if size == 0 || size > left || size > MAX_MESSAGE_BYTES {
            return Ok(false);
        }
        message.clear();
        reader.take(size).read_to_end(&mut message)?;
        left -= size;
        if after_damage && ::otlp::check(signal, &message).is_ok() {
            return Ok(true);
        }
        after_damage = true;
    }
    Ok(false)
}

/// A frame that can be read, wherever it begins.
fn frame_after(reader: &mut (impl BufRead + Seek), from: u64) -> io::Result<bool> {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    let mut at = from;
    loop {
        let Some(found) = find(reader, at, MAGIC)? else {
            return Ok(false);
        };
        reader.seek(SeekFrom::Start(found))?;
        let mut frame = ::zstd::stream::read::Decoder::with_buffer(&mut *reader)?.single_frame();
        match io::copy(&mut frame, &mut io::sink()) {
            Ok(_) => return Ok(true),
            Err(error) if is_damage(&error) => at = found + 1,
            Err(error) => return Err(error),
        }
    }
}

/// Where these four bytes next are.
fn find(reader: &mut (impl BufRead + Seek), from: u64, bytes: [u8; 4]) -> io::Result<Option<u64>> {
    reader.seek(SeekFrom::Start(from))?;
    let (mut at, mut seen) = (from, 0u32);
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None);
        }
        for byte in buffer {
            seen = (seen << 8) | u32::from(*byte);
            at += 1;
            if seen == u32::from_be_bytes(bytes) && at >= from + 4 {
                return Ok(Some(at - 4));
            }
        }
        let taken = buffer.len();
        reader.consume(taken);
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
