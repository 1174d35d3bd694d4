//! The text of JSON: its tokens, its escapes, and writing it anew.

use std::fmt::Write;

/// The text is not JSON from this place on.
pub(super) struct NotJson;

/// Where the pass is in the text, and what it has written.
pub(super) struct Text<'t> {
    pub(super) text: &'t str,
    pub(super) pos: usize,
    pub(super) out: String,
    /// All of the text before this is dealt with.
    pub(super) copied: usize,
    pub(super) changed: bool,
}

impl<'t> Text<'t> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.pos += 1;
        }
    }

    pub(super) fn expect(&mut self, byte: u8) -> Result<(), NotJson> {
        if self.peek() != Some(byte) {
            return Err(NotJson);
        }
        self.pos += 1;
        Ok(())
    }

    /// Reads a string; what stands between its quotes.
    pub(super) fn string(&mut self) -> Result<&'t str, NotJson> {
        self.expect(b'"')?;
        let start = self.pos;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.pos += 2,
                Some(_) => self.pos += 1,
                None => {
                    self.pos = start - 1;
                    return Err(NotJson);
                }
            }
        }
        self.pos += 1;
        self.text.get(start..self.pos - 1).ok_or(NotJson)
    }

    /// Reads a number or a literal.
    pub(super) fn word(&mut self) -> Result<&'t str, NotJson> {
        let start = self.pos;
        while let Some(b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'-' | b'.') = self.peek() {
            self.pos += 1;
        }
        let word = self.text.get(start..self.pos).ok_or(NotJson)?;
        let first = word.bytes().next();
        let number = first.is_some_and(|b| b == b'-' || b.is_ascii_digit());
        if number || matches!(word, "true" | "false" | "null") {
            return Ok(word);
        }
        self.pos = start;
        Err(NotJson)
    }

    /// Reads over a value, whatever it nests.
    fn skip(&mut self) -> Result<(), NotJson> {
        let mut open = 0usize;
        loop {
            self.space();
            match self.peek() {
                Some(b'{' | b'[') => {
                    open += 1;
                    self.pos += 1;
                }
                Some(b'}' | b']') if open > 0 => {
                    open -= 1;
                    self.pos += 1;
                }
                Some(b',' | b':') if open > 0 => self.pos += 1,
                Some(b'"') => {
                    self.string()?;
                }
                _ => {
                    self.word()?;
                }
            }
            if open == 0 {
                return Ok(());
            }
        }
    }

    /// Reads a string that is a value; one that does not end goes on to the end of the text.
    pub(super) fn string_or_rest(&mut self) -> &'t str {
        let start = self.pos + 1;
        self.string().unwrap_or_else(|_| {
            self.pos = self.text.len();
            self.text.get(start..).unwrap_or_default()
        })
    }

    /// Reads over a value; one that does not end goes on to the end of the text.
    pub(super) fn skip_or_rest(&mut self) {
        if self.skip().is_err() {
            self.pos = self.text.len();
        }
    }

    /// What stands from `start` to `end` becomes `new`.
    pub(super) fn replace(&mut self, start: usize, end: usize, new: impl FnOnce(&mut String)) {
        if let Some(run) = self.text.get(self.copied..start) {
            self.out.push_str(run);
        }
        new(&mut self.out);
        self.copied = end;
        self.changed = true;
    }
}

/// Appends a text as a JSON string.
pub(super) fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A string of JSON without its escapes. An escape that is none stays as it is, and half of a
/// surrogate pair becomes U+FFFD.
pub(super) fn unescape<'a>(raw: &'a str, plain: &'a mut String) -> &'a str {
    if !raw.as_bytes().contains(&b'\\') {
        return raw;
    }
    plain.clear();
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let escape = &rest[at..];
        let (c, len) = match escape.as_bytes().get(1) {
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b @ (b'"' | b'\\' | b'/')) => (char::from(*b), 2),
            Some(b'u') => unicode(escape),
            _ => ('\\', 1),
        };
        plain.push(c);
        rest = &escape[len..];
    }
    plain.push_str(rest);
    plain
}

/// Reads `\uXXXX`, two of them for a surrogate pair.
fn unicode(escape: &str) -> (char, usize) {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 6)?.strip_prefix("\\u")?;
        digits
            .bytes()
            .all(|b| b.is_ascii_hexdigit())
            .then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let Some(first) = unit(0) else {
        return ('\\', 1);
    };
    if let (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) = (first, unit(6)) {
        let c = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(c).unwrap_or('\u{fffd}'), 12);
    }
    (char::from_u32(first).unwrap_or('\u{fffd}'), 6)
}
