//! A strict pull parser for JSON (RFC 8259) over bytes that are known to be UTF-8.
//!
//! It hands out one token at a time and keeps nothing but its place, so it neither allocates nor
//! recurses. What it lets pass is proven: strings hold no raw control character, every escape is
//! one, surrogates come in pairs, numbers follow the grammar.

use super::MAX_JSON_DEPTH;
use super::error::{JsonErrorKind, Outcome, fault};

/// A string token.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    /// What stands between the quotes.
    pub(super) raw: &'a [u8],
    /// Where that begins.
    pub(super) offset: usize,
    /// Whether it holds escapes; if not, `raw` is the string itself.
    pub(super) escaped: bool,
}

pub(super) struct Cursor<'a> {
    json: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    /// `json` must be UTF-8, or the strings handed out are not.
    pub(super) fn new(json: &'a [u8]) -> Self {
        Cursor {
            json,
            at: 0,
            depth: 0,
        }
    }

    /// The place of the next byte to read.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// The next byte after white space, without taking it.
    #[inline]
    pub(super) fn peek(&mut self) -> Outcome<u8> {
        loop {
            match self.json.get(self.at) {
                Some(b' ' | b'\n' | b'\t' | b'\r') => self.at += 1,
                Some(byte) => return Ok(*byte),
                None => return fault(self.at, JsonErrorKind::UnexpectedEnd),
            }
        }
    }

    /// Enters an object or array whose first byte is next. Answers whether it is empty; then it
    /// is left already.
    #[inline]
    pub(super) fn open(&mut self, close: u8) -> Outcome<bool> {
        if self.depth >= MAX_JSON_DEPTH {
            return fault(self.at, JsonErrorKind::TooDeep);
        }
        self.at += 1;
        if self.peek()? == close {
            self.at += 1;
            return Ok(true);
        }
        self.depth += 1;
        Ok(false)
    }

    /// After an element: takes the comma, or the end of the object or array. Answers whether
    /// there is more.
    #[inline]
    pub(super) fn more(&mut self, close: u8) -> Outcome<bool> {
        match self.peek()? {
            b',' => {
                self.at += 1;
                Ok(true)
            }
            byte if byte == close => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            _ if close == b'}' => fault(self.at, JsonErrorKind::Expected("`,` or `}`")),
            _ => fault(self.at, JsonErrorKind::Expected("`,` or `]`")),
        }
    }

    /// Takes a name and its colon.
    #[inline]
    pub(super) fn key(&mut self) -> Outcome<Text<'a>> {
        if self.peek()? != b'"' {
            return fault(self.at, JsonErrorKind::Expected("a name in double quotes"));
        }
        let key = self.string()?;
        if self.peek()? != b':' {
            return fault(self.at, JsonErrorKind::Expected("`:`"));
        }
        self.at += 1;
        Ok(key)
    }

    /// Takes the string whose opening quote is next.
    #[inline]
    pub(super) fn string(&mut self) -> Outcome<Text<'a>> {
        let offset = self.at + 1;
        let mut at = offset;
        let mut escaped = false;
        loop {
            at = find_special(self.json, at);
            match self.json.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at = self.escape(at)?;
                }
                Some(_) => return fault(at, JsonErrorKind::ControlCharacter),
                None => return fault(self.json.len(), JsonErrorKind::UnexpectedEnd),
            }
        }
        self.at = at + 1;
        Ok(Text {
            raw: &self.json[offset..at],
            offset,
            escaped,
        })
    }

    /// Proves the escape at `at` and answers where it ends.
    fn escape(&self, at: usize) -> Outcome<usize> {
        match self.json.get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') => match self.unit(at)? {
                0xd800..=0xdbff => {
                    let low = at + 6;
                    match (self.json.get(low), self.json.get(low + 1)) {
                        (None, _) | (Some(b'\\'), None) => {
                            fault(self.json.len(), JsonErrorKind::UnexpectedEnd)
                        }
                        (Some(b'\\'), Some(b'u')) => match self.unit(low)? {
                            0xdc00..=0xdfff => Ok(low + 6),
                            _ => fault(at, JsonErrorKind::LoneSurrogate),
                        },
                        _ => fault(at, JsonErrorKind::LoneSurrogate),
                    }
                }
                0xdc00..=0xdfff => fault(at, JsonErrorKind::LoneSurrogate),
                _ => Ok(at + 6),
            },
            Some(_) => fault(at, JsonErrorKind::InvalidEscape),
            None => fault(self.json.len(), JsonErrorKind::UnexpectedEnd),
        }
    }

    /// The UTF-16 unit of the `\uXXXX` at `at`.
    fn unit(&self, at: usize) -> Outcome<u32> {
        match self.json.get(at + 2..at + 6) {
            Some(digits) => match hex4(digits) {
                Some(unit) => Ok(unit),
                None => fault(at, JsonErrorKind::InvalidEscape),
            },
            None => fault(self.json.len(), JsonErrorKind::UnexpectedEnd),
        }
    }

    /// Takes the number whose first byte, a digit or a minus, is next.
    #[inline]
    pub(super) fn number(&mut self) -> Outcome<&'a [u8]> {
        let rest = &self.json[self.at..];
        match super::number::grammar(rest) {
            Some(len) => {
                self.at += len;
                Ok(&rest[..len])
            }
            None => fault(self.at, JsonErrorKind::InvalidNumber),
        }
    }

    /// Takes `null`, `true` or `false`, whose first byte is next.
    #[inline]
    pub(super) fn word(&mut self, word: &'static str) -> Outcome<()> {
        let rest = &self.json[self.at..];
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(())
        } else if word.as_bytes().starts_with(rest) {
            fault(self.json.len(), JsonErrorKind::UnexpectedEnd)
        } else {
            fault(self.at, JsonErrorKind::Expected("a JSON value"))
        }
    }

    /// Takes any value and forgets it: proven to be JSON, bounded in depth.
    pub(super) fn skip(&mut self) -> Outcome<()> {
        let outside = self.depth;
        // One bit for each open level: an object, or an array.
        let mut objects = [0u64; MAX_JSON_DEPTH / 64 + 1];
        loop {
            let byte = self.peek()?;
            match byte {
                b'{' | b'[' => {
                    let object = byte == b'{';
                    if !self.open(if object { b'}' } else { b']' })? {
                        let bit = 1 << (self.depth % 64);
                        if object {
                            objects[self.depth / 64] |= bit;
                            self.key()?;
                        } else {
                            objects[self.depth / 64] &= !bit;
                        }
                        continue;
                    }
                }
                b'"' => {
                    self.string()?;
                }
                b'-' | b'0'..=b'9' => {
                    self.number()?;
                }
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                _ => return fault(self.at, JsonErrorKind::Expected("a JSON value")),
            }
            loop {
                if self.depth == outside {
                    return Ok(());
                }
                let object = objects[self.depth / 64] >> (self.depth % 64) & 1 == 1;
                if self.more(if object { b'}' } else { b']' })? {
                    if object {
                        self.key()?;
                    }
                    break;
                }
            }
        }
    }

    /// Proves that only white space is left.
    pub(super) fn end(&mut self) -> Outcome<()> {
        match self.peek() {
            Ok(_) => fault(self.at, JsonErrorKind::TrailingData),
            Err(_) => Ok(()),
        }
    }
}

fn hex4(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |unit, digit| {
        Some(unit << 4 | char::from(*digit).to_digit(16)?)
    })
}

/// The place, from `at` on, of the first quote, backslash or control character; else the end.
/// Eight bytes at a time.
#[inline]
pub(super) fn find_special(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        // In each of the three, the lowest bit set is true; borrows can only err above it.
        let hit = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let hit = hit & HIGH;
        if hit != 0 {
            return at + (hit.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

/// Appends the string that `raw`, a proven string token, stands for.
pub(super) fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let Some(kind) = rest.get(at + 1) else {
            return;
        };
        let mut taken = 2;
        let character = match kind {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                taken = 6;
                let mut code = rest.get(at + 2..at + 6).and_then(hex4).unwrap_or(0);
                if let 0xd800..=0xdbff = code {
                    taken = 12;
                    let low = rest.get(at + 8..at + 12).and_then(hex4).unwrap_or(0xdc00);
                    code = 0x1_0000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
                }
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => char::from(*other),
        };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        rest = rest.get(at + taken..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}
