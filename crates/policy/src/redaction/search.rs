//! What stands in a request although it must not: the other half of `redact test`.
//!
//! Looked into are all texts and bytes values, keys and names too, the numbers in values, and
//! fields that the schema does not name. Not looked into are times, measurements, and the ids of
//! traces and spans: no policy changes them.

use ident::Signal;
use otlp::CheckError;
use otlp::edit::{BytesChange, Editor, NumberChange, Place, Text, TextChange, UnknownChange, edit};
use otlp::schema::{Kind, Message, MessageId};
use otlp::wire;
use regex::bytes::{Regex, RegexBuilder};

use super::json_text::unescape;
use super::locate::{Locator, range_of};

/// The most patterns that are looked for at once.
pub const MAX_PATTERNS: usize = 256;

/// The most memory that a compiled pattern takes.
const PATTERN_BYTES: usize = 1 << 20;

/// Regular expressions that must match nothing.
#[derive(Clone, Debug)]
pub struct Patterns {
    patterns: Vec<Regex>,
}

/// Why patterns are not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternsError {
    /// More than [`MAX_PATTERNS`].
    #[error("more than {MAX_PATTERNS} patterns\nhint: join some with `|`")]
    TooMany,
    /// One that does not compile.
    #[error("{0}\nhint: the syntax is that of https://docs.rs/regex; quote it for the shell")]
    Syntax(String),
    /// One that is found in every text.
    #[error("the pattern `{0}` matches the empty text\nhint: it would be found everywhere")]
    Empty(String),
}

/// A place in which a pattern is found.
#[derive(Clone, PartialEq, Eq)]
pub struct Survivor {
    /// The fields on the way to it.
    pub path: String,
    /// The index of the pattern.
    pub pattern: usize,
    /// What matches, as text.
    pub text: String,
}

impl std::fmt::Debug for Survivor {
    // Its text is what must not be seen.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Survivor({})", self.pattern)
    }
}

impl Patterns {
    /// Compiles patterns.
    ///
    /// # Errors
    /// Says which one is wrong and why.
    pub fn compile(patterns: &[String]) -> Result<Patterns, PatternsError> {
        if patterns.len() > MAX_PATTERNS {
            return Err(PatternsError::TooMany);
        }
        let compile = |text: &String| {
            let regex = RegexBuilder::new(text)
                .size_limit(PATTERN_BYTES)
                .build()
                .map_err(|error| PatternsError::Syntax(error.to_string()))?;
            if regex.is_match(b"") {
                return Err(PatternsError::Empty(text.clone()));
            }
            Ok(regex)
        };
        let patterns = patterns.iter().map(compile).collect::<Result<_, _>>()?;
        Ok(Patterns { patterns })
    }

    /// The text of the pattern of this index.
    pub fn get(&self, pattern: usize) -> &str {
        self.patterns.get(pattern).map_or("", Regex::as_str)
    }

    /// Tells where the patterns are found in a request, in its order: at most once a value and
    /// pattern. Text is looked into as it stands and with its escapes of JSON read.
    ///
    /// # Errors
    /// If the bytes are malformed.
    pub fn search(
        &self,
        signal: Signal,
        request: &[u8],
        each: &mut dyn FnMut(Survivor),
    ) -> Result<(), CheckError> {
        if self.patterns.is_empty() {
            return Ok(());
        }
        let mut search = Search {
            patterns: &self.patterns,
            request,
            locator: Locator::new(signal, request),
            around: None,
            plain: String::new(),
            each,
        };
        // Nothing is written where nothing changes.
        edit(signal, request, &mut search, &mut Vec::new()).map(drop)
    }
}

/// An editor that changes nothing.
struct Search<'a> {
    patterns: &'a [Regex],
    request: &'a [u8],
    locator: Locator<'a>,
    /// The value that is walked.
    around: Option<std::ops::Range<usize>>,
    plain: String,
    each: &'a mut dyn FnMut(Survivor),
}

impl Search<'_> {
    /// Looks into a text. `path` finds the way to it.
    fn look(&mut self, text: &[u8], path: impl Fn(&mut Locator<'_>) -> String) {
        let escaped = std::str::from_utf8(text).ok().filter(|t| t.contains('\\'));
        let plain = escaped.map(|text| unescape(text, &mut self.plain).as_bytes());
        for (pattern, regex) in self.patterns.iter().enumerate() {
            let found = regex.find(text);
            let Some(found) = found.or_else(|| plain.and_then(|plain| regex.find(plain))) else {
                continue;
            };
            (self.each)(Survivor {
                path: path(&mut self.locator),
                pattern,
                text: super::shown::bytes_text(found.as_bytes()),
            });
        }
    }

    fn look_at_body(&mut self, text: &[u8]) {
        let range = range_of(self.request, text).unwrap_or(0..0);
        self.look(text, |locator| locator.of_body(&range));
    }
}

impl Editor for Search<'_> {
    fn asks_about(&self, message: &'static Message) -> u32 {
        let strings = message.fields.iter();
        strings
            .filter(|field| matches!(field.kind, Kind::String))
            .fold(0, |asked, field| asked | 1 << field.number)
    }

    fn value(&mut self, _: Place, body: &[u8]) -> otlp::edit::ValueChange<'_> {
        self.around = range_of(self.request, body);
        otlp::edit::ValueChange::Walk
    }

    fn text(&mut self, _: Place, text: Text<'_>) -> TextChange<'_> {
        self.look_at_body(text.as_bytes());
        TextChange::Keep
    }

    fn bytes(&mut self, place: Place, bytes: &[u8]) -> BytesChange<'_> {
        if place.message.id == MessageId::AnyValue {
            self.look_at_body(bytes);
        }
        BytesChange::Keep
    }

    fn number(&mut self, place: Place, number: u64) -> NumberChange {
        if place.message.id == MessageId::AnyValue {
            let text = match place.field.number {
                4 => f64::from_bits(number).to_string(),
                _ => (number as i64).to_string(),
            };
            let around = self.around.clone().unwrap_or(0..0);
            self.look(text.as_bytes(), |locator| locator.of_body(&around));
        }
        NumberChange::Keep
    }

    fn unknown(&mut self, _: &'static Message, field: wire::Field<'_>) -> UnknownChange {
        let range = range_of(self.request, field.bytes).unwrap_or(0..0);
        self.look(field.bytes, |locator| locator.of_field(&range));
        UnknownChange::Keep
    }
}
